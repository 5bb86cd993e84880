"""What notebooks show: tables, and pictures of patterns. Every text in them is escaped."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Larger patterns would make documents of megabytes.
_MOST_PIXELS = 128 * 128
_PIXELS_OF_SCREEN = 96


def table(title: str, rows: Iterable[tuple[str, object]], *, below: str = "") -> str:
    """A table of names and values under a title.

    Args:
        title: plain text, as the values are.
        rows: names and values; a value that is None is left out.
        below: HTML that stands below.
    """
    cells = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th><td style="text-align: left">{escape(shown(value))}</td></tr>'
        for name, value in rows
        if value is not None
    )
    return f"<div><table><caption><b>{escape(title)}</b></caption>{cells}</table>{below}</div>"


def shown(value: object) -> str:
    """A value as text, a float to six digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def picture(pattern: NDArray[Any]) -> str:
    """A pattern of two values and two axes as an image: 1 black, the other white, unknown grey; "" for other patterns."""
    states = np.ma.getdata(pattern)
    if states.ndim != 2 or states.dtype.kind not in "bi" or not 0 < states.size <= _MOST_PIXELS:
        return ""
    unknown = np.ma.getmaskarray(pattern) | ((states == 0) & bool((states < 0).any()))
    rows, columns = states.shape
    pixel = max(1, _PIXELS_OF_SCREEN // max(rows, columns))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{pixel * columns + 2}" height="{pixel * rows + 2}" '
        f'viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" shape-rendering="crispEdges" '
        'style="border: 1px solid #767676; background: #ffffff">'
        f'<path fill="#222222" d="{_squares((states > 0) & ~unknown)}"/><path fill="#b4b4b4" d="{_squares(unknown)}"/></svg>'
    )


def _squares(chosen: NDArray[np.bool_]) -> str:
    return "".join(f"M{column} {row}h1v1h-1z" for row, column in np.argwhere(chosen).tolist())
