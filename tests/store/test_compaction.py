"""A log that is much longer than what it adds up to gives way to a base, and nobody can tell from what is recalled."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import redis as redis_client
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.replicas import random_patterns, recall, refused, store, weights
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise

from hopfield.v1 import memory_pb2, memory_service_pb2

N = 1000
PATTERNS = random_patterns(6, N)
RULES = {
    "hebbian": memory_pb2.LEARNING_RULE_HEBBIAN,
    "storkey": memory_pb2.LEARNING_RULE_STORKEY,
    "pseudo_inverse": memory_pb2.LEARNING_RULE_PSEUDO_INVERSE,
    "perceptron": memory_pb2.LEARNING_RULE_PERCEPTRON,
}


@pytest.fixture
def service(valkey: ValkeyProcess, start_service: StartService) -> ServiceProcess:
    return start_service(redis_url=valkey.url)


@pytest.fixture
def wire(service: ServiceProcess) -> Iterator[Wire]:
    with connected(service.address) as stubs:
        yield stubs


@pytest.fixture
def redis(valkey: ValkeyProcess) -> Iterator[redis_client.Redis]:
    with valkey.client() as client:
        yield client


def generation(redis: redis_client.Redis, name: str = "m") -> int:
    return int(redis.hget(f"hopfield:{{{name}}}:head", "generation") or 0)


def log_length(redis: redis_client.Redis) -> int:
    (log,) = redis.keys("hopfield:{m}:*:log")
    return int(redis.xlen(log))


def change_until_compacted(wire: Wire, redis: redis_client.Redis) -> int:
    """Changes the thresholds, some 8 kB a change, until the log is compacted; the revision."""
    random = np.random.default_rng(1)
    before, revision = generation(redis), 0
    for _ in range(300):
        spec = pairwise(0, thresholds=random.normal(0, 1e-3, N))
        revision = wire.memory.UpdateMemory(memory_service_pb2.UpdateMemoryRequest(name="m", spec=spec)).memory.revision
        if generation(redis) > before:
            return revision
    raise AssertionError("300 changes, and the log was not compacted")


def seen(wire: Wire) -> list[Any]:
    listed = wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="m"))
    answers = [recall(wire, "m", pattern).SerializeToString(deterministic=True) for pattern in PATTERNS]
    return [weights(wire, "m").tobytes(), listed.SerializeToString(deterministic=True), answers]


def given(wire: Wire) -> None:
    matrix = np.random.default_rng(2).normal(size=(N, N))
    parts = [
        memory_service_pb2.ImportWeightsRequest(header=memory_service_pb2.ImportWeightsHeader(name="m", neurons=N))
    ]
    rows = (matrix + matrix.T).tobytes()
    parts += [
        memory_service_pb2.ImportWeightsRequest(rows=rows[start : start + (1 << 20)])
        for start in range(0, len(rows), 1 << 20)
    ]
    wire.memory.ImportWeights(iter(parts))


@pytest.mark.parametrize("rule", RULES)
def test_after_compaction_the_memory_is_the_same_bit_for_bit(
    wire: Wire, redis: redis_client.Redis, valkey: ValkeyProcess, start_service: StartService, rule: str
) -> None:
    made(wire, "m", pairwise(N, rule=RULES[rule]))
    store(wire, "m", *PATTERNS[:4])
    wire.memory.ForgetPatterns(memory_service_pb2.ForgetPatternsRequest(name="m", labels=["1"]))
    store(wire, "m", PATTERNS[4])
    revision = change_until_compacted(wire, redis)
    # What was changed while it was written stays.
    assert log_length(redis) < revision / 2
    # And on from there; the number of the next pattern is as if there had been no compaction.
    until(lambda: store(wire, "m", PATTERNS[5]))
    expected = seen(wire)
    with connected(start_service(redis_url=valkey.url).address) as other:
        assert seen(other) == expected
    # Neither does it take the snapshot: the base and the log after it add up to the same.
    until(lambda: not redis.keys("*:writer"))
    blob: Any = redis.hget("hopfield:{m}:head", "blob")
    for chunk in redis.keys(f"hopfield:{{m}}:*:chunk:{blob.decode()}:*"):
        redis.delete(chunk)
    third = start_service(redis_url=valkey.url)
    with connected(third.address) as other:
        assert seen(other) == expected
        listed = other.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="m"))
        assert list(listed.labels) == ["0", "2", "3", "4", "5"]
        assert other.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="m")).memory.revision == revision + 1
    assert "is missing" in third.log()


def test_imported_weights_are_kept_through_it(
    wire: Wire, redis: redis_client.Redis, valkey: ValkeyProcess, start_service: StartService
) -> None:
    given(wire)
    # Of a log that is short beside a matrix nothing is compacted.
    spec = pairwise(0, thresholds=[0.5] * N)
    for _ in range(3):
        wire.memory.UpdateMemory(memory_service_pb2.UpdateMemoryRequest(name="m", spec=spec))
    assert generation(redis) == 0
    expected = weights(wire, "m")
    with connected(start_service(redis_url=valkey.url).address) as other:
        np.testing.assert_array_equal(weights(other, "m"), expected)


def test_nothing_is_left_of_what_was_compacted_but_for_readers_that_have_begun(
    wire: Wire, redis: redis_client.Redis
) -> None:
    made(wire, "m", pairwise(N), None)
    store(wire, "m", PATTERNS[0])
    for expected in (1, 2):
        change_until_compacted(wire, redis)
        assert generation(redis) == expected
    until(lambda: not redis.keys("*:writer"))
    head: Any = redis.hgetall("hopfield:{m}:head")
    chunks: Any = redis.keys("hopfield:{m}:*:chunk:*")
    kept = [chunk for chunk in chunks if redis.ttl(chunk) == -1]
    blobs = {chunk.split(b":")[-2] for chunk in kept}
    assert len(blobs) == 2
    assert all(blob in head[b"base"] + head[b"snapshot"] for blob in blobs)
    assert all(0 < redis.ttl(chunk) <= 600 for chunk in chunks if chunk not in kept)
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))
    assert all(redis.ttl(key) > 0 for key in redis.keys("hopfield:{m}:*"))


def test_a_replica_that_is_far_behind_is_brought_up_to_date_across_a_compaction(
    wire: Wire, redis: redis_client.Redis, valkey: ValkeyProcess, start_service: StartService
) -> None:
    made(wire, "m", pairwise(N))
    store(wire, "m", PATTERNS[0])
    with connected(start_service(redis_url=valkey.url).address) as other:
        recall(other, "m", PATTERNS[0])
        revision = change_until_compacted(wire, redis)
        until(lambda: recall(other, "m", PATTERNS[0]).revision == revision)
        assert store(other, "m", PATTERNS[1]).revision == revision + 1


def test_a_base_that_cannot_be_read_where_it_is_needed_is_data_loss(
    wire: Wire, redis: redis_client.Redis, valkey: ValkeyProcess, start_service: StartService
) -> None:
    made(wire, "m", pairwise(N))
    store(wire, "m", PATTERNS[0])
    change_until_compacted(wire, redis)
    until(lambda: not redis.keys("*:writer"))
    for chunk in redis.keys("hopfield:{m}:*:chunk:*"):
        redis.setrange(chunk, 0, b"\\xff")
    with connected(start_service(redis_url=valkey.url).address) as other:
        said = refused(recall, other, "m", PATTERNS[0])
        assert (said.code, said.reason) == (grpc.StatusCode.DATA_LOSS, "CORRUPT_MEMORY")
