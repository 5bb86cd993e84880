"""What callers hand over as arrays: numpy's own, and those of other libraries, read or refused with the cure."""

import numbers
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._errors import InvalidArgument

NUMBERS = "biuf"
"""The kinds of dtype that hold booleans or real numbers."""


def array_of(values: ArrayLike, argument: str, rule: str) -> NDArray[Any]:
    """Read values as an array of booleans or real numbers; a masked one where the caller passes masks.

    Whatever numpy reads is taken: lists, buffers, and objects with `__array__`, such as pandas frames, polars columns,
    Arrow tables, torch tensors and images. Columns of objects are taken where each object is a number, or an array as
    long as the others: nullable pandas columns, columns of lists.

    Args:
        values: what the caller passed.
        argument: its name, for messages.
        rule: what it must hold, for messages.

    Raises:
        InvalidArgument: it is no such array. The message names the first wrong value and the cure.
    """
    try:
        array = _read(values)
        if array.dtype.kind == "O" and array.ndim:
            # Objects that hold numbers or rows, one by one: numpy reads them from a list.
            read = np.asarray(array.tolist())
            array = read if read.dtype.kind in NUMBERS else array
    except (ValueError, TypeError, RuntimeError) as error:
        # What libraries raise of tensors on another device, of tensors with a gradient, of sparse ones: they name the cure.
        reason = "its rows differ in length" if "inhomogeneous" in str(error) else str(error)
        raise InvalidArgument(f"{argument} cannot be read as an array: {reason}", field=argument) from None
    if array.dtype.kind not in NUMBERS:
        raise InvalidArgument(_refusal(values, array, argument, rule), field=argument)
    return array


def _read(values: ArrayLike) -> NDArray[Any]:
    rows = values if isinstance(values, (list, tuple)) else [values]
    # Of a masked array, or of a list of them, `np.asarray` drops the masks.
    masked = any(isinstance(row, np.ma.MaskedArray) for row in rows)
    return np.ma.asarray(values) if masked else np.asarray(values)


def _refusal(values: Any, array: NDArray[Any], argument: str, rule: str) -> str:
    """What to say of values that are no numbers, and what to pass instead."""
    kind = type(values).__name__
    if hasattr(values, "toarray"):
        return f"{argument} is a sparse matrix ({kind}): pass {argument}.toarray()"
    if isinstance(values, Mapping):
        return f"{argument} is a mapping ({kind}): pass list({argument}.values())"
    if isinstance(values, AbstractSet):
        return f"{argument} is a set ({kind}), which has no order: pass a list"
    if array.dtype.kind == "O" and not array.ndim:
        cure = f": pass list({argument})" if isinstance(values, Iterable) else f": {rule}"
        return f"{argument} is of type {kind}; it must be an array or a list{cure}"
    if array.dtype.kind == "O":
        where, value = _first_odd(array, argument)
        cure = f"; pass np.asarray({argument}, float)" if isinstance(value, numbers.Number) else ""
        return f"{where} is {value!r} of type {type(value).__name__}: {rule}{cure}"
    if array.dtype.kind == "c":
        return f"{argument} holds complex numbers: {rule}; where every imaginary part is 0, pass {argument}.real"
    return f"{argument} holds values of type {array.dtype}: {rule}"


def _first_odd(array: NDArray[Any], argument: str) -> tuple[str, Any]:
    """The first of several objects that is no number, and what the caller would write for it."""
    kinds = (np.asarray(value).dtype.kind for value in array.flat)
    # Where each alone is a number, the first one stands for what numpy cannot read together.
    odd = next((k for k, kind in enumerate(kinds) if kind not in NUMBERS), 0)
    return element(argument, odd, array.shape), array.flat[odd]


def element(argument: str, position: int | np.intp, shape: tuple[int, ...]) -> str:
    """The name of one element, such as `patterns[3, 5]`."""
    index = ", ".join(str(i) for i in np.unravel_index(position, shape))
    return f"{argument}[{index}]" if index else argument
