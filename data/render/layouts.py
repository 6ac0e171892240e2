"""Five kinds of place under a train. Each builds the sound equipment and returns where its bolts sit."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from bolts import Bolt, Style, row
from parts import cable, drum, groove, pipe, plate, recess, slats, strap
from surface import SIDE, Surface, octaves

Layout = Callable[[Surface, Style, np.random.Generator], list[Bolt]]


def panels(surface: Surface, style: Style, rng: np.random.Generator) -> list[Bolt]:
    """Cover panels butted against each other, a bolt row on either side of each seam, now and then a rib."""
    angle, pitch, inset = rng.uniform(0, np.pi / 3), rng.uniform(62, 96), style.radius * 2.2
    cuts = np.sort(
        rng.choice(
            [rng.uniform(150, 200), rng.uniform(240, 290), rng.uniform(330, 380)],
            int(rng.integers(1, 3)),
            replace=False,
        )
    )
    edges = [-30.0, *map(float, cuts), SIDE + 30]
    recess(surface, rng, 30)
    bolts: list[Bolt] = []
    base = rng.uniform(0.07, 0.24)
    for left, right in itertools.pairwise(edges):
        plate(
            surface,
            rng,
            ((left + right) / 2, SIDE / 2),
            ((right - left) / 2 - 2, SIDE),
            rng.uniform(-3, 4),
            albedo=base * rng.uniform(0.8, 1.25),
        )
        if right - left > 150:
            if rng.random() < 0.6:
                middle = (left + right) / 2 + rng.uniform(-15, 15)
                plate(
                    surface,
                    rng,
                    (middle, SIDE / 2),
                    (rng.uniform(7, 16), SIDE),
                    rng.uniform(9, 20),
                    albedo=base,
                    bevel=6,
                )
            else:
                plate(
                    surface,
                    rng,
                    ((left + right) / 2, rng.uniform(120, 390)),
                    (rng.uniform(25, 50), rng.uniform(30, 90)),
                    rng.uniform(5, 14),
                    albedo=base * rng.uniform(0.7, 1.3),
                    corner=10,
                )
    first = rng.uniform(20, 20 + pitch)
    for cut in cuts:
        for side in (-1, 1) if rng.random() < 0.7 else (1,):
            x = float(cut) + side * inset
            bolts += row((x, first), (x, first + pitch * 7), pitch, angle)
    if rng.random() < 0.4:
        groove(surface, (0, rng.uniform(60, 450)), (SIDE, rng.uniform(60, 450)), 3, 8)
    return bolts


def boxes(surface: Surface, style: Style, rng: np.random.Generator) -> list[Bolt]:
    """Equipment boxes hung in the dark, their lids flanged and bolted all round, cables between them."""
    recess(surface, rng, rng.uniform(50, 80))
    angle = rng.uniform(0, np.pi / 3)
    for _ in range(rng.integers(1, 4)):
        a, b = (rng.uniform(0, SIDE), -20.0), (rng.uniform(0, SIDE), SIDE + 20)
        pipe(surface, rng, a, b, rng.uniform(6, 13), rng.uniform(-40, -25), rng.uniform(0.1, 0.25))
    split = rng.uniform(150, 360)
    gap = rng.uniform(16, 46)
    spans = [(-60.0, split - gap), (split + gap, SIDE + 60)]
    bolts: list[Bolt] = []
    for low, high in spans:
        if high - low < 150 and rng.random() < 0.5:
            continue
        bolts += _lid(surface, style, rng, (low, high), angle)
    for _ in range(rng.integers(1, 4)):
        x = split + rng.uniform(-gap, gap)
        points = np.array([[x + rng.normal(0, 12), y] for y in np.linspace(-30, SIDE + 30, 6)])
        cable(surface, rng, points, rng.uniform(4, 9), rng.uniform(0.05, 0.2), rng.random() < 0.5, -8)
    return bolts


def _lid(
    surface: Surface, style: Style, rng: np.random.Generator, span: tuple[float, float], angle: float
) -> list[Bolt]:
    low_y, high_y = rng.uniform(40, 110), SIDE - rng.uniform(40, 110)
    centre, half = (sum(span) / 2, (low_y + high_y) / 2), ((span[1] - span[0]) / 2, (high_y - low_y) / 2)
    tone, rim = rng.uniform(0.07, 0.24), style.radius * 2.0
    plate(surface, rng, centre, half, 0, albedo=tone, corner=10)
    inner = (half[0] - 2 * rim, half[1] - 2 * rim)
    if rng.random() < 0.75:
        plate(surface, rng, centre, inner, rng.uniform(6, 18), albedo=tone * rng.uniform(0.85, 1.2), corner=14, bevel=7)
    if rng.random() < 0.4 and min(inner) > 60:
        slats(surface, rng, centre, (inner[0] * 0.7, inner[1] * 0.45), 4, tone)
    pitch = rng.uniform(66, 100)
    left, right = centre[0] - half[0] + rim, centre[0] + half[0] - rim
    top, bottom = low_y + rim, high_y - rim
    along = [*row((left, top), (right, top), pitch, angle), *row((left, bottom), (right, bottom), pitch, angle)]
    sides = [bolt for x in (left, right) for bolt in row((x, top), (x, bottom), pitch, angle)[1:-1]]
    return along + sides


def pipework(surface: Surface, style: Style, rng: np.random.Generator) -> list[Bolt]:
    """Parallel pipes and hoses held by bolted clamp bars, a beam beside them."""
    recess(surface, rng, rng.uniform(45, 70))
    angle, x = rng.uniform(0, np.pi / 3), rng.uniform(-10, 30)
    beam = rng.uniform(70, 115)
    tone = rng.uniform(0.07, 0.22)
    plate(surface, rng, (x + beam / 2, SIDE / 2), (beam / 2, SIDE), 6, albedo=tone)
    bolts = row((x + beam / 2, 30), (x + beam / 2, 480), rng.uniform(70, 110), angle)
    x += beam + rng.uniform(8, 20)
    while x < SIDE:
        radius = rng.uniform(8, 27)
        lean = rng.normal(0, 4)
        pipe(
            surface,
            rng,
            (x + radius, -20),
            (x + radius + lean, SIDE + 20),
            radius,
            rng.uniform(-32, -16),
            rng.uniform(0.06, 0.3),
        )
        x += 2 * radius + rng.uniform(2, 22)
    for y in np.sort(rng.choice([110.0, 205.0, 300.0, 395.0], int(rng.integers(1, 4)), replace=False)):
        y = float(y) + rng.uniform(-12, 12)
        half = style.radius * 1.9
        plate(surface, rng, (SIDE / 2 + beam, y), (SIDE / 2, half), rng.uniform(11, 17), albedo=tone * 1.2)
        bolts += row((beam + 70, y), (SIDE - 20, y), rng.uniform(80, 125), angle)
    return bolts


def grille(surface: Surface, style: Style, rng: np.random.Generator) -> list[Bolt]:
    """A ventilation grille in a bolted frame, or two of them."""
    recess(surface, rng, 40)
    angle, tone = rng.uniform(0, np.pi / 3), rng.uniform(0.07, 0.24)
    plate(surface, rng, (SIDE / 2, SIDE / 2), (SIDE, SIDE), 0, albedo=tone)
    rim, pitch = style.radius * 2.0, rng.uniform(66, 100)
    cut = rng.uniform(180, 330)
    openings = [((-50.0 + cut) / 2, (cut + 50) / 2 - 2 * rim), ((cut + SIDE + 50) / 2, (SIDE + 50 - cut) / 2 - 2 * rim)]
    low, high = rng.uniform(60, 130), SIDE - rng.uniform(60, 130)
    for centre_x, half in openings:
        if half > 45 and rng.random() < 0.8:
            slats(surface, rng, (centre_x, (low + high) / 2), (half, (high - low) / 2 - rim), -4, tone)
        else:
            plate(surface, rng, (centre_x, (low + high) / 2), (max(half, 20), (high - low) / 2 - rim), 9, albedo=tone)
    groove(surface, (cut, 0), (cut, SIDE), 3, 10)
    bolts = [
        *row((15, low - rim * 0.6), (SIDE - 15, low - rim * 0.6), pitch, angle),
        *row((15, high + rim * 0.6), (SIDE - 15, high + rim * 0.6), pitch, angle),
    ]
    return bolts + row((cut - rim, low + 40), (cut - rim, high - 40), pitch, angle)


def reservoir(surface: Surface, style: Style, rng: np.random.Generator) -> list[Bolt]:
    """A round air reservoir held by straps on bolted feet."""
    recess(surface, rng, 70)
    angle, middle, radius = rng.uniform(0, np.pi / 3), rng.uniform(205, 300), rng.uniform(80, 125)
    tone = rng.uniform(0.07, 0.24)
    for side in (-1, 1):
        y = middle + side * (radius + 52)
        plate(surface, rng, (SIDE / 2, y), (SIDE, 44), -14, albedo=tone)
    drum(surface, rng, middle, radius, rng.uniform(30, 48), rng.uniform(0.09, 0.3))
    bolts: list[Bolt] = []
    for x in np.arange(rng.uniform(60, 130), SIDE, rng.uniform(130, 200)):
        half = style.radius * rng.uniform(1.1, 1.6)
        strap(surface, float(x), middle, half, radius + 6, 4, tone * 1.3)
        for side in (-1, 1):
            y = middle + side * (radius + 34)
            plate(surface, rng, (float(x), y), (half * 2.4, style.radius * 1.9), -5, albedo=tone * 1.2)
            bolts += [Bolt(float(x) - half * 1.3, y, angle), Bolt(float(x) + half * 1.3, y, angle)]
    surface.height += (0.05 * octaves(rng, surface.x.shape, 60, 2)).astype(np.float32)
    return bolts


LAYOUTS: tuple[tuple[Layout, float], ...] = (
    (panels, 0.3),
    (boxes, 0.24),
    (pipework, 0.18),
    (grille, 0.14),
    (reservoir, 0.14),
)
