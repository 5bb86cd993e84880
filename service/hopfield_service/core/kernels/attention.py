"""Softmax over patterns of real numbers: one step of attention, and the energy that it lowers (Ramsauer et al. 2020, arXiv 2008.02217).

Patterns are at hand row by row and column by column, so that every loop reads memory in order.
"""

from typing import NamedTuple

import numpy as np

from hopfield_service.core.kernels.compilation import Floats, Indices, compiled, leaf
from hopfield_service.core.kernels.elementary import exponential, logarithm
from hopfield_service.core.kernels.products import Singles, multiply
from hopfield_service.core.kernels.updates import CONVERGED, RUNNING

ITERATIONS, STATUS = 0, 1
# Sums that are taken beside one another, each of every 32nd number, and then together.
_LANES = 32


class Courses(NamedTuple):
    """Where some recalls are, each as if it were alone.

    Attributes:
        states: (count, N) float64.
        before: (count, N) float64, the states one iteration earlier.
        weights: (count, P) float64, the softmax at each state.
        numbers: (count, 2) int64: ITERATIONS, and STATUS: RUNNING or CONVERGED.
        energies: (count,) float64.
    """

    states: Floats
    before: Floats
    weights: Floats
    numbers: Indices
    energies: Floats


@leaf
def largest_of(values: Floats, lanes: Floats) -> float:
    """The largest of some numbers. Arguments: as `sum_of`."""
    whole = values.shape[0] - values.shape[0] % _LANES
    largest = values[0]
    lanes[:] = largest
    for first in range(0, whole, _LANES):
        for lane in range(_LANES):
            lanes[lane] = max(lanes[lane], values[first + lane])
    for lane in range(_LANES):
        largest = max(largest, lanes[lane])
    for k in range(whole, values.shape[0]):
        largest = max(largest, values[k])
    return float(largest)


@leaf
def sum_of(values: Floats, lanes: Floats) -> float:
    """The sum of some numbers, in an order that depends on their number alone."""
    whole = values.shape[0] - values.shape[0] % _LANES
    lanes[:] = 0.0
    for first in range(0, whole, _LANES):
        for lane in range(_LANES):
            lanes[lane] += values[first + lane]
    total = 0.0
    for lane in range(_LANES):
        total += lanes[lane]
    for k in range(whole, values.shape[0]):
        total += values[k]
    return total


@leaf
def softmax(scores: Floats, beta: float, lanes: Floats) -> float:
    """`softmax(beta scores)` in place; returns `(1/beta) ln sum_mu exp(beta scores_mu)`.

    Args:
        scores: (P,), at least one.
        beta: inverse temperature.
        lanes: (32,), room.
    """
    largest = largest_of(scores, lanes)
    for mu in range(scores.shape[0]):
        scores[mu] = exponential(beta * (scores[mu] - largest))
    total = sum_of(scores, lanes)
    share = 1.0 / total
    for mu in range(scores.shape[0]):
        scores[mu] *= share
    return float(largest + logarithm(total) / beta)


@compiled
def attend(columns: Singles, beta: float, offset: float, chosen: Indices, courses: Courses) -> None:
    """Writes weights and energies of some states.

    Args:
        columns: (N, P) float32, the patterns, neuron by neuron; at least one.
        beta: inverse temperature.
        offset: `(ln P) / beta + M^2 / 2`.
        chosen: which states.
        courses: the states.
    """
    states, weights, lanes = courses.states, courses.weights, np.empty(_LANES)
    multiply(states, columns, chosen, weights)
    for place in range(chosen.shape[0]):
        k = chosen[place]
        squares = 0.0
        for i in range(states.shape[1]):
            squares += states[k, i] * states[k, i]
        courses.energies[k] = 0.5 * squares - softmax(weights[k], beta, lanes) + offset


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
    numbers, states, before = courses.numbers, courses.states, courses.before
    for _ in range(iterations):
        running = np.flatnonzero(numbers[:, STATUS] == RUNNING)
        if running.shape[0] == 0:
            break
        for place in range(running.shape[0]):
            before[running[place], :] = states[running[place]]
        multiply(courses.weights, rows, running, states)
        attend(columns, beta, offset, running, courses)
        for place in range(running.shape[0]):
            k = running[place]
            numbers[k, ITERATIONS] += 1
            changed = 0.0
            for i in range(rows.shape[1]):
                difference = states[k, i] - before[k, i]
                changed += difference * difference
            if changed <= tolerance * tolerance:
                numbers[k, STATUS] = CONVERGED
    return int(np.count_nonzero(numbers[:, STATUS] == RUNNING))


@compiled
def find_largest(weights: Floats, positions: Indices) -> None:
    """Writes where the largest weights of each state stand, the largest first, the oldest first of equals.

    Args:
        weights: (count, P) float64.
        positions: (count, k), with k at most P.
    """
    room = positions.shape[1]
    for k in range(weights.shape[0]):
        of_state, places = weights[k], positions[k]
        found, least = 0, -np.inf
        for first in range(0, of_state.shape[0], _LANES):
            some = of_state[first : first + _LANES]
            # Most of them hold none that is among the largest, which is soon seen.
            larger = 0
            for lane in range(some.shape[0]):
                larger += some[lane] > least
            if found == room and larger == 0:
                continue
            for mu in range(first, first + some.shape[0]):
                if found < room or of_state[mu] > least:
                    found = min(found + 1, room)
                    place = found - 1
                    while place > 0 and of_state[mu] > of_state[places[place - 1]]:
                        places[place] = places[place - 1]
                        place -= 1
                    places[place] = mu
                    least = of_state[places[found - 1]]
