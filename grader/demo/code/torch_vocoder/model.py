"""A small vocoder: a network draws the spectrum below 5 kHz from the mel, a few rounds of Griffin-Lim find phases."""

import torch
from torch import nn

RATE, BANDS, N_FFT, HOP = 22050, 80, 1024, 256
BINS = 232  # up to 5 kHz
EARLY = 128  # the course's frames are centred on 256·t + 128, torch's on 256·t


class Vocoder(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(BANDS, width, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv1d(width, BINS, 1),
        )

    def forward(self, mel):
        """Log magnitudes (batch, BINS, frames) of mels (batch, BANDS, frames) in linear power."""
        return self.layers(torch.log(mel + 1e-5))


def spectra(audio):
    """Complex spectra (N_FFT / 2 + 1, frames) of audio (samples,), one frame more than audio has hops."""
    window = torch.hann_window(N_FFT)
    return torch.stft(audio, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)


def audio_of(magnitude, iterations):
    frames = magnitude.shape[-1]
    window = torch.hann_window(N_FFT)
    angle = 2 * torch.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    turn = torch.polar(torch.ones_like(angle), angle)
    for _ in range(iterations + 1):
        audio = torch.istft(magnitude * turn, N_FFT, HOP, window=window, length=HOP * frames - EARLY)
        turn = torch.sgn(spectra(audio)[:, :frames])
    return torch.cat([torch.zeros(EARLY), audio])


@torch.no_grad()
def vocode(model, mel, iterations=4):
    """Audio (HOP · frames,) for a mel (BANDS, frames)."""
    magnitude = torch.zeros(N_FFT // 2 + 1, mel.shape[-1])
    magnitude[:BINS] = model(mel[None])[0].exp()
    return audio_of(magnitude, iterations)
