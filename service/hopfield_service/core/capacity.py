"""Capacity of the learning rules, with what thresholds and 0/1 coding take from it.

In units of the field that a stored pattern makes at its own neurons, the field of a neuron is

    h_i = xi_i m + noise + b_i,    b = k R + eta,

where the noise is what the other patterns make, R are the sums of the rows of the weights (off the
diagonal), and eta is what of the bias b is not along them. A bipolar network without thresholds has
b = 0. A binary one has `b_i = R_i - 2 U_i`, since `2 T V = T s + R`: without thresholds k = 1, as
if the state of all ones were added to the one that is recalled, which doubles the noise (Hopfield
1982); with U_i = R_i / 2 there is no bias, and the network is the bipolar one.

The capacity is the largest load with a state near a stored pattern at temperature zero, in the
mean-field theory of Amit, Gutfreund and Sompolinsky (1985, 1987) for Hebb's rule, and of Kanter and
Sompolinsky (1987) for the projection, with the bias in it:

    m = erf(y),    y = m g / sqrt(2 S),    C = sqrt(2 / (pi S)) exp(-y^2),    S = noise + <eta^2>,
    Hebb:          g = 1,       noise = alpha (1 + k^2) / (1 - C)^2,
    projection:    g = 1 - r,   noise = r' (1 - m^2 + k^2),

where r(C) is the R-transform of a projection of rank alpha N, `C r^2 - (C - 1) r = alpha`, and r'
its derivative. Both are solved for alpha at each y. The state of all ones has overlaps of 1 /
sqrt(N) with every pattern, as the errors of a recall have, and is amplified as they are; eta is
not.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# 0.1379 in theory: told as everybody tells it.
HEBBIAN = 0.138
PROJECTION = 1.0
# Symmetric weights without margin, by linear programming with N = 40: random patterns are separable
# up to 1.5, and not at 1.6. Gardner's 2 (1988) is that of couplings each way.
PERCEPTRON = 1.5

# Bisections that leave nothing of an interval of [0, 1] in float64.
_HALVINGS = 53


class Bias(NamedTuple):
    """What is added to the fields of a network whatever its state, in units of the field of a stored pattern.

    Attributes:
        along: k, its part along the sums of the rows of the weights.
        spread: mean square of the rest of it.
    """

    along: float
    spread: float


NO_BIAS = Bias(0.0, 0.0)


def bias_of(added: NDArray[np.float64], row_sums: NDArray[np.float64]) -> Bias:
    """Takes a bias apart.

    Args:
        added: (N,), b.
        row_sums: (N,), R, in the same units.
    """
    # A neuron that its bias decides is lost, however large that is.
    limited = np.clip(added, -1.0, 1.0)
    squares = float(row_sums @ row_sums)
    along = float(limited @ row_sums) / squares if squares > 0 else 0.0
    return Bias(along, float(np.mean((limited - along * row_sums) ** 2)))


def hebbian(bias: Bias) -> float:
    """Load up to which Hebb's rule holds random patterns."""
    return HEBBIAN * _hebbian(bias) / _hebbian(NO_BIAS)


def _hebbian(bias: Bias) -> float:
    loads = np.maximum(_SPREAD - bias.spread, 0.0) * (1.0 - _RESPONSE) ** 2 / (1.0 + bias.along**2)
    return float(loads.max())


def storkey(neurons: int, bias: Bias) -> float:
    """Load up to which Storkey's rules hold random patterns: his figure, and no more than the projection.

    Args:
        neurons: N.
        bias: of the fields.
    """
    unbiased = 1 / math.sqrt(2 * math.log(neurons)) if neurons > 1 else 1.0
    return min(unbiased, projection(bias))


def projection(bias: Bias) -> float:
    """Load up to which the projection holds random patterns."""
    if bias == NO_BIAS:
        return PROJECTION
    excess = 1.0 - _OVERLAP**2 + bias.along**2
    low, high = np.zeros_like(_Y), np.ones_like(_Y)
    for _ in range(_HALVINGS):
        r = (low + high) / 2
        amplified = r * excess / np.maximum(1.0 - r - _RESPONSE * (1.0 - 2.0 * r), np.finfo(np.float64).tiny)
        fits = (1.0 - r) ** 2 * (_SPREAD - amplified) > bias.spread
        low, high = np.where(fits, r, low), np.where(fits, high, r)
    return min(PROJECTION, float((low * (1.0 - _RESPONSE)).max()))


# Of each y: m; S of g = 1; and C (1 - r), which with g = 1 is C.
_Y = np.arange(0.2, 8.0, 0.005)
_OVERLAP = np.array([math.erf(y) for y in _Y])
_SPREAD = _OVERLAP**2 / (2.0 * _Y**2)
_RESPONSE = 2.0 * _Y * np.exp(-(_Y**2)) / (math.sqrt(math.pi) * _OVERLAP)
