"""The share of stable patterns of dense memories against their number, in units of what they are to hold."""

from math import log, prod

import numpy as np
from docs.figures import nets, theory
from docs.figures.drawing import Drawn, Progress, caption, framed, means, new_figure
from docs.measured import table

from hopfield_client import Dense, HopfieldClient
from hopfield_client.plot._style import BLUE, GREEN, GREY, ORANGE, TICK_SIZE, VERMILION

SEED = 6
NETS = 5
# Of the number of patterns to what the memory is to hold.
RATIOS = tuple(2.0**k for k in range(-3, 4))


def of_degree(degree: int, neurons: int) -> float:
    """K_max of Krotov and Hopfield (2016), with which almost every random pattern is stable."""
    return float(neurons ** (degree - 1)) / (2 * prod(range(1, 2 * degree - 2, 2)) * log(neurons))


# Neurons, the model, and how many patterns it is to hold.
MEMORIES: tuple[tuple[int, Dense, float], ...] = (
    (200, Dense(degree=2), of_degree(2, 200)),
    (100, Dense(degree=3), of_degree(3, 100)),
    (40, Dense(degree=4), of_degree(4, 40)),
    (20, Dense(exponential=True), 2.0**10),
)
STYLES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (VERMILION, "D"))


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """A line a memory; and what the noise of other patterns makes of powers, dashed."""
    figure = new_figure(7, 3.9)
    axes = figure.add_subplot()
    rows: list[list[object]] = []
    done = 0
    for (neurons, model, most), (colour, marker) in zip(MEMORIES, STYLES, strict=True):
        kind = "exponential" if model.exponential else f"degree {model.degree}"
        shares = np.empty((NETS, len(RATIOS)))
        for net in range(NETS):
            random = np.random.default_rng([SEED, neurons, net])
            for column, ratio in enumerate(RATIOS):
                shares[net, column] = stable(
                    client, neurons, model, nets.patterns(round(ratio * most), neurons, random)
                )
                done += 1
                progress(done, len(MEMORIES) * NETS * len(RATIOS))
        means(axes, RATIOS, shares, f"{kind}, $N$ = {neurons}: $K_{{max}}$ = {most:.0f}", colour, marker)
        if not model.exponential:
            ratios = np.geomspace(RATIOS[0], RATIOS[-1], 100)
            axes.plot(ratios, [theory.stable(ratio, neurons) for ratio in ratios], "--", color=colour, linewidth=1)
        rows.append([f"{kind}, N = {neurons}", f"{most:.0f}", *map(float, shares.mean(axis=0))])
    axes.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xscale("log", base=2)
    axes.set_xticks(RATIOS, [f"{ratio:g}" for ratio in RATIOS])
    framed(axes, "", "random patterns stored, in units of $K_{max}$", "share of stable patterns")
    axes.legend(fontsize=TICK_SIZE, frameon=False, loc="lower left")
    caption(
        figure,
        f"{NETS} nets each, seed {SEED}; bars: standard error of the mean over nets. $K_{{max}} = N^{{n-1}} / (2 (2n-3)!! \\ln N)$ for degree $n$,\n"
        "$2^{N/2}$ for the exponential. Dashed: the noise of the other patterns taken for Gaussian (Krotov and Hopfield 2016).",
    )
    header = ["stable patterns, at P / K_max of", "K_max", *(f"{ratio:g}" for ratio in RATIOS)]
    return Drawn(figure, table(header, rows))


def stable(client: HopfieldClient, neurons: int, model: Dense, patterns: nets.Bits) -> float:
    """The share of patterns that are fixed points of a memory that stores them."""
    with nets.memory(client, neurons, model=model) as memory:
        memory.store(patterns, timeout=nets.TIMEOUT)
        return memory.diagnose(timeout=nets.TIMEOUT).stable_count / len(patterns)
