"""Products of many states with one matrix, each sum in the order of its terms whatever vector instructions do, and however many states there are."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Indices, compiled, multiplied_and_added

if TYPE_CHECKING:
    from collections.abc import Callable

Singles = NDArray[np.float32]

# A part of the matrix that stays in the first cache while all states are multiplied with it.
_HEIGHT, WIDTH = 64, 64
# What a vector instruction takes at a time, or two of them, or four.
_LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), _LANES)


def _added(builder: Any, factor: Any, values: Any, total: Any) -> Any:
    """`multiplied_and_added` of vectors."""
    fused = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, fused, f"llvm.fma.v{_LANES}f64")
    return builder.call(function, [factor, values, total])


def _splat(builder: Any, number: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES))


def _vector(builder: Any, numbers: Any, place: Any) -> Any:
    """Where some numbers are, next to one another from a place on."""
    start = builder.gep(numbers, [place])
    return builder.bitcast(start, ir.VectorType(start.type.pointee, _LANES).as_pointer())


def _add_rows(_typing: Any, rows: Any, _stride: Any, _height: Any, factors: Any, sums: Any) -> Any:
    """See `add_rows`. Vectors as they are, since out of loops a compiler makes sums that go to memory and back with every row."""

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(kind: Any, array: Any) -> Any:
            return context.make_array(kind)(context, builder, array).data

        def each(argument: int) -> list[Any]:
            kind, value = signature.args[argument], arguments[argument]
            return [data(one, array) for one, array in zip(kind, cgutils.unpack_tuple(builder, value), strict=True)]

        matrix, of_states, to_states = data(rows, arguments[0]), each(3), each(4)
        places = [ir.IntType(64)(column) for column in range(0, WIDTH, _LANES)]
        kept = [[cgutils.alloca_once(builder, _VECTOR) for _ in places] for _ in to_states]
        for target, totals in zip(to_states, kept, strict=True):
            for place, total in zip(places, totals, strict=True):
                builder.store(builder.load(_vector(builder, target, place), align=8), total)
        with cgutils.for_range(builder, arguments[2]) as loop:
            row = builder.mul(loop.index, arguments[1])
            by = [_splat(builder, builder.load(builder.gep(of, [loop.index]))) for of in of_states]
            for k, place in enumerate(places):
                values = builder.load(_vector(builder, matrix, builder.add(row, place)), align=rows.dtype.bitwidth // 8)
                if rows.dtype is not types.float64:
                    values = builder.fpext(values, _VECTOR)
                for factor, totals in zip(by, kept, strict=True):
                    builder.store(_added(builder, factor, values, builder.load(totals[k])), totals[k])
        for target, totals in zip(to_states, kept, strict=True):
            for place, total in zip(places, totals, strict=True):
                builder.store(builder.load(total), _vector(builder, target, place), align=8)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, factors, sums), generated


add_rows = cast(
    "Callable[[NDArray[Any], int, int, tuple[Floats, ...], tuple[Floats, ...]], None]", intrinsic(_add_rows)
)
"""Adds rows of a matrix, each times a factor, to the sums of some states, one row after the other.

Args:
    rows: WIDTH numbers of each row, float32 or float64, and whatever is between them.
    stride: numbers from one row to the next.
    height: how many rows.
    factors: of each state, (height,) float64.
    sums: of each state, (WIDTH,) float64.
"""


@compiled
def multiply(factors: Floats, matrix: Singles, chosen: Indices, out: Floats) -> None:
    """`out_kc = sum_r factors_kr matrix_rc` of the chosen k, every sum in the order of r.

    Args:
        factors: (count, R) float64.
        matrix: (R, C) float32.
        chosen: rows of `factors` and `out`.
        out: (count, C) float64.
    """
    (rows, columns), count = matrix.shape, chosen.shape[0]
    numbers = matrix.reshape(-1)
    part, first, second = np.zeros(_HEIGHT * WIDTH), np.zeros(WIDTH), np.zeros(WIDTH)
    for left in range(0, columns, WIDTH):
        width = min(WIDTH, columns - left)
        if count == 1 and width == WIDTH:
            # It would be read from a copy once.
            k = chosen[0]
            first[:] = 0.0
            add_rows(numbers[left:], columns, rows, (factors[k],), (first,))
            out[k, left : left + width] = first
            continue
        for top in range(0, rows, _HEIGHT):
            height = min(_HEIGHT, rows - top)
            for r in range(height):
                of_row, source = part[r * WIDTH : r * WIDTH + width], matrix[top + r, left : left + width]
                for c in range(width):
                    of_row[c] = source[c]
            for place in range(0, count, 2):
                # The last may be alone: then both are the same.
                k, other = chosen[place], chosen[min(place + 1, count - 1)]
                by = (factors[k, top:], factors[other, top:])
                if width == WIDTH:
                    if top == 0:
                        out[k, left : left + WIDTH] = 0.0
                        out[other, left : left + WIDTH] = 0.0
                    add_rows(part, WIDTH, height, by, (out[k, left:], out[other, left:]))
                    continue
                # There is no room for so many sums at the end of a row.
                if top > 0:
                    first[:width] = out[k, left : left + width]
                    second[:width] = out[other, left : left + width]
                else:
                    first[:] = 0.0
                    second[:] = 0.0
                add_rows(part, WIDTH, height, by, (first, second))
                out[k, left : left + width] = first[:width]
                out[other, left : left + width] = second[:width]


@compiled
def multiply_pairs(states: Floats, matrix: Singles, positions: Indices, out: Floats) -> None:
    """`out_k = sum_i states_ki matrix_positions(k)i`, as `multiply` would with the matrix turned.

    Args:
        states: (count, N) float64.
        matrix: (P, N) float32.
        positions: (count,).
        out: (count,) float64.
    """
    for k in range(states.shape[0]):
        total = 0.0
        for i in range(states.shape[1]):
            total = multiplied_and_added(states[k, i], matrix[positions[k], i], total)
        out[k] = total
