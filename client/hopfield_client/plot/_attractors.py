"""Every state of a small memory, and the attractor that it ends in, as the service knows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hopfield_client._memory import Memory
from hopfield_client._types import TieRule

_MATCHES: Final = {"pattern", "inverse", "spurious"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Attractor:
    """Where dynamics end.

    Attributes:
        states: its states: one, or those of a cycle, each followed by what it becomes.
        kind: "pattern", "inverse" or "spurious", as `Recall.match`; "none" where nothing is stored; "cycle".
        label: of the stored pattern nearest to the first of them; None where nothing is stored.
        overlap: with that pattern.
        basin: every state that ends here, its own first, the others by energy.
    """

    states: tuple[int, ...]
    kind: str
    label: str | None
    overlap: float
    basin: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Landscape:
    """Every state of a memory of N neurons.

    Attributes:
        states: (2^N, N) bool.
        energies: energy of each, (2^N,).
        successors: the state that each becomes in one sweep, (2^N,).
        attractors: where they end.
    """

    states: NDArray[np.bool_]
    energies: NDArray[np.float64]
    successors: NDArray[np.int64]
    attractors: list[Attractor]


def survey(memory: Memory, neurons: int, update: Literal["asynchronous", "synchronous"], tie: TieRule) -> Landscape:
    """Asks the service what one sweep makes of every state, and follows the sweeps to their ends."""
    weights = 1 << np.arange(neurons)
    states = (np.arange(1 << neurons)[:, np.newaxis] & weights) > 0
    if update == "asynchronous":
        swept = memory.recall_batch(states, update=update, order="sequential", max_iterations=1, tie=tie)
    else:
        swept = memory.recall_batch(states, update=update, max_iterations=1, tie=tie)
    energies, successors = swept.initial_energies, swept.patterns @ weights
    # 2^N sweeps, which is as long as the longest way to an attractor can be.
    ends = successors
    for _ in range(neurons):
        ends = ends[ends]
    cycles = list(_cycles(np.unique(ends), successors))
    owner = np.empty(len(states), np.int64)
    for k, cycle in enumerate(cycles):
        owner[list(cycle)] = k
    owner = owner[ends]
    transient = np.ones(len(states), bool)
    transient[ends] = False
    # Rounding must not tell apart energies that are equal.
    in_basins = np.lexsort((energies.round(9), transient, owner))
    basins = np.split(in_basins, np.bincount(owner).cumsum()[:-1])
    attractors = []
    for cycle, basin in zip(cycles, basins, strict=True):
        match = str(swept.matches[cycle[0]])
        attractors.append(
            Attractor(
                states=cycle,
                kind="cycle" if len(cycle) > 1 else match if match in _MATCHES else "none",
                label=swept.labels[cycle[0]],
                overlap=float(np.nan_to_num(swept.overlaps[cycle[0]])),
                basin=basin,
            )
        )
    return Landscape(states=states, energies=energies, successors=successors, attractors=attractors)


def _cycles(recurrent: NDArray[np.int64], successors: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """The cycles that states return to for ever; a fixed point is one of a single state."""
    left = set(recurrent.tolist())
    while left:
        cycle = [min(left)]
        while (following := int(successors[cycle[-1]])) != cycle[0]:
            cycle.append(following)
        left -= set(cycle)
        yield tuple(cycle)
