"""What all pictures have in common: colours, marks, and plain axes."""

from typing import Final

from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart ("Color Universal Design", 2008).
BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
GREEN: Final = "#009E73"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
SKY: Final = "#56B4E9"
INK: Final = "#222222"
GREY: Final = "#767676"
PALE: Final = "#C8C8C8"

# The states of a neuron as colours: -1, unknown and +1 at 0, 1/2 and 1.
NEURONS: Final = ListedColormap(["#FFFFFF", "#B4B4B4", INK], name="neurons")

RULE_NAMES: Final = {
    "hebbian": "Hebb",
    "storkey": "Storkey",
    "storkey_second_order": "Storkey, second order",
    "pseudo_inverse": "pseudo-inverse",
    "perceptron": "perceptron",
}
RULE_COLOURS: Final = {
    "hebbian": BLUE,
    "storkey": ORANGE,
    "storkey_second_order": VERMILION,
    "pseudo_inverse": GREEN,
    "perceptron": PURPLE,
}
# For readers who see no colour at all.
RULE_MARKERS: Final = {
    "hebbian": "o",
    "storkey": "s",
    "storkey_second_order": "D",
    "pseudo_inverse": "^",
    "perceptron": "v",
}

TITLE_SIZE: Final = 10
LABEL_SIZE: Final = 9
TICK_SIZE: Final = 8


def plain(axes: Axes) -> None:
    """Leaves of the frame the two lines that carry numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=TICK_SIZE, color=GREY)
    axes.xaxis.label.set_fontsize(LABEL_SIZE)
    axes.yaxis.label.set_fontsize(LABEL_SIZE)


def figure_of(axes: Axes) -> Figure:
    """The figure that axes stand in, also those of a subfigure."""
    # Of a subfigure the whole figure; of a figure itself. `get_figure(root=True)` came with matplotlib 3.10.
    return axes.figure.figure


def literally(text: str) -> str:
    """A text of the user's, of which matplotlib is to read nothing as mathematics."""
    return text.replace("$", r"\$")


def number(value: float, *, sign: bool = False) -> str:
    """A number to two digits with a true minus; with its sign also where that is a plus."""
    return format(value, "+.2f" if sign else ".2f").replace("-", "\N{MINUS SIGN}")
