"""How kernels are compiled, and the arrays they take."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from hopfield_service.core.kernels.cache import KernelCache

Bits = NDArray[np.uint8]
Signs = NDArray[np.int8]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Word = NDArray[np.uint64]
# Half as long as indices of numpy's own, so that an order stays in the first cache.
Order = NDArray[np.int32]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a kernel: without the GIL, kept on disk where some place is writable (cache.py), in memory otherwise."""
    return _compiled(function)


def uncounted(function: Function) -> Function:
    """Compiles a kernel that makes no arrays: so it need not count who uses those it is given, which takes as long as to be called."""
    return _compiled(function, **_UNCOUNTED)


def leaf(function: Function) -> Function:
    """Compiles what kernels alone call and what makes no arrays: so it need not count who uses those it is given, longer than a visit takes."""
    return _compiled(function, **_INSIDE)


def merged(function: Function) -> Function:
    """Makes a function part of the only kernel that calls it before that is compiled, so that it is compiled once and not twice."""
    return cast("Function", numba.njit(**_NOT_RAISING, inline="always")(function))


def inlined(function: Function) -> Function:
    """Compiles what makes no arrays and becomes part of its callers: for what is done once a visit, or oftener."""
    return _compiled(function, **_UNCOUNTED, forceinline=True)


_UNCOUNTED: Any = {"_nrt": False}
# Nor is there a way to call it from outside of kernels, which takes long to compile: a call from Python all the same crashes the process.
_INSIDE: Any = {**_UNCOUNTED, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# Divisions are not asked whether they divide by zero, since loops with a way out are not run many at a time.
_NOT_RAISING: Any = {"nogil": True, "error_model": "numpy"}


def _compiled(function: Function, **options: Any) -> Function:
    dispatcher = numba.njit(**_NOT_RAISING, **options)(function)
    # In place of numba's own; see cache.py.
    dispatcher._cache = KernelCache(function)  # noqa: SLF001
    _names.append(f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}")
    return cast("Function", dispatcher)


_names: list[str] = []


def kernel_names() -> frozenset[str]:
    """`module.kernel` of every kernel there is that is kept on disk."""
    return frozenset(_names)


def specialised(kernel: Function, *examples: Any) -> Function:
    """A kernel compiled for arguments of the types that these have. It does not look at those it is called with, which takes longest."""
    types_of_examples = tuple(map(numba.typeof, examples))
    return cast("Function", cast("Any", kernel).compile(types_of_examples))


def answer(question: Callable[..., Any], answers: Mapping[type, Callable[..., Any]]) -> None:
    """Has kernels that ask a question, a function without a body, compiled with the answer that fits the type of its first argument.

    May be called anew for further types.
    """

    def fitting(first: Any, *_others: Any) -> Callable[..., Any] | None:
        return answers.get(first.instance_class)

    options: Any = {**_INSIDE, "forceinline": True}
    overload(question, strict=False, jit_options=options)(fitting)


def _prefetch(_context: Any, rows: Any, i: Any) -> Any:
    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # What numba writes code with has no types.
        code: Any = cgutils
        array = code.create_struct_proxy(signature.args[0])(context, builder, arguments[0])
        (stride, _) = code.unpack_tuple(builder, array.strides)
        first = builder.mul(context.cast(builder, arguments[1], signature.args[1], types.intp), stride)
        number = code.ir.IntType(32)
        kind = code.ir.FunctionType(code.ir.VoidType(), [code.voidptr_t, number, number, number])
        function = code.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        data = builder.bitcast(array.data, code.voidptr_t)
        with code.for_range_slice(builder, first, builder.add(first, stride), code.ir.Constant(stride.type, 64)) as (
            line,
            _,
        ):
            # To be read, into all caches, and it is data.
            builder.call(function, [builder.gep(data, [line]), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(rows, i), generated


prefetch = cast("Callable[[Any, Any], None]", intrinsic(_prefetch))
"""Has a row of a matrix fetched from memory while other things are done."""


_TOGETHER, _SUMS = 16, 4
PADDED = _TOGETHER * _SUMS
"""What the number of terms of a `padded_product` is a multiple of."""


def _padded_product(_context: Any, row: Any, others: Any) -> Any:
    """See `padded_product`. Vectors as they are: a compiler adds sums of eight up in twice as wide ones."""

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # What numba writes code with has no types.
        code: Any = cgutils
        ir = code.ir
        kinds = signature.args
        one, other = (
            context.make_array(kind)(context, builder, value) for kind, value in zip(kinds, arguments, strict=True)
        )
        wide = ir.VectorType(ir.IntType(32), _TOGETHER)
        sums = ir.VectorType(ir.IntType(32), _TOGETHER // 2)
        pairs = ir.VectorType(ir.IntType(32), _TOGETHER // 2)
        (count,) = code.unpack_tuple(builder, other.shape)
        totals = [code.alloca_once_value(builder, ir.Constant(sums, [0] * (_TOGETHER // 2))) for _ in range(_SUMS)]

        def loaded(kind: Any, data: Any, place: Any) -> Any:
            bits = kind.dtype.bitwidth
            some = ir.VectorType(ir.IntType(bits), _TOGETHER).as_pointer()
            numbers = builder.load(builder.bitcast(builder.gep(data, [place]), some), align=bits // 8)
            # Wider ones come in branches that are never taken.
            return builder.sext(numbers, wide) if bits < wide.element.width else builder.trunc(numbers, wide)

        with code.for_range_slice(builder, count.type(0), count, count.type(PADDED)) as (first, _):
            for k, total in enumerate(totals):
                place = builder.add(first, first.type(_TOGETHER * k))
                terms = builder.mul(loaded(kinds[0], one.data, place), loaded(kinds[1], other.data, place))
                even, odd = (
                    builder.shuffle_vector(terms, terms, ir.Constant(pairs, list(range(start, _TOGETHER, 2))))
                    for start in range(2)
                )
                builder.store(builder.add(builder.load(total), builder.add(even, odd)), total)
        while len(totals) > 1:
            totals = [
                code.alloca_once_value(builder, builder.add(builder.load(left), builder.load(right)))
                for left, right in zip(totals[::2], totals[1::2], strict=True)
            ]
        reduce = code.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.IntType(32), [sums]),
            f"llvm.vector.reduce.add.v{_TOGETHER // 2}i32",
        )
        return builder.sext(builder.call(reduce, [builder.load(totals[0])]), ir.IntType(64))

    return types.int64(row, others), generated


padded_product = cast("Callable[[NDArray[Any], NDArray[np.int16]], Any]", intrinsic(_padded_product))
"""`sum_k row_k others_k`, an int64, of int8 or int16 and int16, as many as a multiple of PADDED, whose sum an int32 holds."""


def _popcount(_context: Any, word: Any) -> Any:
    def generated(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(word), generated


popcount = cast("Callable[[Any], Any]", intrinsic(_popcount))
"""How many bits of a uint64 are set, as a uint64: one instruction, or one for eight words where the machine has it."""


def _fused(_context: Any, _x: Any, _y: Any, _z: Any) -> Any:
    def generated(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generated


multiplied_and_added = cast("Callable[[float, float, float], float]", intrinsic(_fused))
"""`x y + z` of float64, rounded once: one instruction, or, on a machine without it, many that give the same."""
