"""Local field and energy of a pairwise network, in either coding.

Bipolar, `s in {-1, +1}^N`: `h = J s - U`, `E = -1/2 s'Js + U's` (Hopfield 1982; Amit 1989). Binary, `V = (1 + s) / 2`: `h = T V - U`,
`E = -1/2 V'TV + U'V`. With `J = T / 4` and `U_s = U / 2 - sum_j T_ij / 4` a binary network is a bipolar one: fields are twice as
large, trajectories are the same, energies differ by a constant.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels import fields
from hopfield_service.core.patterns import Coding, Signs


@dataclass(frozen=True, eq=False)
class LocalField:
    """The local field of a network as a function of its state, and its energy.

    The *sums* of a state are `scale` times its field without the thresholds. They are integers where the weights are, and a
    neuron that changes by d changes them by d times its row of the weights, in either coding.

    Attributes:
        weights: (N, N) int32 or float64, symmetric: `divisor` times J, or T.
        divisor: what the weights are divided by.
        thresholds: U, (N,) float64.
        coding: of the network.
        scale: what sums are divided by.
        tolerance: a field of at most this size counts as zero. Sums of integers are exact and need none; where weights or
            thresholds are floats, rounding would otherwise decide.
    """

    weights: NDArray[Any]
    divisor: float
    thresholds: NDArray[np.float64]
    coding: Coding
    scale: float = field(init=False)
    tolerance: float = field(init=False)
    _offsets: NDArray[Any] | None = field(init=False)

    def __post_init__(self) -> None:
        exact = self.weights.dtype == np.int32
        binary = self.coding is Coding.BINARY
        offsets = np.empty(len(self.weights), self._sum_dtype) if binary else None
        if offsets is not None:
            # T V = (T s + T 1) / 2.
            fields.weighted_sums(self.weights, np.ones(len(self.weights), np.int8), offsets)
        tolerance = 0.0
        if not exact or self.thresholds.any():
            tolerance = 1e-9 * max(1.0, float(fields.largest_row_sum(self.weights)) / self.divisor)
        object.__setattr__(self, "scale", self.divisor * (2.0 if binary else 1.0))
        object.__setattr__(self, "tolerance", tolerance)
        object.__setattr__(self, "_offsets", offsets)

    @property
    def _sum_dtype(self) -> Any:
        # A sum is at most 2 N P in size, for the largest N and P that Settings allows 2^18 * 2^24.
        return np.int64 if self.weights.dtype == np.int32 else np.float64

    @property
    def nbytes(self) -> int:
        """Bytes it takes in memory beside the weights."""
        return self.thresholds.nbytes + (0 if self._offsets is None else self._offsets.nbytes)

    def sums(self, state: Signs) -> NDArray[Any]:
        """The sums of a state, (N,) int64 or float64, taken anew in the order of the neurons.

        Args:
            state: (N,) int8: 1, -1, or 0 for an unknown neuron, which is half-way between its values in either coding.
        """
        sums = np.empty(len(state), self._sum_dtype)
        fields.weighted_sums(self.weights, state, sums)
        if self._offsets is not None:
            sums += self._offsets
        return sums

    def of(self, state: Signs) -> NDArray[np.float64]:
        """The local field h of every neuron in a state, (N,) float64. Arguments: as `sums`."""
        field_of: NDArray[np.float64] = self.sums(state) / self.scale - self.thresholds
        return field_of

    def energy(self, state: Signs, sums: NDArray[Any]) -> float:
        """The energy of a state whose sums are known. Arguments: as `sums`."""
        return float(fields.energy(sums, self.scale, self.thresholds, state, int(self.coding)))
