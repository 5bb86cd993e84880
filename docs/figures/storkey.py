"""Storkey's rule as published, and as some lecture slides have it."""

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, framed, means, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient
from hopfield_client.plot._style import GREY, ORANGE, TICK_SIZE, VERMILION

SEED = 5
NEURONS = 200
NETS = 10
LOADS = tuple(k / 20 for k in range(1, 9))


def slides(stored: nets.Bits, divisor: int) -> nets.Floats:
    """Weights by w_ij += (x_i x_j - x_i h_j - h_i x_j) / divisor, h_i = sum_j w_ij x_j: one index, nothing left out of the sum.

    The slides divide by the number of patterns.
    """
    neurons = stored.shape[1]
    weights = np.zeros((neurons, neurons))
    for x in nets.signs(stored):
        h = weights @ x
        weights += (np.outer(x, x) - np.outer(x, h) - np.outer(h, x)) / divisor
        np.fill_diagonal(weights, 0)
    return weights


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """A pattern is stable if a whole sweep changes nothing in it."""
    names = (
        r"the paper's: $1/N$, $h_{ij}$ without $i$ and $j$ (the service)",
        r"$1/N$, $h_i$ with everything",
        r"the slides': $1/P$, $h_i$ with everything",
    )
    stable = np.empty((len(names), NETS, len(LOADS)))
    done = 0
    for net in range(NETS):
        random = np.random.default_rng([SEED, net])
        for column, load in enumerate(LOADS):
            stored = nets.patterns(round(load * NEURONS), NEURONS, random)
            with nets.memory(client, NEURONS, rule="storkey") as memory:
                memory.store(stored)
                stable[0, net, column] = memory.recall_batch(stored, max_iterations=1).converged.mean()
            for row, divisor in ((1, NEURONS), (2, len(stored))):
                with nets.imported(client, slides(stored, divisor)) as memory:
                    stable[row, net, column] = memory.recall_batch(stored, max_iterations=1).converged.mean()
            done += 1
            progress(done, NETS * len(LOADS))
    figure = new_figure(7, 3.9)
    axes = figure.add_subplot()
    for name, shares, colour, marker in zip(names, stable, (ORANGE, GREY, VERMILION), "soX", strict=True):
        means(axes, LOADS, shares, name, colour, marker)
    framed(axes, "", r"load $\alpha = P/N$", "share of stable patterns")
    axes.set(xlim=(0, 0.42), ylim=(-0.03, 1.05))
    axes.legend(fontsize=TICK_SIZE, frameon=False, loc="center left")
    caption(
        figure,
        f"$N$ = {NEURONS}, {NETS} nets, random patterns, stored one after the other; seed {SEED}. The second and third were computed "
        "with numpy\nand imported. Bars: standard error of the mean over nets.",
    )
    rows = [[name, *map(float, shares.mean(axis=0))] for name, shares in zip(names, stable, strict=True)]
    return Drawn(figure, table(["rule", *(f"load {load:g}" for load in LOADS)], rows))
