"""Patterns as numpy users hold them, to and from hopfield.v1.Patterns."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import patterns_pb2
from hopfield_client._array_likes import array_of, element
from hopfield_client._errors import DataLoss, InvalidArgument
from hopfield_client._types import Coding, PatternArray
from hopfield_client._words import CODINGS, number

# The largest grey level of an image of eight bits a pixel.
_WHITE = 255

_VALUES = {
    None: "booleans, -1 and 1, or 0 and 1",
    "bipolar": "booleans, or -1 and 1",
    "binary": "booleans, or 0 and 1",
    "real": "finite numbers",
}


@dataclass(frozen=True, slots=True)
class Packed:
    """Patterns as they travel, and what the caller's array looked like, so that answers can look like it.

    `if_other_coding` says what is wrong should the memory have another coding than the values, and what to pass instead.
    """

    message: patterns_pb2.Patterns
    shape: tuple[int, ...]
    boolean: bool
    if_other_coding: str


def pack_stored(
    values: ArrayLike,
    *,
    argument: str,
    single: bool = False,
    neurons: int | None = None,
    coding: Coding | None = None,
) -> Packed:
    """Patterns to be stored: every neuron known.

    Args:
        values: one pattern of any shape, or patterns along the first axis.
        argument: what the caller calls them, for messages.
        single: they are one pattern, since a single string labels them. If not, they are one when the array is one-dimensional
            or has just `neurons` elements.
        neurons: N of the memory, where it is known.
        coding: coding of the memory, where it is known.

    Raises:
        InvalidArgument: values other than booleans and those of the coding; an array without patterns; patterns of another size.
    """
    if holds_real_numbers(numbers := as_array(values, argument, coding), coding):
        single = single or numbers.ndim <= 1 or numbers.size == neurons
        return _packed_real(numbers, argument, count=1 if single else len(numbers), neurons=neurons)
    array, known = _checked(numbers, argument, coding, query=False)
    if known is not None and not known.all():
        where = element(argument, np.argmin(known), array.shape)
        raise InvalidArgument(f"{where} is masked: a stored pattern is known in every neuron", field=argument)
    read_as = _coding_of(array, None, coding)
    if_other_coding = _refusal(read_as, argument, argument)
    if coding is not None and read_as not in {None, coding}:
        raise InvalidArgument(if_other_coding, field=argument)
    if read_as == "bipolar" and not array.all():
        where = element(argument, np.argmin(array != 0), array.shape)
        raise InvalidArgument(f"{where} is 0: a stored pattern is -1 or 1 in every neuron", field=argument)
    if single and neurons is not None and array.size > neurons and array.size % neurons == 0:
        raise InvalidArgument(
            f"a single string labels a single pattern, and {argument} holds {array.size // neurons}: pass a list of labels",
            field="labels",
        )
    single = single or array.ndim <= 1 or array.size == neurons
    message = _message(array, None, read_as, argument, count=1 if single else len(array), neurons=neurons)
    return Packed(message, array.shape, array.dtype == np.bool_, if_other_coding)


def pack_query(values: ArrayLike, *, argument: str, neurons: int | None = None, coding: Coding | None = None) -> Packed:
    """One query of any shape; what is masked, or 0 among -1 and 1, is unknown. Arguments and errors: as `pack_stored`."""
    if holds_real_numbers(numbers := as_array(values, argument, coding), coding):
        return _packed_real(numbers, argument, count=1, neurons=neurons)
    array, known = _checked(numbers, argument, coding, query=True)
    return _packed_queries(array, known, argument, count=1, neurons=neurons, coding=coding)


def pack_queries(
    values: ArrayLike, *, argument: str, neurons: int | None = None, coding: Coding | None = None
) -> Packed:
    """Queries along the first axis, each as in `pack_query`. Arguments and errors: as `pack_stored`.

    Where the coding of the memory is not known, one query that holds -1 tells what 0 means in all of them.
    """
    array = array_of(values, argument, _rule(coding))
    if array.shape[:1] == (0,):
        return _no_queries(array, argument, neurons=neurons, coding=coding)
    array = as_array(array, argument, coding)
    if array.ndim < 2:
        raise InvalidArgument(
            f"{argument} has the shape {array.shape}: its first axis must count the queries; for one query use recall",
            field=argument,
        )
    if holds_real_numbers(array, coding):
        return _packed_real(array, argument, count=len(array), neurons=neurons)
    array, known = _checked(array, argument, coding, query=True)
    if coding == "bipolar" and known is None and array.dtype != np.bool_:
        # A query of 0s and 1s alone is nearly always 0/1 data, whose zeros are not unknown, whatever the others are.
        lowest = array.reshape(len(array), -1).min(axis=1)
        if not lowest.all():
            where = f"{argument}[{np.argmin(lowest != 0)}]"
            raise InvalidArgument(_refusal("binary", where, argument, query=True), field=argument)
    return _packed_queries(array, known, argument, count=len(array), neurons=neurons, coding=coding)


def _no_queries(array: NDArray[Any], argument: str, *, neurons: int | None, coding: Coding | None) -> Packed:
    """A batch without queries. An empty list has one axis, and no size to be checked."""
    size = math.prod(array.shape[1:])
    if array.ndim > 1 and neurons is not None and size != neurons:
        raise InvalidArgument(_wrong_size(array.shape, size, argument, neurons), field=argument)
    message = patterns_pb2.Patterns(coding=None if coding is None else number(CODINGS, coding, "coding"))
    return Packed(message, array.shape, array.dtype == np.bool_, "")


def part_of(queries: Packed, start: int, end: int) -> Packed:
    """Some of the queries along the first axis."""
    message, (count, *shape) = queries.message, queries.shape
    if (start, end) == (0, count):
        return queries
    width, single = (message.neurons + 7) // 8, 4 * message.neurons
    part = patterns_pb2.Patterns(
        count=end - start,
        neurons=message.neurons,
        coding=message.coding,
    )
    if message.WhichOneof("encoding") == "floats":
        part.floats = message.floats[start * single : end * single]
    else:
        part.bits = message.bits[start * width : end * width]
        part.known = message.known[start * width : end * width]
    return Packed(part, (end - start, *shape), queries.boolean, queries.if_other_coding)


def unpack(message: patterns_pb2.Patterns, shape: tuple[int, ...], *, boolean: bool = False) -> PatternArray:
    """The patterns of an answer as an array of their own: bool, or int8 or float32 of the coding that the answer names.

    Raises:
        DataLoss: the answer does not hold the patterns it speaks of, or they do not fit `shape`.
    """
    if message.coding == patterns_pb2.CODING_REAL:
        return _unpacked_real(message, shape)
    bits = _unpacked(message.bits, message, shape)
    if boolean:
        return bits.view(np.bool_)
    if message.coding == patterns_pb2.CODING_BINARY:
        return bits.view(np.int8)
    values = bits.view(np.int8)
    values += values
    values -= np.int8(1)
    return values


def unpack_states(
    message: patterns_pb2.Patterns, shape: tuple[int, ...], *, boolean: bool = False
) -> list[PatternArray]:
    """The states of a part of a trace, each of `shape` and as `unpack` gives it.

    Those that hold unknown neurons have 0 there among -1 and 1; where they are bool, or of 0 and 1, they are masked arrays.

    Raises:
        DataLoss: as `unpack`.
    """
    shape = (message.count, *shape)
    states = unpack(message, shape, boolean=boolean)
    if not message.known:
        return list(states)
    known = _unpacked(message.known, message, shape).view(np.bool_)
    zero_is_free = not boolean and message.coding != patterns_pb2.CODING_BINARY

    def with_unknowns(state: PatternArray, known: NDArray[np.bool_]) -> PatternArray:
        if known.all():
            return state
        return state * known if zero_is_free else np.ma.masked_array(state, ~known)

    return [with_unknowns(*pair) for pair in zip(states, known, strict=True)]


def _unpacked_real(message: patterns_pb2.Patterns, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if len(message.floats) != 4 * math.prod(shape):
        raise DataLoss(
            f"the answer does not hold what it says: {len(message.floats)} bytes of real numbers for shape {shape}"
        )
    return np.frombuffer(message.floats, "<f4").reshape(shape).astype(np.float32)


def _unpacked(data: bytes, message: patterns_pb2.Patterns, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """One byte a neuron, 0 or 1, for one bit a neuron."""
    count, neurons = message.count, message.neurons
    row_bytes = (neurons + 7) // 8
    if len(data) != count * row_bytes or count * neurons != math.prod(shape):
        raise DataLoss(
            f"the answer does not hold what it says: {count} patterns of {neurons} neurons for shape {shape}"
        )
    rows = np.frombuffer(data, np.uint8).reshape(count, row_bytes)
    return np.unpackbits(rows, axis=1, count=neurons, bitorder="little").reshape(shape)


def as_array(values: ArrayLike, argument: str, coding: Coding | None) -> NDArray[Any]:
    """The values as an array of booleans or numbers, a masked one where the caller speaks of masks. Arguments: as `pack_stored`.

    Raises:
        InvalidArgument: they are no such array, or an empty one.
    """
    array = array_of(values, argument, _rule(coding))
    if array.size == 0:
        raise InvalidArgument(f"{argument} is empty (shape {array.shape})", field=argument)
    return array


def _rule(coding: Coding | None) -> str:
    return f"a pattern is {_VALUES[coding]}"


def _checked(
    array: NDArray[Any], argument: str, coding: Coding | None, *, query: bool
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The values as booleans, or as numbers that are all -1, 0 or 1; and which of them are known.

    The latter is None where the values are no masked array, nor a sequence of some. What is not known is 0 or False.
    """
    known = None
    if isinstance(array, np.ma.MaskedArray):
        known = ~np.ma.getmaskarray(array)
        array = np.where(known, array.data, array.dtype.type(0))
    # Of integers the least and the largest tell, in a fraction of the time.
    if array.dtype.kind == "f" or (array.dtype.kind in "iu" and (array.min() < -1 or array.max() > 1)):
        wrong = (array != 0) & (array != 1) & (array != -1)
        if wrong.any():
            first = np.argmax(wrong)
            where = element(argument, first, array.shape)
            cure = _cure(array, argument, query=query)
            raise InvalidArgument(f"{where} is {array.flat[first]}: {_rule(coding)}{cure}", field=argument)
    return array, known


def _cure(array: NDArray[Any], argument: str, *, query: bool) -> str:
    """What to pass instead of numbers that are no states of neurons, where they look like something known."""
    kind = array.dtype.kind
    if kind == "f" and np.isnan(array).any():
        return f"; where nan means unknown, pass np.ma.masked_invalid({argument})" if query else ""
    if kind == "u" and ((array == 1) | (array == np.iinfo(array.dtype).max)).all():
        return f"; -1 wraps around in {array.dtype}: pass {argument}.astype(np.int{8 * array.itemsize})"
    if array.dtype == np.uint8 or (kind in "iu" and array.min() >= 0 and array.max() == _WHITE):
        return f"; for grey levels pass booleans, such as np.asarray({argument}) > {_WHITE // 2}"
    if kind == "f" and array.min() >= 0 and array.max() <= 1:
        return f"; for grey levels pass booleans, such as np.asarray({argument}) > 0.5"
    return ""


def _coding_of(array: NDArray[Any], known: NDArray[np.bool_] | None, coding: Coding | None) -> Coding | None:
    """The coding that the values are to be read in; None where they mean the same in either: booleans, or only ones.

    `coding` is that of the memory, where it is known. A mask leaves 0 without a meaning but that of the memory's coding.
    """
    if array.dtype == np.bool_:
        return None
    if array.min() < 0:
        return "bipolar"
    zeros = array == 0 if known is None else (array == 0) & known
    if not zeros.any():
        return None
    return "bipolar" if coding == "bipolar" and known is not None else "binary"


def _refusal(read_as: Coding | None, where: str, argument: str, *, query: bool = False) -> str:
    """What to say of values that are read in the coding that the memory does not have; "" where they fit either."""
    if read_as is None:
        return ""
    if read_as == "binary":
        hint = f"; where 0 means unknown, a masked array (np.ma.masked_equal({argument}, 0))" if query else ""
        return (
            f"{where} holds only 0s and 1s, and the memory is of bipolar coding (-1 and 1): for 0/1 data pass booleans "
            f"(array.astype(bool)){hint}"
        )
    hint = f"; where 0 means unknown, a masked array (np.ma.masked_array({argument} > 0, {argument} == 0))"
    return (
        f"{where} is in -1 and 1, and the memory is of binary coding (0 and 1): pass booleans (array > 0)"
        f"{hint if query else ''}"
    )


def _packed_queries(
    array: NDArray[Any],
    known: NDArray[np.bool_] | None,
    argument: str,
    *,
    count: int,
    neurons: int | None,
    coding: Coding | None,
) -> Packed:
    read_as = _coding_of(array, known, coding)
    if_other_coding = _refusal(read_as, argument, argument, query=True)
    if coding is not None and read_as not in {None, coding}:
        raise InvalidArgument(if_other_coding, field=argument)
    if read_as == "bipolar":
        known = array != 0
    message = _message(array, known, read_as, argument, count=count, neurons=neurons)
    return Packed(message, array.shape, array.dtype == np.bool_, if_other_coding)


def _message(
    array: NDArray[Any],
    known: NDArray[np.bool_] | None,
    read_as: Coding | None,
    argument: str,
    *,
    count: int,
    neurons: int | None,
) -> patterns_pb2.Patterns:
    return patterns_pb2.Patterns(
        count=count,
        neurons=_size(array, argument, count, neurons),
        bits=_bits(array > 0, count),
        known=b"" if known is None or known.all() else _bits(known, count),
        coding=None if read_as is None else number(CODINGS, read_as, "coding"),
    )


def holds_real_numbers(array: NDArray[Any], coding: Coding | None) -> bool:
    """Whether the values are real numbers: by the coding of the memory, or, where it is not known, since they are no two values."""
    if coding is not None:
        return coding == "real"
    return array.dtype.kind == "f" and bool(np.any((array != 0) & (np.abs(array) != 1)))


def _packed_real(array: NDArray[Any], argument: str, *, count: int, neurons: int | None) -> Packed:
    """Real numbers, each of which is known. Arguments and errors: as `pack_stored`."""
    size = _size(array, argument, count, neurons)
    if isinstance(array, np.ma.MaskedArray) and np.ma.getmaskarray(array).any():
        where = element(argument, np.argmax(np.ma.getmaskarray(array)), array.shape)
        raise InvalidArgument(f"{where} is masked: real numbers are known in every neuron", field=argument)
    with np.errstate(over="ignore"):
        singles = np.asarray(array, np.float32)
    finite = np.isfinite(singles)
    if not finite.all():
        where = element(argument, np.argmin(finite), array.shape)
        raise InvalidArgument(f"{where} is {array.flat[np.argmin(finite)]}, which is no finite float32", field=argument)
    message = patterns_pb2.Patterns(
        count=count, neurons=size, floats=singles.astype("<f4").tobytes(), coding=patterns_pb2.CODING_REAL
    )
    refusal = f"{argument} holds real numbers, and the neurons of the memory have two values: it is no memory of Modern"
    return Packed(message, array.shape, False, refusal)


def _size(array: NDArray[Any], argument: str, count: int, neurons: int | None) -> int:
    size = array.size // count
    if neurons is not None and size != neurons:
        raise InvalidArgument(_wrong_size(array.shape, size, argument, neurons), field=argument)
    return size


def _wrong_size(shape: tuple[int, ...], size: int, argument: str, neurons: int) -> str:
    cure = "; for several queries use recall_batch" if argument == "query" and size and size % neurons == 0 else ""
    return f"{argument} has the shape {shape}, which makes {size} neurons a pattern; the memory has {neurons}{cure}"


def _bits(values: NDArray[np.bool_], count: int) -> bytes:
    return np.packbits(values.reshape(count, -1), axis=1, bitorder="little").tobytes()
