"""What calls may take: messages as large as their method needs, answers of limited size, and so many calls at once."""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.http2 import PING, RawConnection
from tests.processes import ServiceProcess, StartService
from tests.wire import Wire, connected, made, modern, pairwise, refusal, same_bytes, signs

from hopfield.v1 import (
    attractor_service_pb2,
    memory_pb2,
    memory_service_pb2,
    patterns_pb2,
    recall_service_pb2,
    server_service_pb2,
)

MEBIBYTE = 1 << 20

# Each with the bytes of a message that it takes.
LIMITS = {
    "MemoryService/CreateMemory": MEBIBYTE,
    "MemoryService/GetMemory": MEBIBYTE,
    "MemoryService/ListMemories": MEBIBYTE,
    "MemoryService/UpdateMemory": MEBIBYTE,
    "MemoryService/DeleteMemory": MEBIBYTE,
    "MemoryService/ListPatterns": MEBIBYTE,
    "MemoryService/GetWeights": MEBIBYTE,
    "MemoryService/DiagnoseMemory": MEBIBYTE,
    "RecallService/Recall": MEBIBYTE,
    "RecallService/TraceRecall": MEBIBYTE,
    "AttractorService/RecallHeading": MEBIBYTE,
    "AttractorService/RecallPosition": MEBIBYTE,
    "AttractorService/IntegrateHeading": MEBIBYTE,
    "AttractorService/IntegratePosition": MEBIBYTE,
    "ServerService/GetServerInfo": 1 << 16,
}


@pytest.mark.parametrize("method", LIMITS)
def test_a_method_that_needs_no_more_takes_small_messages_only(wire: Wire, method: str) -> None:
    path, limit = f"/hopfield.v1.{method}", LIMITS[method]
    call = wire.channel.stream_stream(path, same_bytes, same_bytes)
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter([bytes(limit + 1)]), timeout=30))
    refused = refusal(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE")
    assert refused.metadata == {"method": path, "limit": str(limit), "size": str(limit + 1)}
    assert refused.retry_seconds is None


def test_the_limits_are_told(wire: Wire) -> None:
    limits = wire.server.GetServerInfo(server_service_pb2.GetServerInfoRequest()).limits
    assert limits.max_call_message_bytes == MEBIBYTE
    assert limits.max_answer_bytes == 64 * MEBIBYTE
    assert limits.max_bytes_in_flight >= 16 * limits.max_message_bytes
    assert limits.max_calls == 1000


def test_one_call_too_many_is_refused_and_told_when_to_try_again(start_service: StartService, tmp_path: Path) -> None:
    service = start_service(max_calls="1", data_dir=str(tmp_path / "data"))
    ring = memory_pb2.MemorySpec(ring=memory_pb2.RingSpec())
    with connected(service.address) as wire:
        made(wire, "ring", ring)
        over = threading.Event()

        def moves() -> Iterator[attractor_service_pb2.IntegrateHeadingRequest]:
            yield attractor_service_pb2.IntegrateHeadingRequest(name="ring", heading=0)
            over.wait()

        track = wire.attractors.IntegrateHeading(moves(), timeout=60)
        next(iter(track))
        with pytest.raises(grpc.RpcError) as caught:
            wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="ring"))
        refused = refusal(caught.value)
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refused.retry_seconds
        assert "HOPFIELD_MAX_CALLS" in refused.message
        # How the server is can be asked all the same.
        assert wire.server.GetServerInfo(server_service_pb2.GetServerInfoRequest()).version
        over.set()


def test_what_was_stored_loads_however_little_calls_may_take(start_service: StartService, tmp_path: Path) -> None:
    # As in the container. To load it is estimated to take more than all calls may.
    settings = {
        "max_message_bytes": "4194304",
        "max_bytes_in_flight": str(128 * MEBIBYTE),
        "data_dir": str(tmp_path / "data"),
    }
    vectors = np.random.default_rng(0).normal(size=(1600, 2048)).astype("<f4")
    service = start_service(**settings)
    with connected(service.address) as wire:
        made(wire, "m", modern(2048, beta=8))
        for part in np.split(vectors, 4):
            stored = patterns_pb2.Patterns(count=400, neurons=2048, floats=part.tobytes())
            wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name="m", patterns=stored))
    service.terminate()
    with connected(start_service(**settings).address) as wire:
        query = patterns_pb2.Patterns(count=1, neurons=2048, floats=vectors[7].tobytes())
        assert wire.recall.Recall(recall_service_pb2.RecallRequest(name="m", query=query)).label == "7"


def test_tracks_at_rest_keep_no_recall_waiting(start_service: StartService, tmp_path: Path) -> None:
    # Six slots for messages, as in the container.
    service = start_service(
        max_message_bytes="4194304", max_bytes_in_flight=str(128 * MEBIBYTE), data_dir=str(tmp_path / "data")
    )
    with connected(service.address) as wire, ExitStack() as stack:
        made(wire, "ring", memory_pb2.MemorySpec(ring=memory_pb2.RingSpec()))
        made(wire, "m", pairwise(4), signs([1, 1, 1, 1]))
        tracks = []
        for _ in range(20):
            moves: queue.SimpleQueue[attractor_service_pb2.IntegrateHeadingRequest | None] = queue.SimpleQueue()
            moves.put(attractor_service_pb2.IntegrateHeadingRequest(name="ring", heading=0))
            tracks.append((moves, wire.attractors.IntegrateHeading(iter(moves.get, None), timeout=60)))
            stack.callback(moves.put, None)
            next(iter(tracks[-1][1]))
        waited = []
        for moves, answers in tracks:
            moves.put(attractor_service_pb2.IntegrateHeadingRequest(angular_velocities=[1.0], durations=[0.01]))
            next(iter(answers))
            began = time.monotonic()
            wire.recall.Recall(recall_service_pb2.RecallRequest(name="m", query=signs([1, 1, 1, -1])))
            waited.append(time.monotonic() - began)
        # It was 0.9 s.
        assert np.median(waited) < 0.3


def test_those_who_watch_health_keep_nobody_out(start_service: StartService, tmp_path: Path) -> None:
    service = start_service(max_calls="64", data_dir=str(tmp_path / "data"))
    with connected(service.address) as wire:
        # More than the calls of their kind that may be in flight, sixteen.
        watches = [
            health_pb2_grpc.HealthStub(wire.channel).Watch(health_pb2.HealthCheckRequest(), timeout=60)
            for _ in range(40)
        ]
        for watch in watches:
            assert next(iter(watch)).status == health_pb2.HealthCheckResponse.SERVING
        assert wire.server.GetServerInfo(server_service_pb2.GetServerInfoRequest()).version
        for watch in watches:
            watch.cancel()


def test_a_batch_that_could_never_fit_is_refused_before_it_is_computed(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service(
        max_message_bytes="1048576", max_bytes_in_flight="16777216", data_dir=str(tmp_path / "data")
    )
    queries = patterns_pb2.Patterns(count=200_000, neurons=4, bits=bytes(200_000))
    with connected(service.address) as wire:
        made(wire, "m", pairwise(4), signs([1, 1, 1, 1]))
        with pytest.raises(grpc.RpcError) as caught:
            wire.recall.BatchRecall(recall_service_pb2.BatchRecallRequest(name="m", queries=queries))
        refused = refusal(caught.value)
        assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["queries.count"])
        assert "HOPFIELD_MAX_BYTES_IN_FLIGHT" in refused.message
        queries = patterns_pb2.Patterns(count=10_000, neurons=4, bits=bytes(10_000))
        answer = wire.recall.BatchRecall(recall_service_pb2.BatchRecallRequest(name="m", queries=queries))
        assert answer.patterns.count == 10_000


def test_an_answer_of_more_than_a_message_may_have_is_refused_before_it_is_computed(wire: Wire, name: str) -> None:
    labels = [f"{k:03}" + "x" * 253 for k in range(1000)]
    made(wire, name, pairwise(16))
    bits = np.arange(1000, dtype="<u2").tobytes()
    patterns = patterns_pb2.Patterns(count=1000, neurons=16, bits=bits)
    wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name=name, patterns=patterns, labels=labels))
    with pytest.raises(grpc.RpcError) as caught:
        wire.recall.Nearest(recall_service_pb2.NearestRequest(name=name, queries=patterns, k=1000))
    refused = refusal(caught.value)
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["k"])
    assert "67108864 bytes" in refused.message
    assert wire.recall.Nearest(recall_service_pb2.NearestRequest(name=name, queries=patterns, k=5)).count == 5


@pytest.mark.long
def test_a_caller_may_ping_every_five_seconds(server: ServiceProcess) -> None:
    with RawConnection(server.address) as connection:
        stopped = threading.Event()
        for _ in range(6):
            connection.ping()
            stopped.wait(5)
        connection.ping()


@pytest.mark.long
def test_a_connection_that_has_gone_silent_is_ended(server: ServiceProcess) -> None:
    began = time.monotonic()
    with RawConnection(server.address) as connection:
        connection.begin("/hopfield.v1.RecallService/StreamRecall")
        # It answers no ping, and is asked after 30 seconds, to answer within 10.
        frames = connection.frames()
    assert (PING, 0) in frames
    assert time.monotonic() - began < 60
