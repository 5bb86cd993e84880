"""All states of a small memory, as plot_landscape draws them."""

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption

from hopfield_client import HopfieldClient
from hopfield_client.plot import plot_landscape

LETTERS = {"L": "#.. #.. #.. ###", "H": "#.# ### #.# #.#", "Z": "### .#. #.. ###"}


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Three letters of 4 x 3 pixels: each stored, each inverted, and the mixture of the three that nobody stored."""
    images = np.array([[[pixel == "#" for pixel in row] for row in letter.split()] for letter in LETTERS.values()])
    with nets.memory(client, 12, shape=(4, 3)) as memory:
        memory.store(images, list(LETTERS))
        figure = plot_landscape(memory)
    caption(
        figure,
        "A dot is a state, joined to the state that one sweep (neuron 0, 1, 2, ...) makes of it; a valley is as wide as its basin. "
        "One net of three letters, no randomness.",
    )
    progress(1, 1)
    return Drawn(figure)
