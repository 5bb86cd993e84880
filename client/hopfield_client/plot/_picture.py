"""The figures that this package makes where it is given none."""

from io import BytesIO

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure that a notebook shows by itself, and that a script shows with `show()`.

    It is made without pyplot, so that it needs no display, and so that a notebook does not show it twice: once as the
    result of a cell, and once as one of the figures that pyplot keeps.
    """

    def show(self, warn: bool = True) -> None:  # noqa: ARG002  # the signature of Figure.show
        """Show the figure in a window, and wait until it is closed.

        Where there is no display, nothing is shown: use `savefig` there.
        """
        # Only here: importing it reads and sets matplotlib's state.
        from matplotlib import pyplot as plt  # noqa: PLC0415

        plt.figure(self)
        try:
            plt.show()
        finally:
            plt.close(self)

    def _repr_png_(self) -> bytes:
        """What notebooks show."""
        png = BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()
