"""Protocol buffers on the wire: fields counted before they are parsed, integer columns encoded.

The formats are those of https://protobuf.dev/programming-guides/encoding/.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import compiled, inlined, leaf

# Wire types.
_VARINT, _FIXED64, _LENGTH_DELIMITED, _START_GROUP, _END_GROUP, _FIXED32 = range(6)
WIRE_TYPES = _FIXED32 + 1
# Results of `count_fields`.
COUNTED, MALFORMED = 0, 1
# Widths of the entries of a packed field, in bytes; the entries of VARINT have no fixed width.
NOT_PACKED, PACKED_VARINT = 0, 1
# Protobuf itself refuses more than 100 nested messages and groups.
_MAX_DEPTH = 128
_MAX_VARINT_BYTES = 10


@inlined
def _read_varint(wire: NDArray[np.uint8], position: int, end: int) -> tuple[Any, Any]:
    """A varint, and the position behind it; a position of -1 where there is none."""
    if position < end and wire[position] < 0x80:
        return np.int64(wire[position]), position + 1
    value = np.uint64(0)
    for k in range(_MAX_VARINT_BYTES):
        if position >= end:
            return 0, -1
        byte = wire[position]
        position += 1
        value |= np.uint64(byte & 0x7F) << np.uint64(7 * k)
        if byte < 0x80:
            return np.int64(value & np.uint64(0x7FFFFFFFFFFFFFFF)), position
    return 0, -1


@inlined
def _skip_scalar(wire: NDArray[np.uint8], position: int, end: int, wire_type: int) -> int:
    """The position behind a value that is no group; -1 where it is cut off or of no known type."""
    if wire_type == _VARINT:
        _, position = _read_varint(wire, position, end)
        return position
    if wire_type == _FIXED64:
        position += 8
    elif wire_type == _FIXED32:
        position += 4
    elif wire_type == _LENGTH_DELIMITED:
        length, position = _read_varint(wire, position, end)
        if position < 0 or length > end - position:
            return -1
        position += length
    else:
        return -1
    return position if position <= end else -1


@leaf
def _skip_group(
    wire: NDArray[np.uint8],
    position: int,
    end: int,
    field: int,
    counts: NDArray[np.int64],
    open_groups: NDArray[np.int64],
) -> int:
    """The position behind a group, whose fields count as unknown ones; -1 where it is malformed."""
    open_groups[0] = field
    depth = 1
    while depth:
        tag, position = _read_varint(wire, position, end)
        if position < 0:
            return -1
        field, wire_type = tag >> 3, tag & 7
        if wire_type == _END_GROUP:
            depth -= 1
            if open_groups[depth] != field:
                return -1
            continue
        counts[0] += 1
        if wire_type == _START_GROUP:
            if depth == _MAX_DEPTH:
                return -1
            open_groups[depth] = field
            depth += 1
            continue
        position = _skip_scalar(wire, position, end, wire_type)
        if position < 0:
            return -1
    return position


@compiled
def count_fields(
    wire: NDArray[np.uint8],
    counters: NDArray[np.int32],
    children: NDArray[np.int32],
    packed: NDArray[np.int8],
    counts: NDArray[np.int64],
) -> int:
    """Counts how often each field stands in a message, and how many entries the packed ones have.

    It accepts all that protobuf accepts. What else it accepts, protobuf refuses.

    Args:
        wire: the message.
        counters: (nodes, fields, WIRE_TYPES), the counter of a field of that number and wire type; 0 counts unknown fields.
            A node is a message at one path; node 0 is the whole message.
        children: (nodes, fields), the node of a field that is a message; 0 for others.
        packed: (nodes, fields), the bytes of an entry of a repeated field that may be packed, NOT_PACKED or PACKED_VARINT.
        counts: one a counter. They are added to.

    Returns:
        COUNTED; or MALFORMED, where the counts reach up to the fault.
    """
    ends = np.empty(_MAX_DEPTH, np.int64)
    nodes = np.empty(_MAX_DEPTH, np.int64)
    open_groups = np.empty(_MAX_DEPTH, np.int64)
    fields = counters.shape[1]
    position, end, node, depth = 0, len(wire), 0, 0
    while True:
        if position == end:
            if depth == 0:
                return COUNTED
            depth -= 1
            end, node = ends[depth], nodes[depth]
            continue
        tag, position = _read_varint(wire, position, end)
        if position < 0:
            return MALFORMED
        field, wire_type = tag >> 3, tag & 7
        if field == 0 or wire_type >= WIRE_TYPES or wire_type == _END_GROUP:
            return MALFORMED
        counter = counters[node, field, wire_type] if field < fields else 0
        if wire_type == _START_GROUP:
            counts[0] += 1
            position = _skip_group(wire, position, end, field, counts, open_groups)
            if position < 0:
                return MALFORMED
            continue
        if wire_type != _LENGTH_DELIMITED or counter == 0:
            counts[counter] += 1
            position = _skip_scalar(wire, position, end, wire_type)
            if position < 0:
                return MALFORMED
            continue
        length, position = _read_varint(wire, position, end)
        if position < 0 or length > end - position:
            return MALFORMED
        width = packed[node, field]
        if width == PACKED_VARINT:
            # The last byte of a varint has its highest bit clear.
            for k in range(position, position + length):
                counts[counter] += wire[k] < 0x80
            position += length
        elif width != NOT_PACKED:
            counts[counter] += length // width
            position += length
        elif children[node, field]:
            counts[counter] += 1
            if depth == _MAX_DEPTH:
                return MALFORMED
            ends[depth], nodes[depth] = end, node
            depth += 1
            end, node = position + length, children[node, field]
        else:
            counts[counter] += 1
            position += length


@compiled
def encode_varints(values: NDArray[np.uint64], out: NDArray[np.uint8]) -> int:
    """Writes integers as varints.

    Args:
        values: the integers.
        out: takes them; ten bytes each suffice.

    Returns:
        How many bytes they take.
    """
    position = 0
    for k in range(len(values)):
        value = values[k]
        while value >= np.uint64(0x80):
            out[position] = np.uint8(value & np.uint64(0x7F)) | np.uint8(0x80)
            value >>= np.uint64(7)
            position += 1
        out[position] = np.uint8(value)
        position += 1
    return position


def warm() -> None:
    """Compiles what this file holds."""
    table: Any = np.zeros((1, 1, WIRE_TYPES), np.int32)
    wire = np.frombuffer(b"", np.uint8)
    count_fields(wire, table, table[:, :, 0].copy(), np.zeros((1, 1), np.int8), np.zeros(1, np.int64))
    encode_varints(np.zeros(1, np.uint64), np.empty(10, np.uint8))
