"""Recalls, many of one network at a time: where each is, and how it goes on.

Each has a row in every array of `Courses`, and goes its way as if it were alone.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Indices, Order, Signs, compiled
from hopfield_service.core.kernels.couplings import Couplings, Kept, begin, coupling_of
from hopfield_service.core.kernels.fields import energy
from hopfield_service.core.kernels.overlaps import Words, bits_set, overlap
from hopfield_service.core.kernels.updates import (
    CONVERGED,
    ITERATIONS,
    RUNNING,
    asynchronous,
    glauber,
    heat_unknown,
    rests,
    synchronous,
)

ASYNCHRONOUS, SYNCHRONOUS = 0, 1
# Why a recall ended, beside CONVERGED and CYCLE of updates.py.
LIMIT = 3
# Columns of `Courses.energies`.
PRESENT, INITIAL = 0, 1


class Rules(NamedTuple):
    """How recalls are run.

    Attributes:
        update: ASYNCHRONOUS or SYNCHRONOUS, for the iterations that have no temperature.
        random_order: whether the order of visits is drawn anew each iteration.
        order: (N,) int32, that order otherwise; room for one that is drawn.
        tie: see decide.
        clamp: whether the known neurons of the query are held fixed.
        gains: what the field is multiplied by in the exponent, of each iteration that has a temperature, or of all of them.
        heated: how many iterations have a temperature.
        limit: how many iterations there are at most.
    """

    update: int
    random_order: bool
    order: Order
    tie: int
    clamp: bool
    gains: Floats
    heated: int
    limit: int


class Stored(NamedTuple):
    """The patterns of a network.

    Attributes:
        words: (P, W) uint64, packed.
        rests: (P, 6) bool, whether a pattern, and its inverse, is known to be a fixed point under each tie rule. It is found out by
            recalls, and changes no answer.
    """

    words: Words
    rests: NDArray[np.bool_]


class Courses(NamedTuple):
    """Where some recalls are.

    Attributes:
        states: (count, N) int8.
        before: (count, N) int8, the states one iteration earlier, for synchronous updates; otherwise (count, 0).
        held: (count, N) bool.
        words: (count, W) uint64, the states packed, once the recalls have begun or ended.
        values: (count, K), Kept.values of each.
        rounded: (count, R) int16, Kept.rounded of each.
        generators: (count, 1) uint64.
        counters: (count, 2) int64, see updates.py.
        status: (count,) int8, RUNNING, CONVERGED, CYCLE or LIMIT.
        energies: (count, 2) float64.
        nearest: (count,) int64, which stored pattern a state is nearest to; -1 if none is stored.
        overlaps: (count,) int64, N times the overlap with it.
    """

    states: Signs
    before: Signs
    held: NDArray[np.bool_]
    words: Words
    values: NDArray[Any]
    rounded: NDArray[np.int16]
    generators: NDArray[np.uint64]
    counters: Indices
    status: Signs
    energies: Floats
    nearest: Indices
    overlaps: Indices


@compiled
def pack(state: Signs, words: Words, known: Words) -> None:
    """Packs a state, neuron i in bit i % 64 of word i // 64, and which of its neurons are known."""
    n = state.shape[0]
    for w in range(words.shape[0]):
        plus, some = np.uint64(0), np.uint64(0)
        start = 64 * w
        for i in range(start, min(start + 64, n)):
            bit = np.uint64(i - start)
            plus |= np.uint64(state[i] > 0) << bit
            some |= np.uint64(state[i] != 0) << bit
        words[w] = plus
        known[w] = some


@compiled
def start(couplings: Couplings, rules: Rules, courses: Courses) -> None:
    """Begins every recall at its state."""
    known = np.empty(courses.words.shape[1], np.uint64)
    for k in range(courses.states.shape[0]):
        state = courses.states[k]
        pack(state, courses.words[k], known)
        if rules.clamp:
            for i in range(state.shape[0]):
                courses.held[k, i] = state[i] != 0
        measure(couplings, courses, k, known)
        courses.energies[k, INITIAL] = courses.energies[k, PRESENT]


@compiled
def measure(couplings: Couplings, courses: Courses, k: int, known: Words) -> None:
    """Writes what is kept of a packed state, and its energy, anew: they depend on the state alone, and not on the way to it."""
    state, kept = courses.states[k], Kept(courses.values[k], courses.rounded[k])
    begin(couplings, state, courses.words[k], known, kept)
    coupling = coupling_of(couplings, kept, state)
    courses.energies[k, PRESENT] = energy(coupling, couplings.scale, couplings.thresholds, state, couplings.coding)


@compiled
def measure_all(couplings: Couplings, courses: Courses) -> None:
    """`measure` of every recall, whose states may still have unknown neurons."""
    known = np.empty(courses.words.shape[1], np.uint64)
    for k in range(courses.states.shape[0]):
        pack(courses.states[k], courses.words[k], known)
        measure(couplings, courses, k, known)


@compiled
def match(stored: Stored, courses: Courses, k: int, known: Words) -> None:
    """Finds the stored pattern that a packed state is nearest to by the size of the overlap, the oldest of equals."""
    known_count = bits_set(known)
    nearest, largest = -1, 0
    for mu in range(stored.words.shape[0]):
        m = overlap(stored.words[mu], courses.words[k], known, known_count)
        if nearest < 0 or abs(m) > abs(largest):
            nearest, largest = mu, m
    courses.nearest[k] = nearest
    courses.overlaps[k] = largest


@compiled
def advance(couplings: Couplings, rules: Rules, stored: Stored, courses: Courses, sweeps: int) -> int:
    """Goes on with every recall that has not ended, one after the other, for so many iterations altogether at most.

    Calls of any lengths continue one another with identical results. Returns how many iterations are left.
    """
    n = courses.states.shape[1]
    known = np.empty(courses.words.shape[1], np.uint64)
    for k in range(courses.states.shape[0]):
        state, kept, held = courses.states[k], Kept(courses.values[k], courses.rounded[k]), courses.held[k]
        generator, counters = courses.generators[k], courses.counters[k]
        while courses.status[k] == RUNNING and sweeps > 0:
            sweeps -= 1
            done = counters[ITERATIONS]
            if done < rules.heated:
                gain = rules.gains[min(done, rules.gains.shape[0] - 1)]
                glauber(couplings, kept, gain, held, state, generator, counters)
                if counters[ITERATIONS] == rules.limit:
                    heat_unknown(couplings, kept, gain, state, generator, counters)
            elif rules.update == SYNCHRONOUS:
                courses.status[k] = synchronous(
                    couplings, kept, rules.tie, held, state, courses.before[k], generator, counters
                )
            else:
                # A sweep that would change nothing needs no order, and nothing after it draws from the generator.
                known_to_rest = False
                column = 0
                if done > rules.heated and stored.words.shape[0] > 0:
                    pack(state, courses.words[k], known)
                    match(stored, courses, k, known)
                    if abs(courses.overlaps[k]) == n:
                        column = 1 + 2 * rules.tie + (courses.overlaps[k] < 0)
                        known_to_rest = stored.rests[courses.nearest[k], column - 1]
                if known_to_rest or rests(couplings, kept, rules.tie, held, state, generator):
                    if column > 0 and not rules.clamp:
                        stored.rests[courses.nearest[k], column - 1] = True
                    counters[ITERATIONS] += 1
                    courses.status[k] = CONVERGED
                else:
                    asynchronous(
                        couplings, kept, rules.tie, rules.random_order, held, state, rules.order, generator, counters
                    )
            if courses.status[k] == RUNNING and counters[ITERATIONS] == rules.limit:
                courses.status[k] = LIMIT
    return sweeps


@compiled
def finish(couplings: Couplings, stored: Stored, courses: Courses) -> None:
    """Says of every recall what its state is: energy, and nearest stored pattern."""
    known = np.empty(courses.words.shape[1], np.uint64)
    for k in range(courses.states.shape[0]):
        pack(courses.states[k], courses.words[k], known)
        match(stored, courses, k, known)
        measure(couplings, courses, k, known)


@compiled
def run(couplings: Couplings, rules: Rules, stored: Stored, courses: Courses, sweeps: int) -> int:
    """Begins every recall, and finishes all of them where they end within so many iterations; otherwise they go on in `advance`."""
    start(couplings, rules, courses)
    left = advance(couplings, rules, stored, courses, sweeps)
    if left > 0:
        finish(couplings, stored, courses)
    return left
