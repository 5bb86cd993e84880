"""Softmax over patterns of real numbers: one step of attention, and the energy that it lowers (Ramsauer et al. 2020, arXiv 2008.02217).

Patterns are at hand row by row and column by column, so that every loop reads memory in order and every sum is taken in the order of what it
runs over, whatever vector instructions do.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Indices, compiled
from hopfield_service.core.kernels.interactions import logarithm
from hopfield_service.core.kernels.updates import CONVERGED, RUNNING

Singles = NDArray[np.float32]

ITERATIONS, STATUS = 0, 1
# Patterns that are read at a time.
_TILE = 128
_LOG2_E = 1.4426950408889634
# ln 2 in two parts, as in updates.py.
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
# Adding it rounds a double to a whole number, which then stands in its lowest bits.
_ROUNDING = 6755399441055744.0
# Below it an exponential counts as 0: e^-700 still has an exponent that a double can have.
_LOWEST = -700.0


class Courses(NamedTuple):
    """Where some recalls are, each as if it were alone.

    Attributes:
        states: (count, N) float64.
        before: (count, N) float64, the states one iteration earlier.
        weights: (count, P) float64, the softmax at each state.
        room: (P,) float64.
        numbers: (count, 2) int64: ITERATIONS, and STATUS: RUNNING or CONVERGED.
        energies: (count,) float64.
    """

    states: Floats
    before: Floats
    weights: Floats
    room: Floats
    numbers: Indices
    energies: Floats


@compiled
def exponentials(x: Floats, power: Floats) -> None:
    """`exp(x)` of each x <= 0 in place, to 1e-15 of its size; 0 below -700. By plain arithmetic without branches, several at once.

    Args:
        x: (n,).
        power: (n,), room.
    """
    for k in range(x.shape[0]):
        power[k] = max(x[k], _LOWEST) * _LOG2_E + _ROUNDING
    exponent = power.view(np.int64)
    for k in range(x.shape[0]):
        whole = power[k] - _ROUNDING
        rest = (max(x[k], _LOWEST) - whole * _LN2_HIGH) - whole * _LN2_LOW
        total = 1.0 / 6227020800.0
        total = total * rest + 1.0 / 479001600.0
        total = total * rest + 1.0 / 39916800.0
        total = total * rest + 1.0 / 3628800.0
        total = total * rest + 1.0 / 362880.0
        total = total * rest + 1.0 / 40320.0
        total = total * rest + 1.0 / 5040.0
        total = total * rest + 1.0 / 720.0
        total = total * rest + 1.0 / 120.0
        total = total * rest + 1.0 / 24.0
        total = total * rest + 1.0 / 6.0
        total = total * rest + 0.5
        total = total * rest + 1.0
        x[k] = (total * rest + 1.0) if x[k] >= _LOWEST else 0.0
    # The power of two, made of the bits of its exponent.
    for k in range(x.shape[0]):
        exponent[k] = (exponent[k] + 1023) << 52
    for k in range(x.shape[0]):
        x[k] *= power[k]


@compiled
def softmax(scores: Floats, beta: float, room: Floats) -> float:
    """`softmax(beta scores)` in place; returns `(1/beta) ln sum_mu exp(beta scores_mu)`.

    Args:
        scores: (P,), at least one.
        beta: inverse temperature.
        room: (P,).
    """
    largest = scores[0]
    for mu in range(scores.shape[0]):
        largest = max(largest, scores[mu])
    for mu in range(scores.shape[0]):
        scores[mu] = beta * (scores[mu] - largest)
    exponentials(scores, room)
    total = 0.0
    for mu in range(scores.shape[0]):
        total += scores[mu]
    for mu in range(scores.shape[0]):
        scores[mu] /= total
    return float(largest + logarithm(total) / beta)


@compiled
def attend(columns: Singles, beta: float, offset: float, courses: Courses) -> None:
    """Writes weights and energies of every state that is under way, some patterns at a time, which stay in the cache for all of them.

    Args:
        columns: (N, P) float32, the patterns, neuron by neuron; at least one.
        beta: inverse temperature.
        offset: `(ln P) / beta + M^2 / 2`.
        courses: the states.
    """
    states, weights = courses.states, courses.weights
    for first in range(0, columns.shape[1], _TILE):
        last = min(first + _TILE, columns.shape[1])
        for k in range(states.shape[0]):
            if courses.numbers[k, STATUS] == RUNNING:
                scores = weights[k, first:last]
                scores[:] = 0.0
                for i in range(columns.shape[0]):
                    column, value = columns[i, first:last], states[k, i]
                    for mu in range(scores.shape[0]):
                        scores[mu] += value * column[mu]
    for k in range(states.shape[0]):
        if courses.numbers[k, STATUS] == RUNNING:
            squares = 0.0
            for i in range(states.shape[1]):
                squares += states[k, i] * states[k, i]
            courses.energies[k] = 0.5 * squares - softmax(weights[k], beta, courses.room) + offset


@compiled
def retrieve(rows: Singles, courses: Courses) -> None:
    """Takes the mean of the patterns by their weights for every state that is under way."""
    states, weights = courses.states, courses.weights
    for k in range(states.shape[0]):
        if courses.numbers[k, STATUS] == RUNNING:
            courses.before[k, :] = states[k]
            states[k, :] = 0.0
    for first in range(0, rows.shape[0], _TILE):
        last = min(first + _TILE, rows.shape[0])
        for k in range(states.shape[0]):
            if courses.numbers[k, STATUS] == RUNNING:
                state = states[k]
                for mu in range(first, last):
                    row, weight = rows[mu], weights[k, mu]
                    if weight > 0.0:
                        for i in range(state.shape[0]):
                            state[i] += weight * row[i]


@compiled
def advance(
    rows: Singles, columns: Singles, beta: float, offset: float, tolerance: float, iterations: int, courses: Courses
) -> int:
    """Iterates every state that is under way, at most so often, until an iteration changes it by at most the tolerance.

    Args:
        rows: (P, N) float32, the patterns.
        columns: (N, P) float32, the same.
        beta: inverse temperature.
        offset: `(ln P) / beta + M^2 / 2`.
        tolerance: |change| at which a state has converged.
        iterations: at most.
        courses: the states, with their weights as `attend` wrote them.

    Returns:
        How many states are still under way.
    """
    numbers, running = courses.numbers, courses.states.shape[0]
    for _ in range(iterations):
        retrieve(rows, courses)
        attend(columns, beta, offset, courses)
        running = 0
        for k in range(numbers.shape[0]):
            if numbers[k, STATUS] == RUNNING:
                numbers[k, ITERATIONS] += 1
                changed = 0.0
                for i in range(rows.shape[1]):
                    difference = courses.states[k, i] - courses.before[k, i]
                    changed += difference * difference
                if changed <= tolerance * tolerance:
                    numbers[k, STATUS] = CONVERGED
                else:
                    running += 1
        if running == 0:
            break
    return int(running)


@compiled
def find_largest(weights: Floats, positions: Indices) -> None:
    """Writes where the largest weights stand, the largest first, the oldest first of equals; as many as there is room for."""
    found = 0
    for mu in range(weights.shape[0]):
        place = found
        while place > 0 and weights[mu] > weights[positions[place - 1]]:
            place -= 1
        if place < positions.shape[0]:
            found = min(found + 1, positions.shape[0])
            for later in range(found - 1, place, -1):
                positions[later] = positions[later - 1]
            positions[place] = mu


@compiled
def products(columns: Singles, state: Floats, out: Floats) -> None:
    """`out_mu = x_mu . state`, each in the order of the neurons."""
    out[:] = 0.0
    for i in range(columns.shape[0]):
        for mu in range(out.shape[0]):
            out[mu] += state[i] * columns[i, mu]
