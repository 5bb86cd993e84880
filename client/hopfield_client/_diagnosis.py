"""How well a memory holds what is stored in it, for programs and for people."""

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from hopfield_client._html import table
from hopfield_client._json import JsonReady
from hopfield_client._types import LearningOutcome

_COLUMNS = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightStatistics(JsonReady):
    """The weights of a memory, in numbers; without the diagonal, where the name does not say otherwise.

    Attributes:
        min: smallest weight.
        max: largest weight.
        mean: mean of the weights.
        standard_deviation: their standard deviation.
        mean_diagonal: mean of the diagonal.
        asymmetry: largest |J_ij - J_ji|.
    """

    min: float
    max: float
    mean: float
    standard_deviation: float
    mean_diagonal: float
    asymmetry: float

    @property
    def symmetric(self) -> bool:
        """Whether the weights are symmetric, as everything that a rule has learnt is."""
        return self.asymmetry == 0


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Diagnosis(JsonReady):
    """How well a memory holds what is stored in it. `print` shows it as a table.

    Attributes:
        pattern_count: number of stored patterns P.
        load: P / N.
        capacity: load up to which the memory as it is holds random patterns, as
            `MemoryInfo.capacity`; None where the weights were imported.
        stable_count: how many stored patterns are fixed points.
        smallest_margin: smallest stability xi_i h_i of any neuron in any stored pattern, in the unit of the local field (where there are no
            weights: half of what the energy would rise by if the neuron flipped); positive when every pattern is held by its fields, zero when some only by the tie rule. None when nothing is stored.
        mean_margin: mean stability over all neurons of all stored patterns. None when nothing is stored.
        crosstalk: root mean square of the noise that the other patterns make in the field of a neuron under Hebb's rule: about
            sqrt(load) for random patterns, more for correlated ones. None with less than two patterns.
        mean_overlap: mean |overlap| between two stored patterns: about sqrt(2 / (pi N)) for random ones. None with less than two
            patterns.
        weights: the weights, in numbers; None where the memory has none.
        learning: how learning ended; None for rules that do not iterate.
        verdict: all that in a few words.
        revision: revision of the memory that was read.
        uid: uid of that memory.
    """

    pattern_count: int
    load: float
    capacity: float | None
    stable_count: int
    smallest_margin: float | None
    mean_margin: float | None
    crosstalk: float | None
    mean_overlap: float | None
    weights: WeightStatistics | None
    learning: LearningOutcome | None
    verdict: str
    revision: int
    uid: str

    @property
    def stable_share(self) -> float | None:
        """Share of the stored patterns that are fixed points, 0 to 1; None when nothing is stored."""
        return self.stable_count / self.pattern_count if self.pattern_count else None

    def __repr__(self) -> str:
        return (
            f"Diagnosis({self.stable_count} of {self.pattern_count} patterns stable, load={self.load:.4g}, "
            f"capacity={'None' if self.capacity is None else f'{self.capacity:.4g}'}, revision={self.revision})"
        )

    def __str__(self) -> str:
        lines = [f"{name:<16}{_aligned(value)}  {remark}".rstrip() for name, value, remark in self._rows()]
        return "\n".join(
            [f"Diagnosis at revision {self.revision}", "", *lines, "", textwrap.fill(self.verdict, _COLUMNS)]
        )

    def _repr_html_(self) -> str:
        """What notebooks show."""
        rows = (
            (name, f"{_aligned(value).strip()}{f' ({remark})' if remark else ''}")
            for name, value, remark in self._rows()
        )
        return table(f"Diagnosis at revision {self.revision}", rows, below=f"<p>{escape(self.verdict)}</p>")

    def _rows(self) -> Iterator[tuple[str, float, str]]:
        """Names, values and what to read them beside."""
        yield from self._stored_rows()
        if self.weights is not None:
            yield from _weight_rows(self.weights)
        if self.learning is not None:
            yield "sweeps", self.learning.sweeps, "converged" if self.learning.converged else "not converged"

    def _stored_rows(self) -> Iterator[tuple[str, float, str]]:
        yield "patterns", self.pattern_count, ""
        yield "load", self.load, "" if self.capacity is None else f"capacity {_aligned(self.capacity).strip()}"
        if self.pattern_count:
            yield "stable", self.stable_count, f"of {self.pattern_count}"
        if self.smallest_margin is not None:
            yield "smallest margin", self.smallest_margin, ""
        if self.mean_margin is not None:
            yield "mean margin", self.mean_margin, ""
        if self.crosstalk is not None:
            yield "crosstalk", self.crosstalk, f"{math.sqrt(self.load):.3f} for random patterns"
        if self.mean_overlap is not None:
            neurons = self.pattern_count / self.load
            yield "mean overlap", self.mean_overlap, f"{math.sqrt(2 / (math.pi * neurons)):.3f} for random patterns"


def _weight_rows(weights: WeightStatistics) -> Iterator[tuple[str, float, str]]:
    yield "smallest weight", weights.min, ""
    yield "largest weight", weights.max, ""
    yield "mean weight", weights.mean, f"standard deviation {_aligned(weights.standard_deviation).strip()}"
    yield "mean diagonal", weights.mean_diagonal, ""
    yield "asymmetry", weights.asymmetry, "symmetric" if weights.symmetric else "not symmetric"


def _aligned(value: float) -> str:
    """A number in twelve columns, its decimal point always in the same."""
    if isinstance(value, int):
        return f"{value:>8}    "
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:>12.3f}"
    return f"{value:>12.2e}"
