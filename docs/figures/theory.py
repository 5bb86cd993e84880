"""What the literature predicts, solved numerically."""

from math import erf, erfc, log, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Retrieval(NamedTuple):
    """The retrieval states of Hebb's rule at temperature zero, from the lowest load to the capacity.

    Attributes:
        load: alpha.
        overlap: m.
    """

    load: Floats
    overlap: Floats

    @property
    def capacity(self) -> float:
        """alpha_c, the largest load that has them."""
        return float(self.load[-1])

    def at(self, load: float) -> float:
        """The overlap at a load up to the capacity."""
        return float(np.interp(load, self.load, self.overlap))


def retrieval() -> Retrieval:
    """Amit, Gutfreund and Sompolinsky (1985): m = erf(y), y (sqrt(2 alpha) + 2/sqrt(pi) exp(-y^2)) = erf(y).

    Each y belongs to one alpha, so that nothing has to be searched: the branch of retrieval runs from large y down to the y of the
    largest alpha.
    """
    ys = np.linspace(6, 0.5, 200_000)
    overlap = np.array([erf(y) for y in ys])
    load = (overlap / ys - 2 / sqrt(pi) * np.exp(-(ys**2))) ** 2 / 2
    branch = slice(0, int(load.argmax()) + 1)
    return Retrieval(load[branch], overlap[branch])


def mattis(temperature: float) -> float:
    """M = tanh(m / T): the overlap at a finite temperature in the limit of no load; 0 from T = 1 on."""
    # At T = 1 itself an iteration would not come to its end.
    if temperature >= 1:
        return 0.0
    return retrieval_at(temperature, 0)


def retrieval_at(temperature: float, load: float) -> float:
    """Overlap at a finite temperature and load, replica symmetric (Amit, Gutfreund and Sompolinsky 1987); 0 without retrieval.

    m = <tanh(beta (m + sqrt(alpha r) z))>, q = <tanh^2(...)>, r = q / (1 - beta (1 - q))^2, over a normal z.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    weights /= weights.sum()
    beta, m, q, step = 1 / temperature, 1.0, 1.0, 1.0
    while step > 1e-9:
        noise = np.sqrt(load * q) / abs(1 - beta * (1 - q)) if load else 0.0
        states = np.tanh(beta * (m + noise * nodes))
        following = float(weights @ states)
        step = abs(following - m)
        # In smaller steps than the equations': where retrieval ends, whole ones never settle.
        m += 0.3 * (following - m)
        q += 0.3 * (float(weights @ states**2) - q)
    return m if m > 1e-3 else 0.0


def stable(ratio: float, neurons: int) -> float:
    """The share of random patterns that are stable in a dense memory of `ratio` K_max of them, whatever its degree n.

    Krotov and Hopfield (2016), sec. 2: the field of a neuron is to its noise, taken for Gaussian, as sqrt(N^(n-1) / (K (2n-3)!!)) to 1,
    which is sqrt(2 ln N / ratio); a pattern is stable where all of its N neurons are.
    """
    wrong = erfc(sqrt(log(neurons) / ratio)) / 2
    return float((1 - wrong) ** neurons)
