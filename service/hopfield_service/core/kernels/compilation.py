"""How kernels are compiled, and the arrays they take."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

Signs = NDArray[np.int8]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Word = NDArray[np.uint64]
# Half as long as indices of numpy's own, so that an order stays in the first cache.
Order = NDArray[np.int32]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a kernel: without the GIL, kept on disk where some place is writable, in memory otherwise."""
    return _compiled(function)


def leaf(function: Function) -> Function:
    """Compiles a kernel that makes no arrays, and therefore need not count who uses those it is given: it would take longer than a visit."""
    return _compiled(function, **_UNCOUNTED)


def merged(function: Function) -> Function:
    """Makes a function part of the only kernel that calls it before that is compiled, so that it is compiled once and not twice."""
    return cast("Function", numba.njit(nogil=True, inline="always")(function))


def inlined(function: Function) -> Function:
    """Compiles a leaf that becomes part of its callers: for what is done once a visit, or oftener."""
    return _compiled(function, **_UNCOUNTED, forceinline=True)


# Nor is there a way to call it from outside, which takes long to compile.
_UNCOUNTED: Any = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def _compiled(function: Function, **options: Any) -> Function:
    try:
        return cast("Function", numba.njit(cache=True, nogil=True, **options)(function))
    except RuntimeError:
        # numba raises at decoration when it finds nowhere to keep a cache, as in a read-only container without a tmpfs.
        return cast("Function", numba.njit(nogil=True, **options)(function))


def specialised(kernel: Function, *examples: Any) -> Function:
    """A kernel compiled for arguments of the types that these have. It does not look at those it is called with, which takes longest."""
    types_of_examples = tuple(map(numba.typeof, examples))
    return cast("Function", cast("Any", kernel).compile(types_of_examples))


def answer(question: Callable[..., Any], answers: Mapping[type, Callable[..., Any]]) -> None:
    """Has kernels that ask a question, a function without a body, compiled with the answer that fits the type of its first argument."""

    def fitting(first: Any, *_others: Any) -> Callable[..., Any]:
        return answers[first.instance_class]

    options: Any = {**_UNCOUNTED, "forceinline": True}
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


def _popcount(_context: Any, word: Any) -> Any:
    def generated(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(word), generated


popcount = cast("Callable[[Any], Any]", intrinsic(_popcount))
"""How many bits of a uint64 are set, as a uint64: one instruction, or one for eight words where the machine has it."""
