"""What protobuf takes is taken and means the same; a message that would keep the service busy is refused by its fields."""

import random

import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from hopfield.v1 import (
    attractor_service_pb2,
    memory_pb2,
    memory_service_pb2,
    patterns_pb2,
    recall_service_pb2,
    server_service_pb2,
)
from hopfield_service.errors import InvalidField, MalformedMessage
from hopfield_service.rpc.parsing import SMALL, _check_counts, bytes_of_request, parsed, parsed_small

METHOD = "/hopfield.v1.RecallService/Recall"
MODULES = (
    attractor_service_pb2,
    memory_service_pb2,
    recall_service_pb2,
    server_service_pb2,
    health_pb2,
    reflection_pb2,
)
METHODS = {
    f"/{service.full_name}/{method.name}": GetMessageClass(method.input_type)
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def varint(value: int, length: int = 0) -> bytes:
    """A varint; over-long where it is told how many bytes to take."""
    encoded = bytearray()
    while value > 127 or len(encoded) + 1 < length:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def group(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 3) + value + varint(number << 3 | 4)


PATTERNS = patterns_pb2.Patterns(count=2, neurons=8, bits=b"\x01\x02", known=b"\xff\xff")
OPTIONS = recall_service_pb2.RecallOptions(
    explicit_order=[0, 300, 70000], seed=2**64 - 1, annealing=recall_service_pb2.AnnealingSchedule(beta=[0.5, 2.0])
)
TOKEN = memory_pb2.FreshnessToken(uid="é", revision=3)
SPEC = memory_pb2.MemorySpec(pairwise=memory_pb2.PairwiseSpec(neurons=3, thresholds=[1, 2, 3], kappa=1))
MESSAGES: list[Message] = [
    recall_service_pb2.RecallRequest(name="a", query=PATTERNS, options=OPTIONS, token=TOKEN),
    memory_service_pb2.CreateMemoryRequest(name="a", spec=SPEC, request_id="b"),
    memory_service_pb2.StorePatternsRequest(name="a", patterns=PATTERNS, labels=["x", "", "ü"], expected_revision=0),
    memory_service_pb2.UpdateMemoryRequest(name="a", spec=SPEC, update_mask={"paths": ["pairwise.rule", ""]}),
    attractor_service_pb2.IntegratePositionRequest(velocities_x=[0, 1], velocities_y=[1, 0], durations=[1, 1]),
    reflection_pb2.ServerReflectionRequest(host="a", file_containing_extension={"containing_type": "b"}),
    memory_service_pb2.ImportWeightsRequest(rows=b"\0" * 200),
]


def mutated(raw: bytes, draw: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(changed) + 1)
        match draw.randrange(4):
            case 0:
                changed[place:place] = draw.randbytes(draw.randint(1, 3))
            case 1:
                del changed[place : place + draw.randint(1, 3)]
            case 2:
                changed[place:place] = draw.choice([b"\x9a\x06\x00", group(100, b"\x08\x01"), b"\x98\x06\x80\x00"])
            case _:
                if place < len(changed):
                    changed[place] ^= 1 << draw.randrange(8)
    return bytes(changed)


def takes(kind: type[Message], raw: bytes) -> bool:
    try:
        kind.FromString(raw)
    except DecodeError:
        return False
    return True


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.DESCRIPTOR.name)
def test_what_protobuf_takes_is_not_refused(message: Message) -> None:
    kind, raw, draw = type(message), message.SerializeToString(), random.Random(message.DESCRIPTOR.name)
    _check_counts(METHOD, kind, raw)
    taken = 0
    for _ in range(5000):
        other = mutated(raw, draw)
        if takes(kind, other):
            taken += 1
            _check_counts(METHOD, kind, other)
    # Both kinds were met.
    assert 100 < taken < 5000


async def test_a_large_message_means_what_it_says() -> None:
    request = recall_service_pb2.BatchRecallRequest(
        name="a", queries=patterns_pb2.Patterns(count=1, neurons=8 << 20, bits=bytes(1 << 20)), options=OPTIONS
    )
    raw = request.SerializeToString()
    assert await parsed(METHOD, recall_service_pb2.BatchRecallRequest, raw) == request
    assert bytes_of_request() == len(raw)


@pytest.mark.parametrize("method", METHODS)
async def test_a_message_of_every_method_is_counted_and_parsed(method: str) -> None:
    kind = METHODS[method]
    assert parsed_small(method, kind, b"") == kind()
    # Unknown fields, so many that they are counted.
    assert await parsed(method, kind, b"\x9a\x06\x00" * (SMALL // 3 + 1)) is not None


COUNTED: dict[str, tuple[type[Message], bytes, str]] = {
    "labels": (
        memory_service_pb2.StorePatternsRequest,
        b"\x1a\x00" * ((1 << 20) + 1),
        "labels: must be at most 1048576 entries, are 1048577",
    ),
    "labels of a page": (
        memory_service_pb2.ListPatternsRequest,
        b"\x12\x00" * 10_000,
        "labels: must be at most 1000 entries, are 10000",
    ),
    "an order, packed": (
        recall_service_pb2.RecallRequest,
        field(3, field(3, b"\x01" * 200_000)),
        "options.explicit_order: must be at most 131072 entries, are 200000",
    ),
    "an order of large numbers": (
        recall_service_pb2.RecallRequest,
        field(3, field(3, b"\x80\x80\x01" * 200_000)),
        "options.explicit_order: must be at most 131072 entries, are 200000",
    ),
    "an order, not packed": (
        recall_service_pb2.RecallRequest,
        field(3, b"\x18\x01" * 200_000),
        "options.explicit_order: must be at most 131072 entries, are 200000",
    ),
    "an order in pieces, packed and not": (
        recall_service_pb2.RecallRequest,
        field(3, field(3, b"\x01" * 100_000)) + field(3, b"\x18\x01" * 100_000),
        "options.explicit_order: must be at most 131072 entries, are 200000",
    ),
    "temperatures": (
        recall_service_pb2.TraceRecallRequest,
        field(3, field(9, field(1, bytes(8 * 2_100_000)))),
        "options.annealing.beta: must be at most 2097152 entries, are 2100000",
    ),
    "thresholds": (
        memory_service_pb2.CreateMemoryRequest,
        field(2, field(1, field(3, bytes(8 * 200_000)))),
        "spec.pairwise.thresholds: must be at most 131072 entries, are 200000",
    ),
    "thresholds of an import": (
        memory_service_pb2.ImportWeightsRequest,
        field(1, b"\x19" + bytes(8)) + field(1, field(3, bytes(8 * 200_000))),
        "header.thresholds: must be at most 131072 entries, are 200001",
    ),
    "velocities": (
        attractor_service_pb2.IntegrateHeadingRequest,
        field(5, bytes(8 * 10_000)),
        "angular_velocities: must be at most 1024 entries, are 10000",
    ),
    "paths": (
        memory_service_pb2.UpdateMemoryRequest,
        field(3, b"\x0a\x00" * 10_000),
        "update_mask.paths: must be at most 1000 entries, are 10000",
    ),
    "a name again and again": (
        recall_service_pb2.RecallRequest,
        b"\x0a\x00" * 10_000,
        "name: must be at most 1000 entries, are 10000",
    ),
    "a query again and again": (
        recall_service_pb2.RecallRequest,
        b"\x12\x00" * 10_000,
        "query: must be at most 1000 entries, are 10000",
    ),
    "unknown fields": (
        server_service_pb2.GetServerInfoRequest,
        b"\x9a\x06\x00\x98\x06\x00\x99\x06" + bytes(8) + b"\x9a\x06\x00" * 10_000,
        "unknown fields: must be at most 10000 entries, are 10003",
    ),
    "unknown fields in a known message": (
        recall_service_pb2.RecallRequest,
        field(2, b"\x9a\x06\x00" * 10_001),
        "unknown fields: must be at most 10000 entries, are 10001",
    ),
    "a known field of another type": (
        recall_service_pb2.RecallRequest,
        b"\x08\x01" * 10_001,
        "unknown fields: must be at most 10000 entries, are 10001",
    ),
    "groups": (
        server_service_pb2.GetServerInfoRequest,
        b"\x0b\x0c" * 10_001,
        "unknown fields: must be at most 10000 entries, are 10001",
    ),
    "fields of a group": (
        server_service_pb2.GetServerInfoRequest,
        group(1, b"\x10\x00" * 10_000),
        "unknown fields: must be at most 10000 entries, are 10001",
    ),
    "labels, cut off": (
        memory_service_pb2.ListPatternsRequest,
        b"\x12\x00" * 10_000 + b"\x12\x05",
        "labels: must be at most 1000 entries, are 10000",
    ),
}


@pytest.mark.parametrize("case", COUNTED)
async def test_entries_beyond_any_request_are_refused_by_their_field(case: str) -> None:
    kind, raw, message = COUNTED[case]
    with pytest.raises(InvalidField) as refused:
        await parsed(METHOD, kind, raw)
    assert refused.value.message == message


MALFORMED = {
    "cut off in a tag": b"\x80",
    "cut off in a length": b"\x0a\x80",
    "longer than the message": b"\x0a\x05abc",
    "longer than the message it is in": b"\x12\x02\x1a\x05abcde",
    "a varint of eleven bytes": b"\x18" + b"\x80" * 10 + b"\x01",
    "field zero": b"\x02\x00",
    "a wire type that there is not": b"\x0e",
    "the end of a group that has not begun": b"\x0c",
    "a group without an end": b"\x0b",
    "a group with the end of another": b"\x0b\x14",
    "groups deeper than protobuf goes": b"\x0b" * 200 + b"\x0c" * 200,
    "a packed field that ends in a number": field(3, field(9, field(1, bytes(9)))),
    "text that is no UTF-8": b"\x0a\x01\xff",
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("size", [0, SMALL, 1 << 19], ids=["small", "counted at once", "counted on a thread"])
async def test_what_is_no_message_is_malformed(case: str, size: int) -> None:
    # Before it, something that is one.
    raw = field(100, bytes(size)) + MALFORMED[case]
    with pytest.raises(MalformedMessage) as refused:
        await parsed(METHOD, recall_service_pb2.RecallRequest, raw)
    # An error is kept for as long as gRPC likes, and the message is not.
    assert refused.value.__cause__ is None


async def test_over_long_numbers_are_taken_as_protobuf_takes_them() -> None:
    order = varint(3 << 3 | 2, 4) + varint(8, 5) + varint(7, 3) + varint(2, 5)
    raw = field(1, b"a" * SMALL) + varint(3 << 3 | 2, 3) + varint(len(order), 2) + order
    request = await parsed(METHOD, recall_service_pb2.RecallRequest, raw)
    assert list(request.options.explicit_order) == [7, 2]


def test_ten_million_entries_are_told() -> None:
    order = np.full(10_000_000, 1, np.uint8).tobytes()
    with pytest.raises(InvalidField, match="are 10000000"):
        _check_counts(METHOD, recall_service_pb2.RecallRequest, field(3, field(3, order)))
