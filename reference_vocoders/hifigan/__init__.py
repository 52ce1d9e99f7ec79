"""HiFi-GAN (Kong, Kim, Bae 2020) for the course's mel spectrograms: generator, discriminators, training, weights.

``python -m reference_vocoders.hifigan.train --data DIR --config v2`` trains.
"""
