"""Requests parsed so that no message keeps the event loop, or the GIL, for long.

Protobuf holds the GIL while it parses: a message of 16 MiB takes it 1 ms if it is one field of bytes, and 200 ms if it is
eight million empty strings. So the fields of a message are counted first, without the GIL, and a message with more entries
than any legal request has is refused. What is left takes about 20 ms at most.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from hopfield_service.core.kernels import wire
from hopfield_service.errors import InvalidField, MalformedMessage

AnyMessage = TypeVar("AnyMessage", bound=Message)

SMALL = 1 << 14
"""Bytes of a message that is parsed in less than a millisecond, whatever is in it."""

# Bytes of a message that is counted on the event loop in less than a millisecond.
_COUNTED_AT_ONCE = 1 << 18

# Entries that a repeated field may have. No server takes more: HOPFIELD_MAX_NEURONS is at most 2^17.
_MAX_ENTRIES = {
    "hopfield.v1.PairwiseSpec.thresholds": 1 << 17,
    "hopfield.v1.ImportWeightsHeader.thresholds": 1 << 17,
    "hopfield.v1.RecallOptions.explicit_order": 1 << 17,
    # Twice HOPFIELD_MAX_ITERATIONS, unless that is set.
    "hopfield.v1.AnnealingSchedule.beta": 1 << 21,
    "hopfield.v1.StorePatternsRequest.labels": 1 << 20,
    "hopfield.v1.ForgetPatternsRequest.labels": 1 << 20,
    "hopfield.v1.ListPatternsRequest.labels": 1000,
    "hopfield.v1.IntegrateHeadingRequest.angular_velocities": 1024,
    "hopfield.v1.IntegrateHeadingRequest.durations": 1024,
    "hopfield.v1.IntegratePositionRequest.velocities_x": 1024,
    "hopfield.v1.IntegratePositionRequest.velocities_y": 1024,
    "hopfield.v1.IntegratePositionRequest.durations": 1024,
}
# Of all others, such as the paths of a field mask, and those of the health and reflection services.
_MAX_OTHER_ENTRIES = 1000
# A field that is not repeated may stand in a message more than once: the last one counts (messages are merged).
_MAX_REPEATS = 1000
_MAX_UNKNOWN_FIELDS = 10_000

_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: 1,
    FieldDescriptor.TYPE_FIXED64: 1,
    FieldDescriptor.TYPE_SFIXED64: 1,
    FieldDescriptor.TYPE_FLOAT: 5,
    FieldDescriptor.TYPE_FIXED32: 5,
    FieldDescriptor.TYPE_SFIXED32: 5,
    FieldDescriptor.TYPE_STRING: 2,
    FieldDescriptor.TYPE_BYTES: 2,
    FieldDescriptor.TYPE_MESSAGE: 2,
}
_LENGTH_DELIMITED = 2
_PACKED_WIDTHS = {0: wire.PACKED_VARINT, 1: 8, 5: 4}

# Counting needs no GIL. Parsing has one thread, so that no two large messages hold the GIL one after the other.
_counting = ThreadPoolExecutor(2, "counting")
_parsing = ThreadPoolExecutor(1, "parsing")

_bytes_of_request: ContextVar[int] = ContextVar("_bytes_of_request", default=0)


def bytes_of_request() -> int:
    """Bytes of the message that this task parsed last. Protobuf itself serializes a message to tell its size."""
    return _bytes_of_request.get()


def parsed_small(method: str, message_type: type[AnyMessage], raw: bytes) -> AnyMessage:
    """Parses a message of at most SMALL bytes.

    Args:
        method: that it is a request of.
        message_type: what it is to be.
        raw: the message.

    Raises:
        MalformedMessage: it is no such message.
    """
    _bytes_of_request.set(len(raw))
    return _message(method, message_type, raw)


async def parsed(method: str, message_type: type[AnyMessage], raw: bytes) -> AnyMessage:
    """Parses a message of any size; large ones on a thread, one at a time. Arguments: as `parsed_small`.

    Raises:
        InvalidField: a field has more entries than any legal request has.
        MalformedMessage: it is no such message.
    """
    _bytes_of_request.set(len(raw))
    if len(raw) <= SMALL:
        return _message(method, message_type, raw)
    if len(raw) <= _COUNTED_AT_ONCE:
        _check_counts(method, message_type, raw)
        return _message(method, message_type, raw)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(_counting, _check_counts, method, message_type, raw)
    return await loop.run_in_executor(_parsing, _message, method, message_type, raw)


def _message(method: str, message_type: type[AnyMessage], raw: bytes) -> AnyMessage:
    try:
        return message_type.FromString(raw)
    except DecodeError:
        # Its traceback would hold the message.
        raise MalformedMessage(method) from None


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """The fields of a message and of the messages in it, as `wire.count_fields` takes them.

    Attributes:
        counters, children, packed: tables.
        paths: of the field of each counter.
        limits: the most that each counter may count.
    """

    counters: NDArray[np.int32]
    children: NDArray[np.int32]
    packed: NDArray[np.int8]
    paths: list[str]
    limits: NDArray[np.int64]


@cache
def _shape(descriptor: Descriptor) -> _Shape:
    nodes: list[tuple[str, Descriptor]] = [("", descriptor)]
    paths, limits = ["unknown fields"], [_MAX_UNKNOWN_FIELDS]
    found: list[tuple[int, FieldDescriptor, int, int]] = []
    # Grows while it is walked. A message in itself would make it endless, and none of ours is.
    for node, (prefix, message) in enumerate(nodes):
        for field in message.fields:
            path = prefix + field.name
            child = 0
            if field.message_type is not None:
                child = len(nodes)
                nodes.append((f"{path}.", field.message_type))
            found.append((node, field, len(paths), child))
            paths.append(path)
            limits.append(_limit(field))
    fields = 1 + max((field.number for _, field, _, _ in found), default=0)
    counters = np.zeros((len(nodes), fields, wire.WIRE_TYPES), np.int32)
    children = np.zeros((len(nodes), fields), np.int32)
    packed = np.zeros((len(nodes), fields), np.int8)
    for node, field, counter, child in found:
        wire_type = _WIRE_TYPES.get(field.type, 0)
        counters[node, field.number, wire_type] = counter
        children[node, field.number] = child
        if field.is_repeated and wire_type != _LENGTH_DELIMITED:
            # A parser takes both ways to write a repeated field of numbers, whichever the .proto says.
            counters[node, field.number, _LENGTH_DELIMITED] = counter
            packed[node, field.number] = _PACKED_WIDTHS[wire_type]
    return _Shape(counters, children, packed, paths, np.array(limits, np.int64))


def _limit(field: FieldDescriptor) -> int:
    if field.is_repeated:
        return _MAX_ENTRIES.get(field.full_name, _MAX_OTHER_ENTRIES)
    return _MAX_REPEATS


def _check_counts(method: str, message_type: type[Message], raw: bytes) -> None:
    """Refuses a message that has too many entries of a field.

    Raises:
        InvalidField: it has.
        MalformedMessage: it is no message.
    """
    shape = _shape(message_type.DESCRIPTOR)
    counts = np.zeros(len(shape.paths), np.int64)
    outcome = wire.count_fields(np.frombuffer(raw, np.uint8), shape.counters, shape.children, shape.packed, counts)
    # Also where it is malformed: the parser would walk as far.
    beyond = counts > shape.limits
    if beyond.any():
        first = int(beyond.argmax())
        raise InvalidField(shape.paths[first], f"must be at most {shape.limits[first]} entries, are {counts[first]}")
    if outcome == wire.MALFORMED:
        raise MalformedMessage(method)
