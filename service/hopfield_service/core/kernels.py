"""Every compiled function, and nothing else.

Kernels are plain loops over contiguous arrays with explicit arguments and `out` buffers. They never raise: they return
what happened. They release the GIL, so a thread that runs one leaves the interpreter to the others.

Sums over floats are taken in one fixed order, and nothing is handed to BLAS or to `fastmath`: the same input gives
the same bits on every machine and on every path.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Signs = NDArray[np.int8]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Word = NDArray[np.uint64]

# Codes shared with dynamics.py: kernels take and return integers.
TIE_KEEP, TIE_PLUS, TIE_MINUS = 0, 1, 2
RUNNING, CONVERGED, CYCLE = 0, 1, 2

# Where the counters of a trajectory stand in the `counters` array that a kernel resumes from and updates.
ITERATIONS, FLIPS = 0, 1

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LOW_32 = np.uint64(0xFFFFFFFF)
_TWO_32 = np.uint64(1 << 32)

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a kernel: without the GIL, kept on disk where some place is writable, in memory otherwise."""
    try:
        return cast("Function", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        # numba raises at decoration when it finds nowhere to keep a cache, as in a read-only container without a tmpfs.
        return cast("Function", numba.njit(nogil=True)(function))


@compiled
def next_word(generator: Word) -> Any:
    """The next 64 random bits: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), whose state is `generator[0]`."""
    generator[0] += _GAMMA
    z = generator[0]
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@compiled
def next_below(generator: Word, bound: int) -> int:
    """A uniform integer in [0, bound), 1 <= bound <= 2^32: Lemire's multiplication with rejection, on the high 32 bits."""
    n = np.uint64(bound)
    product = (next_word(generator) >> np.uint64(32)) * n
    if (product & _LOW_32) < n:
        threshold = (_TWO_32 - n) % n
        while (product & _LOW_32) < threshold:
            product = (next_word(generator) >> np.uint64(32)) * n
    return int(product >> np.uint64(32))


@compiled
def next_sign(generator: Word) -> int:
    """-1 or +1, each with probability one half, from the highest of the next 64 bits."""
    return 1 if next_word(generator) >> np.uint64(63) else -1


@compiled
def shuffle(generator: Word, order: Indices) -> None:
    """Fills `order` with a permutation of 0..N-1, each equally likely (Fisher and Yates; Durstenfeld 1964)."""
    n = order.shape[0]
    for i in range(n):
        order[i] = i
    for i in range(n - 1, 0, -1):
        j = next_below(generator, i + 1)
        order[i], order[j] = order[j], order[i]


@compiled
def add_row(weights: NDArray[Any], row: int, factor: int, sums: NDArray[Any]) -> None:
    """`sums += factor * weights[row]`: what one neuron's change does to everyone's sum, the weights being symmetric."""
    for j in range(sums.shape[0]):
        sums[j] += factor * weights[row, j]


@compiled
def weighted_sums(weights: NDArray[Any], state: Signs, sums: NDArray[Any]) -> None:
    """`sums = weights @ state`, each sum in the order of the neurons. Row by row, so that memory is read in order."""
    sums[:] = 0
    for i in range(state.shape[0]):
        if state[i] != 0:
            add_row(weights, i, state[i], sums)


@compiled
def largest_row_sum(weights: NDArray[Any]) -> float:
    """`max_i sum_j |weights_ij|` of a symmetric matrix: no sum over a state is larger."""
    totals = np.zeros(weights.shape[0], np.float64)
    for i in range(weights.shape[0]):
        for j in range(weights.shape[0]):
            totals[j] += abs(weights[i, j])
    return float(totals.max())


@compiled
def energy(sums: NDArray[Any], divisor: float, thresholds: Floats, state: Signs) -> float:
    """`E = -1/2 s'Js + U's` with `sums = (divisor J) s`.

    Integer sums stay integers up to the one division: their total is at most N^2 P <= 2^34 * 2^24, which fits an int64.
    """
    coupling = 0 * sums[0]
    external = 0.0
    for i in range(state.shape[0]):
        coupling += sums[i] * state[i]
        external += thresholds[i] * state[i]
    return float(-0.5 * (coupling / divisor) + external)


@compiled
def decide(field: float, tolerance: float, present: int, tie: int, generator: Word) -> int:
    """The state a neuron takes in a local field: its sign, or what the tie rule says where the field counts as zero.

    An unknown neuron has no state to keep: there TIE_KEEP draws one.
    """
    if field > tolerance:
        return 1
    if field < -tolerance:
        return -1
    if tie == TIE_PLUS:
        return 1
    if tie == TIE_MINUS:
        return -1
    if present == 0:
        return next_sign(generator)
    return present


@compiled
def asynchronous(
    weights: NDArray[Any],
    divisor: float,
    thresholds: Floats,
    tolerance: float,
    tie: int,
    random_order: bool,
    held: NDArray[np.bool_],
    state: Signs,
    sums: NDArray[Any],
    order: Indices,
    generator: Word,
    counters: Indices,
    sweeps: int,
) -> int:
    """Runs at most `sweeps` sweeps of one-neuron-at-a-time updates from where the arrays say, and leaves them there.

    `state`, `sums` (which must be `weights @ state`), `order`, `generator` and `counters` are all there is to a
    trajectory, so that calls of any lengths continue one another with identical results. `held` neurons are passed over.
    Returns RUNNING or CONVERGED.
    """
    for _ in range(sweeps):
        if random_order:
            shuffle(generator, order)
        counters[ITERATIONS] += 1
        quiet = True
        for position in range(order.shape[0]):
            i = order[position]
            if held[i]:
                continue
            present = state[i]
            decided = decide(sums[i] / divisor - thresholds[i], tolerance, present, tie, generator)
            if decided != present:
                quiet = False
                if present != 0:
                    counters[FLIPS] += 1
                state[i] = decided
                add_row(weights, i, decided - present, sums)
        if quiet:
            return CONVERGED
    return RUNNING


@compiled
def synchronous(
    weights: NDArray[Any],
    divisor: float,
    thresholds: Floats,
    tolerance: float,
    tie: int,
    held: NDArray[np.bool_],
    state: Signs,
    before: Signs,
    sums: NDArray[Any],
    generator: Word,
    counters: Indices,
    sweeps: int,
) -> int:
    """Runs at most `sweeps` updates of all neurons at once; resumes as `asynchronous` does.

    `before` is the state one iteration earlier (all 0 at the start, which no computed state equals).
    Returns RUNNING, CONVERGED, or CYCLE where the new state is that of two iterations ago.
    """
    n = state.shape[0]
    decided = np.empty(n, np.int8)
    for _ in range(sweeps):
        counters[ITERATIONS] += 1
        for i in range(n):
            decided[i] = state[i]
            if not held[i]:
                decided[i] = decide(sums[i] / divisor - thresholds[i], tolerance, state[i], tie, generator)
        quiet = True
        cycle = True
        for i in range(n):
            if decided[i] != before[i]:
                cycle = False
            if decided[i] != state[i]:
                quiet = False
                if state[i] != 0:
                    counters[FLIPS] += 1
                add_row(weights, i, decided[i] - state[i], sums)
            before[i] = state[i]
            state[i] = decided[i]
        if quiet:
            return CONVERGED
        if cycle:
            return CYCLE
    return RUNNING


@compiled
def orthonormalise(basis: Floats, rank: int, pattern: Signs, out: Floats) -> float:
    """Writes what of `pattern` lies outside the span of `basis[:rank]` to `out`, normalised; returns its squared length.

    `r = xi - B'(B xi)`, taken twice (classical Gram-Schmidt with re-orthogonalisation: "twice is enough", Giraud,
    Langou and Rozloznik 2005). Where the squared length is at most 1e-9 N the pattern depends on the others: `out` is
    then of no use.
    """
    n = pattern.shape[0]
    for i in range(n):
        out[i] = pattern[i]
    coefficients = np.empty(rank, np.float64)
    for _ in range(2):
        for k in range(rank):
            total = 0.0
            for i in range(n):
                total += basis[k, i] * out[i]
            coefficients[k] = total
        for k in range(rank):
            for i in range(n):
                out[i] -= coefficients[k] * basis[k, i]
    length = 0.0
    for i in range(n):
        length += out[i] * out[i]
    if length > 1e-9 * n:
        norm = np.sqrt(length)
        for i in range(n):
            out[i] /= norm
    return length


@compiled
def add_outer_products(rows: Floats, weights: Floats) -> None:
    """`weights += sum_k rows[k] rows[k]'` off the diagonal, each entry in the order of k.

    Neuron by neuron, so that a row of the weights stays in the cache while every k is added to it.
    """
    n = weights.shape[0]
    for i in range(n):
        for k in range(rows.shape[0]):
            factor = rows[k, i]
            for j in range(i):
                weights[i, j] += factor * rows[k, j]
            for j in range(i + 1, n):
                weights[i, j] += factor * rows[k, j]
