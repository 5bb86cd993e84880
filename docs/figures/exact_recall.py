"""Exact recall against load and noise, for each learning rule."""

from typing import get_args

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient, LearningRule
from hopfield_client.plot._style import INK, LABEL_SIZE, RULE_COLOURS, RULE_NAMES, TICK_SIZE, TITLE_SIZE

SEED = 2
NEURONS = 200
NETS = 4
LOADS = tuple(k / 40 for k in range(1, 29))
NOISES = tuple(k / 20 for k in range(10))
RULES: tuple[LearningRule, ...] = get_args(LearningRule)


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """A panel a rule, and one with the line of every rule on which half of the recalls are exact."""
    shares = measure(client, progress).mean(axis=1)
    figure = new_figure(9, 5.6)
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    # Cells are centred on what was measured.
    x = np.append(np.array(LOADS) - LOADS[0] / 2, LOADS[-1] + LOADS[0] / 2)
    y = np.append(np.array(NOISES) - NOISES[1] / 2, NOISES[-1] + NOISES[1] / 2)
    for rule, share, axes in zip(RULES, shares, panels.flat[:-1], strict=True):
        cells = axes.pcolormesh(x, 100 * y, share, cmap="cividis", vmin=0, vmax=1)
        axes.contour(LOADS, 100 * np.array(NOISES), share, [0.5], colors="white", linewidths=1.2)
        axes.set_title(RULE_NAMES[rule], fontsize=TITLE_SIZE, color=INK)
        panels.flat[-1].contour(LOADS, 100 * np.array(NOISES), share, [0.5], colors=RULE_COLOURS[rule], linewidths=1.8)
        panels.flat[-1].plot([], [], color=RULE_COLOURS[rule], label=RULE_NAMES[rule])
    panels.flat[-1].set_title("half of the recalls are exact", fontsize=TITLE_SIZE, color=INK)
    panels.flat[-1].legend(loc="upper right", fontsize=TICK_SIZE, frameon=False)
    for axes in panels.flat:
        axes.tick_params(labelsize=TICK_SIZE)
        axes.set(xlim=(x[0], x[-1]), ylim=(-2.5, 47.5))
    for axes in panels[1]:
        axes.set_xlabel(r"load $\alpha = P/N$", fontsize=LABEL_SIZE)
    for axes in panels[:, 0]:
        axes.set_ylabel("neurons inverted in the query (%)", fontsize=LABEL_SIZE)
    bar = figure.colorbar(cells, ax=panels, shrink=0.6)
    bar.set_label("share recalled exactly", fontsize=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    caption(
        figure,
        f"$N$ = {NEURONS}, random patterns, {NETS} nets, every pattern a query once; asynchronous, random order; seed {SEED}. "
        "White: half of the recalls are exact.",
    )
    at = [(LOADS.index(load), load) for load in (0.1, 0.15, 0.2, 0.3, 0.4, 0.5)]
    rows = [
        [RULE_NAMES[rule], f"{NOISES[row]:.0%}", *(float(share[row, column]) for column, _ in at)]
        for rule, share in zip(RULES, shares, strict=True)
        for row in (0, 2, 4)
    ]
    return Drawn(figure, table(["rule", "noise", *(f"load {load:g}" for _, load in at)], rows))


def measure(client: HopfieldClient, progress: Progress) -> nets.Floats:
    """Shares of exact recalls, (rules, nets, noises, loads); all rules learn the same patterns and get the same queries."""
    shares = np.empty((len(RULES), NETS, len(NOISES), len(LOADS)))
    done = 0
    for net in range(NETS):
        random = np.random.default_rng([SEED, net])
        stored = nets.patterns(round(LOADS[-1] * NEURONS), NEURONS, random)
        queries = [nets.inverted(stored, noise, random) for noise in NOISES]
        for row, rule in enumerate(RULES):
            with nets.memory(client, NEURONS, rule=rule) as memory:
                before = 0
                for column, load in enumerate(LOADS):
                    after = round(load * NEURONS)
                    memory.store(stored[before:after], timeout=nets.TIMEOUT)
                    before = after
                    for depth, noisy in enumerate(queries):
                        answers = memory.recall_batch(noisy[:after], seed=SEED, timeout=nets.TIMEOUT)
                        exact = (answers.patterns == stored[:after]).all(axis=1)
                        shares[row, net, depth, column] = exact.mean()
                    done += 1
                    progress(done, NETS * len(RULES) * len(LOADS))
    return shares
