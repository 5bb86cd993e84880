"""The energy along a recall, as plot_recall draws it."""

from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption

from hopfield_client import HopfieldClient
from hopfield_client.demo.digits import corrupted, ten_digits
from hopfield_client.plot import plot_recall

SEED = 71
NOISE = 0.3
DIGIT = 8


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """A digit with so many pixels inverted that it takes several iterations."""
    images = ten_digits()
    with nets.memory(client, 64, rule="pseudo_inverse", shape=(8, 8)) as memory:
        memory.store(images, [str(digit) for digit in range(10)])
        figure = plot_recall(memory.trace(corrupted(images, NOISE, SEED)[DIGIT], seed=SEED))
    caption(
        figure,
        f"$N$ = 64, ten digits, pseudo-inverse rule; {NOISE:.0%} of the pixels inverted; asynchronous, random order; one net, seed {SEED}.",
    )
    progress(1, 1)
    return Drawn(figure)
