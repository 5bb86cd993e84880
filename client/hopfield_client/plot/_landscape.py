"""The energy landscape of a small memory: every state, and the attractor it falls into."""

from typing import Final, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from hopfield_client._errors import InvalidArgument
from hopfield_client._memory import Memory
from hopfield_client._types import MemoryInfo, TieRule
from hopfield_client.plot._attractors import Attractor, Landscape, survey
from hopfield_client.plot._picture import Picture
from hopfield_client.plot._style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    NEURONS,
    ORANGE,
    PURPLE,
    RULE_NAMES,
    TICK_SIZE,
    TITLE_SIZE,
    figure_of,
    literally,
    number,
    plain,
)

MOST_NEURONS: Final = 14

# What an attractor's picture and text take, in points.
_PICTURE = 32.0
_TEXT_WIDTH = 58.0

# Width of a basin with the space beside it.
_GAP = 1.04
# Enough for the width of a word to settle.
_ROUNDS = 50
# Share of the width that words may take.
_WORDED = 0.95
# Share of all states that makes a basin worth words where not all have them.
_LARGE = 0.025
# A longer label is cut.
_LETTERS = 8


class Kind(NamedTuple):
    """How the attractors of one kind are drawn."""

    name: str
    colour: str
    marker: str


# In the order in which their basins stand.
KINDS: Final = {
    "pattern": Kind("stored pattern", BLUE, "o"),
    "spurious": Kind("spurious state", PURPLE, "D"),
    "none": Kind("fixed point", GREEN, "^"),
    "cycle": Kind("cycle", GREY, "X"),
    "inverse": Kind("inverse of a stored pattern", ORANGE, "s"),
}
_STORED: Final = {"pattern", "inverse"}


def plot_landscape(
    memory: Memory,
    *,
    update: Literal["asynchronous", "synchronous"] = "asynchronous",
    tie: TieRule = "keep",
    axes: Axes | None = None,
) -> Figure:
    """Draws all 2^N states of a small memory: the height is the energy, and each basin of attraction a valley.

    A dot is a state, joined to the state that one sweep makes of it; a valley is as wide as its basin has states, and at its bottom
    stands the attractor, with its picture, its energy and the size of its basin: a stored pattern, the inverse of one, a spurious
    state, or, under synchronous updating, a cycle. Where there are too many attractors for words, only large basins have them.

    Args:
        memory: at most 14 neurons, either coding, learnt or imported weights.
        update: which neurons are updated when: one after the other in the order 0, 1, 2, ..., or all at once.
        tie: what a neuron does at a local field of zero.
        axes: where to draw; None: a figure of its own.

    Returns:
        The figure.

    Raises:
        InvalidArgument: more neurons, or neurons of more than two values; an unknown word.
    """
    info = memory.info()
    if info.coding == "real":
        raise InvalidArgument(
            f"the neurons of {memory.name!r} are real numbers: it has no 2^N states to be drawn", field="memory"
        )
    if info.neurons > MOST_NEURONS:
        raise InvalidArgument(
            f"{memory.name!r} has {info.neurons} neurons, and 2^{info.neurons} states; at most {MOST_NEURONS} neurons can be drawn",
            field="memory",
        )
    landscape = survey(memory, info.neurons, update, tie)
    if axes is None:
        ends = sum(len(attractor.states) for attractor in landscape.attractors)
        width = float(np.clip(1.1 * ends, 7, 14))
        axes = Picture(figsize=(width, 5.4), layout="constrained").add_subplot()
    _draw(axes, landscape, memory.shape)
    axes.set_title(_title(info, landscape, update, tie), fontsize=TITLE_SIZE, pad=24)
    return figure_of(axes)


def _place(attractor: Attractor) -> tuple[object, ...]:
    """Where its basin stands: a state and its inverse on opposite sides of the middle."""
    left = attractor.overlap >= 0
    label = attractor.label or ""
    in_order = tuple(map(ord, label)) if left else tuple(-ord(character) for character in label)
    return (list(KINDS).index(attractor.kind), not left, in_order, -attractor.overlap, attractor.states)


def _draw(axes: Axes, landscape: Landscape, shape: tuple[int, ...] | None) -> None:
    worded, word = _room_for_words(axes, landscape.attractors)
    # Where each state stands.
    x = np.empty(len(landscape.states))
    start = 0.0
    for attractor in sorted(landscape.attractors, key=_place):
        between = word if attractor in worded else 1.0
        offsets = _valley(attractor, landscape.successors, between)
        half = len(attractor.states) * between / 2
        left, right = max(-offsets.min(), half), max(offsets.max(), half)
        x[attractor.basin] = start + left + offsets
        start += (left + right) * _GAP + 1
    for key, kind in KINDS.items():
        of_kind = [attractor for attractor in landscape.attractors if attractor.kind == key]
        if of_kind:
            _draw_basins(axes, landscape, of_kind, kind, x)
    for attractor in worded:
        _draw_words(axes, landscape, attractor, x, shape)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(KINDS), fontsize=TICK_SIZE, frameon=False)
    axes.set_xticks([])
    axes.set_ylabel("energy $E$")
    axes.set_xlim(-0.01 * start, 1.01 * start)
    axes.margins(y=0.03)
    plain(axes)
    axes.spines["bottom"].set_visible(False)


def _room_for_words(axes: Axes, attractors: list[Attractor]) -> tuple[list[Attractor], float]:
    """The attractors that get words, what was stored first and then by the size of their basins; and the room each takes."""
    figure = figure_of(axes)
    # How wide axes are is known once they are laid out.
    figure.draw_without_rendering()
    points = axes.get_window_extent().width * 72 / figure.dpi
    share = _TEXT_WIDTH / points
    room = _WORDED / (share * _GAP)
    states = sum(len(attractor.basin) for attractor in attractors)
    crowded = sum(len(attractor.states) for attractor in attractors) > room
    worded = []
    for attractor in sorted(attractors, key=lambda a: (a.kind not in _STORED, -len(a.basin))):
        room -= len(attractor.states)
        if room < 0:
            break
        if not crowded or attractor.kind in _STORED or len(attractor.basin) >= _LARGE * states:
            worded.append(attractor)
    # A state takes one unit, and a word a share of them all, which grow with it.
    word = 1.0
    for _ in range(_ROUNDS):
        widths = [max(len(a.basin), len(a.states) * word if a in worded else 0.0) for a in attractors]
        word = share * _GAP * sum(widths)
    return worded, word


def _valley(attractor: Attractor, successors: NDArray[np.int64], between: float) -> NDArray[np.float64]:
    """Where the states of a basin stand, right and left of its attractor, the higher the farther out.

    A state stands on the side of the state that it becomes, so that few lines cross the middle. The states of a cycle stand
    `between` apart.
    """
    cycle = attractor.states
    right = (len(cycle) - 1) / 2 * between
    left = -right
    offsets = dict(zip(cycle, np.linspace(left, right, len(cycle)).tolist(), strict=True))
    for state in attractor.basin[len(cycle) :].tolist():
        # Under synchronous updating energies can rise, and what a state becomes need not have its place yet.
        towards = offsets.get(int(successors[state]), 0.0) or -(left + right) or 1.0
        if towards < 0:
            left -= 1
        else:
            right += 1
        offsets[state] = left if towards < 0 else right
    return np.array([offsets[state] for state in attractor.basin.tolist()])


def _draw_basins(
    axes: Axes, landscape: Landscape, attractors: list[Attractor], kind: Kind, x: NDArray[np.float64]
) -> None:
    """All basins of one kind, each state joined to the one that it becomes."""
    y = landscape.energies
    states = np.concatenate([attractor.basin for attractor in attractors])
    following = landscape.successors[states]
    lines = np.stack([x[states], y[states], x[following], y[following]], axis=1).reshape(-1, 2, 2)
    # The more lines, the fainter each.
    alpha = float(np.clip(100 / len(y), 0.02, 0.35))
    axes.add_collection(LineCollection(list(lines), colors=kind.colour, linewidths=0.6, alpha=alpha, zorder=1))
    size = float(np.clip(1200 / len(y), 1.2, 5))
    axes.plot(x[states], y[states], "o", color=kind.colour, markersize=size, markeredgewidth=0, zorder=2)
    ends = [state for attractor in attractors for state in attractor.states]
    axes.plot(
        x[ends],
        y[ends],
        kind.marker,
        color=kind.colour,
        markersize=9,
        markeredgecolor="white",
        label=kind.name,
        zorder=3,
    )


def _draw_words(
    axes: Axes, landscape: Landscape, attractor: Attractor, x: NDArray[np.float64], shape: tuple[int, ...] | None
) -> None:
    colour = KINDS[attractor.kind].colour
    images = landscape.states[list(attractor.states)].astype(float)
    images = images.reshape(-1, *shape) if shape is not None and len(shape) == 2 else images[:, np.newaxis]
    for state, image in zip(attractor.states, images, strict=True):
        picture = OffsetImage(
            image, zoom=_PICTURE / max(image.shape), cmap=NEURONS, norm=Normalize(0, 1), interpolation="nearest"
        )
        framed = AnnotationBbox(
            picture,
            (x[state], landscape.energies[state]),
            xybox=(0, -9),
            boxcoords="offset points",
            box_alignment=(0.5, 1),
            pad=0.12,
            bboxprops={"edgecolor": colour, "linewidth": 1},
            zorder=4,
        )
        axes.add_artist(framed)
    lowest = min(attractor.states, key=lambda state: landscape.energies[state])
    height = _PICTURE * images.shape[1] / max(images.shape[1:])
    axes.annotate(
        _words(attractor, landscape.energies[lowest]),
        (x[lowest], landscape.energies[lowest]),
        xytext=(0, -14 - height),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=TICK_SIZE,
        color=INK,
        zorder=4,
    )


def _words(attractor: Attractor, energy: float) -> str:
    label = attractor.label or ""
    label = literally(label if len(label) <= _LETTERS else f"{label[: _LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}")
    name = {
        "pattern": f"{label}\n",
        "inverse": f"\N{MINUS SIGN}{label}\n",
        "spurious": f"$m$ = {number(attractor.overlap, sign=True)}\nwith {label}\n",
        "none": "",
        "cycle": f"cycle of {len(attractor.states)}\n",
    }[attractor.kind]
    size = len(attractor.basin)
    return f"{name}$E$ = {number(energy)}\n{size} state{'' if size == 1 else 's'}"


def _title(info: MemoryInfo, landscape: Landscape, update: Literal["asynchronous", "synchronous"], tie: TieRule) -> str:
    kind = info.model or RULE_NAMES.get(info.rule or "", info.rule)
    learnt = "imported weights" if info.rule == "imported" else f"{kind}, $P$ = {info.pattern_count}"
    ties = "" if tie == "keep" else f", ties {tie}"
    return f"$N$ = {info.neurons}, {learnt}: {len(landscape.states)} states, {len(landscape.attractors)} attractors ({update}{ties})"
