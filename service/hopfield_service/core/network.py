"""What a memory is when it is loaded: a network, immutable, and the fold that makes it from operations.

A *family* is a `Spec`, which holds its parameters and makes its networks, and a `Network`, which folds operations. Families of
one kind hold patterns and recall them (`PatternNetwork`; the classical pairwise network is the first); those of the other hold
a bump of activity and move it (`Attractor`, in attractor.py). Everything above this layer knows these and no family by name; `families.py` lists
the families.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.diagnostics import Diagnosis
from hopfield_service.core.interruption import Interruption, never
from hopfield_service.core.learning import LearningOutcome, StateArray
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.patterns import Bits, Coding, Nearest, Queries, Words, pack, row_bytes, words
from hopfield_service.core.results import RecallResult, RecallResults, TraceStep


@dataclass(frozen=True, slots=True)
class Store:
    """Learn patterns.

    Attributes:
        bits: (count, Spec.row_bytes) uint8, packed patterns.
        labels: one a pattern, each once.
        replace: whether a label that is stored already takes the new pattern. It is then forgotten first, so that the new
            pattern is the youngest. Without it, no label may be stored already.
    """

    bits: Bits
    labels: tuple[str, ...]
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Forget:
    """Unlearn the patterns of some labels, all of them stored, each once."""

    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """Take weights given from outside. Only ever the first operation of a network.

    Attributes:
        arrays: what `Network.arrays` of the network is to give.
    """

    arrays: Mapping[str, StateArray]


@dataclass(frozen=True, slots=True)
class Configure:
    """Take other parameters, and learn the stored patterns anew under them.

    Attributes:
        spec: of the same family, with the same neurons and coding.
    """

    spec: "Spec"


Operation = Store | Forget | Import | Configure


class InvalidParameter(ValueError):
    """A parameter of a spec breaks a rule.

    Attributes:
        parameter: its name.
        rule: the rule it breaks, as what follows "must".
    """

    def __init__(self, parameter: str, rule: str) -> None:
        super().__init__(f"{parameter} {rule}")
        self.parameter = parameter
        self.rule = rule


class NothingToRelearn(Exception):
    """Weights that were given from outside cannot be learnt by a rule."""


@dataclass(frozen=True, eq=False)
class StoredPatterns:
    """Patterns and their labels, oldest first. Immutable.

    Attributes:
        bits: (P, Spec.row_bytes) uint8, packed patterns.
        labels: P labels, each once.
        numbers: (P,) int64, rising: how many patterns had ever been stored when this one was.
        next_number: how many patterns have ever been stored.
    """

    bits: Bits
    labels: tuple[str, ...]
    numbers: NDArray[np.int64]
    next_number: int

    @classmethod
    def none(cls, row_bytes: int) -> Self:
        """No patterns, of so many bytes each."""
        return cls(np.empty((0, row_bytes), np.uint8), (), np.empty(0, np.int64), 0)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where the pattern of each label stands."""
        return {label: position for position, label in enumerate(self.labels)}

    @cached_property
    def label_sizes(self) -> NDArray[np.int64]:
        """(P,) bytes of each label in UTF-8."""
        return np.array([len(label.encode()) for label in self.labels], np.int64)

    @cached_property
    def longest_label(self) -> int:
        """Bytes of the longest label in UTF-8; 0 where nothing is stored."""
        return int(self.label_sizes.max(initial=0))

    def label_bytes(self, count: int) -> int:
        """Bytes in UTF-8 that the labels of so many patterns take, at most."""
        return int(np.sort(self.label_sizes)[len(self) - min(count, len(self)) :].sum())

    @property
    def nbytes(self) -> int:
        """Bytes the patterns take in memory, as bits and as words."""
        word_bytes = -(-self.bits.shape[1] // 8) * 8
        return int(self.bits.nbytes + len(self) * word_bytes)

    @cached_property
    def words(self) -> Words:
        """(P, ceil(N / 64)) uint64, the patterns as kernels compare them."""
        return words(self.bits)

    def with_added(self, bits: Bits, labels: Sequence[str]) -> Self:
        """These and some younger ones."""
        end = self.next_number + len(labels)
        return type(self)(
            np.concatenate([self.bits, bits]),
            (*self.labels, *labels),
            np.concatenate([self.numbers, np.arange(self.next_number, end)]),
            end,
        )

    def without(self, labels: Sequence[str]) -> Self:
        """These but for those of some labels, all of them stored."""
        kept = np.ones(len(self), np.bool_)
        kept[[self.positions[label] for label in labels]] = False
        return type(self)(
            self.bits[kept],
            tuple(label for label, keep in zip(self.labels, kept, strict=True) if keep),
            self.numbers[kept],
            self.next_number,
        )

    def new_labels(self, count: int) -> tuple[str, ...]:
        """Labels for patterns that come without: their numbers, passing over those the caller used as labels.

        Numbers only rise, so that the number of a forgotten pattern does not come back for another; a label can, where the
        caller gave labels that are numbers.
        """
        labels: list[str] = []
        number = self.next_number
        while len(labels) < count:
            if str(number) not in self.positions:
                labels.append(str(number))
            number += 1
        return tuple(labels)


class Network(ABC):
    """A loaded memory. Immutable: an operation gives a new network, and recalls in flight keep the one they began with.

    Attributes:
        spec: the parameters.
        stored: the patterns learnt; none where the family holds none.
    """

    spec: "Spec"
    stored: StoredPatterns

    @property
    @abstractmethod
    def learns(self) -> bool:
        """Whether what it knows follows from parameters and patterns: not where the weights were given from outside."""

    @property
    @abstractmethod
    def outcome(self) -> LearningOutcome | None:
        """How learning ended, where the rule iterates until its goal is met."""

    @property
    def capacity(self) -> float | None:
        """Load P / N up to which random patterns are held by the network as it is; None where no load tells."""
        return self.spec.capacity

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes the network takes in memory once it has recalled."""

    def change_nbytes(self, operation: Operation) -> int:
        """Bytes that it takes, about and at most, to apply an operation and to write a snapshot of what comes of it."""
        added = operation.bits.nbytes if isinstance(operation, Store) else 0
        return 2 * self.nbytes + 8 * added

    @abstractmethod
    def apply(self, operation: Operation, interruption: Interruption) -> "Network":
        """The fold: the network after one more operation, which must fit it (see the operations).

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def cost(self, operation: Operation) -> int:
        """What it cost to apply the operation that led to this network, in passes over the weights."""

    @abstractmethod
    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:
        """What a snapshot must keep beside the stored patterns, by name.

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def given(self) -> dict[str, StateArray]:
        """Of `arrays`, those that cannot be learnt anew from the stored patterns: given from outside. Often none."""

    @abstractmethod
    def prepare(self, interruption: Interruption = never) -> None:
        """Makes what recalls need, for which the first of them would otherwise wait: it may take as long as learning.

        Raises:
            Interrupted: `interruption` said so. It can be prepared again.
        """


class PatternNetwork(Network):
    """A network that stores patterns and recalls them."""

    spec: "PatternSpec"

    @property
    @abstractmethod
    def recall_size(self) -> int:
        """How many numbers recalls read of the weights, or of what stands for them; one from near a stored pattern takes about as many additions."""

    @abstractmethod
    def recall(self, query: Queries, options: RecallOptions, interruption: Interruption) -> RecallResult:
        """Runs the dynamics from a query.

        Args:
            query: one.
            options: how to run it.
            interruption: asked every few milliseconds.

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def recall_batch(
        self, queries: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[RecallResults]:
        """Runs the dynamics from each query, each as `recall` would; query k with the seed plus k (mod 2^64).

        Args:
            queries: any number of them.
            options: how to run them.
            interruption: asked every few milliseconds.

        Yields:
            The answers in order, some at a time.

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def trace(
        self, query: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[TraceStep | RecallResult]:
        """Runs the dynamics from a query, iteration by iteration. Arguments and errors: as `recall`.

        Yields:
            The query, then where each iteration ended; last, what `recall` returns.
        """

    @abstractmethod
    def nearest(self, query: Queries, count: int) -> Nearest:
        """The stored patterns that a query is nearest to, without any dynamics.

        Args:
            query: one; an unknown neuron counts for nothing.
            count: how many at most, at least 1: all of them, where fewer are stored.
        """

    @abstractmethod
    def diagnose(self, interruption: Interruption) -> Diagnosis:
        """How well the network holds its patterns.

        Raises:
            Interrupted: `interruption` said so.
        """


class Weighted(PatternNetwork):
    """A network of one weight for each pair of neurons, which can be looked at."""

    @property
    @abstractmethod
    def thresholds(self) -> NDArray[np.float64]:
        """(N,) float64, in the unit of the local field."""

    @abstractmethod
    def weight_rows(self, rows: int, interruption: Interruption = never) -> Iterator[NDArray[np.float64]]:
        """J (or T) as recall uses it, in blocks of at most `rows` rows, (rows, N) float64.

        Raises:
            Interrupted: `interruption` said so.
        """


class Spec(ABC):
    """The parameters of a memory. Immutable, compared by value.

    Attributes:
        family: the name of the family as it is stored.
        holds_patterns: whether its networks are PatternNetworks. Others are whole before the first operation.
        size_parameter: the name of the parameter that N follows from.
        neurons: N.
        coding: the values a neuron has for the caller.
    """

    family: ClassVar[str]
    holds_patterns: ClassVar[bool]
    size_parameter: ClassVar[str] = "neurons"
    # No abstract properties: a dataclass would take an inherited property for the default value.
    neurons: int
    coding: Coding

    @property
    def row_bytes(self) -> int:
        """Bytes of a pattern as it is stored: a bit a neuron."""
        return row_bytes(self.neurons)

    @property
    @abstractmethod
    def capacity(self) -> float | None:
        """Load P / N up to which random patterns are held, of a network that has none yet; None where no load tells."""

    @abstractmethod
    def advice(self, pattern_count: int, told: float | None) -> str | None:
        """What to tell somebody who stores so many patterns, where that is more than the network's capacity, `told`."""

    @abstractmethod
    def changed(self, changes: Mapping[str, Any]) -> "Spec":
        """The spec with some of its `parameters` changed.

        Raises:
            InvalidParameter: one breaks a rule, or cannot be changed.
            NothingToRelearn: the weights were given from outside, and the change would need patterns.
        """

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """The parameters as JSON values, floats exactly."""

    @classmethod
    @abstractmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "Spec":
        """The spec that gave these `parameters`.

        Raises:
            KeyError, TypeError, ValueError: they are no parameters of this family.
        """

    @abstractmethod
    def empty(self) -> Network:
        """The network before the first operation."""

    @abstractmethod
    def restored(
        self, stored: StoredPatterns, arrays: Mapping[str, NDArray[Any]], interruption: Interruption = never
    ) -> Network:
        """The network whose `stored` and `arrays` had these values.

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def relearnt(
        self, stored: StoredPatterns, given: Mapping[str, NDArray[Any]], interruption: Interruption
    ) -> Network:
        """The network that has learnt these patterns in their order, and whose `given` had these values.

        Bit for bit that of any operations which led to it.

        Raises:
            Interrupted: `interruption` said so.
        """

    @classmethod
    @abstractmethod
    def warming(cls) -> Iterator[Callable[[], None]]:
        """Pieces that together run everything once, on small networks, that is compiled on first use."""


class PatternSpec(Spec):
    """The parameters of a memory that holds patterns."""

    holds_patterns: ClassVar[bool] = True

    def packed(self, states: NDArray[Any]) -> Bits:
        """(count, row_bytes) uint8, of states as recalls give them, (count, N), every neuron known."""
        return pack(states)

    def check_options(self, options: RecallOptions) -> None:
        """Refuses options that mean nothing to the family.

        Raises:
            InvalidParameter: one does.
        """
