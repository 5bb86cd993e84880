"""One caller's large requests and answers do not keep the others waiting, and what it gives up ends."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import grpc
import numpy as np
import psutil
import pytest
from tests.processes import ServiceProcess
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise, same_bytes

from hopfield.v1 import (
    attractor_service_pb2,
    memory_pb2,
    memory_service_pb2,
    patterns_pb2,
    recall_service_pb2,
    server_service_pb2,
)

# What is promised on two idle cores.
MEDIAN_SECONDS, WORST_SECONDS = 0.25, 1.0
MESSAGE = 16 << 20


class Bystander:
    """Somebody who asks for the server's info all the time.

    Attributes:
        waits: how long each answer took, in seconds.
    """

    def __init__(self, address: str) -> None:
        self.waits: list[float] = []
        self._address = address
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        with connected(self._address, own_connection=True) as wire:
            while not self._ended.is_set():
                began = time.monotonic()
                wire.server.GetServerInfo(server_service_pb2.GetServerInfoRequest())
                self.waits.append(time.monotonic() - began)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self.waits)
        self.waits.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def bits(count: int, neurons: int) -> patterns_pb2.Patterns:
    width = (neurons + 7) // 8
    packed = np.random.default_rng(count).integers(0, 256, (count, width), dtype=np.uint8)
    packed[:, -1] &= 0xFF >> (8 * width - neurons)
    return patterns_pb2.Patterns(count=count, neurons=neurons, bits=packed.tobytes())


@pytest.fixture(scope="module")
def memories(wire: Wire) -> None:
    made(wire, "busy-tiny", pairwise(8), bits(1, 8))
    made(wire, "busy-wide", pairwise(4096), bits(100, 4096))
    rule = memory_pb2.LEARNING_RULE_PSEUDO_INVERSE
    made(wire, "busy-projection", pairwise(2048, rule=rule), bits(300, 2048))
    made(wire, "busy-many", pairwise(24), bits(60_000, 24))
    wire.memory.CreateMemory(
        memory_service_pb2.CreateMemoryRequest(name="busy-ring", spec=memory_pb2.MemorySpec(ring={}))
    )


def raw(wire: Wire, method: str, message: bytes) -> object:
    unary = wire.channel.unary_unary(method, request_serializer=same_bytes, response_deserializer=same_bytes)
    return unary(message)


def order(wire: Wire) -> object:
    return raw(
        wire, "/hopfield.v1.RecallService/Recall", b"\x1a" + varint(MESSAGE - 100) + b"\x1a" + entries(MESSAGE - 104)
    )


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def entries(size: int) -> bytes:
    return varint(size - len(varint(size))) + b"\x01" * (size - len(varint(size)) - 1)


def repeated(method: str, piece: bytes) -> Callable[[Wire], object]:
    return lambda wire: raw(wire, f"/hopfield.v1.{method}", piece * ((MESSAGE - 100) // len(piece)))


def batch(name: str, count: int, neurons: int) -> Callable[[Wire], object]:
    request = recall_service_pb2.BatchRecallRequest(name=name, queries=bits(count, neurons)).SerializeToString()
    # The answer is not parsed: the bystander is in this process too.
    return lambda wire: raw(wire, "/hopfield.v1.RecallService/BatchRecall", request)


def weights(name: str) -> Callable[[Wire], object]:
    def ask(wire: Wire) -> int:
        answers = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
        return sum(len(answer.rows) for answer in answers)

    return ask


def nearest(wire: Wire) -> object:
    request = recall_service_pb2.NearestRequest(name="busy-many", queries=bits(1048, 24), k=1000)
    return raw(wire, "/hopfield.v1.RecallService/Nearest", request.SerializeToString())


def forget(wire: Wire) -> object:
    labels = [f"no {k}" for k in range(60_000)]
    return wire.memory.ForgetPatterns(memory_service_pb2.ForgetPatternsRequest(name="busy-many", labels=labels))


LARGE: dict[str, Callable[[Wire], object]] = {
    "an order of sixteen million": order,
    "eight million empty labels": repeated("MemoryService/ForgetPatterns", b"\x12\x00"),
    "five million unknown fields": repeated("ServerService/GetServerInfo", b"\x9a\x06\x00"),
    "eight million unknown groups": repeated("ServerService/GetServerInfo", b"\x0b\x0c"),
    "eight million queries in one": repeated("RecallService/Recall", b"\x12\x00"),
    "a batch of a million": batch("busy-tiny", 1 << 20, 8),
    "a million nearest patterns": nearest,
    "labels of as many patterns as a memory holds": forget,
    "a matrix of 128 MB": weights("busy-wide"),
    "a matrix that is computed": weights("busy-projection"),
}


def waits(server: ServiceProcess, ask: Callable[[Wire], object]) -> list[float]:
    """How long a bystander waits for each answer while somebody asks, in seconds."""
    with (
        connected(server.address, own_connection=True) as wire,
        Bystander(server.address) as bystander,
        # Whether it is answered or refused is told elsewhere.
        suppress(grpc.RpcError),
    ):
        ask(wire)
    return bystander.waits


def as_large(wire: Wire) -> object:
    """A message of the same size in which there is nothing to count, parse or convert."""
    return raw(
        wire, "/hopfield.v1.ServerService/GetServerInfo", b"\xa2\x06" + varint(MESSAGE - 100) + bytes(MESSAGE - 100)
    )


@pytest.mark.parametrize("what", LARGE)
@pytest.mark.usefixtures("memories")
def test_others_are_answered_meanwhile(server: ServiceProcess, what: str) -> None:
    # On a machine with other things to do, to receive it is slow, which is gRPC's own doing.
    received = waits(server, as_large)
    waited = waits(server, LARGE[what])
    assert np.median(waited) < MEDIAN_SECONDS + np.median(received)
    assert max(waited) < WORST_SECONDS + 2 * max(received)


def drawn(wire: Wire) -> Iterator[int]:
    """Seeds that the server draws, of every kind of recall."""
    query = bits(1, 8)
    without, with_options = None, recall_service_pb2.RecallOptions(max_iterations=10)
    for options in (without, with_options):
        asked: dict[str, Any] = {"name": "busy-tiny", "options": options}
        yield wire.recall.Recall(recall_service_pb2.RecallRequest(query=query, **asked)).seed
        yield wire.recall.BatchRecall(recall_service_pb2.BatchRecallRequest(queries=query, **asked)).seed
        *_, last = wire.recall.TraceRecall(recall_service_pb2.TraceRecallRequest(query=query, **asked))
        yield last.recall.seed
        request = recall_service_pb2.StreamRecallRequest(queries=query, **asked)
        (streamed,) = wire.recall.StreamRecall(iter([request]))
        yield streamed.block.seed


@pytest.mark.usefixtures("memories")
def test_seeds_that_the_server_draws_are_numbers_of_javascript(wire: Wire) -> None:
    seeds = [seed for _ in range(20) for seed in drawn(wire)]
    assert len(set(seeds)) == len(seeds)
    assert max(seeds) < 1 << 52
    # And not all small.
    assert max(seeds) > 1 << 48


def turns() -> attractor_service_pb2.IntegrateHeadingRequest:
    return attractor_service_pb2.IntegrateHeadingRequest(angular_velocities=[10.0] * 50, durations=[1.0] * 50)


def streams(wire: Wire) -> Iterator[tuple[str, Any]]:
    """Calls that are answered by streams, all of which would go on for long."""
    yield "GetWeights", wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name="busy-wide"))
    yield "GetWeights, computed", wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name="busy-projection"))
    glauber = recall_service_pb2.RecallOptions(
        update=recall_service_pb2.UPDATE_RULE_GLAUBER, beta=0.1, max_iterations=1_000_000
    )
    query = bits(1, 4096)
    request = recall_service_pb2.TraceRecallRequest(name="busy-wide", query=query, options=glauber)
    yield "TraceRecall", wire.recall.TraceRecall(request)
    block = recall_service_pb2.StreamRecallRequest(queries=bits(20, 4096))
    first = recall_service_pb2.StreamRecallRequest(name="busy-wide", queries=block.queries)
    yield "StreamRecall", wire.recall.StreamRecall(iter([first, *[block] * 200]))
    opening = turns()
    opening.name = "busy-ring"
    yield "IntegrateHeading", wire.attractors.IntegrateHeading(iter([opening, *[turns()] * 200]))


@contextmanager
def quiet(server: ServiceProcess) -> Iterator[None]:
    """Sees that the service logs no error meanwhile, and is idle at the end."""
    before = len(server.log())
    yield
    process = psutil.Process(server.process.pid)
    until(lambda: process.cpu_percent(interval=0.3) < 50)
    logged = server.log()[before:]
    assert "Traceback" not in logged
    assert " ERROR " not in logged


@pytest.mark.usefixtures("memories")
@pytest.mark.parametrize("answers", [0, 1, 2])
def test_a_stream_that_is_cancelled_leaves_nothing(server: ServiceProcess, answers: int) -> None:
    with connected(server.address, own_connection=True) as wire, quiet(server):
        for _, call in streams(wire):
            for _ in range(answers):
                next(call)
            call.cancel()
            with pytest.raises(grpc.RpcError) as ended:
                list(call)
            assert ended.value.code() is grpc.StatusCode.CANCELLED


@pytest.mark.usefixtures("memories")
def test_weights_that_cannot_be_sent_any_more_leave_no_traceback(server: ServiceProcess) -> None:
    """The service may be about to send when the caller leaves. Of a hundred some leave at that moment."""
    with connected(server.address, own_connection=True) as wire, quiet(server):
        for k in range(100):
            call: Any = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name="busy-wide"))
            for _ in range(1 + k % 3):
                next(call)
            call.cancel()
