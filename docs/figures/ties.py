"""What the sign of a zero field decides."""

from typing import get_args

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, framed, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient, TieRule
from hopfield_client.plot._style import BLUE, GREEN, ORANGE, TICK_SIZE

SEED = 6
NEURONS = 100
NETS = 30
QUERIES = 100
COUNTS = tuple(range(1, 9))
TIES: tuple[TieRule, ...] = get_args(TieRule)


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Random queries s, and the same inverted, neurons in the same order: only the tie rule can tell s and -s apart."""
    elsewhere = np.empty((len(TIES), NETS, len(COUNTS)))
    broken = np.empty_like(elsewhere)
    done = 0
    for net in range(NETS):
        random = np.random.default_rng([SEED, net])
        for column, count in enumerate(COUNTS):
            queries = nets.patterns(QUERIES, NEURONS, random)
            with nets.memory(client, NEURONS) as memory:
                memory.store(nets.patterns(count, NEURONS, random))
                answers = [memory.recall_batch(queries, order="sequential", tie=tie).patterns for tie in TIES]
                of_inverse = [memory.recall_batch(~queries, order="sequential", tie=tie).patterns for tie in TIES]
            for row in range(len(TIES)):
                elsewhere[row, net, column] = (answers[row] != answers[TIES.index("keep")]).any(axis=1).mean()
                broken[row, net, column] = (answers[row] == of_inverse[row]).any(axis=1).mean()
            done += 1
            progress(done, NETS * len(COUNTS))
    figure = new_figure(9, 3.7)
    panels = figure.subplots(1, 2, sharey=True)
    titles = (
        r"recalls that end elsewhere than under $\mathit{keep}$",
        r"pairs of $s$ and $-s$ whose answers are no inverses",
    )
    for axes, shares, title in zip(panels, (elsewhere, broken), titles, strict=True):
        for tie, of_tie, colour, marker, shift in zip(
            TIES, shares, (GREEN, BLUE, ORANGE), "^os", (0, -0.08, 0.08), strict=True
        ):
            axes.errorbar(
                np.array(COUNTS) + shift,
                of_tie.mean(axis=0),
                nets.standard_error(of_tie),
                color=colour,
                marker=marker,
                markersize=5,
                capsize=2,
                linestyle="",
                label=f"tie={tie}",
            )
        framed(axes, title, "number of patterns $P$", "share")
        axes.set_xticks(COUNTS)
    panels[1].set_ylabel("")
    panels[0].legend(fontsize=TICK_SIZE, frameon=False, loc="upper left")
    caption(
        figure,
        f"Hebb's rule, $N$ = {NEURONS}, {NETS} nets, {QUERIES} random queries each, asynchronous, sequential order; seed {SEED}. A field "
        "can be zero only if $P(N-1)$ is even.\nBars: standard error of the mean over nets; points of minus and plus are set apart by 0.16.",
    )
    rows = [
        [
            str(count),
            *(float(shares.mean(axis=1)[row, k]) for shares in (elsewhere, broken) for row in range(len(TIES))),
        ]
        for k, count in enumerate(COUNTS)
    ]
    header = ["$P$", *(f"elsewhere, {tie}" for tie in TIES), *(f"no inverses, {tie}" for tie in TIES)]
    return Drawn(figure, table(header, rows))
