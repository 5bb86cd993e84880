"""One recall, iteration by iteration."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hopfield_client._arguments import integer, shape_of
from hopfield_client._errors import InvalidArgument
from hopfield_client._results import Recall, TraceStep
from hopfield_client._trace import Trace
from hopfield_client.plot._picture import Picture
from hopfield_client.plot._style import (
    BLUE,
    GREY,
    LABEL_SIZE,
    NEURONS,
    PALE,
    TICK_SIZE,
    TITLE_SIZE,
    VERMILION,
    literally,
    number,
    plain,
)

# With more points than these, marks would hide the line.
_MARKED_POINTS = 60
_UNKNOWN = 0.5
# In inches.
_ENERGY_HEIGHT = 1.6
_WIDEST_FRAME = 1.3


def plot_recall(
    trace: Iterable[TraceStep],
    *,
    shape: int | Sequence[int] | None = None,
    frames: int = 8,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draws a recall: its states above, its energy against the iteration below.

    States that are images (two axes) are drawn as a row of frames, the query first and the answer last; a dot marks a neuron that
    has another state than in the frame before. Other states are drawn as one raster, a column an iteration. +1 (or 1) is black, -1 (or 0) white, an
    unknown neuron grey. Where the trace carries its answer, the title says what it is.

    Args:
        trace: `memory.trace(query)`, which this function runs to its end, or the steps of one in a list.
        shape: shape of a pattern, (rows, columns), where the steps have another.
        frames: at most so many frames, at least 2; of more iterations, evenly chosen ones, and what is written under a
            frame is of all since the frame before.
        figure: where to draw, an empty figure or subfigure; None: a new one.

    Returns:
        The figure.

    Raises:
        InvalidArgument: no steps, as when the trace was run to its end before; a shape of another number of neurons; too few
            frames; and what `Memory.trace` raises.
    """
    most = integer(frames, "frames", 2, 100)
    steps = list(trace)
    if not steps:
        raise InvalidArgument(
            "the trace has no steps: where it was run before, pass the steps in a list, steps = list(memory.trace(query))",
            field="trace",
        )
    states = _states(steps)
    if shape is not None:
        lengths = shape_of(shape)
        if np.prod(lengths) != states[0].size:
            raise InvalidArgument(f"shape is {shape!r}, and the states have {states[0].size} neurons", field="shape")
        states = states.reshape(len(steps), *lengths)
    chosen = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int)).tolist()
    images = states.ndim == 3
    if figure is None:
        width = float(np.clip(1.15 * len(chosen), 6.4, 12)) if images else 6.4
        height = _ENERGY_HEIGHT + 1.2 + _frame_width(width, len(chosen)) if images else 4.4
        figure = Picture(figsize=(width, height), layout="constrained")
    if images:
        below = _draw_frames(figure, states, steps, chosen)
    else:
        below = _draw_raster(figure, states.reshape(len(steps), -1), steps)
        chosen = [0, len(steps) - 1]
    _draw_energy(below, steps, chosen)
    if isinstance(trace, Trace) and trace.recall is not None:
        figure.suptitle(_title(trace.recall), fontsize=TITLE_SIZE)
    return figure.figure


def _states(steps: Sequence[TraceStep]) -> NDArray[np.float64]:
    """Every state, the first axis counting them: 1, 0, or 1/2 where a neuron is unknown."""
    bipolar = any((np.ma.getdata(step.pattern) == -1).any() for step in steps)

    def shades(pattern: NDArray[Any]) -> NDArray[np.float64]:
        values = np.ma.getdata(pattern)
        unknown = np.ma.getmaskarray(pattern) | (bipolar & (values == 0))
        return np.where(unknown, _UNKNOWN, values > 0)

    return np.stack([shades(step.pattern) for step in steps])


def _frame_width(width: float, frames: int) -> float:
    """The width of one of several frames in a row, in inches."""
    return min(0.9 * width / frames, _WIDEST_FRAME)


def _draw_frames(
    figure: Figure | SubFigure, states: NDArray[np.float64], steps: Sequence[TraceStep], chosen: Sequence[int]
) -> Axes:
    """A row of images; returns the axes below it, which are as wide."""
    frame = _frame_width(figure.bbox.width / figure.figure.dpi, len(chosen))
    grid = figure.add_gridspec(2, len(chosen), height_ratios=(frame, _ENERGY_HEIGHT))
    before = [None, *chosen]
    for column, (previous, k) in enumerate(zip(before, chosen, strict=False)):
        axes = figure.add_subplot(grid[0, column])
        _draw_states(axes, states[k])
        axes.set_xlabel(_caption(steps, previous, k), fontsize=TICK_SIZE)
        if previous is not None:
            _mark(axes, _flipped(states[previous], states[k]))
    return figure.add_subplot(grid[1, :])


def _caption(steps: Sequence[TraceStep], previous: int | None, k: int) -> str:
    if previous is None:
        return "query" if steps[k].iteration == 0 else f"iteration {steps[k].iteration}"
    flips = sum(step.flips for step in steps[previous + 1 : k + 1])
    first, last = steps[previous + 1].iteration, steps[k].iteration
    which = f"iteration {last}" if first == last else f"iterations {first}\N{EN DASH}{last}"
    return f"{which}\n{flips} flip{'' if flips == 1 else 's'}"


def _draw_raster(figure: Figure | SubFigure, states: NDArray[np.float64], steps: Sequence[TraceStep]) -> Axes:
    """One image of neurons against iterations; returns the axes below it, which share them."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
    neurons = states.shape[1]
    _draw_states(above, states.T, extent=(steps[0].iteration - 0.5, steps[-1].iteration + 0.5, neurons - 0.5, -0.5))
    above.set_aspect("auto")
    above.set_ylabel("neuron", fontsize=LABEL_SIZE)
    above.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    above.tick_params(left=True, labelleft=True, labelsize=TICK_SIZE, color=GREY)
    for k, (earlier, later) in enumerate(pairwise(states), start=1):
        flipped = np.flatnonzero(_flipped(earlier, later))
        above.plot(np.full(len(flipped), steps[k].iteration), flipped, ".", color=VERMILION, markersize=3)
    return cast("Axes", below)


def _draw_states(axes: Axes, shades: NDArray[np.float64], **options: Any) -> None:
    axes.imshow(shades, cmap=NEURONS, vmin=0, vmax=1, interpolation="nearest", **options)
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    axes.spines[:].set_color(PALE)


def _flipped(earlier: NDArray[np.float64], later: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which neurons differ; one that was unknown has taken its first state, which is no flip."""
    flipped: NDArray[np.bool_] = (earlier != later) & (earlier != _UNKNOWN)
    return flipped


def _mark(axes: Axes, flipped: NDArray[np.bool_]) -> None:
    rows, columns = np.nonzero(flipped)
    axes.plot(columns, rows, "o", color=VERMILION, markersize=float(np.clip(30 / max(flipped.shape), 0.8, 4)))


def _draw_energy(axes: Axes, steps: Sequence[TraceStep], framed: Sequence[int]) -> None:
    iterations = [step.iteration for step in steps]
    energies = [step.energy for step in steps]
    axes.plot(iterations, energies, "-", color=BLUE, marker="." if len(steps) <= _MARKED_POINTS else "")
    axes.plot([iterations[k] for k in framed], [energies[k] for k in framed], "o", color=BLUE, markersize=5)
    axes.set(xlabel="iteration (sweeps over all neurons)", ylabel="energy $E$")
    # Where every step has a frame, its energy stands below it.
    axes.set_xlim(iterations[0] - 0.5, iterations[-1] + 0.5)
    axes.margins(y=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    plain(axes)


def _title(recall: Recall) -> str:
    parts = []
    if recall.label is not None and recall.overlap is not None:
        parts.append(f"label {literally(recall.label)}")
        parts.append(f"overlap $m$ = {number(recall.overlap, sign=True)}")
    parts.append(f"match: {recall.match}")
    parts.append(
        f"{recall.stop_reason.replace('_', ' ')} after {recall.iterations} iteration{'s' * (recall.iterations != 1)}"
    )
    return " \N{MIDDLE DOT} ".join(parts)
