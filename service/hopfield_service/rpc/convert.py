"""Messages to values, and values to messages, of what several services have in common."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeVar, TypeVarTuple

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from numpy.typing import NDArray

from hopfield.v1 import memory_pb2, patterns_pb2
from hopfield_service.core.network import Spec
from hopfield_service.core.patterns import Bits, Coding, Signs, padding_is_clear, row_bytes
from hopfield_service.errors import InvalidField
from hopfield_service.rpc.parsing import bytes_of_request
from hopfield_service.rpc.serializing import Part, delimited, raw
from hopfield_service.serving.checks import Block
from hopfield_service.serving.conversion import PIECE, on_thread_if
from hopfield_service.serving.loader import Token

CODINGS = {patterns_pb2.CODING_BIPOLAR: Coding.BIPOLAR, patterns_pb2.CODING_BINARY: Coding.BINARY}
ALL_CODINGS = CODINGS | {patterns_pb2.CODING_REAL: Coding.REAL}
_CODING_NUMBERS = {coding: number for number, coding in ALL_CODINGS.items()}

# Every neuron is known.
_ALL: Bits = np.empty((0, 0), np.uint8)
LARGE = 1 << 18
"""Bytes of a message that takes about a millisecond to convert."""

Value = TypeVar("Value")
Rest = TypeVarTuple("Rest")
Result = TypeVar("Result")
Number = TypeVar("Number", np.int64, np.float64)


def is_large() -> bool:
    """Whether the request of this task takes so long to convert that it must not keep the event loop from everyone else."""
    return bytes_of_request() >= LARGE


async def converted(message: Message, convert_in: Callable[..., Result], *rest: *Rest) -> Result:
    """What the request of this task, or a message in it, converts to; that of a large one on a thread."""
    return await on_thread_if(is_large(), lambda _: convert_in(message, *rest))


def block_in(message: patterns_pb2.Patterns, field: str) -> Block:
    """The patterns of a message, which stands in `field`.

    Raises:
        InvalidField: they are not what the message says they are.
    """
    count, neurons = message.count, message.neurons
    encoding = message.WhichOneof("encoding")
    if count and not neurons:
        raise InvalidField(f"{field}.neurons", "must be at least 1")
    if encoding is None:
        if count:
            raise InvalidField(field, "must have its values in bits, in signs or in floats")
        return Block(neurons, "signs", np.empty((0, neurons), np.int8), _ALL, None, field)
    coding = None
    if message.coding:
        coding = chosen(message.coding, ALL_CODINGS, Coding.BIPOLAR, patterns_pb2.Coding, f"{field}.coding")
    if encoding == "bits":
        bits = _bits(message.bits, count, neurons, f"{field}.bits")
        known = _known(message.known, bits, neurons, f"{field}.known") if message.known else _ALL
        return Block(neurons, encoding, bits, known, coding, field)
    if encoding == "floats":
        values: NDArray[Any] = _floats(message.floats, count, neurons, f"{field}.floats")
    else:
        values = _signs(message.signs, count, neurons, f"{field}.signs")
    if message.known:
        raise InvalidField(f"{field}.known", "must be empty but with bits")
    return Block(neurons, encoding, values, _ALL, coding, field)


def numbers_in(values: Sequence[float], dtype: type[Number]) -> NDArray[Number]:
    """A repeated field of numbers as an array."""
    # Protobuf makes an object of each entry. In pieces, between which the GIL goes to whoever waits for it.
    pieces = [
        np.fromiter(values[start : start + PIECE], dtype, min(PIECE, len(values) - start))
        for start in range(0, len(values), PIECE)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype)


def _check_length(payload: bytes, count: int, width: int, neurons: int, field: str) -> None:
    if len(payload) != count * width:
        raise InvalidField(field, f"must be {count * width} bytes for {count} x {neurons} neurons, is {len(payload)}")


def _signs(payload: bytes, count: int, neurons: int, field: str) -> Signs:
    _check_length(payload, count, neurons, neurons, field)
    signs = np.frombuffer(payload, np.int8).reshape(count, neurons)
    wrong = (signs > 1) | (signs < -1)
    if wrong.any():
        k, i = divmod(int(wrong.argmax()), neurons)
        raise InvalidField(field, f"must be 1, -1 or 0; pattern {k} has {signs[k, i]} at neuron {i}")
    return signs


def _floats(payload: bytes, count: int, neurons: int, field: str) -> NDArray[np.float32]:
    _check_length(payload, count, 4 * neurons, neurons, field)
    floats = np.frombuffer(payload, "<f4").reshape(count, neurons).astype(np.float32, copy=False)
    finite = np.isfinite(floats)
    if not finite.all():
        k, i = divmod(int(np.argmin(finite)), neurons)
        raise InvalidField(field, f"must be finite; pattern {k} has {floats[k, i]} at neuron {i}")
    return floats


def _bits(payload: bytes, count: int, neurons: int, field: str) -> Bits:
    width = row_bytes(neurons)
    _check_length(payload, count, width, neurons, field)
    # In one call in place of two, since every recall waits for it.
    bits: Bits = np.ndarray((count, width), np.uint8, payload)
    if count and not padding_is_clear(bits, neurons):
        raise InvalidField(field, f"must have zeros behind the last of the {neurons} neurons of each pattern")
    return bits


def _known(payload: bytes, bits: Bits, neurons: int, field: str) -> Bits:
    if len(payload) != bits.size:
        raise InvalidField(field, f"must be empty or as long as bits: {len(payload)} bytes for {bits.size}")
    known = _bits(payload, len(bits), neurons, field)
    if (bits & ~known).any():
        raise InvalidField(field, "must be set where bits are: an unknown neuron has a clear bit")
    return known


def chosen(number: int, values: dict[Any, Value], default: Value, enumeration: EnumTypeWrapper, field: str) -> Value:
    """What a number of an enumeration stands for, 0 for the default.

    Raises:
        InvalidField: it is none of those that may stand there.
    """
    if number == 0:
        return default
    if number not in values:
        known = ", ".join(enumeration.Name(known) for known in values)
        raise InvalidField(field, f"must be one of {known}; {number} is none of them")
    return values[number]


class WithToken(Protocol):
    """A request that can say what its caller has seen."""

    @property
    def token(self) -> memory_pb2.FreshnessToken:
        """What that is."""

    def HasField(self, field_name: Literal["token"]) -> bool:  # noqa: N802 - protobuf's name
        """Whether it says so."""


def token_in(request: WithToken) -> Token | None:
    """What the caller of a request has seen, if it says so."""
    if not request.HasField("token"):
        return None
    token = request.token
    return Token(token.uid, token.revision) if token.uid else None


def coding_out(coding: Coding) -> patterns_pb2.Coding:
    """The values a neuron has."""
    return _CODING_NUMBERS[coding]


def packed_parts(number: int, packed: Bits, spec: Spec) -> Iterator[Part]:
    """A field of Patterns on the wire: patterns of a memory, packed as they are kept, as `bits` or `floats`."""
    message = patterns_pb2.Patterns(count=len(packed), neurons=spec.neurons, coding=coding_out(spec.coding))
    field = message.FLOATS_FIELD_NUMBER if spec.coding is Coding.REAL else message.BITS_FIELD_NUMBER
    yield from delimited(number, [message.SerializeToString(), *raw(field, packed)])


def reals_out(states: NDArray[Any]) -> patterns_pb2.Patterns:
    """States of real neurons, (count, N)."""
    count, neurons = states.shape
    floats = states.astype("<f4", copy=False).tobytes()
    return patterns_pb2.Patterns(count=count, neurons=neurons, floats=floats, coding=coding_out(Coding.REAL))


def values_of(signs: Signs, spec: Spec) -> Signs:
    """States of 1, -1 and 0 as the values of the memory's coding."""
    return (signs > 0).view(np.int8) if spec.coding is Coding.BINARY else signs


def signs_out(states: Signs, spec: Spec) -> patterns_pb2.Patterns:
    """States, (count, N), as `signs`."""
    signs = values_of(states, spec).tobytes()
    return patterns_pb2.Patterns(count=len(states), neurons=spec.neurons, signs=signs, coding=coding_out(spec.coding))
