"""python vocode.py --mels MELS --wavs OUT"""

import argparse
from pathlib import Path

import numpy as np
import soundfile as sf
import torch
from model import RATE, Vocoder, vocode

torch.set_num_threads(1)
parser = argparse.ArgumentParser()
parser.add_argument("--mels", type=Path, required=True)
parser.add_argument("--wavs", type=Path, required=True)
given = parser.parse_args()

model = Vocoder().eval()
weights = torch.load(Path(__file__).with_name("vocoder.pt"), map_location="cpu", weights_only=True)
model.load_state_dict({name: value.float() for name, value in weights.items()})
given.wavs.mkdir(parents=True, exist_ok=True)
for path in sorted(given.mels.glob("*.npy")):
    audio = vocode(model, torch.from_numpy(np.load(path)).float().reshape(80, -1))
    sf.write(given.wavs / f"{path.stem}.wav", audio.clamp(-1, 1).numpy(), RATE, subtype="PCM_16")
