"""Exact recall against load, as plot_capacity draws it."""

from docs.figures.drawing import Drawn, Progress, caption
from docs.measured import table

from hopfield_client import HopfieldClient
from hopfield_client.plot import plot_capacity


def draw(client: HopfieldClient, progress: Progress) -> Drawn:
    """The call of the page, with its defaults."""
    figure = plot_capacity(client, nets=10, progress=progress)
    caption(
        figure,
        "Random patterns; asynchronous, random order. Bars: standard error of the mean over nets. Dashed: capacities;\n"
        r"$\rightarrow$: off the axis.",
    )
    (axes,) = figure.axes
    curves = [
        (container.get_label(), container[0].get_xdata(), container[0].get_ydata()) for container in axes.containers
    ]
    header = ["rule", *(f"load {load:g}" for load in curves[0][1])]
    return Drawn(figure, table(header, [[str(label), *map(float, shares)] for label, _, shares in curves]))
