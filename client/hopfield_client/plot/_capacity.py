"""How much a memory holds: exact recall against load, measured with the service."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hopfield_client._arguments import integer, real_number
from hopfield_client._client import HopfieldClient
from hopfield_client._errors import InvalidArgument
from hopfield_client._memory import Memory
from hopfield_client._progress import Progress, progress_of
from hopfield_client._types import LearningRule
from hopfield_client._warnings import HopfieldWarning
from hopfield_client.plot._picture import Picture
from hopfield_client.plot._style import (
    INK,
    PALE,
    RULE_COLOURS,
    RULE_MARKERS,
    RULE_NAMES,
    TICK_SIZE,
    TITLE_SIZE,
    figure_of,
    plain,
)

_RULES: Final = ("hebbian", "storkey", "pseudo_inverse", "perceptron")
_LOADS: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
# Seconds that one call may take; the perceptron rule learns anew at every load.
_TIMEOUT = 300.0


def plot_capacity(
    client: HopfieldClient,
    *,
    neurons: int = 200,
    rules: Sequence[LearningRule] = _RULES,
    loads: Sequence[float] = _LOADS,
    noise: float = 0.2,
    nets: int = 5,
    seed: int = 0,
    progress: bool | Progress = False,
    axes: Axes | None = None,
) -> Figure:
    """Measures which share of random patterns is recalled exactly, against the load, and draws it for each learning rule.

    Each net is a temporary memory of the service, deleted when it was measured or something failed,
    with random patterns, +1 and -1 alike. Every pattern is a query once, with `noise` of its
    neurons inverted, and is recalled exactly if the answer is that pattern, neuron for neuron
    (asynchronous updating, random order). A point is the mean over the nets, its bar the standard
    error of that mean; all rules learn the same patterns and get the same queries. A dashed line is
    the capacity of a rule, where it lies on the axis; the legend has them all, with an arrow where
    they lie to the right of it.

    Args:
        client: of the service.
        neurons: number of neurons N of a net.
        rules: the learning rules.
        loads: patterns a neuron, P / N; rounded to whole patterns.
        noise: share of the neurons inverted in a query, 0 to 0.5; rounded to whole neurons.
        nets: how many nets a rule.
        seed: of patterns, queries and recalls: with it, the same picture.
        progress: True: says on stderr how far it is; or what to call with how many measurements are done, and of how many.
        axes: where to draw; None: a figure of its own.

    Returns:
        The figure.

    Raises:
        InvalidArgument: an unknown rule, no rule or load, a load that makes no pattern, a number out of range.
    """
    counts = _pattern_counts(loads, integer(neurons, "neurons", 2, 1 << 17))
    flipped = round(_share(noise) * neurons)
    if not rules or set(rules) - set(get_args(LearningRule)):
        raise InvalidArgument(
            f"rules is {rules!r}; it must be some of {', '.join(map(repr, get_args(LearningRule)))}", field="rules"
        )
    rounds = integer(nets, "nets", 1, 1 << 20)
    report = progress_of(progress, "measurements")
    total, done = len(rules) * rounds * len(counts), 0
    shares = np.empty((len(rules), rounds, len(counts)))
    capacities: list[float | None] = [None] * len(rules)
    for net in range(rounds):
        # Patterns first, then queries: a net of more loads begins with the same patterns.
        random = np.random.default_rng([seed, net])
        patterns = random.random((counts[-1], neurons)) < 0.5
        queries = _inverted(patterns, flipped, random)
        for row, rule in enumerate(rules):
            with client.temporary_memory(neurons, rule=rule) as memory:
                for column, share in enumerate(_measured(memory, patterns, queries, counts, seed)):
                    shares[row, net, column] = share
                    done += 1
                    report(done, total)
                capacities[row] = memory.info().capacity
    if axes is None:
        axes = Picture(figsize=(6.4, 4.2), layout="constrained").add_subplot()
    _draw(axes, np.array(counts) / neurons, shares, rules, capacities)
    axes.set_title(
        f"$N$ = {neurons}, {flipped / neurons:.0%} of the neurons inverted, {rounds} net{'s' * (rounds != 1)}, seed {seed}",
        fontsize=TITLE_SIZE,
    )
    return figure_of(axes)


def _pattern_counts(loads: Sequence[float], neurons: int) -> list[int]:
    """How many patterns make each load, in rising order."""
    counts = sorted({round(real_number(load, "loads") * neurons) for load in loads})
    if not counts or counts[0] < 1:
        raise InvalidArgument(
            f"loads is {loads!r}; it must hold at least one load, each of at least one pattern in {neurons} neurons",
            field="loads",
        )
    return counts


def _share(noise: float) -> float:
    result = real_number(noise, "noise")
    if not 0 <= result <= 0.5:
        raise InvalidArgument(f"noise is {noise!r}; it must be a share from 0 to 0.5", field="noise")
    return result


def _inverted(patterns: NDArray[np.bool_], count: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """The patterns with so many neurons of each inverted."""
    chosen = random.random(patterns.shape).argsort(axis=1)[:, :count]
    queries = patterns.copy()
    np.put_along_axis(queries, chosen, ~np.take_along_axis(patterns, chosen, axis=1), axis=1)
    return queries


def _measured(
    memory: Memory, patterns: NDArray[np.bool_], queries: NDArray[np.bool_], counts: Sequence[int], seed: int
) -> Iterator[float]:
    """The share of exact recalls at each load, growing the memory from one to the next."""
    stored = 0
    for count in counts:
        with warnings.catch_warnings():
            # That loads go beyond the capacity is the point here.
            warnings.simplefilter("ignore", HopfieldWarning)
            memory.store(patterns[stored:count], [str(k) for k in range(stored, count)], timeout=_TIMEOUT)
        stored = count
        answers = memory.recall_batch(queries[:count], seed=seed, timeout=_TIMEOUT)
        yield float((answers.patterns == patterns[:count]).all(axis=1).mean())


def _draw(
    axes: Axes,
    loads: NDArray[np.float64],
    shares: NDArray[np.float64],
    rules: Sequence[LearningRule],
    capacities: Sequence[float | None],
) -> None:
    nets = shares.shape[1]
    farthest = 1.04 * float(loads[-1])
    for rule, measured, capacity in zip(rules, shares, capacities, strict=True):
        style: dict[str, Any] = {"color": RULE_COLOURS[rule], "zorder": 3}
        label = RULE_NAMES[rule]
        if capacity is not None:
            beyond = "" if capacity <= farthest else r" $\rightarrow$"
            label += rf" ($\alpha_c$ = {capacity:.3g}{beyond})"
        error = measured.std(axis=0, ddof=1) / np.sqrt(nets) if nets > 1 else None
        axes.errorbar(
            loads,
            measured.mean(axis=0),
            error,
            marker=RULE_MARKERS[rule],
            markersize=5,
            capsize=2,
            label=label,
            **style,
        )
        if capacity is not None and capacity <= farthest:
            axes.axvline(capacity, linestyle="--", linewidth=1, alpha=0.8, color=RULE_COLOURS[rule], zorder=2)
    axes.set(xlabel=r"load $\alpha = P/N$", ylabel="share recalled exactly", xlim=(0, farthest), ylim=(-0.03, 1.05))
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.legend(fontsize=TICK_SIZE, frameon=False, labelcolor=INK)
    plain(axes)
