"""How vocoder.pt was trained: python train.py WAVS (a folder of mono wavs at 22 050 Hz), in a few seconds."""

import sys
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from model import BANDS, BINS, EARLY, HOP, N_FFT, RATE, Vocoder, spectra


def filterbank():
    hz = np.linspace(0, RATE / 2, N_FFT // 2 + 1)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), BANDS + 2) / 2595) - 1)
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    return torch.from_numpy(np.maximum(0, np.minimum(rise, fall))).float()


torch.manual_seed(0)
torch.set_num_threads(1)
clips = [
    torch.from_numpy(sf.read(path, dtype="float32")[0])[EARLY:] for path in sorted(Path(sys.argv[1]).glob("*.wav"))
]
magnitudes = torch.cat([spectra(clip)[:, : len(clip) // HOP].abs() for clip in clips], dim=1)
mels = filterbank() @ magnitudes**2
model = Vocoder()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(1500):
    places = [slice(start, start + 64) for start in torch.randint(0, mels.shape[1] - 64, (16,)).tolist()]
    gains = torch.exp(torch.empty(16, 1, 1).uniform_(-1, 1))  # loud and soft singers
    guess = model(torch.stack([mels[:, place] for place in places]) * gains**2)
    wanted = torch.stack([magnitudes[:BINS, place] for place in places]) * gains
    loss = (guess - torch.log(wanted + 1e-3)).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, round(loss.item(), 3))
state = {name: value.half() for name, value in model.state_dict().items()}
torch.save(state, Path(__file__).with_name("vocoder.pt"))
