"""Pictures of memories: recalls, energy landscapes, capacity. Needs matplotlib: `pip install 'hopfield-recall[plot]'`.

    from hopfield_client.plot import plot_recall

    plot_recall(digits.trace(noisy)).savefig("recall.png")

Each function returns a matplotlib Figure. A notebook shows it as the result of a cell; in a script `show()` opens a window,
`savefig` writes a file. The functions neither import pyplot nor read or change matplotlib's state, so that they work without a
display.
"""

try:
    from hopfield_client.plot._capacity import plot_capacity
    from hopfield_client.plot._landscape import plot_landscape
    from hopfield_client.plot._recall import plot_recall
except ModuleNotFoundError as error:
    raise ImportError("hopfield_client.plot needs matplotlib: pip install 'hopfield-recall[plot]'") from error

__all__ = ["plot_capacity", "plot_landscape", "plot_recall"]
