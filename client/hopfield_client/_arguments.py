"""What the caller passes beside patterns, checked before anything is sent."""

import math
import numbers
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._array_likes import array_of
from hopfield_client._errors import InvalidArgument

UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1


def integer(value: Any, argument: str, low: int, high: int) -> int:
    """The value as an int.

    Raises:
        InvalidArgument: it is no integer (True and False are none here), or not within `low` to `high`.
    """
    try:
        result = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        result = None
    if result is None:
        raise InvalidArgument(f"{argument} is {value!r}; it must be an integer", field=argument)
    if result < low:
        raise InvalidArgument(f"{argument} is {result}; it must be at least {low}", field=argument)
    if result > high:
        raise InvalidArgument(f"{argument} is {result}; it must be at most {high}", field=argument)
    return result


def real_number(value: Any, argument: str) -> float:
    """The value as a float.

    Raises:
        InvalidArgument: it is no real number (True and False are none here).
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InvalidArgument(f"{argument} is {value!r}; it must be a number", field=argument)
    try:
        return float(value)
    except OverflowError:
        raise InvalidArgument(f"{argument} is larger than any float", field=argument) from None


def not_negative(value: Any, argument: str) -> float:
    """The value as a float of at least 0.

    Raises:
        InvalidArgument: it is no real number, or negative, or not finite.
    """
    result = real_number(value, argument)
    if not 0 <= result < math.inf:
        raise InvalidArgument(f"{argument} is {result}; it must be finite and at least 0", field=argument)
    return result


def flag(value: Any, argument: str) -> bool:
    """The value as a bool.

    Raises:
        InvalidArgument: it is neither True nor False.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidArgument(f"{argument} is {value!r}; it must be True or False", field=argument)
    return bool(value)


def string(value: Any, argument: str, *, cure: str = "") -> str:
    """The value, if it is a string that can be sent.

    Args:
        value: what the caller passed.
        argument: its name, for messages.
        cure: what to pass instead of an integer; "": `str(argument)`.

    Raises:
        InvalidArgument: it is no string, or holds half a character (a lone surrogate).
    """
    if not isinstance(value, str):
        hint = ""
        if isinstance(value, (int, np.integer)) and value is not True and value is not False:
            hint = f": pass {cure or f'str({argument})'}"
        elif isinstance(value, bytes):
            hint = f": pass {argument}.decode()"
        raise InvalidArgument(f"{argument} is {value!r}; it must be a string{hint}", field=argument)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{argument} is {value!r}, which UTF-8 cannot encode", field=argument) from None
    return value


def shape_of(shape: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of one pattern; a single length is a shape of one axis, as in numpy.

    Raises:
        InvalidArgument: it is neither an integer nor a sequence of them, or makes too many neurons.
    """
    try:
        lengths = list(shape) if np.iterable(shape) else [shape]
        result = tuple(integer(length, "shape", 1, UINT32_MAX) for length in lengths)
    except InvalidArgument:
        raise InvalidArgument(
            f"shape is {shape!r}; it must be a length, or a sequence of them, each an integer of at least 1",
            field="shape",
        ) from None
    integer(math.prod(result), "shape", 1, UINT32_MAX)
    return result


def labels_of(labels: str | Iterable[str], *, of_patterns: bool = False) -> list[str]:
    """The labels as a list; a single one is a list of one.

    Args:
        labels: what the caller passed.
        of_patterns: whether each belongs to the pattern at its position, so that they need an order.

    Raises:
        InvalidArgument: they are no strings, or have no order and need one.
    """
    if isinstance(labels, (str, bytes)) or not np.iterable(labels):
        return [string(labels, "labels")]
    if of_patterns and isinstance(labels, (set, frozenset)):
        raise InvalidArgument(
            f"labels is a {type(labels).__name__}, which has no order: pass a list, in the order of the patterns",
            field="labels",
        )
    cure = "[str(label) for label in labels]"
    return [string(label, f"labels[{k}]", cure=cure) for k, label in enumerate(labels)]


def real_numbers(values: ArrayLike, argument: str) -> NDArray[np.float64]:
    """The values as an array of float64.

    Raises:
        InvalidArgument: they are no real numbers or no array, or some are masked.
    """
    if np.ma.is_masked(values):
        raise InvalidArgument(f"{argument} holds masked values; every value must be known", field=argument)
    array = array_of(values, argument, "it must hold real numbers")
    if array.dtype.kind == "b":
        raise InvalidArgument(f"{argument} holds values of type bool: it must hold real numbers", field=argument)
    return array.astype(np.float64, copy=False)
