"""What is done to valid requests: other values in their fields, other bytes in their encoding."""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_KIND = FieldDescriptor
_INTEGERS = (0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 256, 1000, 1025, 16384, 16385, 65536, 10**6, 10**6 + 1)
_LIMITS = {
    _KIND.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    _KIND.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    _KIND.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    _KIND.CPPTYPE_UINT64: (0, (1 << 64) - 1),
    _KIND.CPPTYPE_ENUM: (-(1 << 31), (1 << 31) - 1),
}
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-6, 5e-324, 1e9, 1.7e308, 3.4e38, math.nan, math.inf, -math.inf, 600.0001)
_TEXTS = (
    *("", "a", "0", "A", "a b", "a\n", "\x00", "é", "日本", "x" * 128, "x" * 129, "🜚" * 256, "🜚" * 257, "y" * 5000),
    *("{kept}", "}", ":head", "*", "../../etc/passwd", "%s%n", "\u202e", "\ufeff", "\r\nSET x 1\r\n", "\x7f", "\x85"),
    *("pairwise.rule", "pairwise.neurons", "dense.degree", "spec", "IjEi", "bnVsbA==", "W1tb" * 200, "%%%"),
)
_TEXT_BYTES = 1 << 23
_MANY = (1025, 20_000, 200_000)


def damaged_field(draw: random.Random, message: Message) -> None:
    """Puts a value that is often wrong into one field of the message, or of a message in it."""
    choices = list(_fields(message))
    if not choices:
        return
    owner, field = draw.choice(choices)
    if draw.random() < 0.2:
        owner.ClearField(field.name)
    elif field.message_type is not None:
        _damaged_message(draw, owner, field)
    elif field.is_repeated:
        values = getattr(owner, field.name)
        del values[:]
        many = draw.choice(_MANY) if draw.random() < 0.01 else draw.choice((0, 1, 2, 3, 40))
        value = _value(draw, field)
        if isinstance(value, str | bytes):
            # No more than a message may hold: gRPC itself refuses what is larger, without a reason.
            many = min(many, _TEXT_BYTES // (4 * len(value) + 1))
        values.extend([_value(draw, field) for _ in range(many)] if many < 50 else [value] * many)
    else:
        setattr(owner, field.name, _value(draw, field))


def damaged_bytes(draw: random.Random, raw: bytes) -> bytes:
    """Flips, replaces, cuts, inserts or repeats bytes."""
    damaged = bytearray(raw)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        at = draw.randrange(len(damaged) + 1)
        draw.choice(_BYTE_DAMAGES)(draw, damaged, at)
    return bytes(damaged)


def _flip(draw: random.Random, damaged: bytearray, at: int) -> None:
    if at < len(damaged):
        damaged[at] ^= 1 << draw.randrange(8)


def _replace(draw: random.Random, damaged: bytearray, at: int) -> None:
    damaged[at : at + 1] = bytes([draw.choice((0, 0xFF, 0x80, 0x7F, draw.randrange(256)))])


def _cut(draw: random.Random, damaged: bytearray, at: int) -> None:
    del damaged[at : at + draw.choice((1, 2, 8, len(damaged)))]


def _insert(draw: random.Random, damaged: bytearray, at: int) -> None:
    damaged[at:at] = draw.randbytes(draw.choice((1, 2, 8)))


def _repeat(_: random.Random, damaged: bytearray, at: int) -> None:
    damaged += damaged[:at]


_BYTE_DAMAGES: tuple[Callable[[random.Random, bytearray, int], None], ...] = (_flip, _replace, _cut, _insert, _repeat)


def _fields(message: Message) -> Iterator[tuple[Message, Any]]:
    """Every field of the message and of the messages that are set in it."""
    for field in message.DESCRIPTOR.fields:
        yield message, field
        if field.message_type is None:
            continue
        if field.is_repeated:
            for one in getattr(message, field.name):
                yield from _fields(one)
        elif message.HasField(field.name):
            yield from _fields(getattr(message, field.name))


def _damaged_message(draw: random.Random, owner: Message, field: Any) -> None:
    if field.is_repeated:
        getattr(owner, field.name).add()
        return
    inner = getattr(owner, field.name)
    inner.SetInParent()
    damaged_field(draw, inner)


def _value(draw: random.Random, field: Any) -> Any:
    if field.type == _KIND.TYPE_BYTES:
        return draw.randbytes(draw.choice((0, 1, 8, 72, 100)))
    if field.cpp_type == _KIND.CPPTYPE_STRING:
        return draw.choice(_TEXTS)
    if field.cpp_type == _KIND.CPPTYPE_BOOL:
        return draw.random() < 0.5
    if field.cpp_type in {_KIND.CPPTYPE_DOUBLE, _KIND.CPPTYPE_FLOAT}:
        return draw.choice(_FLOATS) if draw.random() < 0.7 else draw.uniform(-2, 50)
    least, most = _LIMITS[field.cpp_type]
    value = draw.choice((*_INTEGERS, most, most // 2, least, -1))
    return min(max(value, least), most)
