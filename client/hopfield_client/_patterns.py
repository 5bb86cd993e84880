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
    values: ArrayLike, *, argument: str, single: bool = False, neurons: int | None = None
) -> patterns_pb2.Patterns:
    """Patterns to be stored: every neuron known.

    Args:
        values: one pattern of any shape, or patterns along the first axis.
        argument: what the caller calls them, for messages.
        single: they are one pattern, since a single string labels them. If not, they are one when the array is one-dimensional
            or has just `neurons` elements.
        neurons: N of the memory, where it is known.

    Raises:
        InvalidArgument: values other than booleans, -1 and 1; an array without patterns; patterns of another size.
    """
    array, mask = _checked(values, argument)
    if mask is not None and mask.any():
        where = _element(argument, np.argmax(mask), array.shape)
        raise InvalidArgument(f"{where} is masked: a stored pattern is known in every neuron", field=argument)
    unknown = array == 0
    if array.dtype != np.bool_ and unknown.any():
        where = _element(argument, np.argmax(unknown), array.shape)
        hint = "" if (array < 0).any() else "; for 0/1 data pass booleans (array.astype(bool))"
        raise InvalidArgument(f"{where} is 0: a stored pattern is -1 or 1 in every neuron{hint}", field=argument)
    if single and neurons is not None and array.size > neurons and array.size % neurons == 0:
        raise InvalidArgument(
            f"a single string labels a single pattern, and {argument} holds {array.size // neurons}: pass a list of labels",
            field="labels",
        )
    single = single or array.ndim <= 1 or array.size == neurons
    return _packed(array, argument, count=1 if single else len(array), neurons=neurons)


def pack_query(values: ArrayLike, *, argument: str, neurons: int | None = None) -> Packed:
    """One query of any shape; what is 0 or masked is unknown. Arguments and errors: as `pack_stored`."""
    array, mask = _checked(values, argument)
    if mask is None and _only_zeros_and_ones(array.reshape(1, -1)).any():
        raise _refusal_of_zeros_and_ones(argument, argument)
    message = _packed(_with_unknowns(array, mask), argument, count=1, neurons=neurons)
    return Packed(message, array.shape, array.dtype == np.bool_)


def pack_queries(values: ArrayLike, *, argument: str, neurons: int | None = None) -> Packed:
    """Queries along the first axis, each as in `pack_query`. Arguments and errors: as `pack_stored`."""
    array, mask = _checked(values, argument)
    if array.ndim < 2:
        raise InvalidArgument(
            f"{argument} has the shape {array.shape}: its first axis must count the queries; for one query use recall",
            field=argument,
        )
    count = len(array)
    if mask is None and (refused := _only_zeros_and_ones(array.reshape(count, -1))).any():
        raise _refusal_of_zeros_and_ones(f"{argument}[{np.argmax(refused)}]", argument)
    message = _packed(_with_unknowns(array, mask), argument, count=count, neurons=neurons)
    return Packed(message, array.shape, array.dtype == np.bool_)


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


def _checked(values: ArrayLike, argument: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The values as an array of booleans, or of numbers that are all -1, 0 or 1 where they are not masked; and their mask.

    The mask is None where the values are no masked array, nor a sequence of some.
    """
    try:
        array = np.ma.asarray(values) if _is_masked_array(values) else np.asarray(values)
    except ValueError:
        raise InvalidArgument(f"{argument} is no array: its rows differ in length", field=argument) from None
    mask = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    array = np.asarray(array)
    if array.size == 0:
        raise InvalidArgument(f"{argument} is empty (shape {array.shape})", field=argument)
    if array.dtype.kind not in "biuf":
        raise InvalidArgument(
            f"{argument} holds values of type {array.dtype}: a pattern is booleans, or -1 and 1", field=argument
        )
    if array.dtype != np.bool_:
        known = True if mask is None else ~mask
        wrong = (array != 0) & (array != 1) & (array != -1) & known
        if wrong.any():
            first = np.argmax(wrong)
            where = _element(argument, first, array.shape)
            raise InvalidArgument(f"{where} is {array.flat[first]}: a pattern is booleans, or -1 and 1", field=argument)
    return array, mask


def _is_masked_array(values: ArrayLike) -> bool:
    """Whether the caller speaks of masks; numpy itself would drop them."""
    rows = values if isinstance(values, (list, tuple)) else [values]
    return any(isinstance(row, np.ma.MaskedArray) for row in rows)


def _with_unknowns(array: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[Any]:
    """The values with 0 where they are masked; booleans become -1 and 1 where some are."""
    if mask is None or not mask.any():
        return array
    signs = np.where(array, 1, -1) if array.dtype == np.bool_ else array
    return np.where(mask, 0, signs)


def _only_zeros_and_ones(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows hold numbers, 0 among them and no -1: nearly always 0/1 data, whose zeros are not unknown."""
    return np.zeros(len(rows), np.bool_) if rows.dtype == np.bool_ else np.equal(rows.min(axis=1), 0)


def _refusal_of_zeros_and_ones(where: str, argument: str) -> InvalidArgument:
    return InvalidArgument(
        f"{where} holds only 0s and 1s: for 0/1 data pass booleans (array.astype(bool)); where 0 means unknown, a masked "
        f"array (np.ma.masked_equal({argument}, 0))",
        field=argument,
    )


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
