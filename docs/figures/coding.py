"""The four-neuron example in either coding."""

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, new_figure, shared_legend

from hopfield_client import HopfieldClient
from hopfield_client.plot import plot_landscape
from hopfield_client.plot._style import TITLE_SIZE

PATTERN = np.array([0, 0, 0, 1], bool)


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """One pattern, 0001, in ±1; in 0/1 with thresholds of zero; and in 0/1 with the thresholds that make it the first again."""
    figure = new_figure(10.5, 4.2)
    panels = figure.subplots(1, 3)
    signs = nets.signs(PATTERN)
    coupling = np.outer(signs, signs) - np.eye(4)
    cases = (
        ("±1: zero thresholds", {"coding": "bipolar"}),
        ("0/1: zero thresholds", {"coding": "binary", "normalization": "none"}),
        (
            r"0/1: $U_i = \Sigma_j\, T_{ij}/2$",
            {"coding": "binary", "normalization": "none", "thresholds": coupling.sum(axis=1) / 2},
        ),
    )
    for k, (axes, (title, spec)) in enumerate(zip(panels, cases, strict=True)):
        with nets.memory(client, 4, **spec) as memory:
            memory.store(PATTERN, "0001")
            plot_landscape(memory, axes=axes)
        axes.set_title(title, fontsize=TITLE_SIZE)
        progress(k + 1, len(cases))
    shared_legend(figure)
    caption(
        figure,
        "Hebb's rule, $N$ = 4, $P$ = 1: the pattern 0001, black for 1. All 16 states; sequential order, ties keep. One net, no randomness.",
    )
    return Drawn(figure)
