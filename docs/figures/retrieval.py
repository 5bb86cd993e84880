"""Overlap with the pattern against load, under Hebb's rule at temperature zero."""

from typing import Any

import numpy as np
from docs.figures import nets, theory
from docs.figures.drawing import Drawn, Progress, caption, framed, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient
from hopfield_client.plot._style import BLUE, INK, SKY, TICK_SIZE, VERMILION

SEED = 1
LOADS = (0.02, 0.05, 0.08, 0.10, 0.11, 0.12, 0.13, 0.135, 0.14, 0.145, 0.15, 0.16, 0.17, 0.18, 0.20)
# Neurons and nets.
SIZES = ((1000, 10), (4000, 4))
# Queries a net; more of them are not more nets.
QUERIES = 100


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Every query is a stored pattern itself; what is measured is how much of it remains where the dynamics end."""
    total = sum(count for _, count in SIZES) * len(LOADS)
    done = 0
    measured = {}
    for neurons, count in SIZES:
        means = np.empty((count, len(LOADS)))
        for net in range(count):
            stored = nets.patterns(round(LOADS[-1] * neurons), neurons, np.random.default_rng([SEED, neurons, net]))
            with nets.memory(client, neurons) as memory:
                before = 0
                for k, load in enumerate(LOADS):
                    after = round(load * neurons)
                    memory.store(stored[before:after], timeout=nets.TIMEOUT)
                    before = after
                    queries = stored[: min(after, QUERIES)]
                    answers = memory.recall_batch(queries, seed=SEED, max_iterations=1000, timeout=nets.TIMEOUT)
                    means[net, k] = nets.overlaps(queries, answers.patterns).mean()
                    done += 1
                    progress(done, total)
        measured[neurons] = means

    curve = theory.retrieval()
    figure = new_figure(9.5, 4.2)
    whole, errors = figure.subplots(1, 2, width_ratios=(1.25, 1))
    whole.plot(curve.load, curve.overlap, color=INK, label="theory", zorder=2)
    errors.plot(curve.load, (1 - curve.overlap) / 2, color=INK, zorder=2)
    for axes in (whole, errors):
        axes.axvline(curve.capacity, color=VERMILION, linestyle="--", linewidth=1, zorder=1)
    whole.text(
        *(curve.capacity - 0.002, 0.6),
        rf"$\alpha_c$ = {curve.capacity:.4f}",
        color=VERMILION,
        fontsize=TICK_SIZE,
        ha="right",
    )
    for (neurons, count), colour, marker in zip(SIZES, (BLUE, SKY), "os", strict=True):
        mean, error = measured[neurons].mean(axis=0), nets.standard_error(measured[neurons])
        style: dict[str, Any] = {"marker": marker, "markersize": 4.5, "capsize": 2, "color": colour, "zorder": 3}
        label = f"service, $N$ = {neurons}, {count} nets"
        whole.errorbar(LOADS, mean, error, linestyle=":", linewidth=1, label=label, **style)
        below = np.array(LOADS) < curve.capacity
        errors.errorbar(
            np.array(LOADS)[below], (1 - mean[below]) / 2, error[below] / 2, linestyle="", label=label, **style
        )
    framed(whole, "", r"load $\alpha = P/N$", r"overlap $m$ of the answer with the pattern")
    whole.set(xlim=(0, 0.205), ylim=(0, 1.03))
    whole.legend(loc="lower left", fontsize=TICK_SIZE, frameon=False)
    framed(errors, "", r"load $\alpha = P/N$", r"share of wrong neurons, $(1 - m)/2$")
    errors.set(xlim=(0.04, 0.142), ylim=(1e-6, 0.1), yscale="log")
    caption(
        figure,
        "Hebb's rule. Each query is a stored pattern without noise; asynchronous, temperature zero, to a fixed point; at most "
        f"{QUERIES} queries a net; seed {SEED}.\nTheory: Amit, Gutfreund and Sompolinsky (1985). Bars: standard error of the mean over "
        "nets.",
    )
    rows = [
        [
            f"{load:g}",
            f"{curve.at(load):.5f}" if load < curve.capacity else "-",
            *(f"{measured[n].mean(axis=0)[k]:.5f} ± {nets.standard_error(measured[n])[k]:.5f}" for n, _ in SIZES),
        ]
        for k, load in enumerate(LOADS)
    ]
    return Drawn(figure, table([r"load $\alpha$", "theory", *(f"N = {neurons}" for neurons, _ in SIZES)], rows))
