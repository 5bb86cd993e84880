"""Stable patterns against when they were stored, for rules that learn one pattern after the other."""

from typing import get_args

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, framed, means, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient, LearningRule
from hopfield_client.plot._style import RULE_COLOURS, RULE_MARKERS, RULE_NAMES, TICK_SIZE

SEED = 4
NEURONS = 200
PATTERNS = 100
NETS = 20
# Patterns a point.
TOGETHER = 10
RULES: tuple[LearningRule, ...] = get_args(LearningRule)


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Far beyond Storkey's capacity: the youngest are kept, the oldest overwritten."""
    stable = np.empty((len(RULES), NETS, PATTERNS // TOGETHER))
    done = 0
    for net in range(NETS):
        stored = nets.patterns(PATTERNS, NEURONS, np.random.default_rng([SEED, net]))
        for row, rule in enumerate(RULES):
            with nets.memory(client, NEURONS, rule=rule) as memory:
                memory.store(stored)
                answers = memory.recall_batch(stored, max_iterations=1, seed=SEED)
            stable[row, net] = answers.converged.reshape(-1, TOGETHER).mean(axis=1)
            done += 1
            progress(done, NETS * len(RULES))
    figure = new_figure(7, 3.9)
    axes = figure.add_subplot()
    middle = np.arange(PATTERNS // TOGETHER) * TOGETHER + (TOGETHER + 1) / 2
    for rule, shares in zip(RULES, stable, strict=True):
        means(axes, middle, shares, RULE_NAMES[rule], RULE_COLOURS[rule], RULE_MARKERS[rule])
    framed(axes, "", f"when the pattern was stored (1: first, {PATTERNS}: last)", "share of stable patterns")
    axes.set(xlim=(0, PATTERNS + 1), ylim=(-0.03, 1.05))
    axes.legend(fontsize=TICK_SIZE, frameon=False, bbox_to_anchor=(1.01, 0.5), loc="center left")
    caption(
        figure,
        rf"$N$ = {NEURONS}, $P$ = {PATTERNS} ($\alpha$ = {PATTERNS / NEURONS:g}), {NETS} nets, random patterns, {TOGETHER} a point; "
        f"seed {SEED}. Bars: standard error of the mean over nets.",
    )
    header = ["rule", *(f"{k * TOGETHER + 1} to {(k + 1) * TOGETHER}" for k in range(PATTERNS // TOGETHER)), "all"]
    rows = [
        [RULE_NAMES[rule], *map(float, shares.mean(axis=0)), float(shares.mean())]
        for rule, shares in zip(RULES, stable, strict=True)
    ]
    return Drawn(figure, table(header, rows))
