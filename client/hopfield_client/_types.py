"""What the calls return."""

import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

LearningRule: TypeAlias = Literal["hebbian", "pseudo_inverse"]
"""How stored patterns become weights."""

UpdateRule: TypeAlias = Literal["asynchronous", "synchronous"]
"""Which neurons are updated when."""

TieRule: TypeAlias = Literal["keep", "plus", "minus"]
"""What a neuron does when its local field is zero."""

StopReason: TypeAlias = Literal["converged", "cycle", "iteration_limit", "unknown"]
"""Why a recall ended. "unknown" is a reason that only a later client knows."""

Match: TypeAlias = Literal["pattern", "inverse", "spurious", "none", "unknown"]
"""What the answer of a recall is: the stored pattern of its label, the inverse of it, something that was never stored, or
"none" where nothing is stored. "unknown" is a word that only a later client knows."""

PatternArray: TypeAlias = NDArray[np.int8 | np.bool_]
"""Patterns: int8 of -1 and 1, or bool where True is +1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryInfo:
    """A memory as it was when the server described it."""

    name: str
    """The name its maker chose."""
    uid: str
    """Made by the server: a memory deleted and made anew under the same name has another one."""
    neurons: int
    """Number of neurons N."""
    rule: str
    """Its learning rule: "hebbian", "pseudo_inverse", or "imported" where the weights came from outside; "unknown" for one
    that only a later client knows."""
    pattern_count: int
    """Number of stored patterns P."""
    load: float
    """P / N. Hebb's rule holds random patterns up to about 0.14."""
    revision: int
    """How many commits (stores, forgets, imports) it has seen."""
    created: datetime
    """When it was made, by the server's clock, in UTC."""
    updated: datetime
    """When the last commit was made, by the server's clock, in UTC."""
    thresholds: NDArray[np.float64] | None = field(repr=False, compare=False)
    """Threshold of each neuron, (N,), in the unit of the local field; None when none were given: all are zero."""


class StoredPattern(NamedTuple):
    """A stored pattern and its label; `dict(memory.patterns())` maps labels to patterns."""

    label: str
    """The label it was stored under."""
    pattern: NDArray[np.int8]
    """The pattern, -1 and 1, in the shape of the handle."""

    def __repr__(self) -> str:
        return f"StoredPattern({self.label!r}, {_outline(self.pattern)})"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Recall:
    """Where the dynamics ended that began at a query."""

    pattern: PatternArray
    """The state in which they ended, in the shape of the query: bool when the query was bool, else int8 of -1 and 1."""
    energy: float
    """Energy of that state, E = -1/2 s'Js + U's."""
    initial_energy: float
    """Energy of the query; an unknown neuron counts as 0."""
    iterations: int
    """Sweeps over all neurons, the quiet one that proves convergence included."""
    flips: int
    """How often a neuron changed between -1 and 1."""
    stop_reason: StopReason
    """Why it ended: "converged", "cycle" or "iteration_limit"."""
    label: str | None
    """Label of the stored pattern with the largest |overlap|; None when nothing is stored."""
    overlap: float | None
    """Overlap with that pattern, -1 to 1; None when nothing is stored."""
    match: Match
    """What the answer is: "pattern", "inverse", "spurious" or "none"."""
    seed: int
    """The seed used: the same call with `seed=` this gives the same answer."""
    revision: int
    """Revision of the memory the answer was computed at."""
    uid: str
    """Uid of that memory."""

    @property
    def converged(self) -> bool:
        """Whether a whole iteration changed nothing: the pattern is a fixed point."""
        return self.stop_reason == "converged"

    def __repr__(self) -> str:
        overlap = "None" if self.overlap is None else f"{self.overlap:.4g}"
        return (
            f"Recall(label={self.label!r}, match={self.match!r}, overlap={overlap}, stop_reason={self.stop_reason!r}, "
            f"iterations={self.iterations}, flips={self.flips}, energy={self.energy:.6g} from {self.initial_energy:.6g}, "
            f"pattern={_outline(self.pattern)})"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class RecallBatch:
    """The answers to many queries, a column a field; entry k of each belongs to query k.

    `len(batch)`, `batch[k]` and iteration give single Recalls. Columns are arrays, so that they select from one another:
    `batch.patterns[batch.matches == "pattern"]`.
    """

    patterns: PatternArray
    """The states, in the shape of the queries: bool when the queries were bool, else int8 of -1 and 1."""
    energies: NDArray[np.float64]
    """Energy of each."""
    initial_energies: NDArray[np.float64]
    """Energy of each query."""
    iterations: NDArray[np.uint32]
    """Iterations of each."""
    flips: NDArray[np.uint64]
    """Flips of each."""
    stop_reasons: NDArray[np.str_]
    """Why each ended, as StopReason."""
    labels: NDArray[np.object_]
    """Label of the nearest stored pattern of each, str; None when nothing is stored."""
    overlaps: NDArray[np.float64]
    """Overlap with that pattern; NaN when nothing is stored."""
    matches: NDArray[np.str_]
    """What each answer is, as Match."""
    seeds: NDArray[np.uint64]
    """The seed of each: `memory.recall(queries[k], seed=batch.seeds[k])` gives the same answer."""
    revision: int
    """Revision of the memory the answers were computed at."""
    uid: str
    """Uid of that memory."""

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each ended in a fixed point."""
        return np.equal(self.stop_reasons, "converged")

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, index: SupportsIndex) -> Recall:
        index = operator.index(index)  # columns can be sliced, answers cannot
        label = self.labels[index]
        # Plain Python values, as memory.recall gives them.
        return Recall(
            pattern=self.patterns[index],
            energy=self.energies[index].item(),
            initial_energy=self.initial_energies[index].item(),
            iterations=self.iterations[index].item(),
            flips=self.flips[index].item(),
            stop_reason=self.stop_reasons[index].item(),
            label=label,
            overlap=None if label is None else self.overlaps[index].item(),
            match=self.matches[index].item(),
            seed=self.seeds[index].item(),
            revision=self.revision,
            uid=self.uid,
        )

    def __iter__(self) -> Iterator[Recall]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        matches = ", ".join(f"{count} {match}" for match, count in Counter(self.matches.tolist()).most_common())
        return (
            f"RecallBatch({len(self)} answers: {matches}; {np.count_nonzero(self.converged)} converged, "
            f"patterns={_outline(self.patterns)})"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerInfo:
    """What a server is and what it accepts at most."""

    version: str
    """Version of the server's distribution."""
    max_neurons: int
    """Neurons of a memory."""
    max_patterns: int
    """Patterns stored in one memory at a time."""
    max_iterations: int
    """Largest `max_iterations` of a recall."""
    max_message_bytes: int
    """Bytes of one message."""
    learning_rules: tuple[str, ...]
    """The learning rules it knows."""
    update_rules: tuple[str, ...]
    """The update rules it knows."""


def _outline(array: NDArray[Any]) -> str:
    """Type and shape in place of the values, which may be thousands."""
    return f"{array.dtype}{list(array.shape)}"
