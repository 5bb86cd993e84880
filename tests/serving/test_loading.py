"""Whatever happened to Redis meanwhile, what is served is what the log says, or nothing."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import redis as redis_client
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.replicas import hebb, store, weights
from tests.waiting import until
from tests.wire import Refusal, Wire, connected, made, pairwise, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2

A, B, C = [1, 1, -1, -1, 1], [1, -1, 1, -1, -1], [-1, 1, 1, 1, 1]


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


def refused_recall(wire: Wire, name: str) -> Refusal:
    with pytest.raises(grpc.RpcError) as caught:
        wire.recall.Recall(recall_service_pb2.RecallRequest(name=name, query=signs(A)))
    return refusal(caught.value)


def test_a_redis_put_back_to_an_earlier_state_and_gone_another_way_is_followed(
    wire: Wire, redis: redis_client.Redis
) -> None:
    made(wire, "m", pairwise(5), signs(A))
    keys: Any = redis.keys("hopfield:{m}:*")
    backup: dict[bytes, Any] = {key: redis.dump(key) for key in keys if b":request:" not in key}
    assert store(wire, "m", B).revision == 2
    np.testing.assert_array_equal(weights(wire, "m"), hebb(A, B))
    for key, value in backup.items():
        redis.restore(key, 0, value, replace=True)
    until(lambda: np.array_equal(weights(wire, "m"), hebb(A)))
    # The same revision as before, but another commit.
    for key, value in backup.items():
        redis.restore(key, 0, value, replace=True)
    assert store(wire, "m", C).revision == 2
    np.testing.assert_array_equal(weights(wire, "m"), hebb(A, C))


def test_a_redis_gone_another_way_behind_the_back_of_a_replica_is_followed(
    wire: Wire, redis: redis_client.Redis, valkey: ValkeyProcess, start_service: StartService
) -> None:
    made(wire, "m", pairwise(5), signs(A))
    keys: Any = redis.keys("hopfield:{m}:*")
    backup: dict[bytes, Any] = {key: redis.dump(key) for key in keys if b":request:" not in key}
    store(wire, "m", B)
    np.testing.assert_array_equal(weights(wire, "m"), hebb(A, B))
    for key, value in backup.items():
        redis.restore(key, 0, value, replace=True)
    with connected(start_service(redis_url=valkey.url).address) as other:
        store(other, "m", C)
        store(other, "m", C)
    until(lambda: np.array_equal(weights(wire, "m"), hebb(A, C, C)))


@pytest.mark.parametrize("damage", ["payload", "missing"])
def test_a_log_that_cannot_be_read_is_data_loss_of_this_memory_alone(
    wire: Wire,
    redis: redis_client.Redis,
    service: ServiceProcess,
    valkey: ValkeyProcess,
    start_service: StartService,
    damage: str,
) -> None:
    made(wire, "m", pairwise(5), signs(A))
    store(wire, "m", B)
    made(wire, "other", pairwise(5), signs(A))
    service.kill()
    (log,) = redis.keys("hopfield:{m}:*:log")
    entries: Any = redis.xrange(log)
    (_, first), (_, second) = entries
    redis.xdel(log, "2-0")
    if damage == "payload":
        # An entry cannot be put back below the last one of a stream, but in a stream made anew.
        redis.delete(log)
        redis.xadd(log, first, "1-0")
        redis.xadd(log, {**second, b"payload": second[b"payload"][:-1] + b"\x00"}, "2-0")
    anew = start_service(redis_url=valkey.url)
    with connected(anew.address) as stubs:
        answer = refused_recall(stubs, "m")
        assert (answer.code, answer.reason) == (grpc.StatusCode.DATA_LOSS, "CORRUPT_MEMORY")
        assert answer.metadata == {"name": "m"}
        np.testing.assert_array_equal(weights(stubs, "other"), hebb(A))
        assert "'m'" in anew.log()
        # It can still be seen, and deleted.
        listed = stubs.memory.ListMemories(memory_service_pb2.ListMemoriesRequest()).memories
        assert [memory.name for memory in listed] == ["m", "other"]
        stubs.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))
        assert refused_recall(stubs, "m").reason == "MEMORY_NOT_FOUND"


@pytest.mark.parametrize(
    "damage",
    [{"spec": "5"}, {"spec": "{}"}, {"snapshot": "5"}, {"revision": "x"}, {"format": "2"}, {"pattern_count": ""}, None],
    ids=str,
)
def test_a_head_that_cannot_be_read_hides_no_other_memory_and_can_be_deleted(
    wire: Wire, redis: redis_client.Redis, damage: dict[str, str] | None
) -> None:
    made(wire, "m", pairwise(5), signs(A))
    made(wire, "other", pairwise(5))
    if damage is None:
        redis.delete("hopfield:{m}:head")
        redis.rpush("hopfield:{m}:head", "no head")
    else:
        for field, value in damage.items():
            redis.hset("hopfield:{m}:head", field, value)
    listed = wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest()).memories
    # A list does not read where the snapshot is.
    assert [memory.name for memory in listed] == (["m", "other"] if damage == {"snapshot": "5"} else ["other"])
    with pytest.raises(grpc.RpcError) as caught:
        wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="m"))
    assert refusal(caught.value).code is grpc.StatusCode.DATA_LOSS
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="m"))
    keys: Any = redis.keys("hopfield:{m}:*")
    assert all(b":request:" in key for key in keys)
    made(wire, "m", pairwise(5), signs(B))
    np.testing.assert_array_equal(weights(wire, "m"), hebb(B))


def resealed(text: bytes) -> bytes:
    """A text that was changed, with a checksum that fits it."""
    payload = text.partition(b" ")[2]
    return hashlib.blake2b(payload, digest_size=16).hexdigest().encode() + b" " + payload


@pytest.mark.parametrize("damage", ["chunk missing", "chunk of another type", "dtype"])
def test_a_snapshot_that_cannot_be_read_gives_way_to_the_log(
    wire: Wire, redis: redis_client.Redis, valkey: ValkeyProcess, start_service: StartService, damage: str
) -> None:
    made(wire, "m", pairwise(5), signs(A, B))
    (chunk,) = redis.keys("hopfield:{m}:*:chunk:*")
    snapshot: Any = redis.hget("hopfield:{m}:head", "snapshot")
    if damage.startswith("chunk "):
        redis.delete(chunk)
    if damage == "chunk of another type":
        redis.rpush(chunk, "")
    if damage == "dtype":
        redis.hset("hopfield:{m}:head", "snapshot", resealed(snapshot.replace(b"|i1", b"|i9")))
    with connected(start_service(redis_url=valkey.url).address) as other:
        np.testing.assert_array_equal(weights(other, "m"), hebb(A, B))
        # And is written anew.
        before = json.loads(snapshot.partition(b" ")[2])["blob"].encode()
        until(lambda: redis.hget("hopfield:{m}:head", "blob") != before)
        (written,) = (key for key in redis.keys("hopfield:{m}:*:chunk:*") if before not in key)
        assert redis.ttl(written) == -1


def test_a_replica_that_missed_a_snapshot_learns_of_it_and_leaves_no_litter(
    valkey: ValkeyProcess, start_service: StartService, redis: redis_client.Redis
) -> None:
    first, second = start_service(redis_url=valkey.url), start_service(redis_url=valkey.url)
    with connected(first.address) as one, connected(second.address) as other:
        made(one, "m", pairwise(5), signs(A))
        store(other, "m", B)
        # Both then write snapshots in turn, each replacing the other's.
        for k in range(80):
            store(one if k % 40 < 20 else other, "m", A if k % 2 else B)
    assert first.terminate() == second.terminate() == 0
    chunks: Any = redis.keys("hopfield:{m}:*:chunk:*")
    blob: Any = redis.hget("hopfield:{m}:head", "blob")
    assert [redis.ttl(chunk) for chunk in chunks if blob in chunk] == [-1]
    assert all(0 < redis.ttl(chunk) <= 60 for chunk in chunks if blob not in chunk)
    assert len(chunks) <= 5


def test_a_load_goes_on_when_the_caller_who_began_it_gives_up(
    valkey: ValkeyProcess, start_service: StartService
) -> None:
    patterns = np.where(np.random.default_rng(4).random((300, 1000)) < 0.5, 1, -1).tolist()
    first = start_service(redis_url=valkey.url)
    with connected(first.address) as wire:
        made(wire, "m", pairwise(1000, rule=memory_pb2.LEARNING_RULE_PSEUDO_INVERSE), signs(*patterns))
    query = recall_service_pb2.RecallRequest(name="m", query=signs(patterns[0]))
    with connected(start_service(redis_url=valkey.url).address) as cold:
        # Less time than a load takes, again and again, comes to an end all the same.
        given_up = 0
        while True:
            try:
                answer = cold.recall.Recall(query, timeout=0.05)
                break
            except grpc.RpcError:
                given_up += 1
                assert given_up < 1000
        assert answer.label == "0"


def test_a_memory_is_loaded_once_however_many_recalls_wait_for_it(
    valkey: ValkeyProcess, start_service: StartService, redis: redis_client.Redis
) -> None:
    patterns = np.where(np.random.default_rng(4).random((20, 2000)) < 0.5, 1, -1).tolist()
    with connected(start_service(redis_url=valkey.url).address) as wire:
        made(wire, "m", pairwise(2000), signs(*patterns))
    query = recall_service_pb2.RecallRequest(name="m", query=signs(patterns[0]))
    with connected(start_service(redis_url=valkey.url).address) as cold:
        redis.config_resetstat()
        waiting = [cold.recall.Recall.future(query) for _ in range(50)]
        assert {each.result().label for each in waiting} == {"0"}
    chunks: Any = redis.keys("hopfield:{m}:*:chunk:*")
    size = sum(redis.strlen(chunk) for chunk in chunks)
    sent: Any = redis.info("stats")
    assert size < sent["total_net_output_bytes"] < 1.5 * size


def test_a_full_redis_refuses_a_store_and_keeps_what_it_has(wire: Wire, redis: redis_client.Redis) -> None:
    made(wire, "m", pairwise(5), signs(A))
    redis.config_set("maxmemory", "1mb")
    redis.config_set("maxmemory-policy", "noeviction")
    with pytest.raises(grpc.RpcError) as caught:
        store(wire, "m", B)
    answer = refusal(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
    assert answer.retry_seconds is None
    np.testing.assert_array_equal(weights(wire, "m"), hebb(A))
    redis.config_set("maxmemory", "0")
    assert store(wire, "m", B).revision == 2


def test_a_memory_without_a_snapshot_is_folded_from_a_log_of_any_length(
    valkey: ValkeyProcess, start_service: StartService, redis: redis_client.Redis
) -> None:
    patterns = np.where(np.random.default_rng(4).random((230, 5)) < 0.5, 1, -1).tolist()
    first = start_service(redis_url=valkey.url, max_snapshot_bytes="0")
    with connected(first.address) as wire:
        made(wire, "m", pairwise(5))
        for pattern in patterns:
            store(wire, "m", pattern)
    first.kill()
    assert not redis.keys("*:chunk:*")
    with connected(start_service(redis_url=valkey.url).address) as wire:
        np.testing.assert_array_equal(weights(wire, "m"), hebb(*patterns))


def test_a_long_tail_is_followed_by_a_new_snapshot_and_the_old_one_expires(
    wire: Wire, redis: redis_client.Redis, service: ServiceProcess
) -> None:
    made(wire, "m", pairwise(5))
    blobs = set()
    for k in range(40):
        store(wire, "m", A if k % 2 else B)
        blobs.add(redis.hget("hopfield:{m}:head", "blob"))
    # A snapshot that is still being written is finished before the service ends.
    assert service.terminate() == 0
    blobs.add(redis.hget("hopfield:{m}:head", "blob"))
    assert len(blobs) == 2
    chunks: Any = redis.keys("hopfield:{m}:*:chunk:*")
    lives = sorted(redis.ttl(chunk) for chunk in chunks)
    assert lives[0] == -1
    assert all(0 < life <= 60 for life in lives[1:])
