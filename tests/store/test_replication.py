"""A change that waits for replicas of Redis is answered when they have it, and not before."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.processes import StartService, ValkeyProcess
from tests.replicas import random_patterns, refused
from tests.waiting import until
from tests.wire import Refusal, Wire, connected, made, pairwise, signs

from hopfield.v1 import memory_service_pb2

PATTERN = random_patterns(1, 20)[0]
STORE = memory_service_pb2.StorePatternsRequest(name="m", patterns=signs(PATTERN), request_id="once")


@pytest.fixture
def replica(valkey: ValkeyProcess, tmp_path: Path) -> Iterator[ValkeyProcess]:
    """A replica of the Valkey server of the test, in step with it."""
    process = ValkeyProcess(tmp_path / "replica", "--replicaof", f"127.0.0.1 {valkey.port}")
    with valkey.client() as redis:
        until(lambda: redis.info("replication").get("slave0", {}).get("state") == "online")
    yield process
    process.kill()


@pytest.fixture
def wire(valkey: ValkeyProcess, replica: ValkeyProcess, start_service: StartService) -> Iterator[Wire]:  # noqa: ARG001
    service = start_service(redis_url=valkey.url, redis_wait_replicas="1", redis_timeout="0.3")
    with connected(service.address) as stubs:
        yield stubs


def assert_not_replicated(said: Refusal) -> None:
    assert (said.code, said.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_REPLICATED")
    assert said.metadata == {"name": "m"}
    assert said.retry_seconds is not None
    assert "0 of 1" in said.message


def test_what_is_answered_is_on_the_replica(wire: Wire, valkey: ValkeyProcess, replica: ValkeyProcess) -> None:
    made(wire, "m", pairwise(20))
    wire.memory.StorePatterns(STORE)
    valkey.kill()
    with replica.client() as redis:
        assert redis.hget("hopfield:{m}:head", "revision") == b"1"


def test_a_change_that_the_replica_has_not_is_not_answered_nor_is_its_repeat_until_it_has(
    wire: Wire, replica: ValkeyProcess
) -> None:
    made(wire, "m", pairwise(20))
    replica.stop()
    assert_not_replicated(refused(wire.memory.StorePatterns, STORE))
    # The change stands, and its repeat waits as the first did.
    assert wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="m")).memory.revision == 1
    assert_not_replicated(refused(wire.memory.StorePatterns, STORE))
    replica.go_on()
    answer = wire.memory.StorePatterns(STORE)
    assert (answer.memory.revision, list(answer.labels)) == (1, ["0"])


def test_making_and_deleting_wait_too(wire: Wire, replica: ValkeyProcess) -> None:
    replica.stop()
    make = memory_service_pb2.CreateMemoryRequest(name="m", spec=pairwise(20), request_id="make")
    assert_not_replicated(refused(wire.memory.CreateMemory, make))
    replica.go_on()
    made_once = wire.memory.CreateMemory(make).memory
    replica.stop()
    delete = memory_service_pb2.DeleteMemoryRequest(name="m", request_id="delete")
    assert_not_replicated(refused(wire.memory.DeleteMemory, delete))
    replica.go_on()
    wire.memory.DeleteMemory(delete)
    assert made_once.revision == 0
    assert not wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest()).memories


def test_a_change_lost_in_a_failover_is_made_by_its_repeat(
    valkey: ValkeyProcess, replica: ValkeyProcess, start_service: StartService
) -> None:
    # The replica that is to take over stands still while the change is made, and then knows nothing of it.
    service = start_service(redis_url=valkey.url, redis_wait_replicas="1", redis_timeout="0.3")
    with connected(service.address) as wire:
        made(wire, "m", pairwise(20))
        with replica.client() as redis:
            redis.replicaof("NO", "ONE")
        assert_not_replicated(refused(wire.memory.StorePatterns, STORE))
    service.terminate()
    with connected(start_service(redis_url=replica.url).address) as other:
        answer = other.memory.StorePatterns(STORE)
        assert (answer.memory.revision, list(answer.labels)) == (1, ["0"])
