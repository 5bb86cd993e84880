"""Handwritten digits, from ten to all distinct ones, in each kind of memory."""

from typing import Any

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, framed, new_figure
from docs.measured import table
from matplotlib import colormaps
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from hopfield_client import Dense, HopfieldClient, Memory, Modern
from hopfield_client.demo.digits import Images, corrupted, distinct_digits
from hopfield_client.plot._style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, TICK_SIZE, VERMILION

SEED = 1
NOISE = 0.1
COUNTS = (10, 20, 50, 100, 200, 500, 1000, 1750)
# Queries for each count, at least: images are drawn anew, or all corrupted several times.
QUERIES = 1000
MEMORIES: dict[str, dict[str, Any]] = {
    "Hebb": {},
    "Storkey": {"rule": "storkey"},
    "pseudo-inverse": {"rule": "pseudo_inverse"},
    "dense, degree 3": {"model": Dense(degree=3)},
    "dense, degree 4": {"model": Dense(degree=4)},
    "dense, degree 30": {"model": Dense(degree=30)},
    "dense, exponential": {"model": Dense(exponential=True)},
    "modern, beta 1": {"model": Modern(beta=1)},
    "modern, beta 4": {"model": Modern(beta=4)},
}
NEAREST = "nearest pattern"
# Two of the colour map, since figures are saved in its colours and those of lines.
OLIVE, NAVY = (to_hex(colormaps["cividis"](place)) for place in (0.75, 0.12))
COLOURS = (OLIVE, SKY, GREEN, NAVY, ORANGE, INK, VERMILION, PURPLE, BLUE, GREY)
MARKERS = "sovP^DXd*o"
STYLES = dict(zip((*MEMORIES, NEAREST), zip(COLOURS, MARKERS, strict=True), strict=True))


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """The share of exact recalls against the number of images, a line a memory."""
    shares = measure(client, progress)
    figure = new_figure(8, 3.8)
    axes = figure.subplots()
    for name, share in shares.items():
        colour, marker = STYLES[name]
        line = "--" if name == NEAREST else ":" if name.startswith("modern") else "-"
        # Around those that hold no more than it.
        ring = {"markersize": 9, "markerfacecolor": "none"} if name == "Hebb" else {"markersize": 4}
        axes.plot(COUNTS, share, line, color=colour, marker=marker, label=name, **ring)
    axes.set_xscale("log")
    axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
    axes.minorticks_off()
    framed(axes, "exact recall of 8 x 8 digits", "distinct images stored", "share recalled exactly")
    axes.legend(fontsize=TICK_SIZE, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    caption(
        figure,
        f"$N$ = 64, {NOISE:.0%} of the pixels inverted, {QUERIES} queries and more; asynchronous, random order; seed {SEED}. Digits: UCI Optical\n"
        "Recognition of Handwritten Digits, CC BY 4.0.",
    )
    rows = [[name, *map(float, share)] for name, share in shares.items()]
    return Drawn(figure, table(["exact recalls of", *(f"P = {count}" for count in COUNTS)], rows))


def measure(client: HopfieldClient, progress: Progress) -> dict[str, NDArray[np.float64]]:
    """Shares of exact recalls for each count, by memory; all store the same images and get the same queries."""
    everything = np.random.default_rng(SEED).permutation(distinct_digits())
    shares = {name: np.empty(len(COUNTS)) for name in (*MEMORIES, NEAREST)}
    done = 0
    for name, spec in MEMORIES.items():
        with nets.memory(client, 64, shape=(8, 8), **spec) as memory:
            before = 0
            for column, count in enumerate(COUNTS):
                new = values(everything[before:count], memory)
                memory.store(new, [str(k) for k in range(before, count)], timeout=nets.TIMEOUT)
                before = count
                images, queries = asked(everything[:count])
                answers = memory.recall_batch(values(queries, memory), seed=SEED, timeout=nets.TIMEOUT).patterns
                shares[name][column] = ((answers > 0) == images).all(axis=(1, 2)).mean()
                if name == "Hebb":
                    shares[NEAREST][column] = share_nearest(memory, queries, count)
                done += 1
                progress(done, len(MEMORIES) * len(COUNTS))
    return shares


def values(images: Images, memory: Memory) -> NDArray[Any]:
    """Images as the memory takes them: of real numbers, -1 and 1."""
    return nets.signs(images) if memory.coding == "real" else images


def asked(stored: Images) -> tuple[Images, Images]:
    """What is to come back, and the queries: every image as often as it takes."""
    draws = -(-QUERIES // len(stored))
    return np.tile(stored, (draws, 1, 1)), np.concatenate([corrupted(stored, NOISE, SEED + k) for k in range(draws)])


def share_nearest(memory: Memory, queries: Images, count: int) -> float:
    """The share of queries to which the image they came from is the nearest."""
    labels = [memory.nearest(query)[0].label for query in queries]
    return float(np.mean([label == str(k % count) for k, label in enumerate(labels)]))
