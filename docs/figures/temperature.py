"""Overlap with a stored pattern against temperature, under Glauber dynamics."""

import numpy as np
from docs.figures import nets, theory
from docs.figures.drawing import Drawn, Progress, caption, framed, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient, Memory
from hopfield_client.plot._style import BLUE, INK, TICK_SIZE, VERMILION

SEED = 3
NEURONS = 2000
NETS = 5
TEMPERATURES = (0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1, 1.2, 1.3)
# Patterns: loads of 0.001 and 0.05.
COUNTS = (2, 100)
SWEEPS, FORGOTTEN = 400, 150


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Every run begins at a stored pattern; the overlap is averaged over the sweeps after the first ones."""
    measured = np.empty((len(COUNTS), NETS, len(TEMPERATURES)))
    done = 0
    for row, count in enumerate(COUNTS):
        for net in range(NETS):
            stored = nets.patterns(count, NEURONS, np.random.default_rng([SEED, count, net]))
            with nets.memory(client, NEURONS) as memory:
                memory.store(stored)
                for column, temperature in enumerate(TEMPERATURES):
                    measured[row, net, column] = mean_overlap(memory, stored[0], temperature, SEED + net)
                    done += 1
                    progress(done, measured.size)

    figure = new_figure(7, 4.3)
    axes = figure.add_subplot()
    fine = np.linspace(0.02, 1.35, 267)
    lines = (
        [theory.mattis(temperature) for temperature in fine],
        [theory.retrieval_at(temperature, COUNTS[1] / NEURONS) for temperature in fine],
    )
    names = (r"$\alpha \to 0$: $m = \tanh(m/T)$", rf"$\alpha$ = {COUNTS[1] / NEURONS:g}: replica symmetry")
    styles = ((INK, "-", BLUE, "o"), (VERMILION, "--", VERMILION, "s"))
    for values, name, count, means, (line, dashes, colour, marker) in zip(
        lines, names, COUNTS, measured, styles, strict=True
    ):
        axes.plot(fine, values, dashes, color=line, linewidth=1.3, label=name, zorder=2)
        axes.errorbar(
            TEMPERATURES,
            means.mean(axis=0),
            nets.standard_error(means),
            linestyle="",
            marker=marker,
            markersize=5,
            capsize=2,
            color=colour,
            label=rf"service, $P$ = {count} ($\alpha$ = {count / NEURONS:g})",
            zorder=3,
        )
    framed(axes, "", r"temperature $T = 1/\beta$", r"overlap $m$ with the pattern, mean over time")
    axes.set(xlim=(0, 1.35), ylim=(-0.03, 1.05))
    axes.legend(loc="upper right", fontsize=TICK_SIZE, frameon=False)
    caption(
        figure,
        f"Hebb's rule, $N$ = {NEURONS}, {NETS} nets; Glauber dynamics from a stored pattern, {SWEEPS} sweeps, the first {FORGOTTEN} "
        f"not counted; seed {SEED}.\nBars: standard error of the mean over nets.",
    )
    errors = [nets.standard_error(means) for means in measured]
    rows = [
        [
            f"{temperature:g}",
            theory.mattis(temperature),
            *(f"{means.mean(axis=0)[k]:.4f} ± {error[k]:.4f}" for means, error in zip(measured, errors, strict=True)),
            theory.retrieval_at(temperature, COUNTS[1] / NEURONS),
        ]
        for k, temperature in enumerate(TEMPERATURES)
    ]
    return Drawn(figure, table(["T", "tanh(m/T)", *(f"P = {count}" for count in COUNTS), "AGS, load 0.05"], rows))


def mean_overlap(memory: Memory, pattern: nets.Bits, temperature: float, seed: int) -> float:
    """The overlap with a pattern, averaged over the sweeps of a run that begins there."""
    trace = memory.trace(
        pattern, update="glauber", beta=1 / temperature, max_iterations=SWEEPS, seed=seed, timeout=nets.TIMEOUT
    )
    states = [step.pattern for step in trace if step.iteration > FORGOTTEN]
    return float(nets.overlaps(pattern, np.stack(states)).mean())
