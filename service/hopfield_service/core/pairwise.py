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

from hopfield_service.core import capacity, diagnostics, forms, learning
from hopfield_service.core.capacity import NO_BIAS, Bias
from hopfield_service.core.diagnostics import Diagnosis, Stability
from hopfield_service.core.dynamics import Dynamics
from hopfield_service.core.hebbian import Hebbian
from hopfield_service.core.interruption import Interruption, check, never
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
# With which a network of 0 and 1 is one of -1 and 1 without thresholds.
BALANCED = "thresholds of half the row sums"
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
        """See Spec: of patterns that have nothing to do with the thresholds. Sources: see core/capacity.py."""
        if not self.thresholds:
            return self.capacity_with(self._offset)
        signal = self.neurons if self.normalization in {Normalization.PATTERNS, Normalization.NONE} else 1
        fields = (1 + self.coding) * np.array(self.thresholds) / signal
        return self.capacity_with(Bias(self._offset.along, capacity.bias_of(fields, np.zeros_like(fields)).spread))

    @property
    def _offset(self) -> Bias:
        """What the coding adds to fields without thresholds."""
        return Bias(1.0, 0.0) if self.coding is Coding.BINARY else NO_BIAS

    def capacity_with(self, bias: Bias) -> float | None:
        """Load up to which the rule holds random patterns under a bias of the fields; None for imported weights."""
        match self.rule:
            case Rule.HEBBIAN:
                return capacity.hebbian(bias)
            case Rule.STORKEY | Rule.STORKEY_SECOND_ORDER:
                return capacity.storkey(self.neurons, bias)
            case Rule.PSEUDO_INVERSE:
                return capacity.projection(bias)
            case Rule.PERCEPTRON:
                # It learns with the thresholds, in the coding.
                return capacity.PERCEPTRON
            case Rule.IMPORTED:
                return None

    def lowered(self, told: float | None) -> str:
        """What makes the capacity of a network less than that of its rule, as it follows the rule's name; or ""."""
        unbiased = self.capacity_with(NO_BIAS)
        # Thresholds that are half of the row sums as well as floats can say it.
        if told is None or unbiased is None or told >= 0.999 * unbiased:
            return ""
        if self.coding is Coding.BINARY:
            return " in 0/1 coding with these thresholds" if self.thresholds else " in 0/1 coding without thresholds"
        return " with these thresholds"

    def advice(self, pattern_count: int, told: float | None) -> str | None:
        """See Spec."""
        load = pattern_count / self.neurons
        if told is None or load <= told:
            return None
        patterns, are = ("pattern", "is") if pattern_count == 1 else ("patterns", "are")
        advice = (
            f"{pattern_count} {patterns} in {self.neurons} neurons {are} a load of {load:.3f}; "
            f"{self.rule.value}{self.lowered(told)} holds random patterns up to {told:.3f} "
            f"({math.floor(told * self.neurons)} of them): recalls may go wrong"
        )
        cure = self._cure
        unbiased = self.capacity_with(NO_BIAS)
        if self.lowered(told) and unbiased is not None and load <= unbiased:
            return f"{advice};{cure} it holds up to {math.floor(unbiased * self.neurons)}"
        if self.rule not in {Rule.PSEUDO_INVERSE, Rule.PERCEPTRON} and load < 1:
            return f"{advice};{cure} pseudo_inverse holds up to {self.neurons}"
        return advice

    @property
    def _cure(self) -> str:
        """The thresholds with which there is no bias, in words, as they stand in a sentence."""
        if self.coding is Coding.BINARY:
            return f" with {BALANCED}"
        return " without thresholds" if self.thresholds else ""

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
            return self.restored(stored, given, interruption)
        rule = _LEARNING_RULES[self.rule].nothing(self.learning_parameters)
        return PairwiseNetwork(self, stored, rule.learn(stored.bits, stored.bits, interruption))

    def restored(
        self, stored: StoredPatterns, arrays: Mapping[str, NDArray[Any]], interruption: Interruption = never
    ) -> "PairwiseNetwork":
        """See Spec."""
        couplings_type = _LEARNING_RULES.get(self.rule, learning.Imported)
        couplings = couplings_type.restored(self.learning_parameters, arrays, stored.bits, interruption)
        return PairwiseNetwork(self, stored, couplings)

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
        list(network.weight_rows(_WARM_NEURONS, never))
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
        return self.local_field_made(never)

    def local_field_made(self, interruption: Interruption) -> LocalField:
        """`local_field`, which may take long to make.

        Raises:
            Interrupted: `interruption` said so.
        """
        couplings, weights = self._couplings, self._couplings.weights_made(interruption)
        check(interruption)
        return LocalField(weights, couplings.divisor, self.thresholds, self.spec.coding, couplings.row_sum_of(weights))

    @cached_property
    def dynamics(self) -> Dynamics:
        """What recalls need."""
        return self._dynamics_made(never)

    def _dynamics_made(self, interruption: Interruption) -> Dynamics:
        couplings, stored, coding = self._couplings, self.stored, self.spec.coding
        if self._recalls_by_factors and isinstance(couplings, Hebbian):
            patterns = forms.patterns_form(couplings, stored.words, coding, interruption)
            return Dynamics(patterns, patterns, forms.overlaps_dtype(patterns), stored.words)
        if self._recalls_by_factors and isinstance(couplings, PseudoInverse):
            basis = forms.basis_form(couplings, stored.bits, self.thresholds, coding, interruption)
            return Dynamics(basis, basis, np.float64, stored.words)
        local_field = self.local_field_made(interruption)
        matrix = forms.matrix_form(local_field, interruption)
        heated = forms.exact_form(local_field) if matrix.doubt >= 0 else matrix
        return Dynamics(matrix, heated, matrix.totals.dtype, stored.words)

    @property
    def _recalls_by_factors(self) -> bool:
        """Whether recalls take the factors that the weights are kept as: Hebb's only where sums of whole numbers decide."""
        hebbian = self.spec.rule is Rule.HEBBIAN
        return self._couplings.kept_as_factors and not (hebbian and any(self.spec.thresholds))

    @cached_property
    def capacity(self) -> float | None:
        """See Network: by the thresholds as they are beside these weights."""
        spec = self.spec
        unbiased = not spec.thresholds and (spec.coding is Coding.BIPOLAR or not spec.self_coupling)
        if unbiased or not len(self.stored) or spec.rule is Rule.PERCEPTRON:
            return spec.capacity
        couplings = self._couplings
        # The field of a stored pattern at its own neurons, and fields in units of it.
        signal = spec.neurons / couplings.divisor if isinstance(couplings, Hebbian) else 1.0
        row_sums, diagonal = (sums / couplings.divisor / signal for sums in couplings.row_sums)
        added = -(1 + spec.coding) * self.thresholds / signal
        if spec.coding is Coding.BINARY:
            # Of a diagonal, half is a part of the field.
            added += row_sums + diagonal
        return spec.capacity_with(capacity.bias_of(added, row_sums))

    def prepare(self, interruption: Interruption = never) -> None:
        """See Network."""
        if "dynamics" not in vars(self):
            self.dynamics = self._dynamics_made(interruption)
        # It is told with the store.
        _ = self.capacity

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
                given = {name: array.values for name, array in arrays.items()}
                return self.spec.restored(self.stored, given, interruption)
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

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:
        """See Network."""
        return self._couplings.arrays(interruption)

    def given(self) -> dict[str, StateArray]:
        """See Network."""
        return {} if self.learns else self._couplings.arrays(never)

    def weight_rows(self, rows: int, interruption: Interruption = never) -> Iterator[NDArray[np.float64]]:
        """See Network."""
        for block in self._couplings.weight_rows(rows, interruption):
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
        local_field = self.local_field_made(interruption)
        stability = diagnostics.stability(local_field, self.stored.bits, interruption)
        similarity = diagnostics.similarity(self.stored.bits, self.spec.neurons, interruption)
        return Diagnosis(
            pattern_count=len(self.stored),
            load=len(self.stored) / self.spec.neurons,
            capacity=self.capacity,
            stability=stability,
            similarity=similarity,
            weights=diagnostics.weight_statistics(local_field, interruption),
            outcome=self.outcome,
            verdict=verdict(
                self.spec.rule.value,
                len(self.stored) / self.spec.neurons,
                self.capacity,
                self.spec.lowered(self.capacity),
                stability,
                None if similarity is None else diagnostics.correlated(similarity, self.spec.neurons),
                self.outcome,
                self._without_self_coupling(interruption),
                self._trials(interruption),
            ),
        )

    def _without_self_coupling(self, interruption: Interruption) -> Stability | None:
        """Whether the patterns would be fixed points if the neurons did not hold themselves; None where they do not.

        In 0/1 coding a diagonal holds nothing: it is a part of the thresholds.
        """
        if not self.spec.self_coupling or self.spec.coding is Coding.BINARY:
            return None
        kept = self.local_field_made(interruption)
        weights = kept.weights.copy()
        np.fill_diagonal(weights, 0)
        alone = LocalField(weights, kept.divisor, kept.thresholds, kept.coding, kept.largest_row_sum)
        return diagnostics.stability(alone, self.stored.bits, interruption)

    def _trials(self, interruption: Interruption) -> Iterator[tuple[str, Stability | None]]:
        """What other rules would make of the patterns, found by trying them; in 0/1 coding also balanced thresholds."""
        learns_with_thresholds = self.spec.rule is Rule.PERCEPTRON
        if self.spec.coding is Coding.BINARY and not learns_with_thresholds:
            yield (
                f"{self.spec.rule.value} with {BALANCED}",
                self._stability_balanced(self.local_field_made(interruption), interruption),
            )
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
                local_field = network.local_field_made(interruption)
                yield name, diagnostics.stability(local_field, self.stored.bits, interruption)
                if rule is Rule.PSEUDO_INVERSE and spec.coding is Coding.BINARY:
                    yield f"{name} with {BALANCED}", self._stability_balanced(local_field, interruption)

    def _stability_balanced(self, local_field: LocalField, interruption: Interruption) -> Stability | None:
        """That of the patterns by some weights of 0/1 coding, with half of their row sums as thresholds."""
        balanced = replace(local_field, thresholds=local_field.totals / local_field.divisor / 2)
        return diagnostics.stability(balanced, self.stored.bits, interruption)
