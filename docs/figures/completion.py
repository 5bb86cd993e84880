"""Unknown neurons: what is known of a digit is held fixed, the rest filled in."""

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption

from hopfield_client import HopfieldClient
from hopfield_client.demo.digits import ten_digits
from hopfield_client.plot import plot_recall

SEED = 6
DIGIT = 8


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Two rows of a digit are known."""
    images = ten_digits()
    unknown = np.zeros((8, 8), bool)
    unknown[2:] = True
    with nets.memory(client, 64, rule="pseudo_inverse", shape=(8, 8)) as memory:
        memory.store(images, [str(digit) for digit in range(10)])
        query = np.ma.masked_array(images[DIGIT], unknown)
        figure = plot_recall(memory.trace(query, clamp=True, seed=SEED))
    caption(
        figure,
        f"$N$ = 64, ten digits, pseudo-inverse rule; two rows known and clamped, six unknown (grey); one net, seed {SEED}.",
    )
    progress(1, 1)
    return Drawn(figure)
