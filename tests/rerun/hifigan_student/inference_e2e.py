import argparse
import glob
import json
import os
import warnings

import librosa
import numpy as np
import torch
from env import AttrDict
from models import Generator
from scipy.io.wavfile import write

warnings.filterwarnings("ignore", category=FutureWarning)
MAX_WAV_VALUE = 32768.0
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_hifigan_mel(mel, h):
    """The course's mel (power, HTK, no log) as the mel that the pretrained model was trained on."""
    htk = librosa.filters.mel(sr=h.sampling_rate, n_fft=h.n_fft, n_mels=80, fmin=0, fmax=8000, htk=True, norm=None)
    slaney = librosa.filters.mel(sr=h.sampling_rate, n_fft=h.n_fft, n_mels=80, fmin=h.fmin, fmax=h.fmax)
    magnitude = np.sqrt(np.maximum(np.linalg.pinv(htk) @ mel, 1e-9))
    return np.log(np.maximum(slaney @ magnitude, 1e-5)).astype(np.float32)


def inference(a, h):
    generator = Generator(h).to(device)
    state_dict_g = torch.load(a.checkpoint_file, map_location=device)
    generator.load_state_dict(state_dict_g["generator"])
    filelist = sorted(glob.glob(os.path.join(a.input_mels_dir, "*.npy")))
    os.makedirs(a.output_dir, exist_ok=True)
    generator.eval()
    generator.remove_weight_norm()
    with torch.no_grad():
        for filname in filelist:
            mel = torch.FloatTensor(to_hifigan_mel(np.load(filname), h)).unsqueeze(0).to(device)
            audio = generator(mel).squeeze() * MAX_WAV_VALUE
            audio = audio.cpu().numpy().astype("int16")
            output_file = os.path.join(
                a.output_dir, os.path.splitext(os.path.basename(filname))[0] + "_generated_e2e.wav"
            )
            write(output_file, h.sampling_rate, audio)
            print(output_file)


def main():
    print("Initializing Inference Process..")
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_mels_dir", default="test_mel_files")
    parser.add_argument("--output_dir", default="generated_files_from_mel")
    parser.add_argument("--checkpoint_file", required=True)
    a = parser.parse_args()
    with open(os.path.join(os.path.split(a.checkpoint_file)[0], "config.json")) as f:
        h = AttrDict(json.load(f))
    torch.manual_seed(h.seed)
    inference(a, h)


if __name__ == "__main__":
    main()
