"""Photographs of bolts at any angle, and scratches across their shanks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png

SIDE = 160


def bolt(degrees: float, seed: int, dark: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A bolt with a head at one end, at any angle, on an even ground; and its silhouette."""
    rng = np.random.default_rng(seed)
    flat = np.zeros((SIDE, SIDE), np.uint8)
    cv2.rectangle(flat, (30, 70), (128, 90), 1, -1)
    cv2.rectangle(flat, (28, 56), (46, 104), 1, -1)
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -degrees, 1.0)
    mask = cv2.warpAffine(flat, turn, (SIDE, SIDE), flags=cv2.INTER_NEAREST)
    ground, part = (200, 80) if dark else (40, 150)
    pixels = np.where(mask > 0, part, ground) + rng.normal(0, 4, mask.shape)
    return cv2.GaussianBlur(pixels.clip(0, 255).astype(np.uint8), (0, 0), 0.8), mask


def bolts_in(folder: Path) -> Dataset:
    """Eight sound bolts and eight with a scratch across the shank near its end, the mask a little wider than the part;
    at all angles."""
    images, annotations = [], []
    for number in range(16):
        degrees, sound = 47 * number % 360, number % 2 == 0
        pixels, mask = bolt(degrees, number)
        if not sound:
            scratch = np.zeros_like(mask)
            cv2.ellipse(scratch, (102 + number, 82), (4, 11), 0, 0, 360, 1, -1)
            turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -degrees, 1.0)
            scratch = cv2.warpAffine(scratch, turn, (SIDE, SIDE), flags=cv2.INTER_NEAREST)
            pixels = np.where(scratch & mask, 190, pixels).astype(np.uint8)
            annotations.append(Annotation.from_mask(len(annotations) + 1, number + 1, 1, scratch))
        name = f"{number}.png"
        digest = sha256_bytes(write_png(folder / "images" / name, pixels))
        images.append(ImageRecord(number + 1, name, SIDE, SIDE, name, "train", "real", digest))
    return Dataset(images, annotations, [Category(1, "scratch")], {"mode": "L"}, folder)
