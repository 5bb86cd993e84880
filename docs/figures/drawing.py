"""What every figure here is: a picture, what was measured for it, and how it is saved."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from docs.figures import nets
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from hopfield_client.plot._style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    TICK_SIZE,
    TITLE_SIZE,
    VERMILION,
    plain,
)

# Calls back with how much of a measurement is done, and of how much.
Progress = Callable[[int, int], None]

DPI = 150


class Drawn(NamedTuple):
    """A figure and the numbers behind it.

    Attributes:
        figure: what is saved.
        table: what was measured, as Markdown; "" where the figure says it all.
    """

    figure: Figure
    table: str = ""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def framed(axes: Axes, title: str, x: str, y: str) -> None:
    """Gives axes their words, and lines to read heights by."""
    axes.set(xlabel=x, ylabel=y)
    axes.set_title(title, fontsize=TITLE_SIZE, color=INK)
    axes.grid(axis="y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    plain(axes)


def means(axes: Axes, x: ArrayLike, shares: NDArray[np.float64], label: str, colour: str, marker: str) -> None:
    """A line of the means over nets, which are the first axis, with their standard errors."""
    axes.errorbar(
        x,
        shares.mean(axis=0),
        nets.standard_error(shares),
        color=colour,
        marker=marker,
        markersize=5,
        capsize=2,
        label=label,
    )


def shared_legend(figure: Figure) -> None:
    """One legend for all panels, instead of one each."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries.update(zip(map(str, labels), handles, strict=True))
        legend = axes.get_legend()
        if legend is not None:
            legend.remove()
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside upper center",
        ncols=len(entries),
        fontsize=TICK_SIZE,
        frameon=False,
    )


def caption(figure: Figure, text: str) -> None:
    """Says below a figure how it was made."""
    figure.supxlabel(text, x=0.01, ha="left", fontsize=TICK_SIZE, color=GREY)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG of 256 colours, which looks the same and is a third of the size; the same bytes every time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, metadata={"Software": None})
    with Image.open(buffer) as image:
        pixels = np.asarray(image.convert("RGB"))
    palette = _palette()
    colours, positions = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    nearest = np.square(colours[:, np.newaxis] - palette).sum(axis=2).argmin(axis=1)
    indexed = Image.fromarray(nearest[positions].reshape(pixels.shape[:2]).astype(np.uint8))
    indexed.putpalette(palette.astype(np.uint8).tobytes())
    indexed.save(path, optimize=True)


def _palette() -> NDArray[np.float64]:
    """The colours of the figures, each in 24 steps towards white, and 64 of the colour map: chosen here, lest two become one."""
    towards_white = np.linspace(0, 1, 24)[:, np.newaxis]
    shades = [
        (1 - towards_white) * to_rgb(colour) + towards_white
        for colour in (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, INK, GREY)
    ]
    result: NDArray[np.float64] = np.concatenate([*shades, colormaps["cividis"](np.linspace(0, 1, 64))[:, :3]])
    return (255 * result).round()
