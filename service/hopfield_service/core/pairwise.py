"""The classical family: one weight for each pair of neurons."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cached_property, partial
from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core import diagnostics, forms, learning
from hopfield_service.core.diagnostics import Diagnosis, Stability
from hopfield_service.core.dynamics import Dynamics
from hopfield_service.core.hebbian import Hebbian
from hopfield_service.core.interruption import Interruption, never
from hopfield_service.core.learning import Couplings, LearningOutcome, LearningParameters, Normalization, StateArray
from hopfield_service.core.local_field import LocalField
from hopfield_service.core.network import (
    Configure,
    Forget,
    Import,
    InvalidParameter,
    NothingToRelearn,
    Operation,
    PatternSpec,
    Store,
    StoredPatterns,
    Weighted,
)
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.patterns import TWO_VALUED, Bits, Coding, Nearest, Queries, nearest, row_bytes
from hopfield_service.core.pseudo_inverse import PseudoInverse
from hopfield_service.core.results import RecallResult, RecallResults, TraceStep
from hopfield_service.core.verdict import verdict

_MAX_SWEEPS = 1_000_000
# Sweeps that a diagnosis grants the perceptron rule to find out whether it would hold the patterns.
_TRIAL_SWEEPS = 100
# Bytes of memory for each weight, the snapshot included: of rules that learn floats; and of Hebb's, for each weight and
# for each neuron of a pattern.
_BYTES_LEARNT = 20
_BYTES_SUMMED = 8


class Rule(Enum):
    """How stored patterns become weights."""

    HEBBIAN = "hebbian"
    STORKEY = "storkey"
    STORKEY_SECOND_ORDER = "storkey_second_order"
    PSEUDO_INVERSE = "pseudo_inverse"
    PERCEPTRON = "perceptron"
    IMPORTED = "imported"


_LEARNING_RULES: dict[Rule, type[learning.LearningRule]] = {
    Rule.HEBBIAN: Hebbian,
    Rule.STORKEY: learning.Storkey,
    Rule.STORKEY_SECOND_ORDER: learning.StorkeySecondOrder,
    Rule.PSEUDO_INVERSE: PseudoInverse,
    Rule.PERCEPTRON: learning.Perceptron,
}
# Parameters that mean something under one rule alone.
_PARAMETERS_OF = {Rule.HEBBIAN: ("normalization",), Rule.PERCEPTRON: ("kappa", "max_sweeps")}


@dataclass(frozen=True, slots=True)
class PairwiseSpec(PatternSpec):
    """The parameters of a pairwise network.

    Attributes:
        neurons: N, at least 1.
        rule: how stored patterns become weights.
        thresholds: U, one finite number a neuron; empty where all are zero.
        normalization: what Hebb's sums are divided by.
        self_coupling: whether the diagonal that the rule's formula gives is kept.
        coding: the two values a neuron has for the caller.
        kappa: the margin of the perceptron rule.
        max_sweeps: after which the perceptron rule gives up.

    Raises:
        InvalidParameter: one is out of its range, or of another rule.
    """

    family: ClassVar[str] = "pairwise"

    neurons: int
    rule: Rule = Rule.HEBBIAN
    thresholds: tuple[float, ...] = ()
    normalization: Normalization = Normalization.NEURONS
    self_coupling: bool = False
    coding: Coding = Coding.BIPOLAR
    kappa: float = 1.0
    max_sweeps: int = 1000

    def __post_init__(self) -> None:
        for rule, own_parameters in _PARAMETERS_OF.items():
            for parameter in own_parameters:
                if rule is not self.rule and getattr(self, parameter) != _DEFAULTS[parameter]:
                    raise InvalidParameter(parameter, f"must not be set but with the rule {rule.value}")
        if self.coding not in TWO_VALUED:
            raise InvalidParameter("coding", "must be of two values")
        if len(self.thresholds) not in {0, self.neurons}:
            counts = f"{len(self.thresholds)} for {self.neurons} neurons"
            raise InvalidParameter("thresholds", f"must be none or one a neuron: {counts}")
        if not (math.isfinite(self.kappa) and self.kappa >= 0):
            raise InvalidParameter("kappa", f"must be finite and at least 0, is {self.kappa}")
        if not 1 <= self.max_sweeps <= _MAX_SWEEPS:
            raise InvalidParameter("max_sweeps", f"must be 1 to {_MAX_SWEEPS}, is {self.max_sweeps}")
        if self.rule is Rule.IMPORTED and self.self_coupling:
            raise InvalidParameter(
                "self_coupling", "must not be set for imported weights, whose diagonal is kept as given"
            )

    @property
    def capacity(self) -> float | None:
        """See Spec. Sources: see Memory.capacity in the .proto."""
        match self.rule:
            case Rule.HEBBIAN:
                return 0.138
            case Rule.STORKEY | Rule.STORKEY_SECOND_ORDER:
                return min(1.0, 1 / math.sqrt(2 * math.log(self.neurons))) if self.neurons > 1 else 1.0
            case Rule.PSEUDO_INVERSE:
                return 1.0
            case Rule.PERCEPTRON:
                return 2.0
            case Rule.IMPORTED:
                return None

    def advice(self, pattern_count: int) -> str | None:
        """See Spec."""
        load = pattern_count / self.neurons
        if self.capacity is None or load <= self.capacity:
            return None
        held = math.floor(self.capacity * self.neurons)
        patterns, are = ("pattern", "is") if pattern_count == 1 else ("patterns", "are")
        advice = (
            f"{pattern_count} {patterns} in {self.neurons} neurons {are} a load of {load:.3f}; {self.rule.value} holds random "
            f"patterns up to {self.capacity:.3f} ({held} of them): recalls may go wrong"
        )
        if self.rule not in {Rule.PSEUDO_INVERSE, Rule.PERCEPTRON} and load < 1:
            advice += f"; pseudo_inverse holds up to {self.neurons}"
        return advice

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """See Spec."""
        for name in ("neurons", "coding"):
            if name in changes and changes[name] != self.parameters()[name]:
                raise InvalidParameter(name, "cannot be changed")
        rule = Rule(changes.get("rule", self.rule.value))
        if rule is not self.rule and Rule.IMPORTED in {rule, self.rule}:
            raise NothingToRelearn
        dropped = {name for other, names in _PARAMETERS_OF.items() if other is not rule for name in names}
        kept = {name: value for name, value in self.parameters().items() if name not in dropped}
        return self.from_parameters(kept | dict(changes))

    def parameters(self) -> dict[str, Any]:
        """See Spec."""
        return {
            "neurons": self.neurons,
            "rule": self.rule.value,
            "thresholds": list(self.thresholds),
            "normalization": self.normalization.value,
            "self_coupling": self.self_coupling,
            "coding": self.coding.name.lower(),
            "kappa": self.kappa,
            "max_sweeps": self.max_sweeps,
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """See Spec."""
        read: dict[str, Callable[[Any], Any]] = {
            "rule": Rule,
            "thresholds": tuple,
            "normalization": Normalization,
            "coding": lambda name: Coding[name.upper()],
        }
        return cls(**{name: read.get(name, lambda value: value)(value) for name, value in parameters.items()})

    @property
    def learning_parameters(self) -> LearningParameters:
        """What learning depends on: only the perceptron rule sees thresholds and coding."""
        fields_of_recall = (self.thresholds, self.coding) if self.rule is Rule.PERCEPTRON else ((), Coding.BIPOLAR)
        return LearningParameters(
            self.neurons, self.normalization, self.self_coupling, self.kappa, self.max_sweeps, *fields_of_recall
        )

    def empty(self) -> "PairwiseNetwork":
        """See Spec."""
        return PairwiseNetwork(self, StoredPatterns.none(row_bytes(self.neurons)), self._couplings())

    def _couplings(self) -> Couplings:
        """Those before the first pattern, or before the weights are given."""
        if self.rule is Rule.IMPORTED:
            return learning.Imported(np.zeros((self.neurons, self.neurons)))
        return _LEARNING_RULES[self.rule].nothing(self.learning_parameters)

    def relearnt(
        self, stored: StoredPatterns, given: Mapping[str, NDArray[Any]], interruption: Interruption
    ) -> "PairwiseNetwork":
        """See Spec."""
        if self.rule is Rule.IMPORTED:
            return self.restored(stored, given)
        rule = _LEARNING_RULES[self.rule].nothing(self.learning_parameters)
        return PairwiseNetwork(self, stored, rule.learn(stored.bits, stored.bits, interruption))

    def restored(self, stored: StoredPatterns, arrays: Mapping[str, NDArray[Any]]) -> "PairwiseNetwork":
        """See Spec."""
        couplings_type = _LEARNING_RULES.get(self.rule, learning.Imported)
        return PairwiseNetwork(self, stored, couplings_type.restored(self.learning_parameters, arrays, stored.bits))

    @classmethod
    def warming(cls) -> Iterator[Callable[[], None]]:
        """See Spec: those that have the most in common stand apart, as they are compiled at the same time."""
        for rule in (Rule.PSEUDO_INVERSE, Rule.HEBBIAN):
            yield partial(cls._warm, rule, (), 2)
        yield cls._warm_wide
        yield cls._warm_rounded
        for thresholds, rule in product([(), (0.5,) * _WARM_NEURONS], _LEARNING_RULES):
            yield partial(cls._warm, rule, thresholds, 6)

    @classmethod
    def _warm(cls, rule: Rule, thresholds: tuple[float, ...], most: int) -> None:
        network = cls(_WARM_NEURONS, rule, thresholds).empty()
        # Two patterns are kept as factors, five and six as a matrix.
        for first, last in ((0, 2), (2, 5), (5, 6)):
            if last <= most:
                network = network.apply(Store(_WARM_BITS[first:last], tuple("abcdef"[first:last])), never)
                network.recall(_WARM_QUERY, _WARM_OPTIONS, never)
        network.nearest(_WARM_QUERY, 1)
        list(network.weight_rows(_WARM_NEURONS))
        network.local_field.of(_WARM_STATE)

    @classmethod
    def _warm_wide(cls) -> None:
        few = cls(_WARM_NEURONS).empty().apply(Store(_WARM_BITS[:2], ("a", "b")), never)
        few.dynamics.wide().recall(_WARM_QUERY, _WARM_OPTIONS, never)

    @classmethod
    def _warm_rounded(cls) -> None:
        few = cls(_WARM_NEURONS, Rule.STORKEY).empty().apply(Store(_WARM_BITS[:2], ("a", "b")), never)
        # As floats, and as imported whole numbers.
        for kind in (np.float64, np.int32):
            rounded = forms.rounded_form(replace(few.local_field, weights=few.local_field.weights.astype(kind)))
            dynamics = Dynamics(rounded, rounded, rounded.totals.dtype, few.stored.words)
            dynamics.recall(_WARM_QUERY, _WARM_OPTIONS, never)


# Ninths of which no float is: weights that have to be rounded.
_WARM_NEURONS = 9
_WARM_BITS = np.array([[23, 1], [98, 0], [201, 1], [77, 1], [140, 0], [33, 0]], np.uint8)
_WARM_STATE = np.array([1, -1, 0, 1, 1, -1, -1, 1, 1], np.int8)
_WARM_QUERY = Queries.of(_WARM_STATE)
_WARM_OPTIONS = RecallOptions(seed=0)
_DEFAULTS = {field.name: field.default for field in fields(PairwiseSpec)}


class PairwiseNetwork(Weighted):
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

    @property
    def outcome(self) -> LearningOutcome | None:
        """See Network."""
        return self._couplings.outcome

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """See Network."""
        return np.array(self.spec.thresholds or np.zeros(self.spec.neurons), np.float64)

    @property
    def local_field(self) -> LocalField:
        """Field as a function of the state, by the matrix of weights, which is made for it where it is not kept."""
        couplings = self._couplings
        return LocalField(
            couplings.weights, couplings.divisor, self.thresholds, self.spec.coding, couplings.largest_row_sum
        )

    @cached_property
    def dynamics(self) -> Dynamics:
        """What recalls need."""
        couplings, stored, coding = self._couplings, self.stored, self.spec.coding
        if self._recalls_by_factors and isinstance(couplings, Hebbian):
            patterns = forms.patterns_form(couplings, stored.words, coding)
            return Dynamics(patterns, patterns, forms.overlaps_dtype(patterns), stored.words)
        if self._recalls_by_factors and isinstance(couplings, PseudoInverse):
            basis = forms.basis_form(couplings, stored.bits, self.thresholds, coding)
            return Dynamics(basis, basis, np.float64, stored.words)
        local_field = self.local_field
        matrix = forms.matrix_form(local_field)
        heated = forms.exact_form(local_field) if matrix.doubt >= 0 else matrix
        return Dynamics(matrix, heated, matrix.totals.dtype, stored.words)

    @property
    def _recalls_by_factors(self) -> bool:
        """Whether recalls take the factors that the weights are kept as: Hebb's only where sums of whole numbers decide."""
        hebbian = self.spec.rule is Rule.HEBBIAN
        return self._couplings.kept_as_factors and not (hebbian and any(self.spec.thresholds))

    def prepare(self) -> None:
        """See Network."""
        _ = self.dynamics

    @property
    def nbytes(self) -> int:
        """See Network."""
        neurons, couplings = self.spec.neurons, self._couplings
        if not self._recalls_by_factors:
            recalled = forms.matrix_nbytes(neurons, self._bytes_rounded)
        elif isinstance(couplings, PseudoInverse):
            recalled = forms.basis_nbytes(neurons, couplings.rank)
        else:
            recalled = forms.patterns_nbytes(neurons, len(self.stored))
        return couplings.nbytes + self.stored.nbytes + recalled

    def change_nbytes(self, operation: Operation) -> int:
        """See Network. Measured: of Hebb's rule 6 to 11 bytes a weight, of others up to 20."""
        neurons = self.spec.neurons
        if self.spec.rule is not Rule.HEBBIAN or isinstance(operation, Configure):
            return _BYTES_LEARNT * neurons**2
        added = len(operation.labels) if isinstance(operation, Store) else 0
        return _BYTES_SUMMED * neurons * (neurons + min(neurons, len(self.stored) + added))

    @property
    def _bytes_rounded(self) -> int:
        """Bytes of a weight that recall reads, beside that which learning keeps, where it reads a matrix."""
        couplings = self._couplings
        if not isinstance(couplings, Hebbian):
            return 5
        return 0 if couplings.sums is not None and couplings.sums.dtype == np.int16 else 2

    @cached_property
    def recall_size(self) -> int:
        """See Network."""
        neurons, couplings = self.spec.neurons, self._couplings
        if not self._recalls_by_factors:
            return neurons**2
        return neurons * (couplings.rank if isinstance(couplings, PseudoInverse) else len(self.stored))

    def apply(self, operation: Operation, interruption: Interruption) -> "PairwiseNetwork":
        """See Network."""
        match operation:
            case Store(bits, labels, replaces):
                replaced = tuple(label for label in labels if label in self.stored.positions) if replaces else ()
                kept = self._forget(replaced, interruption) if replaced else self
                return kept._learn(bits, labels, interruption)  # noqa: SLF001 - another of this very class
            case Forget(labels):
                return self._forget(labels, interruption)
            case Import(arrays):
                return self.spec.restored(self.stored, {name: array.values for name, array in arrays.items()})
            case Configure(PairwiseSpec() as spec):
                if (spec.rule, spec.learning_parameters) == (self.spec.rule, self.spec.learning_parameters):
                    return PairwiseNetwork(spec, self.stored, self._couplings)
                return spec.relearnt(self.stored, {}, interruption)
        raise TypeError(f"a pairwise network does not take {operation!r}")

    def cost(self, operation: Operation) -> int:
        """See Network."""
        if not isinstance(self._couplings, learning.LearningRule):
            return 1
        relearnt = isinstance(operation, Configure | Forget) and self.spec.rule is not Rule.HEBBIAN
        count = len(self.stored) if relearnt else len(getattr(operation, "labels", ()))
        return self._couplings.cost(count)

    def _learn(self, bits: Bits, labels: tuple[str, ...], interruption: Interruption) -> "PairwiseNetwork":
        stored = self.stored.with_added(bits, labels)
        return PairwiseNetwork(self.spec, stored, self._rule().learn(bits, stored.bits, interruption))

    def _forget(self, labels: tuple[str, ...], interruption: Interruption) -> "PairwiseNetwork":
        remaining = self.stored.without(labels)
        forgotten = self.stored.bits[[self.stored.positions[label] for label in labels]]
        return PairwiseNetwork(self.spec, remaining, self._rule().forget(forgotten, remaining.bits, interruption))

    def _rule(self) -> learning.LearningRule:
        if not isinstance(self._couplings, learning.LearningRule):
            raise TypeError("imported weights have no rule to learn by")
        return self._couplings

    def arrays(self) -> dict[str, StateArray]:
        """See Network."""
        return self._couplings.arrays()

    def given(self) -> dict[str, StateArray]:
        """See Network."""
        return {} if self.learns else self._couplings.arrays()

    def weight_rows(self, rows: int) -> Iterator[NDArray[np.float64]]:
        """See Network."""
        for block in self._couplings.weight_rows(rows):
            yield np.asarray(block, np.float64) / self._couplings.divisor

    def recall(self, query: Queries, options: RecallOptions, interruption: Interruption) -> RecallResult:
        """See Network."""
        return self.dynamics.recall(query, options, interruption)

    def recall_batch(
        self, queries: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[RecallResults]:
        """See Network."""
        return self.dynamics.recall_batch(queries, options, interruption)

    def trace(
        self, query: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[TraceStep | RecallResult]:
        """See Network."""
        return self.dynamics.trace(query, options, interruption)

    def nearest(self, query: Queries, count: int) -> Nearest:
        """See Network."""
        return nearest(self.stored.words, query, self.spec.neurons, count)

    def diagnose(self, interruption: Interruption) -> Diagnosis:
        """See Network."""
        stability = diagnostics.stability(self.local_field, self.stored.bits, interruption)
        similarity = diagnostics.similarity(self.stored.bits, self.spec.neurons, interruption)
        return Diagnosis(
            pattern_count=len(self.stored),
            load=len(self.stored) / self.spec.neurons,
            capacity=self.spec.capacity,
            stability=stability,
            similarity=similarity,
            weights=diagnostics.weight_statistics(self.local_field, interruption),
            outcome=self.outcome,
            verdict=verdict(
                self.spec.rule.value,
                len(self.stored) / self.spec.neurons,
                self.spec.capacity,
                stability,
                None if similarity is None else diagnostics.correlated(similarity, self.spec.neurons),
                self.outcome,
                self._without_self_coupling(interruption),
                self._trials(interruption),
            ),
        )

    def _without_self_coupling(self, interruption: Interruption) -> Stability | None:
        """Whether the patterns would be fixed points if the neurons did not hold themselves; None where they do not."""
        if not self.spec.self_coupling:
            return None
        weights = self._couplings.weights.copy()
        np.fill_diagonal(weights, 0)
        alone = LocalField(
            weights, self._couplings.divisor, self.thresholds, self.spec.coding, self._couplings.largest_row_sum
        )
        return diagnostics.stability(alone, self.stored.bits, interruption)

    def _trials(self, interruption: Interruption) -> Iterator[tuple[str, Stability | None]]:
        """What other rules would make of the patterns, found by trying them."""
        trials: dict[Rule, dict[str, Any]] = {
            Rule.PSEUDO_INVERSE: {},
            Rule.PERCEPTRON: {"max_sweeps": _TRIAL_SWEEPS},
        }
        for rule, parameters in trials.items():
            if rule is not self.spec.rule or self.spec.self_coupling:
                spec = self.spec.changed({"rule": rule.value, "self_coupling": False, **parameters})
                network = spec.relearnt(self.stored, {}, interruption)
                unfinished = network.outcome is not None and not network.outcome.converged
                name = f"{rule.value} in {_TRIAL_SWEEPS} sweeps" if unfinished else rule.value
                yield name, diagnostics.stability(network.local_field, self.stored.bits, interruption)
