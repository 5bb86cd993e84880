"""The update rules: how a state changes in one iteration, whatever the form of the weights (see couplings.py).

`state`, `kept`, `order`, `generator` and `counters` are all there is to a trajectory, and are changed in place.
"""

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Indices, Order, Signs, Word, compiled, inlined, leaf
from hopfield_service.core.kernels.couplings import Couplings, Kept, change, field_of_others, look_ahead, sign_of_field
from hopfield_service.core.kernels.generator import next_below, next_sign, next_uniform, shuffle

# Codes shared with dynamics.py: kernels take and return integers.
TIE_KEEP, TIE_PLUS, TIE_MINUS = 0, 1, 2
NEW, RUNNING, CONVERGED, CYCLE = 0, 1, 2, 3

# Where the counters of a trajectory stand in the `counters` array that a kernel resumes from and updates.
ITERATIONS, FLIPS = 0, 1

_LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first of which has so few bits that its product with any exponent is exact (Cody and Waite 1980).
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
_DEGREE = 13


@leaf
def decide_tie(present: int, tie: int, generator: Word) -> int:
    """The state a neuron takes in a field of zero. An unknown neuron has no state to keep: there TIE_KEEP draws one."""
    if tie == TIE_PLUS:
        return 1
    if tie == TIE_MINUS:
        return -1
    if present == 0:
        return next_sign(generator)
    return present


@leaf
def rests(couplings: Couplings, kept: Kept, tie: int, held: NDArray[np.bool_], state: Signs, generator: Word) -> bool:
    """Whether a sweep, in whichever order, would leave the state as it is. An unknown neuron never stays one."""
    for i in range(state.shape[0]):
        if not held[i]:
            present = state[i]
            if present == 0:
                return False
            decided = sign_of_field(couplings, kept, state, i)
            if decided == 0:
                decided = decide_tie(present, tie, generator)
            if decided != present:
                return False
    return True


@leaf
def asynchronous(
    couplings: Couplings,
    kept: Kept,
    tie: int,
    random_order: bool,
    clamp: bool,
    held: NDArray[np.bool_],
    state: Signs,
    order: Order,
    draws: Order,
    generator: Word,
    counters: Indices,
) -> None:
    """Runs a sweep of one-neuron-at-a-time updates; `held` neurons are passed over."""
    if random_order:
        shuffle(generator, order, draws)
    counters[ITERATIONS] += 1
    for position in range(order.shape[0]):
        i = order[position]
        look_ahead(couplings, order, position)
        if clamp and held[i]:
            continue
        present = state[i]
        decided = sign_of_field(couplings, kept, state, i)
        if decided == 0:
            decided = decide_tie(present, tie, generator)
        if decided != present:
            if present != 0:
                counters[FLIPS] += 1
            state[i] = decided
            change(couplings, kept, i, decided - present)


@leaf
def synchronous(
    couplings: Couplings,
    kept: Kept,
    tie: int,
    held: NDArray[np.bool_],
    state: Signs,
    before: Signs,
    decided: Signs,
    generator: Word,
    counters: Indices,
) -> int:
    """Runs an update of all neurons at once.

    `before` is the state one iteration earlier (all 0 at the start, which no computed state equals), `decided` is room for the next.
    Returns RUNNING, CONVERGED, or CYCLE where the new state is that of two iterations ago.
    """
    n = state.shape[0]
    counters[ITERATIONS] += 1
    for i in range(n):
        decided[i] = state[i]
        if not held[i]:
            sign = sign_of_field(couplings, kept, state, i)
            decided[i] = sign if sign != 0 else decide_tie(state[i], tie, generator)
    quiet = True
    cycle = True
    for i in range(n):
        if decided[i] != before[i]:
            cycle = False
        if decided[i] != state[i]:
            quiet = False
            if state[i] != 0:
                counters[FLIPS] += 1
            change(couplings, kept, i, decided[i] - state[i])
        before[i] = state[i]
        state[i] = decided[i]
    if quiet:
        return CONVERGED
    return CYCLE if cycle else RUNNING


@compiled
def exponential(x: float) -> float:
    """`exp(x)` of x <= 0 to 1e-15 of its size, by plain arithmetic alone; 0 where it is below 2^-53, which no draw can tell from 0.

    The C library's differs from one machine to the next in the last bit, and with it would the answers of a seed.
    """
    if x < -36.75:
        return 0.0
    power = np.floor(x * _LOG2_E + 0.5)
    rest = (x - power * _LN2_HIGH) - power * _LN2_LOW
    total = 1.0
    for k in range(_DEGREE, 0, -1):
        total = 1.0 + total * rest / k
    return total / float(1 << int(-power))


@compiled
def logistic(x: float) -> float:
    """`1 / (1 + exp(-x))`."""
    if x >= 0:
        return 1.0 / (1.0 + exponential(-x))
    odds = exponential(x)
    return odds / (1.0 + odds)


@leaf
def glauber(
    couplings: Couplings,
    kept: Kept,
    gain: float,
    held: NDArray[np.bool_],
    state: Signs,
    generator: Word,
    counters: Indices,
) -> None:
    """Runs a sweep of N draws of one random neuron each, with replacement (Glauber 1963).

    A neuron drawn becomes +1 with probability `logistic(gain * field)`, the field taken without its own weight, so that the
    stationary law is `exp(-beta E) / Z` whatever the diagonal. A draw that hits a `held` neuron does nothing.
    """
    n = state.shape[0]
    counters[ITERATIONS] += 1
    for _draw in range(n):
        i = next_below(generator, n)
        if not held[i]:
            heat(couplings, kept, gain, i, state, generator, counters)


@leaf
def heat_unknown(
    couplings: Couplings, kept: Kept, gain: float, state: Signs, generator: Word, counters: Indices
) -> None:
    """Gives every neuron that no draw has hit its first state, in the order of the neurons."""
    for i in range(state.shape[0]):
        if state[i] == 0:
            heat(couplings, kept, gain, i, state, generator, counters)


@inlined
def heat(
    couplings: Couplings, kept: Kept, gain: float, i: int, state: Signs, generator: Word, counters: Indices
) -> None:
    """Lets neuron i take a state at random, by the energies of its two states, the others as they are.

    Their difference is twice the field (in binary coding: the field) without what the neuron adds to it by its own weight.
    """
    present = state[i]
    field = field_of_others(couplings, kept, state, i)
    decided = 1 if next_uniform(generator) < logistic(gain * field) else -1
    if decided != present:
        if present != 0:
            counters[FLIPS] += 1
        state[i] = decided
        change(couplings, kept, i, decided - present)
