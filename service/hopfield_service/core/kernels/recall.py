"""Recalls of one network, one after the other: where the present one is, how it goes on, and what is found.

Each goes its way as if it were alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Bits, Floats, Indices, Order, Signs, leaf, merged, uncounted
from hopfield_service.core.kernels.couplings import (
    Couplings,
    Kept,
    begin,
    coupling_of,
    is_exact,
    keeps_pattern_overlaps,
    pattern_overlap,
)
from hopfield_service.core.kernels.fields import energy
from hopfield_service.core.kernels.overlaps import Words, overlap
from hopfield_service.core.kernels.updates import (
    CONVERGED,
    ITERATIONS,
    NEW,
    RUNNING,
    asynchronous,
    glauber,
    heat_unknown,
    rests,
    synchronous,
)

ASYNCHRONOUS, SYNCHRONOUS = 0, 1
# Why a recall ended, beside CONVERGED and CYCLE of updates.py.
LIMIT = 4
# Columns of `Answers.numbers`, behind ITERATIONS and FLIPS, and of `Answers.energies`.
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


class Queries(NamedTuple):
    """The states that recalls begin from.

    Attributes:
        bits: (count, ceil(N / 8)) uint8, packed.
        known: (count, ceil(N / 8)) uint8, packed, which neurons are known; (0, any) for all.
    """

    bits: Bits
    known: Bits


class Stored(NamedTuple):
    """The patterns of a network.

    Attributes:
        words: (P, W) uint64, packed.
        rests: (P, 6) bool, whether a pattern, and its inverse, is known to be a fixed point under each tie rule. It is found out by
            recalls, and changes no answer.
    """

    words: Words
    rests: NDArray[np.bool_]


class Course(NamedTuple):
    """The recall that is under way.

    Attributes:
        state: (N,) int8.
        before: (2, N) int8, the state one iteration earlier, and room for the next one, for synchronous updates.
        held: (N,) bool, which neurons are held fixed.
        order: (2, N) int32, room for the order of visits, and for what it is made of.
        words: (2, W) uint64, room for the state packed, and for which neurons of it are known.
        kept: what is known of the state.
        generator: (1,) uint64.
    """

    state: Signs
    before: Signs
    held: NDArray[np.bool_]
    order: Order
    words: Words
    kept: Kept
    generator: NDArray[np.uint64]


class Answers(NamedTuple):
    """What some recalls found.

    Attributes:
        words: (count, W) uint64, the states packed.
        numbers: (count, 5) int64: ITERATIONS and FLIPS (see updates.py); STATUS: NEW, RUNNING, CONVERGED, CYCLE or LIMIT; NEAREST: which
            stored pattern the state is nearest to, -1 if none is stored; OVERLAP: N times that with it. All are 0 at first.
        energies: (count, 2) float64: PRESENT and INITIAL.
    """

    words: Words
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
def unpack(bits: Bits, words: Words, state: Signs) -> None:
    """Unpacks a state that is all known, 8 neurons a byte, to signs and to words, 64 neurons each."""
    n, whole = state.shape[0], state.shape[0] // 8
    words[:] = np.uint64(0)
    for b in range(bits.shape[0]):
        words[b // 8] |= np.uint64(bits[b]) << np.uint64(8 * (b % 8))
    for b in range(whole):
        for i in range(8):
            state[8 * b + i] = 2 * np.int8(bits[b] >> i & 1) - 1
    for i in range(8 * whole, n):
        state[i] = 2 * np.int8(bits[whole] >> (i - 8 * whole) & 1) - 1


@leaf
def forget_unknown(known: Bits, words: Words, state: Signs) -> None:
    """Has neurons of a state be unknown, and packs which are known."""
    words[:] = np.uint64(0)
    for b in range(known.shape[0]):
        words[b // 8] |= np.uint64(known[b]) << np.uint64(8 * (b % 8))
    for i in range(state.shape[0]):
        state[i] *= np.int8(known[i // 8] >> (i % 8) & 1)


@leaf
def all_known(neurons: int, words: Words) -> None:
    """Packs that all neurons are known."""
    words[:] = ~np.uint64(0)
    if neurons % 64 != 0:
        words[-1] = (np.uint64(1) << np.uint64(neurons % 64)) - np.uint64(1)


@merged
def begin_recall(
    couplings: Couplings,
    rules: Rules,
    queries: Queries,
    k: int,
    seed: np.uint64,
    course: Course,
    numbers: Indices,
    energies: Floats,
) -> None:
    """Has the course start from query k."""
    state, held = course.state, course.held
    unpack(queries.bits[k], course.words[0], state)
    if queries.known.shape[0] > 0:
        forget_unknown(queries.known[k], course.words[1], state)
    else:
        all_known(state.shape[0], course.words[1])
    for i in range(state.shape[0]):
        held[i] = rules.clamp and state[i] != 0
    course.generator[0] = seed
    course.before[0] = 0
    begin(couplings, state, course.words[0], course.words[1], course.kept)
    numbers[NEAREST] = UNMATCHED
    numbers[STATUS] = RUNNING
    energies[INITIAL] = energy_of(couplings, state, course.kept)


@merged
def energy_of(couplings: Couplings, state: Signs, kept: Kept) -> float:
    """The energy of a state of which is kept what depends on it alone."""
    return energy(coupling_of(couplings, kept, state), couplings.thresholds, state, couplings.coding)


@leaf
def match(couplings: Couplings, stored: Stored, course: Course, numbers: Indices) -> None:
    """Finds the stored pattern that the state, all known, is nearest to by the size of the overlap, the oldest of equals."""
    keeps_overlaps = keeps_pattern_overlaps(couplings)
    if not keeps_overlaps:
        pack(course.state, course.words[0])
        all_known(course.state.shape[0], course.words[1])
    nearest, largest = -1, 0
    for mu in range(stored.words.shape[0]):
        if keeps_overlaps:
            m = pattern_overlap(couplings, course.kept, mu)
        else:
            m = overlap(stored.words[mu], course.words[0], course.words[1], course.state.shape[0])
        if nearest < 0 or abs(m) > abs(largest):
            nearest, largest = mu, m
    numbers[NEAREST] = nearest
    numbers[OVERLAP] = largest


@merged
def is_settled(couplings: Couplings, rules: Rules, stored: Stored, course: Course, numbers: Indices) -> bool:
    """Whether a sweep, in whichever order, would leave the state as it is; for a stored pattern, that is found out once."""
    is_stored, column = False, 0
    # The query is no stored pattern, as a rule.
    if numbers[ITERATIONS] > rules.heated:
        match(couplings, stored, course, numbers)
        is_stored = stored.words.shape[0] > 0 and abs(numbers[OVERLAP]) == course.state.shape[0]
        column = 2 * rules.tie + (numbers[OVERLAP] < 0)
        if is_stored and stored.rests[numbers[NEAREST], column]:
            return True
    settled = rests(couplings, course.kept, rules.tie, course.held, course.state, course.generator)
    if settled and is_stored and not rules.clamp:
        stored.rests[numbers[NEAREST], column] = True
    return settled


@merged
def iterate(couplings: Couplings, rules: Rules, stored: Stored, course: Course, numbers: Indices) -> None:
    """Runs an iteration, and says in the numbers whether the recall ends with it."""
    kept, state, held, generator = course.kept, course.state, course.held, course.generator
    done = numbers[ITERATIONS]
    if done >= rules.heated and rules.update == ASYNCHRONOUS and is_settled(couplings, rules, stored, course, numbers):
        # It needs no order, and nothing after it draws from the generator.
        numbers[ITERATIONS] += 1
        numbers[STATUS] = CONVERGED
        return
    numbers[NEAREST] = UNMATCHED
    if done < rules.heated:
        gain = rules.gains[min(done, rules.gains.shape[0] - 1)]
        glauber(couplings, kept, gain, held, state, generator, numbers)
        if numbers[ITERATIONS] == rules.limit:
            heat_unknown(couplings, kept, gain, state, generator, numbers)
    elif rules.update == SYNCHRONOUS:
        numbers[STATUS] = synchronous(
            couplings, kept, rules.tie, held, state, course.before[0], course.before[1], generator, numbers
        )
    else:
        order, draws = course.order[0] if rules.random_order else rules.order, course.order[1]
        asynchronous(
            couplings, kept, rules.tie, rules.random_order, rules.clamp, held, state, order, draws, generator, numbers
        )
    if numbers[STATUS] == RUNNING and numbers[ITERATIONS] == rules.limit:
        numbers[STATUS] = LIMIT


@merged
def end_recall(
    couplings: Couplings, stored: Stored, course: Course, words: Words, numbers: Indices, energies: Floats
) -> None:
    """Says what the state is: packed, energy, and nearest stored pattern."""
    if numbers[NEAREST] == UNMATCHED:
        match(couplings, stored, course, numbers)
    pack(course.state, words)
    if not is_exact(couplings):
        # So that the energy depends on the state alone, and not on the way to it.
        all_known(course.state.shape[0], course.words[1])
        begin(couplings, course.state, words, course.words[1], course.kept)
    energies[PRESENT] = energy_of(couplings, course.state, course.kept)


@uncounted
def settle(
    couplings: Couplings,
    rules: Rules,
    stored: Stored,
    queries: Queries,
    seed: np.uint64,
    course: Course,
    answers: Answers,
    sweeps: int,
) -> int:
    """Goes on with every recall that has not ended, one after the other, for so many iterations altogether at most.

    Calls of any lengths continue one another with identical results; one of no iterations begins the first recall.

    Args:
        couplings: of the network.
        rules: how to run them.
        stored: the patterns.
        queries: to begin from.
        seed: of the first; that of query k is larger by k (mod 2^64).
        course: the one under way.
        answers: what is found.
        sweeps: how many iterations at most.

    Returns:
        How many are left: where there are none, some may not have ended.
    """
    for k in range(queries.bits.shape[0]):
        numbers, energies = answers.numbers[k], answers.energies[k]
        if numbers[STATUS] > RUNNING:
            continue
        if numbers[STATUS] == NEW:
            begin_recall(couplings, rules, queries, k, seed + np.uint64(k), course, numbers, energies)
        while numbers[STATUS] == RUNNING and sweeps > 0:
            sweeps -= 1
            iterate(couplings, rules, stored, course, numbers)
        if numbers[STATUS] == RUNNING:
            break
        end_recall(couplings, stored, course, answers.words[k], numbers, energies)
        if sweeps == 0:
            break
    return sweeps
