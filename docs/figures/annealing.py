"""The ground state of a spin glass, by annealing and by descent."""

import numpy as np
from docs.figures import nets
from docs.figures.drawing import Drawn, Progress, caption, framed, means, new_figure
from docs.measured import table

from hopfield_client import HopfieldClient
from hopfield_client.plot._style import BLUE, GREY, TICK_SIZE

SEED = 7
NEURONS = 24
GLASSES = 12
RUNS = 200
SWEEPS = (1, 3, 10, 30, 100, 300, 1000)
# Inverse temperatures: from far above the glass temperature, which is 1, to far below.
HOTTEST, COLDEST = 0.2, 10.0


def glass(random: np.random.Generator) -> nets.Floats:
    """Sherrington and Kirkpatrick's model with couplings of +1 and -1, over sqrt(N)."""
    couplings = np.triu(random.choice([-1.0, 1.0], (NEURONS, NEURONS)), 1)
    result: nets.Floats = (couplings + couplings.T) / np.sqrt(NEURONS)
    return result


def ground_energy(weights: nets.Floats) -> float:
    """The lowest energy of all 2^N states: those of two halves, and of what couples them."""
    half = len(weights) // 2
    states = nets.signs((np.arange(1 << half)[:, np.newaxis] >> np.arange(half)) & 1)

    def within(block: nets.Floats) -> nets.Floats:
        result: nets.Floats = -np.einsum("ki,ij,kj->k", states, block, states, optimize=True) / 2
        return result

    between = states @ weights[:half, half:] @ states.T
    return float((within(weights[:half, :half])[:, np.newaxis] + within(weights[half:, half:]) - between).min())


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """Schedules of more and more sweeps between the same two temperatures."""
    found = np.empty((GLASSES, len(SWEEPS)))
    above = np.empty_like(found)
    found_by_descent, above_by_descent = np.empty(GLASSES), np.empty(GLASSES)
    done = 0
    for net in range(GLASSES):
        random = np.random.default_rng([SEED, net])
        weights = glass(random)
        lowest = ground_energy(weights)
        queries = nets.patterns(RUNS, NEURONS, random)
        with nets.imported(client, weights) as memory:
            excess = memory.recall_batch(queries, seed=SEED).energies - lowest
            found_by_descent[net], above_by_descent[net] = (excess < 1e-9).mean(), excess.mean() / NEURONS
            for column, sweeps in enumerate(SWEEPS):
                beta = np.geomspace(HOTTEST, COLDEST, sweeps)
                annealed = memory.recall_batch(queries, update="glauber", beta=beta, seed=SEED, timeout=nets.TIMEOUT)
                excess = annealed.energies - lowest
                found[net, column], above[net, column] = (excess < 1e-9).mean(), excess.mean() / NEURONS
                done += 1
                progress(done, GLASSES * len(SWEEPS))
    figure = new_figure(9, 3.8)
    panels = figure.subplots(1, 2)
    for axes, by_annealing, by_descent, y in zip(
        panels,
        (found, above),
        (found_by_descent, above_by_descent),
        ("share of runs in a ground state", "excess energy per neuron"),
        strict=True,
    ):
        means(axes, SWEEPS, by_annealing, "annealing", BLUE, "o")
        mean, error = by_descent.mean(), float(nets.standard_error(by_descent))
        axes.axhspan(mean - error, mean + error, color=GREY, alpha=0.25, linewidth=0)
        axes.axhline(mean, color=GREY, linestyle="--", linewidth=1.2, label="descent ($T$ = 0)")
        framed(axes, "", "sweeps of the schedule", y)
        axes.set_xscale("log")
        axes.set_ylim(0, 1.02 if axes is panels[0] else None)
    panels[0].legend(fontsize=TICK_SIZE, frameon=False, loc="upper left")
    caption(
        figure,
        rf"SK glass, $N$ = {NEURONS}, $J_{{ij}} = \pm 1/\sqrt{{N}}$, {GLASSES} glasses, {RUNS} random queries each; $\beta$ from {HOTTEST} "
        f"to {COLDEST:g}, equal ratios; ground states by\nenumeration of all $2^{{{NEURONS}}}$ states; seed {SEED}. Excess: above the ground state. Bars and band: standard "
        "error of the mean over glasses.",
    )
    rows = [
        ["descent", float(found_by_descent.mean()), f"{above_by_descent.mean():.4f}"],
        *([str(n), float(found.mean(axis=0)[k]), f"{above.mean(axis=0)[k]:.4f}"] for k, n in enumerate(SWEEPS)),
    ]
    return Drawn(figure, table(["sweeps", "ground state", "energy above it, a neuron"], rows))
