"""Recalls, many of one network at a time: where each is, and how it goes on.

Each has a row in every array of `Courses`, and goes its way as if it were alone.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Indices, Order, Signs, compiled, leaf
from hopfield_service.core.kernels.couplings import Couplings, Kept, begin, coupling_of, is_exact
from hopfield_service.core.kernels.fields import energy
from hopfield_service.core.kernels.overlaps import Words, overlap
from hopfield_service.core.kernels.updates import (
    CONVERGED,
    FLIPS,
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
# Columns of `Courses.numbers`, behind ITERATIONS and FLIPS, and of `Courses.energies`.
STATUS, NEAREST, OVERLAP = 2, 3, 4
# What NEAREST is where the state has changed since it was looked for.
UNMATCHED = -2
PRESENT, INITIAL = 0, 1


class Rules(NamedTuple):
    """How recalls are run.

    Attributes:
        update: ASYNCHRONOUS or SYNCHRONOUS, for the iterations that have no temperature.
        random_order: whether the order of visits is drawn anew each iteration.
        order: (N,) int32, that order otherwise.
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
        before: (count + 1, N) int8, the states one iteration earlier, and room for the next one, for synchronous updates; otherwise
            (count + 1, 0).
        held: (count, N) bool.
        words: (count, W) uint64, the states packed, once the recalls have begun or ended.
        values: (count, K), Kept.values of each.
        rounded: (count, R) int16, Kept.rounded of each.
        room: Kept.room of all.
        generators: (count, 1) uint64.
        numbers: (count, 5) int64: ITERATIONS and FLIPS (see updates.py); STATUS: RUNNING, CONVERGED, CYCLE or LIMIT; NEAREST: which
            stored pattern the state is nearest to, -1 if none is stored; OVERLAP: N times that with it.
        energies: (count, 2) float64: PRESENT and INITIAL.
    """

    states: Signs
    before: Signs
    held: NDArray[np.bool_]
    words: Words
    values: NDArray[Any]
    rounded: NDArray[np.int16]
    room: Floats
    generators: NDArray[np.uint64]
    numbers: Indices
    energies: Floats


@leaf
def pack(state: Signs, words: Words) -> None:
    """Packs a state, neuron i in bit i % 64 of word i // 64: set where it is 1."""
    n = state.shape[0]
    whole = n // 64
    for w in range(whole):
        plus = np.uint64(0)
        for bit in range(64):
            plus |= np.uint64(state[64 * w + bit] > 0) << np.uint64(bit)
        words[w] = plus
    for w in range(whole, words.shape[0]):
        plus = np.uint64(0)
        for i in range(64 * w, n):
            plus |= np.uint64(state[i] > 0) << np.uint64(i - 64 * w)
        words[w] = plus


@leaf
def pack_known(state: Signs, words: Words) -> None:
    """Packs which neurons of a state are known."""
    unknown = 0
    for i in range(state.shape[0]):
        unknown += state[i] == 0
    all_known(state.shape[0], words)
    if unknown > 0:
        for i in range(state.shape[0]):
            if state[i] == 0:
                words[i // 64] &= ~(np.uint64(1) << np.uint64(i % 64))


@leaf
def all_known(neurons: int, words: Words) -> None:
    """Packs that all neurons are known."""
    words[:] = ~np.uint64(0)
    if neurons % 64 != 0:
        words[-1] = (np.uint64(1) << np.uint64(neurons % 64)) - np.uint64(1)


@compiled
def start(couplings: Couplings, rules: Rules, courses: Courses) -> None:
    """Begins every recall at its state."""
    known = np.empty(courses.words.shape[1], np.uint64)
    for k in range(courses.states.shape[0]):
        state = courses.states[k]
        courses.generators[k, 0] += np.uint64(k)
        pack(state, courses.words[k])
        pack_known(state, known)
        if rules.clamp:
            for i in range(state.shape[0]):
                courses.held[k, i] = state[i] != 0
        courses.numbers[k, NEAREST] = UNMATCHED
        courses.energies[k, INITIAL] = measure(couplings, courses, k, known)


@leaf
def measure(couplings: Couplings, courses: Courses, k: int, known: Words) -> float:
    """Writes what is kept of a packed state anew and returns its energy: they depend on the state alone, and not on the way to it."""
    state, kept = courses.states[k], Kept(courses.values[k], courses.rounded[k], courses.room)
    begin(couplings, state, courses.words[k], known, kept)
    return energy_of(couplings, state, kept)


@leaf
def energy_of(couplings: Couplings, state: Signs, kept: Kept) -> float:
    """The energy of a state of which is kept what depends on it alone."""
    return energy(coupling_of(couplings, kept, state), couplings.thresholds, state, couplings.coding)


@compiled
def measure_all(couplings: Couplings, courses: Courses) -> None:
    """`measure` of every recall, whose states may still have unknown neurons."""
    known = np.empty(courses.words.shape[1], np.uint64)
    for k in range(courses.states.shape[0]):
        pack(courses.states[k], courses.words[k])
        pack_known(courses.states[k], known)
        courses.energies[k, PRESENT] = measure(couplings, courses, k, known)


@leaf
def match(stored: Stored, courses: Courses, k: int, known: Words) -> None:
    """Packs a state and finds the stored pattern it is nearest to by the size of the overlap, the oldest of equals."""
    pack(courses.states[k], courses.words[k])
    nearest, largest = -1, 0
    for mu in range(stored.words.shape[0]):
        m = overlap(stored.words[mu], courses.words[k], known, courses.states.shape[1])
        if nearest < 0 or abs(m) > abs(largest):
            nearest, largest = mu, m
    courses.numbers[k, NEAREST] = nearest
    courses.numbers[k, OVERLAP] = largest


@leaf
def is_settled(
    couplings: Couplings, rules: Rules, stored: Stored, courses: Courses, k: int, kept: Kept, known: Words
) -> bool:
    """Whether a sweep, in whichever order, would leave a state as it is; for a stored pattern, that is found out once."""
    if courses.numbers[k, ITERATIONS] == rules.heated:
        # The query is no stored pattern, as a rule.
        return rests(couplings, kept, rules.tie, courses.held[k], courses.states[k], courses.generators[k])
    match(stored, courses, k, known)
    is_stored = stored.words.shape[0] > 0 and abs(courses.numbers[k, OVERLAP]) == courses.states.shape[1]
    column = 2 * rules.tie + (courses.numbers[k, OVERLAP] < 0)
    if is_stored and stored.rests[courses.numbers[k, NEAREST], column]:
        return True
    settled = rests(couplings, kept, rules.tie, courses.held[k], courses.states[k], courses.generators[k])
    if settled and is_stored and not rules.clamp:
        stored.rests[courses.numbers[k, NEAREST], column] = True
    return settled


@compiled
def advance(couplings: Couplings, rules: Rules, stored: Stored, courses: Courses, sweeps: int) -> int:
    """Goes on with every recall that has not ended, one after the other, for so many iterations altogether at most.

    Calls of any lengths continue one another with identical results. Returns how many iterations are left.
    """
    known = np.empty(courses.words.shape[1], np.uint64)
    all_known(courses.states.shape[1], known)
    order = np.empty(courses.states.shape[1], np.int32) if rules.random_order else rules.order
    for k in range(courses.states.shape[0]):
        state, kept, held = (
            courses.states[k],
            Kept(courses.values[k], courses.rounded[k], courses.room),
            courses.held[k],
        )
        generator, counters = courses.generators[k], courses.numbers[k]
        while counters[STATUS] == RUNNING and sweeps > 0:
            sweeps -= 1
            done = counters[ITERATIONS]
            if done < rules.heated:
                counters[NEAREST] = UNMATCHED
                gain = rules.gains[min(done, rules.gains.shape[0] - 1)]
                glauber(couplings, kept, gain, held, state, generator, counters)
                if counters[ITERATIONS] == rules.limit:
                    heat_unknown(couplings, kept, gain, state, generator, counters)
            elif rules.update == SYNCHRONOUS:
                counters[NEAREST] = UNMATCHED
                before = courses.before[k]
                counters[STATUS] = synchronous(
                    couplings, kept, rules.tie, held, state, before, courses.before[-1], generator, counters
                )
            elif is_settled(couplings, rules, stored, courses, k, kept, known):
                # It needs no order, and nothing after it draws from the generator.
                counters[ITERATIONS] += 1
                counters[STATUS] = CONVERGED
            else:
                counters[NEAREST] = UNMATCHED
                asynchronous(couplings, kept, rules.tie, rules.random_order, held, state, order, generator, counters)
            if counters[STATUS] == RUNNING and counters[ITERATIONS] == rules.limit:
                counters[STATUS] = LIMIT
    return sweeps


@compiled
def finish(couplings: Couplings, stored: Stored, courses: Courses) -> None:
    """Says of every recall what its state is: energy, and nearest stored pattern."""
    known = np.empty(courses.words.shape[1], np.uint64)
    all_known(courses.states.shape[1], known)
    for k in range(courses.states.shape[0]):
        if courses.numbers[k, NEAREST] == UNMATCHED:
            match(stored, courses, k, known)
        kept = Kept(courses.values[k], courses.rounded[k], courses.room)
        if is_exact(couplings):
            courses.energies[k, PRESENT] = energy_of(couplings, courses.states[k], kept)
        else:
            courses.energies[k, PRESENT] = measure(couplings, courses, k, known)


@compiled
def run(
    couplings: Couplings,
    rules: Rules,
    stored: Stored,
    query: Signs,
    seed: np.uint64,
    value: NDArray[Any],
    sizes: tuple[int, int, int],
    sweeps: int,
) -> tuple[int, Signs, float, float, int, int, int, int, int]:
    """Runs one recall that ends within so many iterations, as whoever called would with `start`, `advance` and `finish`.

    A recall of a thousand neurons takes no longer than what it would take to make its arrays outside and hand them in.

    Args:
        couplings: of the network.
        rules: how to run it.
        stored: the patterns.
        query: (N,) int8.
        seed: of its generator.
        value: (0,) of the dtype that Courses.values have.
        sizes: lengths of a row of Courses.values and rounded, and of room.
        sweeps: how many iterations at most.

    Returns:
        Iterations left: where there are none, it has not ended, and nothing else means anything; state, energy, energy of
        the query; and the columns of Courses.numbers.
    """
    n = query.shape[0]
    courses = Courses(
        np.empty((1, n), np.int8),
        np.zeros((2, n if rules.update == SYNCHRONOUS else 0), np.int8),
        np.zeros((1, n), np.bool_),
        np.empty((1, (n + 63) // 64), np.uint64),
        np.empty((1, sizes[0]), value.dtype),
        np.empty((1, sizes[1]), np.int16),
        np.empty(sizes[2], np.float64),
        np.full((1, 1), seed, np.uint64),
        np.zeros((1, 5), np.int64),
        np.empty((1, 2), np.float64),
    )
    courses.states[0, :] = query
    start(couplings, rules, courses)
    left = advance(couplings, rules, stored, courses, sweeps)
    if left > 0:
        finish(couplings, stored, courses)
    numbers, energies = courses.numbers[0], courses.energies[0]
    return (
        left,
        courses.states[0],
        energies[PRESENT],
        energies[INITIAL],
        numbers[ITERATIONS],
        numbers[FLIPS],
        numbers[STATUS],
        numbers[NEAREST],
        numbers[OVERLAP],
    )
