"""A small pretend course, made from nothing: singing by formula, test mels, references and eight pretend students."""
