"""Local field of a pairwise network, in either coding.

Bipolar, `s in {-1, +1}^N`: `h = J s - U`, `E = -1/2 s'Js + U's` (Hopfield 1982; Amit 1989). Binary,
`V = (1 + s) / 2`: `h = T V - U`, `E = -1/2 V'TV + U'V`. There `V_i^2 = V_i`, so that a diagonal is
a part of the linear term: `h_i = sum_{j != i} T_ij V_j - U_i + T_ii / 2`, which is what the energy
falls by when neuron i fires. With `J = T / 4` off the diagonal and `U_s = U / 2 - sum_j T_ij / 4` a
binary network is a bipolar one of zero
diagonal: fields are twice as large, trajectories are the same, energies differ by a constant.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels import fields
from hopfield_service.core.patterns import Coding, Signs


def tolerance_of(largest_row_sum: float) -> float:
    """A field of at most this size counts as zero, where weights or thresholds are floats and rounding would otherwise decide.

    Args:
        largest_row_sum: `max_i sum_j |J_ij|`, or what that does not exceed.
    """
    return 1e-9 * max(1.0, largest_row_sum)


@dataclass(frozen=True, eq=False)
class LocalField:
    """The local field of a network as a function of its state, by its matrix of weights.

    The *sums* of a state are `scale` times its field without the thresholds. They are integers where the weights are, and a
    neuron that changes by d changes them by d times its row of the weights, in either coding.

    Attributes:
        weights: (N, N) int16, int32 or float64, symmetric: `divisor` times J, or T.
        divisor: what the weights are divided by.
        thresholds: U, (N,) float64.
        coding: of the network.
        largest_row_sum: `max_i sum_j |J_ij|`, or what that does not exceed.
        scale: what sums are divided by.
        tolerance: a field of at most this size counts as zero. Sums of integers are exact and need none where there are no thresholds.
    """

    weights: NDArray[Any]
    divisor: float
    thresholds: NDArray[np.float64]
    coding: Coding
    largest_row_sum: float
    scale: float = field(init=False)
    tolerance: float = field(init=False)

    def __post_init__(self) -> None:
        exact = self.is_whole and not self.thresholds.any()
        object.__setattr__(self, "scale", self.divisor * (2.0 if self.coding is Coding.BINARY else 1.0))
        object.__setattr__(self, "tolerance", 0.0 if exact else tolerance_of(self.largest_row_sum))

    @property
    def is_whole(self) -> bool:
        """Whether the weights are whole numbers by their type, and sums of them exact."""
        return self.weights.dtype.kind == "i"

    @cached_property
    def folds_diagonal(self) -> bool:
        """Whether there is a diagonal of which fields have half in them, whatever the neuron's own value."""
        return self.coding is Coding.BINARY and bool(self.weights.diagonal().any())

    @cached_property
    def totals(self) -> NDArray[np.float64]:
        """The sums of the rows of the weights, (N,) float64, each in the order of the neurons."""
        totals = np.empty(len(self.weights))
        fields.weighted_sums(self.weights, np.ones(len(self.weights), np.int8), totals)
        return totals

    def sums(self, state: Signs) -> NDArray[np.float64]:
        """The sums of a state, (N,) float64, each in the order of the neurons: integers, where the weights are.

        Args:
            state: (N,) int8: 1, -1, or 0 for an unknown neuron, which is half-way between its values in either coding.
        """
        sums = np.empty(len(state))
        fields.weighted_sums(self.weights, state, sums)
        if self.coding is not Coding.BINARY:
            return sums
        # T V = (T s + T 1) / 2, and of the diagonal T_ii / 2 = T_ii (V_i - s_i / 2).
        return sums + self.totals - self.weights.diagonal() * state

    def of(self, state: Signs) -> NDArray[np.float64]:
        """The local field h of every neuron in a state, (N,) float64. Arguments: as `sums`."""
        field_of: NDArray[np.float64] = self.sums(state) / self.scale - self.thresholds
        return field_of
