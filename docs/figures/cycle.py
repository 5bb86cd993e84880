"""Cycles of two states under synchronous updating."""

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, new_figure, shared_legend

from hopfield_client import HopfieldClient
from hopfield_client.plot import plot_landscape
from hopfield_client.plot._style import TITLE_SIZE

PATTERN = np.array([[1, 0], [0, 1]], bool)


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """The same memory, neurons updated one after the other and all at once."""
    figure = new_figure(11.5, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(1, 3.2))
    with nets.memory(client, 4, shape=(2, 2)) as memory:
        memory.store(PATTERN, "A")
        plot_landscape(memory, axes=left)
        plot_landscape(memory, update="synchronous", axes=right)
    left.set_title("asynchronous", fontsize=TITLE_SIZE)
    right.set_title("synchronous", fontsize=TITLE_SIZE)
    shared_legend(figure)
    caption(
        figure, "Hebb's rule, $N$ = 4, $P$ = 1. All 16 states; sequential order on the left. One net, no randomness."
    )
    progress(1, 1)
    return Drawn(figure)
