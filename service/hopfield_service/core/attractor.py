"""Continuous attractors: networks that hold a pattern of activity anywhere on a line or plane that closes on itself, and move it.

They store no patterns: their weights follow from the spec. What they hold is a position, which the state of a caller's track keeps,
not the network.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.learning import LearningOutcome, StateArray
from hopfield_service.core.network import Configure, Network, Operation, Spec, StoredPatterns
from hopfield_service.core.patterns import Coding

Rates = NDArray[np.float64]
Activity = NDArray[np.float64]
"""(N,) float64, the variable of the differential equation: of it the rates are a function. Never changed in place."""

Lattice = tuple[tuple[float, ...], ...]
"""Vectors in neurons, one a dimension, by which the pattern can be moved and is the same: what a position is told modulo."""

# Multiplications between two questions whether anybody still waits: some milliseconds.
_BETWEEN_QUESTIONS = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """Where the dynamics led from some rates.

    Attributes:
        rates: (N,) float64, in Hz.
        position: as `Attractor.position` gives it.
        lattice: as `Attractor.lattice` gives it.
        energy: of these rates; None where the weights are not symmetric and there is none.
        initial_energy: of the rates it began at; None as well.
        time: how long it took, in seconds of the network's own time.
        converged: whether it came to rest.
    """

    rates: Rates
    position: tuple[float, ...]
    lattice: Lattice
    energy: float | None
    initial_energy: float | None
    time: float
    converged: bool


class Attractor(Network):
    """A network that holds a pattern of activity and moves it.

    Attributes:
        spec: the parameters.
        dimensions: of the position it keeps.
    """

    spec: "AttractorSpec"
    dimensions: ClassVar[int]

    def __init__(self, spec: "AttractorSpec") -> None:
        self.spec = spec
        self.stored = StoredPatterns.none(spec.row_bytes)

    @property
    def learns(self) -> bool:
        """See Network."""
        return True

    @property
    def outcome(self) -> LearningOutcome | None:
        """See Network."""
        return None

    @property
    def nbytes(self) -> int:
        """See Network."""
        return sum(array.values.nbytes for array in self.arrays().values())

    def apply(self, operation: Operation, interruption: Interruption) -> Network:
        """See Network."""
        check(interruption)
        if isinstance(operation, Configure):
            return operation.spec.empty()
        raise TypeError(f"an attractor does not take {operation!r}")

    def cost(self, operation: Operation) -> int:
        """See Network. Every weight is a sum over all neurons."""
        return self.spec.neurons if isinstance(operation, Configure) else 1

    def given(self) -> dict[str, StateArray]:
        """See Network."""
        return {}

    def prepare(self, interruption: Interruption = never) -> None:
        """See Network. Its weights are all that it needs."""

    @property
    @abstractmethod
    def top_speed(self) -> float:
        """Up to which the pattern follows, in the unit of a velocity."""

    @abstractmethod
    def multiplications(self, duration: float) -> float:
        """About how many it takes to run the dynamics for so many seconds of the network's own time, and to tell the position."""

    @abstractmethod
    def activity_at(self, position: Sequence[float], interruption: Interruption) -> Activity:
        """The activity at rest with the pattern at a position."""

    @abstractmethod
    def activity_of(self, rates: Rates) -> Activity:
        """The activity of which these are the rates, in Hz, as far as there is one."""

    @abstractmethod
    def settle(self, rates: Rates, max_time: float, interruption: Interruption) -> Settled:
        """Runs the dynamics from some rates, at rest.

        Args:
            rates: (N,) float64, in Hz, finite and not negative. Left as they are.
            max_time: seconds of the network's own time after which it ends unsettled.
            interruption: asked every few milliseconds.

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def moved(
        self, activity: Activity, velocity: Sequence[float], duration: float, interruption: Interruption
    ) -> Activity:
        """Runs the dynamics for some time at a velocity.

        Args:
            activity: it begins at.
            velocity: as many numbers as `dimensions`, together no faster than `top_speed`.
            duration: seconds of the network's own time.
            interruption: asked every few milliseconds.

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def rates(self, activity: Activity) -> Rates:
        """What the neurons fire, (N,) float64, in Hz."""

    @abstractmethod
    def position(self, activity: Activity) -> tuple[float, ...]:
        """Where the pattern is, one number a dimension."""

    @abstractmethod
    def lattice(self, activity: Activity) -> Lattice:
        """What positions are told modulo, where this is the activity."""


class AttractorSpec(Spec):
    """The parameters of a continuous attractor."""

    holds_patterns: ClassVar[bool] = False
    coding: ClassVar[Coding] = Coding.REAL  # type: ignore[misc]  # of all of these specs

    @property
    def capacity(self) -> float | None:
        """See Spec."""
        return None

    def advice(self, pattern_count: int, told: float | None) -> str | None:  # noqa: ARG002 - it holds none
        """See Spec."""
        return None

    def relearnt(
        self,
        stored: StoredPatterns,  # noqa: ARG002 - there are none
        given: Any,  # noqa: ARG002 - nothing is
        interruption: Interruption,
    ) -> Network:
        """See Spec."""
        check(interruption)
        return self.empty()


def run_in_pieces(
    run: Callable[[int], int], steps: int, multiplications_each: float, interruption: Interruption
) -> int:
    """Runs so many steps of an integration, asking now and then whether anybody waits.

    Args:
        run: runs at most so many steps and says how many; fewer where it came to rest.
        steps: in all.
        multiplications_each: of a step.
        interruption: what to ask.

    Returns:
        Steps run.

    Raises:
        Interrupted: `interruption` said so.
    """
    piece = max(1, int(_BETWEEN_QUESTIONS / multiplications_each))
    done = 0
    while done < steps:
        check(interruption)
        asked = min(piece, steps - done)
        ran = run(asked)
        done += ran
        if ran < asked:
            break
    return done
