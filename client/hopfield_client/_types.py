"""The words of callers, and what calls say of servers and memories."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hopfield_client._html import table
from hopfield_client._json import JsonReady
from hopfield_client._models import AttractorModel, Model

LearningRule: TypeAlias = Literal["hebbian", "storkey", "storkey_second_order", "pseudo_inverse", "perceptron"]
"""How stored patterns become weights."""

Normalization: TypeAlias = Literal["neurons", "patterns", "none"]
"""What Hebb's sums of outer products are divided by: N, P, or nothing."""

Coding: TypeAlias = Literal["bipolar", "binary", "real"]
"""The values a neuron has: -1 and 1, or 0 and 1, or, in memories of Modern alone, real numbers."""

UpdateRule: TypeAlias = Literal["asynchronous", "synchronous", "glauber"]
"""Which neurons are updated when."""

TieRule: TypeAlias = Literal["keep", "plus", "minus"]
"""What a neuron does when its local field is zero."""

StopReason: TypeAlias = Literal["converged", "cycle", "iteration_limit", "unknown"]
"""Why a recall ended. "unknown" is a reason that only a later client knows."""

Match: TypeAlias = Literal["pattern", "inverse", "spurious", "none", "unknown"]
"""What the answer of a recall is, exactly: the stored pattern of its label, the inverse of it, or neither ("spurious", be it
settled or not, be it wrong in one neuron or in many); "none" where nothing is stored. "unknown" is a word that only a later
client knows."""

PatternArray: TypeAlias = NDArray[np.int8 | np.bool_ | np.float32]
"""Patterns: int8 of -1 and 1 (of 0 and 1 in memories of binary coding), or bool where True is 1; float32 of real numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningOutcome(JsonReady):
    """How learning ended, for a rule that sweeps over the patterns until its goal is met.

    Attributes:
        converged: whether the goal was met: under the perceptron rule, whether every neuron of every pattern exceeds the margin.
        sweeps: sweeps over all patterns that were run, the quiet last one included.
    """

    converged: bool
    sweeps: int


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class MemoryInfo(JsonReady):
    """A memory as it was when the server described it.

    Attributes:
        name: the name its maker chose.
        uid: made by the server: a memory deleted and made anew under the same name has another one.
        neurons: number of neurons N.
        family: which kind of network it is: "pairwise" (the classical one, with a weight for each pair of neurons), "dense", "modern", "ring" or
            "sheet". "unknown", here and in the words below, is one that only a later client knows.
        model: its kind, such as Dense(degree=3); None for the classical one. Some of what follows only that one has, and is None, or False, with
            others.
        rule: its learning rule, a LearningRule, or "imported" where the weights came from outside. None with a model.
        normalization: what Hebb's sums are divided by, a Normalization; None under other rules.
        self_coupling: whether the rule's diagonal is kept.
        coding: the values a neuron has, a Coding.
        kappa: margin of the perceptron rule, in the unit of the local field; None under other rules.
        max_sweeps: sweeps after which the perceptron rule gives up; None under other rules.
        learning: how learning ended; None for rules that do not iterate.
        pattern_count: number of stored patterns P.
        load: P / N.
        capacity: load up to which the memory as it is holds random patterns: 0.138 for Hebb's rule;
            0.069 in 0/1 coding without thresholds, and 0.138 again with thresholds of half the row
            sums of the weights; of an exponential dense memory a lower bound. None where the
            weights were imported, or no patterns are stored.
        revision: how many commits (stores, forgets, updates, imports) it has seen.
        created: when it was made, by the server's clock, in UTC.
        updated: when the last commit was made, by the server's clock, in UTC.
        thresholds: threshold of each neuron, (N,), in the unit of the local field; None when all are zero.
    """

    name: str
    uid: str
    neurons: int
    family: str
    model: Model | None
    rule: str | None
    normalization: str | None
    self_coupling: bool
    coding: str | None
    kappa: float | None
    max_sweeps: int | None
    learning: LearningOutcome | None
    pattern_count: int
    load: float
    capacity: float | None
    revision: int
    created: datetime
    updated: datetime
    thresholds: NDArray[np.float64] | None = field(repr=False, compare=False)

    def _shown(self) -> Iterator[tuple[str, Any]]:
        """The fields that this kind of memory has, but for large ones."""
        not_had = set()
        if self.model is not None:
            not_had |= {"self_coupling"}
        if isinstance(self.model, AttractorModel):
            not_had |= {"pattern_count", "load"}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.repr and value is not None and each.name not in not_had:
                yield each.name, value

    def __repr__(self) -> str:
        shown = (
            f"{name}={f'{value:.6g}' if isinstance(value, float) else repr(value)}" for name, value in self._shown()
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return table(f"{type(self).__name__} {self.name!r}", self._shown())


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Stored(MemoryInfo):
    """The memory right after patterns were stored, and the labels they were stored under.

    Attributes:
        labels: label of each pattern, in the order of the patterns: the ones given, or those the server chose.
    """

    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerInfo(JsonReady):
    """What a server is and what it accepts at most.

    Attributes:
        version: version of the server's distribution.
        max_neurons: neurons of a memory.
        max_patterns: patterns stored in one memory at a time.
        max_iterations: largest `max_iterations` of a recall.
        max_message_bytes: bytes of one message.
        learning_rules: the learning rules it knows.
        update_rules: the update rules it knows.
    """

    version: str
    max_neurons: int
    max_patterns: int
    max_iterations: int
    max_message_bytes: int
    learning_rules: tuple[str, ...]
    update_rules: tuple[str, ...]
