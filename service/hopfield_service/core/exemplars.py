"""Networks that are their patterns: nothing is learnt from them, and recalls look at them all."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, never
from hopfield_service.core.learning import LearningOutcome, StateArray
from hopfield_service.core.network import (
    Configure,
    Forget,
    Operation,
    PatternNetwork,
    PatternSpec,
    Store,
    StoredPatterns,
)

NetworkT = TypeVar("NetworkT", bound="ExemplarNetwork")


class ExemplarNetwork(PatternNetwork):
    """A network that is its patterns. Immutable; see Network."""

    spec: "ExemplarSpec[Any]"

    def __init__(self, spec: "ExemplarSpec[Any]", stored: StoredPatterns) -> None:
        self.spec = spec
        self.stored = stored

    @property
    def learns(self) -> bool:
        """See Network."""
        return True

    @property
    def outcome(self) -> LearningOutcome | None:
        """See Network."""
        return None

    def apply(self, operation: Operation, interruption: Interruption) -> "ExemplarNetwork":  # noqa: ARG002 - it takes no time
        """See Network."""
        made: ExemplarNetwork
        match operation:
            case Store(bits, labels, replaces):
                replaced = [label for label in labels if label in self.stored.positions] if replaces else []
                kept = self.stored.without(replaced) if replaced else self.stored
                made = self.spec.of(kept.with_added(bits, labels))
            case Forget(labels):
                made = self.spec.of(self.stored.without(labels))
            case Configure(ExemplarSpec() as spec):
                made = spec.of(self.stored)
            case _:
                raise TypeError(f"a {self.spec.family} network does not take {operation!r}")
        return made

    def cost(self, operation: Operation) -> int:  # noqa: ARG002 - none learns
        """See Network."""
        return 1

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:  # noqa: ARG002 - it takes no time
        """See Network."""
        return {}

    def given(self) -> dict[str, StateArray]:
        """See Network."""
        return {}


class ExemplarSpec(PatternSpec, Generic[NetworkT]):
    """The parameters of a network that is its patterns."""

    @abstractmethod
    def of(self, stored: StoredPatterns) -> NetworkT:
        """The network of these patterns."""

    def empty(self) -> NetworkT:
        """See Spec."""
        return self.of(StoredPatterns.none(self.row_bytes))

    def restored(
        self,
        stored: StoredPatterns,
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG002
        interruption: Interruption = never,  # noqa: ARG002 - it takes no time
    ) -> NetworkT:
        """See Spec."""
        return self.of(stored)

    def relearnt(
        self,
        stored: StoredPatterns,
        given: Mapping[str, NDArray[Any]],  # noqa: ARG002 - nothing is
        interruption: Interruption,  # noqa: ARG002 - it takes no time
    ) -> NetworkT:
        """See Spec."""
        return self.of(stored)
