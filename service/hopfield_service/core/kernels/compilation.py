"""How kernels are compiled, and the arrays they take."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
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


def inlined(function: Function) -> Function:
    """Compiles a leaf that becomes part of its callers: for what is done once a visit, or oftener."""
    return _compiled(function, **_UNCOUNTED, forceinline=True)


_UNCOUNTED: Any = {"_nrt": False}
# Divisions are not asked whether they divide by zero, since loops with a way out are not run many at a time.
_NOT_RAISING: Any = {"nogil": True, "error_model": "numpy"}


def _compiled(function: Function, **options: Any) -> Function:
    try:
        return cast("Function", numba.njit(cache=True, **_NOT_RAISING, **options)(function))
    except RuntimeError:
        # numba raises at decoration when it finds nowhere to keep a cache, as in a read-only container without a tmpfs.
        return cast("Function", numba.njit(**_NOT_RAISING, **options)(function))


def answer(question: Callable[..., Any], answers: Mapping[type, Callable[..., Any]]) -> None:
    """Has kernels that ask a question, a function without a body, compiled with the answer that fits the type of its first argument.

    May be called anew for further types.
    """

    def fitting(first: Any, *_others: Any) -> Callable[..., Any] | None:
        return answers.get(first.instance_class)

    options: Any = {**_UNCOUNTED, "forceinline": True}
    overload(question, strict=False, jit_options=options)(fitting)


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
