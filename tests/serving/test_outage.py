"""Redis away: what is loaded is recalled, everything else is refused at once, and all is well when it is back."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.replicas import random_patterns, recall, refused, store
from tests.waiting import until
from tests.wire import Refusal, Wire, connected, made, pairwise

from hopfield.v1 import memory_pb2, memory_service_pb2

N = 40
A, B, C = random_patterns(3, N)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def service(valkey: ValkeyProcess, start_service: StartService) -> ServiceProcess:
    return start_service(redis_url=valkey.url)


@pytest.fixture
def wire(service: ServiceProcess) -> Iterator[Wire]:
    with connected(service.address) as stubs:
        yield stubs


def go_away(valkey: ValkeyProcess, how: str) -> Callable[[], None]:
    """Takes Redis away; what is returned brings it back."""
    if how == "killed":
        valkey.kill()
        return valkey.start
    valkey.stop()
    return valkey.go_on


def status(wire: Wire, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(wire.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(service=service)).status)


def assert_unavailable(said: Refusal) -> None:
    assert (said.code, said.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert said.retry_seconds is not None


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_without_redis(wire: Wire, valkey: ValkeyProcess, service: ServiceProcess, how: str) -> None:
    seen = made(wire, "m", pairwise(N))
    store(wire, "m", A)
    made(wire, "not-loaded", pairwise(N))
    before = recall(wire, "m", B)
    come_back = go_away(valkey, how)

    # Refused before anybody would give up: a call without an answer would end with DEADLINE_EXCEEDED.
    request = memory_service_pb2.CreateMemoryRequest(name="new", spec=pairwise(N))
    assert_unavailable(refused(wire.memory.CreateMemory, request, timeout=5))
    until(lambda: status(wire, "hopfield.v1.MemoryService") == NOT_SERVING)
    assert_unavailable(refused(store, wire, "m", B))
    assert_unavailable(refused(recall, wire, "not-loaded", A, timeout=5))

    # What is loaded is recalled on, and says at which revision.
    answer = recall(wire, "m", B)
    assert answer == before
    assert answer.revision == 1
    # But not for a caller who has seen more.
    ahead = memory_pb2.Memory(uid=seen.uid, revision=2)
    assert_unavailable(refused(recall, wire, "m", A, ahead, timeout=5))
    for serving in ("", "hopfield.v1.RecallService", "hopfield.v1.AttractorService"):
        assert status(wire, serving) == SERVING

    come_back()
    until(lambda: status(wire, "hopfield.v1.MemoryService") == SERVING)
    assert store(wire, "m", C).revision == 2
    assert recall(wire, "m", C).revision == 2
    assert recall(wire, "not-loaded", A).revision == 0
    assert service.log().count("Redis is away") == service.log().count("Redis is back") == 1
    assert "Traceback" not in service.log()


def test_a_service_started_without_redis_serves_when_it_comes(
    valkey: ValkeyProcess, start_service: StartService
) -> None:
    valkey.kill()
    service = start_service(redis_url=valkey.url)
    with connected(service.address) as wire:
        assert status(wire, "") == SERVING
        assert status(wire, "hopfield.v1.MemoryService") == NOT_SERVING
        assert_unavailable(refused(recall, wire, "m", A, timeout=5))
        valkey.start()
        until(lambda: status(wire, "hopfield.v1.MemoryService") == SERVING)
        made(wire, "m", pairwise(N))
        assert store(wire, "m", A).revision == 1


def test_what_other_replicas_commit_during_an_outage_of_ones_own_is_followed_afterwards(
    wire: Wire, valkey: ValkeyProcess, service: ServiceProcess, start_service: StartService
) -> None:
    made(wire, "m", pairwise(N))
    recall(wire, "m", A)
    with connected(start_service(redis_url=valkey.url).address) as other:
        os.kill(service.process.pid, signal.SIGSTOP)
        try:
            for pattern in (A, B, C):
                store(other, "m", pattern)
        finally:
            os.kill(service.process.pid, signal.SIGCONT)
        until(lambda: recall(wire, "m", A).revision == 3)


def test_a_redis_that_may_lose_memories_is_warned_of(valkey: ValkeyProcess, start_service: StartService) -> None:
    with valkey.client() as redis:
        redis.config_set("appendonly", "no")
        redis.config_set("maxmemory", "100mb")
        redis.config_set("maxmemory-policy", "allkeys-lru")
    log = start_service(redis_url=valkey.url).log()
    assert "Redis may lose memories: it keeps no append-only file" in log
    assert "Redis may lose memories: it drops keys when it is full (maxmemory-policy allkeys-lru" in log


def test_a_redis_that_loses_none_is_not(service: ServiceProcess) -> None:
    assert "may lose" not in service.log()


@pytest.mark.long
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_how_long_it_takes(wire: Wire, valkey: ValkeyProcess, how: str) -> None:
    made(wire, "m", pairwise(N))
    store(wire, "m", A)
    refusals, returns = [], []
    for _ in range(10):
        come_back = go_away(valkey, how)
        began = time.monotonic()
        assert_unavailable(refused(store, wire, "m", B))
        refusals.append(time.monotonic() - began)
        come_back()
        began = time.monotonic()
        while True:
            try:
                store(wire, "m", B)
                break
            except grpc.RpcError as error:
                assert_unavailable(Refusal(error.code(), "", "STORAGE_UNAVAILABLE", {}, [], 0))
        returns.append(time.monotonic() - began)
    print(
        f"\nRedis {how}: a store is refused after {min(refusals):.3f} to {max(refusals):.3f} s (to be under 1 s); once it is back, "
        f"a store works after {min(returns):.3f} to {max(returns):.3f} s (to be under 2 s); 10 rounds"
    )
