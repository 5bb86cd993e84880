"""Ten handwritten digits under each learning rule."""

from collections.abc import Sequence
from typing import get_args

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, new_figure
from docs.measured import table
from matplotlib.axes import Axes

from hopfield_client import HopfieldClient, LearningRule, Memory
from hopfield_client.demo.digits import Images, corrupted, ten_digits
from hopfield_client.plot._style import INK, LABEL_SIZE, NEURONS, PALE, RULE_NAMES, VERMILION

SEED = 1
NOISE = 0.1
# How often each digit is corrupted anew for the shares beside the rows.
DRAWS = 200
RULES: tuple[LearningRule, ...] = get_args(LearningRule)


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Stored, corrupted, and what each rule makes of the corrupted ones."""
    images = ten_digits()
    noisy = corrupted(images, NOISE, SEED)
    figure = new_figure(8, 5.4)
    panels = figure.subplots(len(RULES) + 2, 10)
    draw_row(panels[0], images, images, "stored")
    draw_row(panels[1], noisy, images, f"{NOISE:.0%} inverted")
    rows = []
    for k, rule in enumerate(RULES):
        with nets.memory(client, 64, rule=rule, shape=(8, 8)) as memory:
            memory.store(images, [str(digit) for digit in range(10)])
            answers = memory.recall_batch(noisy, seed=SEED).patterns.astype(bool)
            exact = int((answers == images).all(axis=(1, 2)).sum())
            share = exact_share(memory, images)
            stable = memory.diagnose().stable_count
        draw_row(panels[k + 2], answers, images, f"{RULE_NAMES[rule]}\n{exact} of 10 exact\n({share:.1%})")
        rows.append([RULE_NAMES[rule], f"{stable} of 10", f"{exact} of 10", f"{share:.1%}"])
        progress(k + 1, len(RULES))
    caption(
        figure,
        f"$N$ = 64, $P$ = 10 ($\\alpha$ = {10 / 64:.3f}); orange: pixels that are not as stored; asynchronous, random order; seed {SEED}. "
        f"In brackets: share of exact\nrecalls of {DRAWS} draws of the noise. Digits: UCI Optical Recognition of Handwritten Digits, CC BY 4.0.",
    )
    return Drawn(figure, table(["rule", "stable", "exact in the figure", f"exact of {10 * DRAWS}"], rows))


def exact_share(memory: Memory, images: Images) -> float:
    """The share of exact recalls over many draws of the noise."""
    queries = np.concatenate([corrupted(images, NOISE, SEED + draw) for draw in range(DRAWS)])
    answers = memory.recall_batch(queries, seed=SEED).patterns
    return float((answers == np.tile(images, (DRAWS, 1, 1))).all(axis=(1, 2)).mean())


def draw_row(row: Sequence[Axes], shown: Images, stored: Images, name: str) -> None:
    """Ten images, the pixels that are not as stored marked, and what they are."""
    for axes, image, original in zip(row, shown, stored, strict=True):
        axes.imshow(image, cmap=NEURONS, vmin=0, vmax=1, interpolation="nearest")
        y, x = np.nonzero(image != original)
        axes.plot(x, y, "o", color=VERMILION, markersize=2.6)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(PALE)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=LABEL_SIZE, color=INK)
