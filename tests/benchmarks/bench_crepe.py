"""CREPE against the stock torch network on the same weights: ``python -m tests.benchmarks.bench_crepe``.

Both in one process, in turn, each at the batch size that suits it best. The stock network is written here as PyTorch
users write it; the faster of its two forms (two- and one-dimensional convolutions) is what the ratio is taken against.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from grader.metrics import crepe, crepe_network
from grader.metrics.crepe_engine import BLOCK_FRAMES, each
from grader.metrics.crepe_fast import FastCrepe
from tests.benchmarks.measuring import row

BATCHES = (8, 16, 32, 64)
FRAMES = 128


class Stock(nn.Module):
    """The network as torchcrepe and others write it, for inference; kernels are (taps, 1) or (taps,)."""

    def __init__(self, weights: crepe_network.Crepe, dimensions: int) -> None:
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dimensions == 2 else (nn.Conv1d, nn.BatchNorm1d)
        self.tail = (1,) * (dimensions - 1)
        self.pool = functional.max_pool2d if dimensions == 2 else functional.max_pool1d
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for layer, stride in zip(weights.layers, crepe_network.STRIDE, strict=True):
            out, into, taps = layer.weight.shape
            convolution = conv(into, out, (taps, *self.tail), (stride, *self.tail))
            convolution.weight.data = layer.weight.reshape(convolution.weight.shape)
            convolution.bias.data = layer.bias
            normalisation = norm(out, eps=crepe_network.EPSILON)
            normalisation.weight.data, normalisation.bias.data = layer.gamma, layer.beta
            normalisation.running_mean, normalisation.running_var = layer.mean, layer.variance
            self.convolutions.append(convolution)
            self.norms.append(normalisation)
        self.classifier = nn.Linear(*weights.classifier[0].T.shape)
        self.classifier.weight.data, self.classifier.bias.data = weights.classifier
        self.eval()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = frames.reshape(len(frames), 1, -1, *self.tail)
        for padding, convolution, norm in zip(crepe_network.PADDING, self.convolutions, self.norms, strict=True):
            x = functional.pad(x, (*(0, 0) * len(self.tail), *padding))
            x = self.pool(norm(functional.relu(convolution(x))), (2, *self.tail))
        return torch.sigmoid(self.classifier(x.flatten(2).transpose(1, 2).flatten(1)))


def singing(frames: int) -> np.ndarray:
    """A gliding voice with breath, whole numbers of the 16-bit range, as many samples as the frames cover."""
    samples = 160 * (frames - 1) + 1024
    seconds = np.arange(samples) / crepe.SAMPLE_RATE_HZ
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (np.sin(3 * seconds) / 2)) / crepe.SAMPLE_RATE_HZ
    voice = sum(np.sin(n * phase) / n for n in range(1, 8)) + np.random.default_rng(0).normal(0, 0.02, samples)
    return np.trunc(voice * 8000).astype(np.float32)


@torch.inference_mode()
def stock_activations(network: Stock, samples: np.ndarray, batch: int) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::160]
    mean, deviation = crepe.mean_and_deviation(frames)
    normalised = torch.from_numpy((frames - mean) / deviation)
    return torch.cat([network(part) for part in normalised.split(batch)]).numpy()


def our_activations(network: FastCrepe, samples: np.ndarray, batch: int) -> np.ndarray:
    length = 160 * (batch - 1) + 1024
    return np.concatenate(each(network, [samples[at : at + length] for at in range(0, 160 * FRAMES, 160 * batch)]))


def milliseconds_per_frame(compute: Callable[[], object]) -> float:
    start = time.perf_counter()
    compute()
    return (time.perf_counter() - start) / FRAMES * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--capacity", default="full", choices=crepe.PACKAGED)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    samples = singing(FRAMES)

    weights = crepe_network.load(chosen.capacity)
    ours = FastCrepe(weights)
    activations = our_activations(ours, samples, BLOCK_FRAMES)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    networks = {"stock, 2-d": Stock(weights, 2), "stock, 1-d": Stock(weights, 1)}
    ways: dict[tuple[str, int], Callable[[], np.ndarray]] = {}
    for batch in BATCHES:
        ways |= {(name, batch): partial(stock_activations, net, samples, batch) for name, net in networks.items()}
        ways["ours", batch] = partial(our_activations, ours, samples, batch)

    print(f"CREPE {chosen.capacity}, {chosen.threads} threads, torch {torch.__version__}, ms per frame of 10 ms")
    swept = {way: min(milliseconds_per_frame(compute) for _ in range(2)) for way, compute in ways.items()}
    for name in ("stock, 2-d", "stock, 1-d", "ours"):
        print(f"  {name:11}", *(f"batch {batch}: {swept[name, batch]:6.2f}" for batch in BATCHES), sep="  ")

    stock = min((way for way in ways if way[0] != "ours"), key=swept.__getitem__)
    times: dict[tuple[str, int], list[float]] = {stock: [], ("ours", BLOCK_FRAMES): []}
    for _ in range(chosen.rounds):
        for way, measured in times.items():
            measured.append(milliseconds_per_frame(ways[way]))
    medians = {way: statistics.median(measured) for way, measured in times.items()}
    ratios = [slow / fast for slow, fast in zip(*times.values(), strict=True)]
    for (name, batch), median in medians.items():
        print(f"  {name}, batch {batch}: median {median:.2f} of {chosen.rounds} rounds in turn")
    ratio, deviation = statistics.median(ratios), np.abs(activations - ways[stock]()).max()
    what = f"CREPE {chosen.capacity}, {FRAMES} frames: the stock torch network / ours, each at its best batch size"
    row(what, [median * FRAMES / 1000 for median in medians.values()], ratio, "≥ 4", ratio >= 4)
    print(f"  the ratio went from {min(ratios):.1f} to {max(ratios):.1f}")
    print(f"  activations within {deviation:.1e} of the stock network's; peak memory of ours alone {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
