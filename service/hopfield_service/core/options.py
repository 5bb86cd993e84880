"""How a recall is run."""

from enum import Enum, IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels import updates


class _Word(Enum):
    # Enum's own hash is computed by Python, which a lookup for every answer would wait for.
    __hash__ = object.__hash__


class UpdateRule(_Word):
    """Which neurons are updated when."""

    ASYNCHRONOUS = "asynchronous"
    SYNCHRONOUS = "synchronous"
    GLAUBER = "glauber"


class Order(_Word):
    """In which order the neurons are visited, one after the other."""

    RANDOM = "random"
    SEQUENTIAL = "sequential"


class TieRule(IntEnum):
    """What a neuron does in a local field of zero."""

    KEEP = updates.TIE_KEEP
    PLUS = updates.TIE_PLUS
    MINUS = updates.TIE_MINUS


class RecallOptions(NamedTuple):
    """How a recall is run.

    Attributes:
        seed: of the generator, 0 to 2^64 - 1.
        update: which neurons are updated when.
        order: of the visits, for asynchronous updates: drawn anew each iteration, ascending, or (N,) int64 with every
            neuron once.
        max_iterations: at most so many sweeps, at least 1; exactly so many where `beta` is a number.
        tie: what a neuron does in a local field of zero.
        clamp: hold the known neurons of the query fixed.
        beta: for Glauber updates, finite and not negative: the inverse temperature of every sweep; or that of each of some
            sweeps, (sweeps,) float64, which asynchronous ones then follow. None for the other updates.
    """

    seed: int
    update: UpdateRule = UpdateRule.ASYNCHRONOUS
    order: Order | NDArray[np.int64] = Order.RANDOM
    max_iterations: int = 100
    tie: TieRule = TieRule.KEEP
    clamp: bool = False
    beta: float | NDArray[np.float64] | None = None
