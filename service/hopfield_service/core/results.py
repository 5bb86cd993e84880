"""What recalls find."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels import recall, updates
from hopfield_service.core.patterns import Bits, row_bytes, unpack


class StopReason(IntEnum):
    """Why a recall ended."""

    CONVERGED = updates.CONVERGED
    CYCLE = updates.CYCLE
    ITERATION_LIMIT = recall.LIMIT


class Match(IntEnum):
    """What the answer of a recall is."""

    NONE = 0
    SPURIOUS = 1
    PATTERN = 2
    INVERSE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """The largest softmax weights of the stored patterns at an answer, the largest first, the oldest first of equals.

    Attributes:
        positions: (k,) int64, of the patterns among those stored; of many answers, (count, k).
        weights: of the same shape, float64.
    """

    positions: NDArray[np.int64]
    weights: NDArray[np.float64]


class RecallResult(NamedTuple):
    """The answer of a recall.

    Attributes:
        bits: the state, packed: a bit a neuron, or a float32 where neurons are real.
        neurons: N.
        energy: of that state.
        initial_energy: of the query, an unknown neuron half-way between its values.
        iterations: sweeps run, the quiet one that proves convergence included.
        flips: how often a neuron changed between 1 and -1.
        stop_reason: why it ended.
        nearest: position of the stored pattern with the largest |overlap|, the oldest of equals; None if none is stored.
        overlap: with that pattern; None if none is stored.
        match: what the state is.
        attention: the softmax weights, in a network that has them.
    """

    bits: bytes
    neurons: int
    energy: float
    initial_energy: float
    iterations: int
    flips: int
    stop_reason: StopReason
    nearest: int | None
    overlap: float | None
    match: Match
    attention: Attention | None = None

    @property
    def state(self) -> NDArray[Any]:
        """(N,) int8, every value 1 or -1; or float32, of real neurons."""
        if len(self.bits) > row_bytes(self.neurons):
            return np.frombuffer(self.bits, "<f4").astype(np.float32)
        state: NDArray[Any] = unpack(np.frombuffer(self.bits, np.uint8)[np.newaxis], self.neurons)[0]
        return state


@dataclass(frozen=True, slots=True, eq=False)
class TraceStep:
    """One step of a recall that is watched.

    Attributes:
        iteration: how many were run when the state was reached; 0 for the query.
        state: (N,) int8: 1, -1, or 0 for a neuron that is still unknown; or float32, of real neurons.
        energy: of that state, an unknown neuron half-way between its values.
        flips: how often a neuron changed between 1 and -1 in this iteration.
    """

    iteration: int
    state: NDArray[Any]
    energy: float
    flips: int


@dataclass(frozen=True, slots=True, eq=False)
class RecallResults:
    """The answers of some recalls: a column a field of RecallResult, entry k of each for query k.

    Attributes:
        bits: (count, bytes of a state) uint8, the states, packed.
        energies: (count,) float64.
        initial_energies: (count,) float64.
        iterations: (count,) int64.
        flips: (count,) int64.
        stop_reasons: (count,) int64, values of StopReason.
        nearest: (count,) int64; -1 where nothing is stored.
        overlaps: (count,) float64; NaN where nothing is stored.
        matches: (count,) int64, values of Match.
        attention: see RecallResult.
    """

    bits: Bits
    energies: NDArray[np.float64]
    initial_energies: NDArray[np.float64]
    iterations: NDArray[np.int64]
    flips: NDArray[np.int64]
    stop_reasons: NDArray[np.int64]
    nearest: NDArray[np.int64]
    overlaps: NDArray[np.float64]
    matches: NDArray[np.int64]
    attention: Attention | None = None


def joined(parts: Sequence[RecallResults]) -> RecallResults:
    """The answers of some recalls and of others, at least one part, as those of all."""
    if len(parts) == 1:
        return parts[0]
    attentions = [part.attention for part in parts if part.attention is not None]
    attention = None
    if attentions:
        attention = Attention(
            np.concatenate([one.positions for one in attentions]), np.concatenate([one.weights for one in attentions])
        )
    columns = (column.name for column in fields(RecallResults) if column.name != "attention")
    return RecallResults(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}, attention=attention
    )
