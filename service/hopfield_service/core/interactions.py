"""The interaction functions of dense memories, in the form in which recall takes them."""

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.forms import neuron_by_neuron, padded
from hopfield_service.core.interruption import Interruption
from hopfield_service.core.kernels.interactions import Interactions
from hopfield_service.core.kernels.updates import exponential
from hopfield_service.core.patterns import Bits, Coding, Words

# Whole numbers of at most this size are exact in float64, and so are their sums.
_WHOLE = 1 << 53
_SINH_1, _SINH_2, _COSH_2 = 1.1752011936438014, 3.626860407847019, 3.7621956910836314
_NO_THRESHOLDS = np.empty(0)
# Numbers that the tables hold for each overlap.
_FUNCTIONS = 4


def powers(stored: Bits, packed: Words, neurons: int, degree: int, interruption: Interruption) -> Interactions:
    """Patterns under `F(z) = z^degree`: in whole numbers where no sum can be too large for them to be exact, in shares of `F(N)` otherwise.

    Args:
        stored: (P, ceil(N / 8)) uint8, the patterns.
        packed: (P, ceil(N / 64)) uint64, the same.
        neurons: N.
        degree: of the power, at least 2.
        interruption: asked between blocks of patterns.

    Raises:
        Interrupted: `interruption` said so.
    """
    # No term is larger than twice this.
    whole = 2 * len(stored) * (neurons + 3) ** degree <= _WHOLE
    overlap = np.arange(neurons + 1, -neurons - 2, -1, dtype=np.float64)

    def power(of: NDArray[np.float64]) -> NDArray[np.float64]:
        base = of if whole else of / neurons
        result = base.copy()
        # By multiplication, which rounds alike on every machine.
        for _ in range(degree - 1):
            result *= base
        return result

    above, at, below = power(overlap + 2), power(overlap), power(overlap - 2)
    even = (above - below) / 2
    odd = at - (above + below) / 2
    difference = power(overlap + 1) - power(overlap - 1)
    return Interactions(
        rows=neuron_by_neuron(stored, neurons, interruption),
        words=packed,
        tables=np.stack([even, odd, difference, at]),
        exponential=False,
        scale=1.0 if whole else float(neurons**degree),
        tolerance=0.0 if whole else 1e-9,
        thresholds=_NO_THRESHOLDS,
        coding=int(Coding.BIPOLAR),
    )


def exponentials(stored: Bits, packed: Words, neurons: int, interruption: Interruption) -> Interactions:
    """Patterns under `F(z) = exp(z)`, in shares of `F` one above the largest overlap. Arguments: as `powers`."""
    shares = np.array([exponential(-float(behind)) for behind in range(2 * neurons + 3)])
    return Interactions(
        rows=neuron_by_neuron(stored, neurons, interruption),
        words=packed,
        tables=np.outer([_SINH_2, 1 - _COSH_2, 2 * _SINH_1, 1.0], shares),
        exponential=True,
        scale=1.0,
        tolerance=1e-9,
        thresholds=_NO_THRESHOLDS,
        coding=int(Coding.BIPOLAR),
    )


def nbytes(neurons: int, count: int) -> int:
    """Bytes that so many patterns take in either, beside those stored."""
    return neurons * padded(count) + 8 * _FUNCTIONS * (2 * neurons + 3)
