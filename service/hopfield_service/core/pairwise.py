"""The classical family: one weight for each pair of neurons."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core import kernels, learning
from hopfield_service.core.dynamics import RecallOptions, RecallResult, Trajectory, UpdateRule, nearest
from hopfield_service.core.learning import Couplings, StateArray
from hopfield_service.core.network import Forget, Import, Network, Operation, Spec, Store, StoredPatterns
from hopfield_service.core.patterns import Bits, Signs, row_bytes, unpacked_blocks


class Rule(Enum):
    """How stored patterns become weights."""

    HEBBIAN = "hebbian"
    PSEUDO_INVERSE = "pseudo_inverse"
    IMPORTED = "imported"


_COUPLINGS: dict[Rule, type[Couplings]] = {
    Rule.HEBBIAN: learning.Hebbian,
    Rule.PSEUDO_INVERSE: learning.PseudoInverse,
    Rule.IMPORTED: learning.Imported,
}


@dataclass(frozen=True, slots=True)
class PairwiseSpec(Spec):
    """The parameters of a pairwise network.

    Attributes:
        neurons: N, at least 1.
        rule: how stored patterns become weights.
        thresholds: U, one finite number a neuron; empty where all are zero.
    """

    family: ClassVar[str] = "pairwise"

    neurons: int
    rule: Rule = Rule.HEBBIAN
    thresholds: tuple[float, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """See Spec."""
        return {"neurons": self.neurons, "rule": self.rule.value, "thresholds": list(self.thresholds)}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """See Spec."""
        return cls(parameters["neurons"], Rule(parameters["rule"]), tuple(parameters["thresholds"]))

    def empty(self) -> "PairwiseNetwork":
        """See Spec."""
        couplings_type = _COUPLINGS[self.rule]
        if issubclass(couplings_type, learning.LearningRule):
            couplings: Couplings = couplings_type.nothing(self.neurons)
        else:
            couplings = learning.Imported(np.zeros((self.neurons, self.neurons)))
        return PairwiseNetwork(self, StoredPatterns.none(row_bytes(self.neurons)), couplings)

    def restored(self, stored: StoredPatterns, arrays: Mapping[str, NDArray[Any]]) -> "PairwiseNetwork":
        """See Spec."""
        return PairwiseNetwork(self, stored, _COUPLINGS[self.rule].restored(self.neurons, arrays))

    @classmethod
    def warm(cls) -> None:
        """See Spec."""
        stored = Store(np.array([[0b0001], [0b0110]], np.uint8), ("a", "b"))
        for rule in (Rule.HEBBIAN, Rule.PSEUDO_INVERSE):
            network = cls(4, rule, (0.5, 0.0, 0.0, 0.0)).empty().apply(stored)
            for update in UpdateRule:
                network.recall(np.array([1, -1, 0, 1], np.int8), RecallOptions(seed=0, update=update), lambda: False)


class PairwiseNetwork(Network):
    """A pairwise network with what it has learnt. Immutable; see Network."""

    spec: PairwiseSpec

    def __init__(self, spec: PairwiseSpec, stored: StoredPatterns, couplings: Couplings) -> None:
        self.spec = spec
        self.stored = stored
        self._couplings = couplings

    @property
    def learns(self) -> bool:
        """See Network."""
        return isinstance(self._couplings, learning.LearningRule)

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """See Network."""
        return np.array(self.spec.thresholds or np.zeros(self.spec.neurons), np.float64)

    @property
    def nbytes(self) -> int:
        """See Network."""
        arrays = self._couplings.arrays()
        kept = sum(array.values.nbytes for array in arrays.values() if array.values is not self._couplings.weights)
        return self._couplings.weights.nbytes + kept + self.stored.bits.nbytes

    @cached_property
    def tolerance(self) -> float:
        """A local field of at most this size counts as zero.

        Sums of integers are exact and need none; where weights or thresholds are floats, rounding would otherwise decide.
        """
        if self._couplings.weights.dtype == np.int32 and not self.thresholds.any():
            return 0.0
        largest = kernels.largest_row_sum(self._couplings.weights) / self._couplings.divisor
        return 1e-9 * max(1.0, float(largest))

    def apply(self, operation: Operation) -> "PairwiseNetwork":
        """See Network."""
        match operation:
            case Store(bits, labels, replace):
                replaced = tuple(label for label in labels if label in self.stored.positions) if replace else ()
                kept = self.apply(Forget(replaced)) if replaced else self
                return kept._learn(bits, labels)  # noqa: SLF001 - another of this very class
            case Forget(labels):
                return self._forget(labels)
            case Import(arrays):
                return self.spec.restored(self.stored, {name: array.values for name, array in arrays.items()})

    def _learn(self, bits: Bits, labels: tuple[str, ...]) -> "PairwiseNetwork":
        rule = self._rule()
        for patterns in unpacked_blocks(bits, self.spec.neurons):
            rule = rule.learn(patterns)
        return PairwiseNetwork(self.spec, self.stored.with_added(bits, labels), rule)

    def _forget(self, labels: tuple[str, ...]) -> "PairwiseNetwork":
        remaining = self.stored.without(labels)
        forgotten = self.stored.bits[[self.stored.positions[label] for label in labels]]
        neurons = self.spec.neurons
        rule = self._rule().forget(unpacked_blocks(forgotten, neurons), unpacked_blocks(remaining.bits, neurons))
        return PairwiseNetwork(self.spec, remaining, rule)

    def _rule(self) -> learning.LearningRule:
        if not isinstance(self._couplings, learning.LearningRule):
            raise TypeError("imported weights have no rule to learn by")
        return self._couplings

    def arrays(self) -> dict[str, StateArray]:
        """See Network."""
        return self._couplings.arrays()

    def weight_rows(self, rows: int) -> Iterator[NDArray[np.float64]]:
        """See Network."""
        for start in range(0, self.spec.neurons, rows):
            yield self._couplings.weights[start : start + rows] / self._couplings.divisor

    def trajectory(self, query: Signs, options: RecallOptions) -> Trajectory:
        """The recall of a query, about to start."""
        weights, divisor = self._couplings.weights, self._couplings.divisor
        return Trajectory(weights, divisor, self.thresholds, self.tolerance, query, options)

    def recall(self, query: Signs, options: RecallOptions, interrupted: Callable[[], bool]) -> RecallResult:
        """See Network."""
        trajectory = self.trajectory(query, options)
        initial_energy = trajectory.energy()
        stop_reason = trajectory.settle(interrupted)
        position, overlap, match = nearest(self.stored.bits, trajectory.state)
        return RecallResult(
            state=trajectory.state,
            energy=trajectory.energy(),
            initial_energy=initial_energy,
            iterations=trajectory.iterations,
            flips=trajectory.flips,
            stop_reason=stop_reason,
            nearest=position,
            overlap=overlap,
            match=match,
        )
