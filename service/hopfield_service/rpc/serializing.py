"""Large answers, made on threads as the bytes that go on the wire.

A message of many entries is slow to make: protobuf takes them one Python object at a time and holds the GIL meanwhile. A
column of an array is the same bytes in memory and on the wire, or is encoded by a kernel.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.kernels import wire
from hopfield_service.serving.conversion import PIECE

Part = bytes | memoryview

_MAX_VARINT_BYTES = 10
_LENGTH_DELIMITED = 2


def serialized(answer: Message | bytes) -> bytes:
    """An answer as it goes on the wire; one that is made as bytes as it is."""
    return answer if isinstance(answer, bytes) else answer.SerializeToString()


def delimited(number: int, parts: Sequence[Part]) -> Sequence[Part]:
    """A field of bytes, or of a message, made of some parts.

    Args:
        number: of the field.
        parts: of its value.
    """
    return (_head(number, sum(map(len, parts))), *parts)


def raw(number: int, values: NDArray[Any]) -> Sequence[Part]:
    """A field whose value is an array as it stands in memory, little-endian: bytes, or packed doubles.

    So are packed values of an enumeration, as uint8, since those below 128 take one byte each.
    """
    if not values.size:
        return ()
    value = values.tobytes() if sys.byteorder == "little" else values.byteswap().tobytes()
    return _head(number, len(value)), value


def integers(number: int, values: NDArray[np.int64]) -> Sequence[Part]:
    """A packed field of integers, none negative."""
    if not values.size:
        return ()
    out = np.empty(_MAX_VARINT_BYTES * len(values), np.uint8)
    size = wire.encode_varints(values.astype(np.uint64), out)
    return _head(number, size), out[:size].data


def strings(
    number: int, texts: Sequence[str], positions: NDArray[np.int64], interruption: Interruption
) -> Iterator[Part]:
    """A repeated field of strings, each one of some texts.

    Args:
        number: of the field.
        texts: to choose from.
        positions: (count,), of the entries among the texts.
        interruption: asked between two pieces.

    Raises:
        Interrupted: `interruption` said so.
    """
    fields = _Strings(number, texts)
    for start in range(0, len(positions), PIECE):
        check(interruption)
        yield b"".join(map(fields.__getitem__, positions[start : start + PIECE].tolist()))


class _Strings(dict[int, bytes]):
    """Fields that hold one of some texts each, by its position, encoded when first asked for."""

    def __init__(self, number: int, texts: Sequence[str]) -> None:
        self._number = number
        self._texts = texts

    def __missing__(self, position: int) -> bytes:
        text = self._texts[position].encode()
        field = self[position] = _head(self._number, len(text)) + text
        return field


def _head(number: int, size: int) -> bytes:
    """What a field that is delimited by its length begins with."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(size)


def _varint(value: int) -> bytes:
    if value < 0x80:
        return value.to_bytes()
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
