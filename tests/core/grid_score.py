"""How much a pattern is like a lattice of equilateral triangles, by the definition of Sargolini et al. (2006, Science 312:758)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def grid_score(image: Floats) -> float:
    """The lower correlation of the autocorrelogram with itself turned by 60 and 120 degrees, less the highest at 30, 90 and 150.

    Of the autocorrelogram (here on the torus) a ring counts: from half of the distance of the six peaks next to the centre, which leaves out
    the central peak, to once and a half that distance.
    """
    deviations = image - image.mean()
    spectrum = np.abs(np.fft.fft2(deviations)) ** 2
    correlogram = np.fft.fftshift(np.fft.ifft2(spectrum).real)
    side = len(image)
    x, y = np.meshgrid(*2 * [np.arange(side) - side // 2], indexing="ij")
    distances = np.hypot(x, y)
    peak = _distance_of_peaks(correlogram, distances)
    ring = (distances > peak / 2) & (distances < 1.5 * peak)

    def at(degrees: float) -> float:
        angle = np.radians(degrees)
        turned = _between(
            correlogram,
            np.cos(angle) * x - np.sin(angle) * y + side // 2,
            np.sin(angle) * x + np.cos(angle) * y + side // 2,
        )
        return float(np.corrcoef(correlogram[ring], turned[ring])[0, 1])

    return min(at(60), at(120)) - max(at(30), at(90), at(150))


def _distance_of_peaks(correlogram: Floats, distances: Floats) -> float:
    """Mean distance from the centre of the six nearest local maxima."""
    neighbours = [np.roll(correlogram, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    maxima = np.sort(distances[(correlogram > np.max(neighbours, axis=0)) & (distances > 1)])
    return float(maxima[:6].mean())


def _between(image: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear interpolation, on a torus."""
    side = len(image)
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)
    a, b = x - i, y - j

    def corner(di: int, dj: int) -> Floats:
        values: Floats = image[(i + di) % side, (j + dj) % side]
        return values

    result: Floats = (1 - a) * ((1 - b) * corner(0, 0) + b * corner(0, 1)) + a * (
        (1 - b) * corner(1, 0) + b * corner(1, 1)
    )
    return result
