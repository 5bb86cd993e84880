"""What the service says of a change that was made and deserves a second look, as Python's warnings.

UserWarning
└── HopfieldWarning
    ├── CapacityWarning
    └── ConvergenceWarning
"""

import warnings
from collections.abc import Iterable

from hopfield.v1 import memory_pb2

# From `warn_of` through the reading of an answer, the sending of a call, and the client's call, to the line that called it.
_TO_THE_CALLER = 5


class HopfieldWarning(UserWarning):
    """A change was made, but may not do what the caller hopes for."""


class CapacityWarning(HopfieldWarning):
    """The memory holds more patterns than its rule can, in its coding and with its thresholds.

    `MemoryInfo.load` is beyond `MemoryInfo.capacity`.
    """


class ConvergenceWarning(HopfieldWarning):
    """Learning gave up before its goal was met: see `MemoryInfo.learning`."""


_BY_REASON = {
    memory_pb2.WARNING_REASON_CAPACITY: CapacityWarning,
    memory_pb2.WARNING_REASON_NOT_CONVERGED: ConvergenceWarning,
}


def warn_of(received: Iterable[memory_pb2.Warning]) -> None:
    """Warns of each at the line that called the client; to be called where a call's answer is read, and nowhere else."""
    for warning in received:
        warnings.warn(warning.message, _BY_REASON.get(warning.reason, HopfieldWarning), stacklevel=_TO_THE_CALLER)
