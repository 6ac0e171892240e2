"""The gate's metrics against the usual way of computing each, in one run: times, and how far the numbers differ.

- ``resize``: clean-fid's antialiased bicubic of every image, by clean-fid (three channels) and by ours (a gray image
  once).
- ``inception``: clean-fid's features of all images (its resizer, its batches, float32) against ours. clean-fid's
  network needs a download; without ``--inception FILE`` both sides run torchvision's Inception-v3 with the same
  random weights: the same work, but figures that mean nothing. Ours in float32 is what every quoted number is
  computed by; ``bf16`` (batch norm folded into the convolutions, channels last) is shown with
  its deviation, where the processor computes it natively.
  Floating-point operations per second are each side's own, resizing included: ``train_step.py`` measures the peak.
- ``frechet``: clean-fid's ``frechet_distance`` (scipy's matrix root of the product of covariances) against singular
  values, for fewer images than features.
- ``pairs``: the lpips package, pair by pair, against one matrix product of embeddings that each image gets once. A
  random AlexNet trunk where no weights are at hand (the package's learned level weights in any case). Pairs of the
  package are timed on a sample and scaled to all of them, and so it is said; deviations are over that sample.

Sides take turns; medians of wall time, and the ratio of processor time beside it, which a busy machine disturbs less.

    python benchmarks/metrics.py                # 256 images
    python benchmarks/metrics.py --quick        # under three minutes on one thread

The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
import torchvision
from cleanfid.fid import frechet_distance as clean_frechet
from cleanfid.resize import build_resizer
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from anomaly_gan.engine.precision import BF16, decide
from anomaly_gan.metrics.features import Backbone, pooled_features, square_input
from anomaly_gan.metrics.frechet import frechet_distance
from anomaly_gan.metrics.perceptual import lpips_backbone, pairwise_distances, pooled_and_embedded

SEED = 7
LPIPS_SIZE, INCEPTION_SIZE = 128, 299


def photographs(number: int, side: int = 256) -> list[np.ndarray]:
    """Gray uint8 pictures: coarse blotches with fine grain over them."""
    rng = np.random.default_rng(SEED)
    coarse = torch.from_numpy(rng.uniform(40, 215, (number, 1, 8, 8)))
    smooth = nn.functional.interpolate(coarse, size=side, mode="bicubic")[:, 0].numpy()
    return list(np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8))


def race(sides: dict[str, Callable[[], Any]], rounds: int, first: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the sides in turns; each one's result, and median wall and processor seconds. ``first``: warm-up calls."""
    for warm in (first or {}).values():
        warm()
    wall: dict[str, list[float]] = {name: [] for name in sides}
    busy: dict[str, list[float]] = {name: [] for name in sides}
    results: dict[str, Any] = {}
    names = list(sides)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            begin, used = time.perf_counter(), time.process_time()
            results[name] = sides[name]()
            wall[name].append(time.perf_counter() - begin)
            busy[name].append(time.process_time() - used)
    return {
        "results": results,
        "wall": {name: statistics.median(times) for name, times in wall.items()},
        "busy": {name: statistics.median(times) for name, times in busy.items()},
    }


def report(title: str, outcome: dict[str, Any], plain: str, ours: Sequence[str], **more: Any) -> dict[str, Any]:
    """Print a line per side; seconds of each, and the plain side's over each of ours."""
    wall, busy = outcome["wall"], outcome["busy"]
    rows: dict[str, Any] = {f"{name}_s": round(wall[name], 4) for name in wall}
    for name in ours:
        rows[f"{name}_ratio"] = round(wall[plain] / wall[name], 2)
        rows[f"{name}_cpu_ratio"] = round(busy[plain] / max(busy[name], 1e-9), 2)
    text = ", ".join(f"{key} {value}" for key, value in {**rows, **more}.items())
    sys.stdout.write(f"{title}: {text}\n")
    sys.stdout.flush()
    return {**rows, **more}


def resizing(images: list[np.ndarray], rounds: int) -> dict[str, Any]:
    resize = build_resizer("clean")

    def plain() -> np.ndarray:
        return np.stack([resize(np.repeat(image[:, :, None], 3, axis=2)).transpose(2, 0, 1) for image in images])

    def ours() -> np.ndarray:
        return torch.cat([square_input(image, INCEPTION_SIZE) for image in images]).numpy()

    outcome = race({"clean_fid": plain, "ours": ours}, rounds)
    same = bool(np.array_equal(outcome["results"]["clean_fid"], outcome["results"]["ours"]))
    return report("resize", outcome, "clean_fid", ["ours"], images=len(images), equal_bit_for_bit=same)


def inception(path: Path | None) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor], str]:
    """The network for images in [0, 255], what maps it to (B, 2048), and what it is."""
    if path:
        from cleanfid.inception_torchscript import InceptionV3W

        net = InceptionV3W(str(path.parent), download=False, resize_inside=False).eval()
        return net, net, "clean-fid's Inception"
    torch.manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=False).eval()
    net.fc = nn.Identity()
    return net, lambda images: net((images - 128.0) / 128.0), "torchvision's Inception-v3, random weights"


def folded(net: nn.Module) -> nn.Module:
    """Every convolution followed by its batch norm as one convolution, as ``BasicConv2d`` of torchvision has them."""
    for module in net.modules():
        if hasattr(module, "conv") and hasattr(module, "bn"):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
    return net


def features(images: list[np.ndarray], path: Path | None, rounds: int, batch: int = 16) -> dict[str, Any]:
    _, network, label = inception(path)
    resize = build_resizer("clean")

    @torch.inference_mode()
    def plain() -> np.ndarray:
        rows = []
        for start in range(0, len(images), batch):
            resized = [resize(np.repeat(image[:, :, None], 3, axis=2)) for image in images[start : start + batch]]
            rows.append(network(torch.from_numpy(np.stack(resized).transpose(0, 3, 1, 2).copy())).numpy())
        return np.concatenate(rows)

    backbone = Backbone("Inception", INCEPTION_SIZE, lambda images_BCHW: (network(images_BCHW), []))
    sides: dict[str, Callable[[], np.ndarray]] = {"clean_fid": plain, "ours": lambda: pooled_features(images, backbone)}
    if path is None and decide("auto", "cpu").precision == BF16:
        quick, _, _ = inception(None)
        folded(quick).to(memory_format=torch.channels_last)

        @torch.inference_mode()
        def bf16() -> np.ndarray:
            rows = []
            with torch.autocast("cpu", torch.bfloat16):
                for start in range(0, len(images), batch):
                    inputs = torch.cat([square_input(image, INCEPTION_SIZE) for image in images[start : start + batch]])
                    scaled = ((inputs - 128.0) / 128.0).contiguous(memory_format=torch.channels_last)
                    rows.append(quick(scaled).float().numpy())
            return np.concatenate(rows)

        sides["bf16"] = bf16
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, INCEPTION_SIZE, INCEPTION_SIZE))
    gflops = len(images) * counter.get_total_flops() / 1e9
    outcome = race(sides, rounds)
    speeds = {f"{name}_gflops_per_cpu_s": round(gflops / busy, 1) for name, busy in outcome["busy"].items()}
    reference = outcome["results"]["clean_fid"]
    scale = np.abs(reference).max()
    deviations = {
        f"{name}_deviation": float(f"{np.abs(outcome['results'][name] - reference).max() / scale:.2g}")
        for name in sides
        if name != "clean_fid"
    }
    return report(
        "inception",
        outcome,
        "clean_fid",
        [name for name in sides if name != "clean_fid"],
        network=label,
        images=len(images),
        **deviations,
        **speeds,
    )


def frechet(number: int, width: int, rounds: int) -> dict[str, Any]:
    rng = np.random.default_rng(SEED)
    mixing = rng.normal(size=(64, width))
    a, b = (
        rng.normal(size=(number, 64)) @ mixing / 8 + 0.3 * rng.normal(size=(number, width)) + shift
        for shift in (0.0, 0.05)
    )

    def plain() -> float:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(clean_frechet(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False)))

    ours = race({"ours": lambda: frechet_distance(a, b)}, max(3, rounds))
    theirs = race({"scipy": plain}, 1)
    outcome = {key: {**ours[key], **theirs[key]} for key in ("results", "wall", "busy")}
    first, second = outcome["results"]["scipy"], outcome["results"]["ours"]
    return report(
        "frechet",
        outcome,
        "scipy",
        ["ours"],
        n=number,
        d=width,
        scipy_value=round(first, 8),
        ours_value=round(second, 8),
        deviation=float(f"{abs(first - second) / abs(first):.2g}"),
    )


def pairs(images: list[np.ndarray], trunk: Path | None, sampled: int, rounds: int) -> dict[str, Any]:
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED)
        model = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    state = (
        torch.load(trunk, weights_only=True)
        if trunk
        else {f"features.{key.split('.', 1)[1]}": value for key, value in model.net.state_dict().items()}
    )
    backbone, weights = lpips_backbone(state, LPIPS_SIZE)
    own = {
        f"{block}.{key}": state[f"features.{key}"]
        for block, part in model.net.named_children()
        for key in part.state_dict()
    }
    model.net.load_state_dict(own)
    total = len(images) * (len(images) - 1) // 2
    rng = np.random.default_rng(SEED)
    chosen = [tuple(sorted(rng.choice(len(images), 2, replace=False))) for _ in range(sampled)]
    inputs = [square_input(image, LPIPS_SIZE) / 127.5 - 1 for image in images]

    @torch.inference_mode()
    def plain() -> np.ndarray:
        return np.array([model(inputs[i], inputs[j]).item() for i, j in chosen])

    def embed() -> np.ndarray:
        return pooled_and_embedded(images, backbone, weights)[1]

    outcome = race({"lpips": plain, "embed": embed}, rounds)
    vectors = outcome["results"]["embed"]
    product = race({"product": lambda: pairwise_distances(vectors, vectors)}, 3)
    distances = product["results"]["product"]
    deviation = max(
        abs(distances[i, j] - value) for (i, j), value in zip(chosen, outcome["results"]["lpips"], strict=True)
    )
    joined: dict[str, Any] = {}
    for kind in ("wall", "busy"):
        joined[kind] = {
            "lpips": outcome[kind]["lpips"] * total / sampled,
            "ours": outcome[kind]["embed"] + product[kind]["product"],
        }
    return report(
        "pairs",
        joined,
        "lpips",
        ["ours"],
        images=len(images),
        pairs=total,
        pairs_timed=sampled,
        product_alone_s=round(product["wall"]["product"], 4),
        deviation=float(f"{deviation:.2g}"),
        trunk=str(trunk.name) if trunk else "random AlexNet",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--inception", type=Path, help="clean-fid's inception-2015-12-05.pt")
    parser.add_argument("--alexnet", type=Path, help="torchvision's AlexNet weights")
    parser.add_argument("--quick", action="store_true", help="features of 24 images, one round; pairs of all")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rounds = 1 if options.quick else options.rounds
    images = photographs(options.images)
    result = {
        "threads": options.threads,
        "images": options.images,
        "resize": resizing(images[:64] if options.quick else images, rounds),
        "inception": features(images[:24] if options.quick else images, options.inception, rounds),
        "frechet": frechet(options.images, 1024 if options.quick else 2048, rounds),
        "pairs": pairs(images, options.alexnet, 100 if options.quick else 1000, rounds),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
