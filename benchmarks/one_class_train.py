"""One-class training and scoring: ``train_detector`` against a plain PyTorch loop of the same model, in one run.

Both sides build the same nets from the same seed, take the same number of steps of the same batch size, and minimise
the same losses with the same optimisers. The plain loop is what one writes first: a ``Dataset`` of image arrays with
torchvision transforms image by image, a ``DataLoader``, float32, channels first, and a GAN whose generator and
discriminator steps run their own forwards. Ours gathers batches from one tensor on the device, channels last, in bf16
where the processor computes it natively (``precision`` says which), and one forward serves all updates; its times
include preparing, settling and the files it writes. Sides take turns, round by round; medians are of wall time per
image seen, ``cpu_ratio`` of processor time, which a busy machine disturbs less. ``float32_ratio`` is ours at float32
too: what the loop gives without the precision.

    python benchmarks/one_class_train.py
    python benchmarks/one_class_train.py --quick      # under two minutes on one thread

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from anomaly_gan.engine.loop import make_fabric
from anomaly_gan.engine.precision import decide
from detection.one_class.interface import score_all
from detection.one_class.registry import one_class
from detection.one_class.training import build_detector, train_detector

DETECTORS = {"iaead": {"epochs": 2, "warm_up": 1}, "skip_ganomaly_pp": {"epochs": 1}}
SEED = 7


class Arrays(Dataset):
    """(H, W, C) uint8 arrays, each made a picture and transformed when it is asked for."""

    def __init__(self, images_NHWC: np.ndarray, transform: Callable[[Image.Image], Tensor]) -> None:
        self._images, self._transform = images_NHWC, transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        return self._transform(Image.fromarray(self._images[index]))


def smooth_images(number: int, size: int = 32) -> np.ndarray:
    """(N, H, W, 3) uint8: coarse noise enlarged, with fine noise over it."""
    rng = np.random.default_rng(SEED)
    coarse = torch.from_numpy(rng.uniform(40, 215, (number, 3, 4, 4)))
    fine = F.interpolate(coarse, size=size, mode="bilinear").permute(0, 2, 3, 1).numpy()
    return np.clip(fine + rng.normal(0, 8, fine.shape), 0, 255).astype(np.uint8)


def plain_iaead(nets: dict[str, nn.Module], settings: Any, images_NHWC: np.ndarray) -> None:
    """Warm-up on the reconstruction, the centre, then reconstruction and Deep SVDD term; the mean latent at the end."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3)])
    loader = DataLoader(Arrays(images_NHWC, transform), settings.batch, shuffle=True, drop_last=True)
    in_order = DataLoader(Arrays(images_NHWC, transform), 256)
    encoder, decoder = nets["encoder"], nets["decoder"]
    centre = torch.zeros(256)

    def mean_latent() -> Tensor:
        encoder.eval()
        with torch.no_grad():
            mean = torch.cat([encoder(x) for x in in_order]).mean(dim=0)
        encoder.train()
        return mean

    for epoch in range(settings.epochs):
        if epoch in (0, settings.warm_up):
            optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
        if epoch == settings.warm_up:
            centre = mean_latent()
            centre = torch.where(centre.abs() < 0.1, torch.where(centre < 0, -0.1, 0.1), centre)
        for x in loader:
            z = encoder(x)
            loss = F.mse_loss(decoder(z), x)
            if epoch >= settings.warm_up:
                distance = (z - centre).norm(dim=1)
                radius = torch.quantile(distance.detach(), 1 - settings.nu)
                loss = loss + settings.weight * (radius**2 + F.relu(distance**2 - radius**2).mean() / settings.nu)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    mean_latent()


def plain_skip_ganomaly_pp(nets: dict[str, nn.Module], settings: Any, images_NHWC: np.ndarray) -> None:
    """A generator step and a discriminator step, each with its own forwards of both nets; then the score's scales."""
    loader = DataLoader(Arrays(images_NHWC, transforms.ToTensor()), settings.batch, shuffle=True, drop_last=True)
    in_order = DataLoader(Arrays(images_NHWC, transforms.ToTensor()), 256)
    generator, discriminator = nets["generator"], nets["discriminator"]
    adam = {
        name: torch.optim.Adam(nets[name].parameters(), settings.lr, (settings.beta, 0.999))
        for name in ("generator", "discriminator")
    }
    bce = F.binary_cross_entropy_with_logits
    for _ in range(settings.epochs):
        for x in loader:
            fake = generator(x)
            logit, features = discriminator(fake)
            _, real_features = discriminator(x)
            loss = (
                settings.adversarial * bce(logit, torch.ones_like(logit))
                + settings.contextual * F.l1_loss(fake, x)
                + settings.features * F.mse_loss(features, real_features.detach())
            )
            adam["generator"].zero_grad()
            loss.backward()
            adam["generator"].step()
            with torch.no_grad():
                fake = generator(x)
            logit, features = discriminator(fake)
            real_logit, real_features = discriminator(x)
            loss = (
                bce(real_logit, torch.ones_like(logit))
                + bce(logit, torch.zeros_like(logit))
                + settings.features * F.mse_loss(features, real_features)
            )
            adam["discriminator"].zero_grad()
            loss.backward()
            adam["discriminator"].step()
    generator.eval()
    discriminator.eval()
    with torch.no_grad():
        for x in in_order:
            fake = generator(x)
            ((fake - x).square().mean(), (discriminator(fake)[1] - discriminator(x)[1]).square().mean())


PLAIN = {"iaead": plain_iaead, "skip_ganomaly_pp": plain_skip_ganomaly_pp}


def settings_of(name: str, precision: str, size: int) -> Any:
    return one_class(name).configure("quick", {**DETECTORS[name], "precision": precision, "size": size})


def one_side(name: str, side: str, images_NHWC: np.ndarray) -> tuple[float, float]:
    """Wall and processor milliseconds per image and epoch of one training, building the nets not counted."""
    settings = settings_of(name, "auto" if side == "ours" else "32-true", images_NHWC.shape[1])
    detector = build_detector(name, 3, settings, SEED)
    images_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2).contiguous()
    with tempfile.TemporaryDirectory() as folder:
        fabric = make_fabric("cpu", settings.precision)
        begin, busy = time.perf_counter(), time.process_time()
        if side == "plain":
            PLAIN[name](detector.nets, settings, images_NHWC)
        else:
            train_detector(detector, images_NCHW, fabric, Path(folder), SEED)
        seen = len(images_NHWC) * settings.epochs / 1000
        return (time.perf_counter() - begin) / seen, (time.process_time() - busy) / seen


def scoring_per_s(name: str, images_NHWC: np.ndarray, repeats: int) -> float:
    detector = build_detector(name, 3, settings_of(name, "32-true", images_NHWC.shape[1]), SEED)
    for net in detector.nets.values():
        net.to(memory_format=torch.channels_last)
    images_NCHW = torch.from_numpy(images_NHWC).permute(0, 3, 1, 2).contiguous()
    rates = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        score_all(detector, images_NCHW)
        rates.append(len(images_NCHW) / (time.perf_counter() - begin))
    return statistics.median(rates[1:])


def compare(name: str, images_NHWC: np.ndarray, rounds: int) -> dict[str, float]:
    sides = ["ours", "plain", "ours_float32"]
    wall: dict[str, list[float]] = {side: [] for side in sides}
    processor: dict[str, list[float]] = {side: [] for side in sides}
    for side in sides:  # the first call of each shape chooses its kernels
        one_side(name, side, images_NHWC[:256])
    for turn in range(rounds):
        for side in sides[turn % 3 :] + sides[: turn % 3]:
            time_ms, busy_ms = one_side(name, side, images_NHWC)
            wall[side].append(time_ms)
            processor[side].append(busy_ms)
    middle = {side: statistics.median(times) for side, times in wall.items()}
    busy = {side: statistics.median(times) for side, times in processor.items()}
    for side in sides:
        sys.stdout.write(
            f"{name:>18} {side:>13}: {middle[side]:7.3f} ms an image  "
            f"({min(wall[side]):.3f} to {max(wall[side]):.3f}; processor {busy[side]:.3f})\n"
        )
    return {
        "ours_ms": round(middle["ours"], 4),
        "plain_ms": round(middle["plain"], 4),
        "ratio": round(middle["plain"] / middle["ours"], 2),
        "cpu_ratio": round(busy["plain"] / busy["ours"], 2),
        "float32_ms": round(middle["ours_float32"], 4),
        "float32_ratio": round(middle["plain"] / middle["ours_float32"], 2),
        "float32_cpu_ratio": round(busy["plain"] / busy["ours_float32"], 2),
        "scored_per_s": round(scoring_per_s(name, images_NHWC[:512], 3), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few images, three rounds")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rounds = 3 if options.quick else options.rounds
    shape = {"size": options.size, "threads": options.threads, "rounds": rounds}
    result: dict[str, Any] = {}
    for name in DETECTORS:
        number = {"iaead": 512, "skip_ganomaly_pp": 256}[name] if options.quick else options.images
        result[name] = compare(name, smooth_images(number, options.size), rounds)
    sys.stdout.write(json.dumps({"precision": decide("auto", "cpu").precision, **shape, **result}) + "\n")


if __name__ == "__main__":
    main()
