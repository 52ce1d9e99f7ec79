"""HiFi-GAN (Kong, Kim, Bae 2020) for the course's mel spectrograms: generator, discriminators, training, weights.

``python -m reference_vocoders.hifigan.train --data DIR --config v2`` trains;
``python -m reference_vocoders.hifigan.render --mels DIR --out DIR`` sings;
``python -m reference_vocoders.hifigan.evaluate --data DIR`` compares vocoders on recordings.
"""

from pathlib import Path

VERSION = 1
"""Raised whenever a change of the code changes the audio that the same weights make."""

SHIPPED = Path(__file__).with_name("weights") / "v2_singing.safetensors"
"""The weights that come with the package; their card lies beside them."""
