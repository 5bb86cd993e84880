"""What rounding took from weights, summed over the pairs of neurons of a state: in whole numbers, so that it depends on the state alone."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Indices, Order, Signs, compiled, inlined, leaf

if TYPE_CHECKING:
    from hopfield_service.core.kernels.couplings import Matrix

# What is left of a rounded number, at most half of a unit, is rounded to so many parts of it.
FINE_STEP, FINEST_STEP = 1 << 15, 1 << 7
# Columns over which the products of such rests with numbers of at most 4 add up to what 32 bits hold.
_COLUMNS = 1 << 14


class SummedRests(NamedTuple):
    """`v'Rv` of what rounding took from weights, of the state of which it was summed last.

    Attributes:
        sums: (2,) int64: both of them.
        of: (N,) int16, `v` of that state.
        rows, factors, others: (N,) int32 and int16, room for what is added up.
    """

    sums: Indices
    of: NDArray[np.int16]
    rows: Order
    factors: NDArray[np.int16]
    others: NDArray[np.int16]


# Matrix


@compiled
def commonest(state: Signs) -> int:
    """The value that most neurons have: 1, -1, or 0."""
    plus, minus = 0, 0
    for i in range(state.shape[0]):
        plus += state[i] > 0
        minus += state[i] < 0
    unknown = state.shape[0] - plus - minus
    if plus >= minus:
        return 1 if plus >= unknown else 0
    return -1 if minus >= unknown else 0


@leaf
def sum_rests(couplings: "Matrix", rests: SummedRests, state: Signs) -> None:
    """Sums `v'Rv` of a state, by what it was of another if most neurons are the same there.

    They are sums of whole numbers, at most 2^51 of 128 Ki neurons: how they were come by changes nothing.
    """
    changed = 0
    for i in range(state.shape[0]):
        changed += state[i] + couplings.coding != rests.of[i]
    if 4 * changed < state.shape[0]:
        add_changes(couplings, rests, state)
    else:
        sum_anew(couplings, rests, state)
    for i in range(state.shape[0]):
        rests.of[i] = state[i] + couplings.coding


@leaf
def add_changes(couplings: "Matrix", rests: SummedRests, state: Signs) -> None:
    """`v'Rv - u'Ru = (v - u)'R(v + u)`, which reads the rows of the neurons that differ."""
    count = 0
    for i in range(state.shape[0]):
        value = state[i] + couplings.coding
        rests.factors[i] = value - rests.of[i]
        rests.others[i] = value + rests.of[i]
        if rests.factors[i] != 0:
            rests.rows[count] = i
            count += 1
    rows = rests.rows[:count]
    rests.sums[0] += products_of_rows(couplings.fine, rows, rests.factors, rests.others, False)
    rests.sums[1] += products_of_rows(couplings.finest, rows, rests.factors, rests.others, False)


@leaf
def sum_anew(couplings: "Matrix", rests: SummedRests, state: Signs) -> None:
    """`v'Rv = c^2 1'R1 + 2 c d'R1 + d'Rd`, where `v` differs by `d` from `c`, which most neurons have.

    It reads at most half of the rows, and of those what is behind the diagonal.
    """
    most = commonest(state)
    common = most + couplings.coding
    count = 0
    for i in range(state.shape[0]):
        rests.others[i] = state[i] - most
        rests.factors[i] = 2 * (state[i] - most)
        if rests.others[i] != 0:
            rests.rows[count] = i
            count += 1
    rows = rests.rows[:count]
    fine = products_of_rows(couplings.fine, rows, rests.factors, rests.others, True)
    finest = products_of_rows(couplings.finest, rows, rests.factors, rests.others, True)
    for i in range(state.shape[0]):
        difference = np.int64(rests.others[i])
        by_row, own = common * (common + 2 * difference), difference * difference
        fine += by_row * couplings.rest_totals[0, i] + own * couplings.fine[i, i]
        finest += by_row * couplings.rest_totals[1, i] + own * couplings.finest[i, i]
    rests.sums[0] = fine
    rests.sums[1] = finest


@leaf
def products_of_rows(
    rest: NDArray[Any], rows: Order, factors: NDArray[np.int16], others: NDArray[np.int16], above: bool
) -> int:
    """`sum_i factors_i sum_j rest_ij others_j` over some rows, ascending, and all columns, or those `above` the diagonal.

    Four rows at a time, so that memory is asked for more than one.
    """
    total = 0
    together = rows.shape[0] - rows.shape[0] % 4
    for k in range(rows.shape[0]):
        i = rows[k]
        # Those that four rows have in common are added with the first of them.
        first, last = i + 1 if above else 0, rest.shape[1]
        if k < together:
            last = rows[k - k % 4 + 3] + 1 if above else 0
        for start in range(first, last, _COLUMNS):
            end = min(start + _COLUMNS, last)
            total += factors[i] * narrow_product(rest[i, start:end], others[start:end])
        if k < together and k % 4 == 0:
            for start in range(last, rest.shape[1], _COLUMNS):
                end = min(start + _COLUMNS, rest.shape[1])
                total += product_of_four(rest, rows[k : k + 4], factors, others[start:end], start)
    return total


@leaf
def product_of_four(
    rest: NDArray[Any], rows: Order, factors: NDArray[np.int16], others: NDArray[np.int16], start: int
) -> Any:
    """The same of four rows, and of the columns from `start` on."""
    end = start + others.shape[0]
    a, b, c, d = rest[rows[0], start:end], rest[rows[1], start:end], rest[rows[2], start:end], rest[rows[3], start:end]
    p, q, r, s = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
    for j in range(others.shape[0]):
        other = np.int32(others[j])
        p = np.int32(p + np.int32(a[j]) * other)
        q = np.int32(q + np.int32(b[j]) * other)
        r = np.int32(r + np.int32(c[j]) * other)
        s = np.int32(s + np.int32(d[j]) * other)
    return (
        factors[rows[0]] * np.int64(p)
        + factors[rows[1]] * np.int64(q)
        + factors[rows[2]] * np.int64(r)
        + factors[rows[3]] * np.int64(s)
    )


@inlined
def narrow_product(row: NDArray[Any], others: NDArray[np.int16]) -> Any:
    """`sum_k row_k others_k`, of whole numbers whose sum an int32 holds: a vector instruction multiplies 32 of them at once."""
    total = np.int32(0)
    for k in range(others.shape[0]):
        total = np.int32(total + np.int32(row[k]) * np.int32(others[k]))
    return np.int64(total)
