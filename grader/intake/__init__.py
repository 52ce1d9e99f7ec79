"""What was handed in: safe unpacking, and who handed in what."""
