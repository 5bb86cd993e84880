"""A lattice that forms and flows: the sheet attractor."""

import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
from docs.figures.drawing import Drawn, Progress, caption, framed, new_figure
from docs.measured import table
from numpy.typing import NDArray

from hopfield_client import HopfieldClient, Sheet
from hopfield_client.plot._style import BLUE, GREY, ORANGE

SIDE = 64
SEED = 0
SPEEDS = (0.1, 0.25, 0.5, 0.75, 1.0)
DIRECTIONS = tuple(range(0, 360, 45))
TIMEOUT = 60.0
STEP = 0.05
WALK = 1200

Floats = NDArray[np.float64]


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Rates from noise to a lattice, its autocorrelogram, flow against speed, and a random walk of a minute."""
    name = f"figure-{uuid.uuid4().hex}"
    sheet = client.create_memory(name, model=Sheet(side=SIDE))
    steps = len(DIRECTIONS) + WALK // 100
    try:
        figure = new_figure(10, 7)
        panels: Any = figure.subfigures(2, 1)
        early, late, correlated = panels[0].subplots(1, 3)
        flowing, walking = panels[1].subplots(1, 2)
        noise = np.random.default_rng(SEED).uniform(0, 1, (SIDE, SIDE))
        for axes, time in ((early, 0.03), (late, 3.0)):
            rates = sheet.recall(noise, max_time=time, timeout=TIMEOUT).rates
            axes.imshow(rates, cmap="cividis")
            axes.set_title(f"rates {time:g} s after noise", fontsize=10)
        deviations = rates - rates.mean()
        correlogram = np.fft.fftshift(np.fft.ifft2(np.abs(np.fft.fft2(deviations)) ** 2).real)
        correlated.imshow(correlogram, cmap="cividis")
        correlated.set_title("autocorrelogram", fontsize=10)
        for axes in (early, late, correlated):
            axes.set_axis_off()

        flows: dict[int, Floats] = {}
        for done, degrees in enumerate(DIRECTIONS):
            direction = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
            flows[degrees] = np.array([_flow(client, name, speed * direction) @ direction for speed in SPEEDS])
            flowing.plot(SPEEDS, flows[degrees], "o-", color=BLUE, alpha=0.4, markersize=3)
            progress(done + 1, steps)
        framed(flowing, f"Flow along {len(DIRECTIONS)} directions", "speed", "neurons a second")

        walked, moved = _walk(client, name, lambda part: progress(len(DIRECTIONS) + part, steps))
        gain = float(np.sum(walked * moved) / np.sum(walked**2))
        # As the images: the first axis down, the second to the right.
        walking.plot(*(gain * walked).T[::-1], color=GREY, linewidth=4, alpha=0.4, label="integral of the velocity")
        walking.plot(*moved.T[::-1], color=ORANGE, linewidth=1, label="flow of the lattice")
        framed(walking, "A random walk of 60 s", "neurons along the second axis", "along the first")
        walking.set_aspect("equal")
        walking.invert_yaxis()
        walking.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    finally:
        client.delete_memory(name)
    caption(figure, f"{SIDE} x {SIDE} neurons, six rows of bumps, $\\tau$ = 10 ms; seed {SEED}.")
    apart = np.hypot(*(moved - gain * walked).T)
    rows = [
        ("flow, by least squares", f"{_slope(flows):.1f} neurons a second at a velocity of 1"),
        (f"R^2 of that over speeds to 1 along {len(DIRECTIONS)} directions, the lowest", f"{_fit(flows):.5f}"),
        ("path of the walk", f"{np.hypot(*np.diff(moved, axis=0).T).sum():.0f} neurons"),
        ("drift at its end", f"{apart[-1]:.1f} neurons"),
        ("largest drift on the way", f"{apart.max():.1f} neurons"),
    ]
    return Drawn(figure, table(("measured", ""), rows))


def _flow(client: HopfieldClient, name: str, velocity: Floats) -> Floats:
    """Neurons a second, once it flows."""
    with client.sheet(name).track(timeout=TIMEOUT) as track:
        phases = [track.move(velocity, 0.05), *(track.move(velocity, 0.03) for _ in range(3))]
        lattice = track.lattice
    moved = np.unwrap(phases, axis=0, period=1) @ lattice
    result: Floats = (moved[-1] - moved[0]) / 0.09
    return result


def _walk(client: HopfieldClient, name: str, progress: Callable[[int], None]) -> tuple[Floats, Floats]:
    """The integral of random velocities, and where the lattice has moved, (WALK + 1, 2)."""
    random = np.random.default_rng(SEED)
    velocity = np.zeros(2)
    walked = [np.zeros(2)]
    with client.sheet(name).track(timeout=TIMEOUT) as track:
        phases = [track.phase]
        for k in range(WALK):
            velocity = 0.95 * velocity + random.normal(0, 0.1, 2)
            velocity *= min(1, 0.8 / np.hypot(*velocity))
            walked.append(walked[-1] + STEP * velocity)
            phases.append(track.move(velocity, STEP))
            if k % 100 == 99:
                progress(k // 100 + 1)
        lattice = track.lattice
    unwrapped = np.unwrap(phases, axis=0, period=1)
    return np.array(walked), (unwrapped - unwrapped[0]) @ lattice


def _slope(flows: dict[int, Floats]) -> float:
    speeds = np.tile(SPEEDS, len(flows))
    return float(speeds @ np.concatenate(list(flows.values())) / (speeds @ speeds))


def _fit(flows: dict[int, Floats]) -> float:
    """The lowest coefficient of determination of a line through 0."""
    speeds = np.array(SPEEDS)
    found = []
    for flow in flows.values():
        residues = flow - speeds * (speeds @ flow) / (speeds @ speeds)
        found.append(1 - np.sum(residues**2) / np.sum((flow - flow.mean()) ** 2))
    return float(min(found))
