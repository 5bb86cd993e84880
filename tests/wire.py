"""Raw stubs: what a caller in any language has."""

from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from google.rpc import error_details_pb2, status_pb2

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2
from hopfield.v1.attractor_service_pb2_grpc import AttractorServiceStub
from hopfield.v1.memory_service_pb2_grpc import MemoryServiceStub
from hopfield.v1.recall_service_pb2_grpc import RecallServiceStub
from hopfield.v1.server_service_pb2_grpc import ServerServiceStub


@dataclass
class Wire:
    """The services of one server, over one channel."""

    channel: grpc.Channel
    memory: MemoryServiceStub
    recall: RecallServiceStub
    server: ServerServiceStub
    attractors: AttractorServiceStub


@dataclass
class Refusal:
    """What an error said."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: list[str]
    retry_seconds: float | None


class connected:  # noqa: N801 - reads as a verb: with connected(address) as wire
    """A channel to a service, and its stubs."""

    def __init__(self, address: str, *, own_connection: bool = False) -> None:
        """To an address; over a connection that is shared with no other channel, if asked for."""
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", int(own_connection))]
        self._channel = grpc.insecure_channel(address, options)

    def __enter__(self) -> Wire:
        channel = self._channel
        return Wire(
            channel,
            MemoryServiceStub(channel),
            RecallServiceStub(channel),
            ServerServiceStub(channel),
            AttractorServiceStub(channel),
        )

    def __exit__(self, *_: object) -> None:
        self._channel.close()


def refusal(error: Any) -> Refusal:
    """Reads the google.rpc.Status that came with a grpc.RpcError, which is also a grpc.Call."""
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(packed)
    refused = Refusal(error.code(), error.details() or "", "", {}, [], None)
    for detail in status.details:
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info):
            assert info.domain == "hopfield"
            refused.reason, refused.metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            refused.fields = [violation.field for violation in bad.field_violations]
        elif detail.Unpack(retry):
            refused.retry_seconds = retry.retry_delay.ToNanoseconds() / 1e9
    return refused


def same_bytes(message: bytes) -> bytes:
    """What (de)serialises where a test writes the bytes itself."""
    return message


def signs(*patterns: list[int]) -> patterns_pb2.Patterns:
    """Patterns as signs."""
    array = np.array(patterns, np.int8)
    return patterns_pb2.Patterns(count=array.shape[0], neurons=array.shape[1], signs=array.tobytes())


def pairwise(neurons: int, **options: object) -> memory_pb2.MemorySpec:
    """The spec of a pairwise memory."""
    return memory_pb2.MemorySpec(pairwise=memory_pb2.PairwiseSpec(neurons=neurons, **options))  # type: ignore[arg-type]


def dense(neurons: int, **options: object) -> memory_pb2.MemorySpec:
    """The spec of a dense memory."""
    return memory_pb2.MemorySpec(dense=memory_pb2.DenseSpec(neurons=neurons, **options))  # type: ignore[arg-type]


def modern(neurons: int, **options: object) -> memory_pb2.MemorySpec:
    """The spec of a modern memory."""
    return memory_pb2.MemorySpec(modern=memory_pb2.ModernSpec(neurons=neurons, **options))  # type: ignore[arg-type]


def floats(*patterns: list[float]) -> patterns_pb2.Patterns:
    """Patterns as real numbers."""
    array = np.array(patterns, "<f4")
    return patterns_pb2.Patterns(count=array.shape[0], neurons=array.shape[1], floats=array.tobytes())


def made(
    wire: Wire, name: str, spec: memory_pb2.MemorySpec, stored: patterns_pb2.Patterns | None = None
) -> memory_pb2.Memory:
    """A memory that exists, with patterns."""
    memory = wire.memory.CreateMemory(memory_service_pb2.CreateMemoryRequest(name=name, spec=spec)).memory
    if stored is None:
        return memory
    return wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name=name, patterns=stored)).memory
