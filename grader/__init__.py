"""Checks, scores and ranks mel-vocoder homework."""

__version__ = "0.1.0"
