"""Patterns as numpy users hold them, to and from hopfield.v1.Patterns."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import patterns_pb2
from hopfield_client._errors import DataLoss, InvalidArgument
from hopfield_client._types import PatternArray


@dataclass(frozen=True, slots=True)
class Packed:
    """Patterns as they travel, and what the caller's array looked like, so that answers can look like it."""

    message: patterns_pb2.Patterns
    shape: tuple[int, ...]
    boolean: bool


def pack_stored(
    values: ArrayLike, *, argument: str, single: bool | None = None, neurons: int | None = None
) -> patterns_pb2.Patterns:
    """Patterns to be stored: every neuron known.

    Args:
        values: one pattern of any shape, or patterns along the first axis.
        argument: what the caller calls them, for messages.
        single: whether they are one pattern. None: they are when the array is one-dimensional or has just `neurons` elements.
        neurons: N of the memory, where it is known.

    Raises:
        InvalidArgument: values other than booleans, -1 and 1; an array without patterns; patterns of another size.
    """
    array = _checked(values, argument)
    if single is None:
        single = array.ndim <= 1 or array.size == neurons
    unknown = array == 0
    if array.dtype != np.bool_ and unknown.any():
        where = _element(argument, np.argmax(unknown), array.shape)
        hint = "" if (array < 0).any() else "; for 0/1 data pass booleans (array.astype(bool))"
        raise InvalidArgument(f"{where} is 0: a stored pattern is -1 or 1 in every neuron{hint}", field=argument)
    return _packed(array, argument, count=1 if single else len(array), neurons=neurons)


def pack_query(values: ArrayLike, *, argument: str, neurons: int | None = None) -> Packed:
    """One query of any shape; 0 is an unknown neuron. Arguments and errors: as `pack_stored`."""
    array = _checked_query(values, argument)
    return Packed(_packed(array, argument, count=1, neurons=neurons), array.shape, array.dtype == np.bool_)


def pack_queries(values: ArrayLike, *, argument: str, neurons: int | None = None) -> Packed:
    """Queries along the first axis; 0 is an unknown neuron. Arguments and errors: as `pack_stored`."""
    array = _checked_query(values, argument)
    if array.ndim < 2:
        raise InvalidArgument(
            f"{argument} has the shape {array.shape}: its first axis must count the queries; for one query use recall",
            field=argument,
        )
    return Packed(_packed(array, argument, count=len(array), neurons=neurons), array.shape, array.dtype == np.bool_)


def unpack(message: patterns_pb2.Patterns, shape: tuple[int, ...], *, boolean: bool = False) -> PatternArray:
    """The patterns of an answer as an array of their own, int8 of -1 and 1 or bool.

    Raises:
        DataLoss: the answer does not hold the patterns it speaks of, or they do not fit `shape`.
    """
    count, neurons = message.count, message.neurons
    in_bits = message.WhichOneof("encoding") == "bits"
    row_bytes = (neurons + 7) // 8 if in_bits else neurons
    data = message.bits if in_bits else message.signs
    if len(data) != count * row_bytes or count * neurons != math.prod(shape):
        raise DataLoss(
            f"the answer does not hold what it says: {count} patterns of {neurons} neurons for shape {shape}"
        )
    if not in_bits:
        signs = np.frombuffer(data, np.int8).reshape(shape)
        return signs > 0 if boolean else signs.copy()
    rows = np.frombuffer(data, np.uint8).reshape(count, row_bytes)
    bits = np.unpackbits(rows, axis=1, count=neurons, bitorder="little").reshape(shape)
    return bits.view(np.bool_) if boolean else bits.view(np.int8) * np.int8(2) - np.int8(1)


def _checked(values: ArrayLike, argument: str) -> NDArray[Any]:
    """The values as an array of booleans or of numbers that are all -1, 0 or 1."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise InvalidArgument(f"{argument} is no array: its rows differ in length", field=argument) from None
    if array.size == 0:
        raise InvalidArgument(f"{argument} is empty (shape {array.shape})", field=argument)
    if array.dtype.kind not in "biuf":
        raise InvalidArgument(
            f"{argument} holds values of type {array.dtype}: a pattern is booleans, or -1 and 1", field=argument
        )
    if array.dtype != np.bool_:
        wrong = (array != 0) & (array != 1) & (array != -1)
        if wrong.any():
            first = np.argmax(wrong)
            where = _element(argument, first, array.shape)
            raise InvalidArgument(f"{where} is {array.flat[first]}: a pattern is booleans, or -1 and 1", field=argument)
    return array


def _checked_query(values: ArrayLike, argument: str) -> NDArray[Any]:
    array = _checked(values, argument)
    # Read as -1 and 1, such data would be a query without a single -1: nearly always it is 0/1 data.
    if array.dtype != np.bool_ and not (array < 0).any() and not array.all():
        raise InvalidArgument(
            f"{argument} holds only 0s and 1s: for 0/1 data pass booleans (array.astype(bool)); "
            "otherwise pass -1 and 1, where 0 means unknown",
            field=argument,
        )
    return array


def _packed(array: NDArray[Any], argument: str, *, count: int, neurons: int | None) -> patterns_pb2.Patterns:
    size = array.size // count
    if neurons is not None and size != neurons:
        raise InvalidArgument(
            f"{argument} has the shape {array.shape}, which makes {size} neurons a pattern; the memory has {neurons}",
            field=argument,
        )
    rows = array.reshape(count, size)
    if rows.all() or rows.dtype == np.bool_:
        return patterns_pb2.Patterns(
            count=count, neurons=size, bits=np.packbits(rows > 0, axis=1, bitorder="little").tobytes()
        )
    return patterns_pb2.Patterns(count=count, neurons=size, signs=rows.astype(np.int8).tobytes())


def _element(argument: str, position: np.intp, shape: tuple[int, ...]) -> str:
    """The name of one element, such as `patterns[3, 5]`."""
    index = ", ".join(str(i) for i in np.unravel_index(position, shape))
    return f"{argument}[{index}]" if index else argument
