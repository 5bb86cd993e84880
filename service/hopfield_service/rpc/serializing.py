"""Large answers, made on threads as the bytes that go on the wire.

A message of many entries is slow to make: protobuf takes them one Python object at a time and holds the GIL meanwhile. A
column of an array is the same bytes in memory and on the wire, or is encoded by a kernel.
"""

from collections.abc import Iterable, Iterator, Sequence
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


def delimited(number: int, parts: Iterable[Part]) -> Iterator[Part]:
    """A field of bytes, or of a message, made of some parts.

    Args:
        number: of the field.
        parts: of its value.
    """
    parts = list(parts)
    yield _tag(number) + _varint(sum(map(len, parts)))
    yield from parts


def raw(number: int, values: NDArray[Any]) -> Iterator[Part]:
    """A field of bytes, or a packed field of doubles, whose value is an array as it stands in memory, little-endian."""
    if values.size:
        little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
        yield from delimited(number, [np.ascontiguousarray(little_endian).reshape(-1).view(np.uint8).data])


def integers(number: int, values: NDArray[np.int64]) -> Iterator[Part]:
    """A packed field of integers, none negative, or of values of an enumeration."""
    if len(values):
        out = np.empty(_MAX_VARINT_BYTES * len(values), np.uint8)
        size = wire.encode_varints(values.astype(np.uint64), out)
        yield from delimited(number, [out[:size].data])


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
    tag = _tag(number)
    encoded: dict[int, bytes] = {}
    for start in range(0, len(positions), PIECE):
        check(interruption)
        piece = positions[start : start + PIECE].tolist()
        for position in set(piece).difference(encoded):
            text = texts[position].encode()
            encoded[position] = tag + _varint(len(text)) + text
        yield b"".join(map(encoded.__getitem__, piece))


def _tag(number: int) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
