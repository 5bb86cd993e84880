"""What stands in Redis after a change: the log, the weight matrix, and nothing else."""

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import grpc
import numpy as np
import pytest
import redis as redis_client
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.wire import Wire, connected, made, pairwise, signs

from hopfield.v1 import memory_service_pb2

PATTERNS = [[1, -1, 1, -1, 1], [1, 1, -1, -1, 1], [-1, 1, 1, 1, 1]]


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


def manifest_and_bytes(redis: redis_client.Redis, name: str) -> tuple[dict[str, Any], bytes]:
    head: Any = redis.hgetall(f"hopfield:{{{name}}}:head")
    manifest = json.loads(head[b"snapshot"].partition(b" ")[2])
    uid = head[b"uid"].decode()
    keys = [f"hopfield:{{{name}}}:{uid}:chunk:{manifest['blob']}:{i}" for i in range(manifest["chunks"])]
    chunks: Any = redis.mget(keys)
    assert all(redis.ttl(key) == -1 for key in keys), "a chunk that a memory refers to must not expire"
    return manifest, b"".join(chunks)


def arrays_in(manifest: dict[str, Any], payload: bytes) -> dict[str, np.ndarray[Any, Any]]:
    arrays, start = {}, 0
    for array in manifest["arrays"]:
        piece = payload[start : start + array["nbytes"]]
        start += array["nbytes"]
        assert blake2b(piece, digest_size=16).hexdigest() == array["checksum"]
        arrays[array["name"]] = np.frombuffer(piece, array["dtype"])
    assert start == len(payload)
    return arrays


def test_after_the_first_store_the_weight_matrix_of_hebbs_rule_is_there(wire: Wire, redis: redis_client.Redis) -> None:
    made(wire, "m", pairwise(5), signs(*PATTERNS))
    manifest, payload = manifest_and_bytes(redis, "m")
    described = {array["name"]: array for array in manifest["arrays"]}
    assert (described["sums"]["dtype"], described["sums"]["shape"], described["sums"]["triangle"]) == (
        "|i1",
        [5, 5],
        True,
    )
    matrix = np.zeros((5, 5))
    matrix[np.triu_indices(5)] = arrays_in(manifest, payload)["sums"]
    X = np.array(PATTERNS)
    expected = X.T @ X
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(matrix, np.triu(expected))


def test_after_the_first_store_the_factor_of_the_pseudo_inverse_matrix_is_there(
    wire: Wire, redis: redis_client.Redis
) -> None:
    made(wire, "m", pairwise(5, rule=2), signs(*PATTERNS))
    manifest, payload = manifest_and_bytes(redis, "m")
    basis = arrays_in(manifest, payload)["basis"].reshape(3, 5)
    X = np.array(PATTERNS)
    np.testing.assert_allclose(basis.T @ basis, np.linalg.pinv(X) @ X, atol=1e-9)


def test_a_matrix_of_many_mebibytes_stands_in_chunks_of_one(wire: Wire, redis: redis_client.Redis) -> None:
    X = np.where(np.random.default_rng(1).random((1, 2000)) < 0.5, 1, -1).astype(np.int8)
    made(wire, "m", pairwise(2000), signs(*X.tolist()))
    manifest, payload = manifest_and_bytes(redis, "m")
    assert manifest["chunks"] == -(-len(payload) // (1 << 20)) == 2
    np.testing.assert_array_equal(arrays_in(manifest, payload)["sums"][1:2000], X[0, 0] * X[0, 1:])


def test_a_store_appends_an_entry_of_about_the_size_of_its_pattern(wire: Wire, redis: redis_client.Redis) -> None:
    made(wire, "m", pairwise(4096), signs([1] * 4096))
    wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name="m", patterns=signs([-1] * 4096)))
    (log,) = redis.keys("hopfield:{m}:*:log")
    entries: Any = redis.xrange(log)
    first, second = entries
    assert [first[0], second[0]] == [b"1-0", b"2-0"]
    assert len(second[1][b"payload"]) < 4096 // 8 + 100
    assert second[1][b"previous"] == first[1][b"commit"]


def test_imported_weights_are_there_with_the_memory_or_not_at_all(wire: Wire, redis: redis_client.Redis) -> None:
    weights = np.array([[0.5, -2.25], [-2.25, 0.0]])
    header = memory_service_pb2.ImportWeightsHeader(name="m", neurons=2)
    parts = [
        memory_service_pb2.ImportWeightsRequest(header=header),
        memory_service_pb2.ImportWeightsRequest(rows=weights.tobytes()),
    ]
    memory = wire.memory.ImportWeights(iter(parts)).memory
    assert memory.revision == 1
    (chunk,) = redis.keys("hopfield:{m}:*:chunk:*")
    payload: Any = redis.get(chunk)
    np.testing.assert_array_equal(np.frombuffer(payload), [0.5, -2.25, 0.0])
    assert redis.ttl(chunk) == -1


def test_a_deleted_memory_leaves_nothing_but_what_repeats_are_answered_with_which_expires(
    wire: Wire, redis: redis_client.Redis
) -> None:
    made(wire, "m", pairwise(5), signs(*PATTERNS))
    header = memory_service_pb2.ImportWeightsHeader(name="given", neurons=1)
    parts = [
        memory_service_pb2.ImportWeightsRequest(header=header),
        memory_service_pb2.ImportWeightsRequest(rows=bytes(8)),
    ]
    wire.memory.ImportWeights(iter(parts))
    for name in ("m", "given"):
        wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))
    # The id of the store is there from the first start on.
    keys: Any = set(redis.keys()) - {b"hopfield:{}:store"}
    assert keys
    assert all(b":request:" in key or key.endswith(b":remains") for key in keys)
    assert all(600 < redis.ttl(key) <= 3600 for key in keys)
    assert sum(redis.memory_usage(key) or 0 for key in keys) < 10_000


def test_a_refused_import_leaves_nothing(wire: Wire, redis: redis_client.Redis) -> None:
    made(wire, "m", pairwise(300))
    before = redis.dbsize()
    header = memory_service_pb2.ImportWeightsHeader(name="m", neurons=300)
    parts = [
        memory_service_pb2.ImportWeightsRequest(header=header),
        memory_service_pb2.ImportWeightsRequest(rows=bytes(300 * 300 * 8)),
    ]
    with pytest.raises(grpc.RpcError):
        wire.memory.ImportWeights(iter(parts))
    assert redis.dbsize() == before


def test_a_note_does_not_grow_with_the_spec(wire: Wire, redis: redis_client.Redis) -> None:
    made(wire, "m", pairwise(5000, thresholds=[0.1] * 5000), signs([1] * 5000))
    keys: Any = redis.keys("*:request:*")
    assert len(keys) == 2
    assert all(redis.strlen(key) < 500 for key in keys)


def test_an_index_entry_of_a_memory_that_is_gone_is_passed_over(wire: Wire, redis: redis_client.Redis) -> None:
    made(wire, "a", pairwise(2))
    made(wire, "c", pairwise(2))
    redis.zadd("hopfield:names", {"b": 0})
    names: list[str] = []
    request = memory_service_pb2.ListMemoriesRequest(page_size=1)
    pages = 0
    while pages == 0 or request.page_token:
        page = wire.memory.ListMemories(request)
        names += [memory.name for memory in page.memories]
        request.page_token = page.next_page_token
        pages += 1
    assert (names, pages) == (["a", "c"], 3)


def test_a_snapshot_that_does_not_match_its_checksum_gives_way_to_the_log(
    wire: Wire, redis: redis_client.Redis, service: ServiceProcess, valkey: ValkeyProcess, start_service: StartService
) -> None:
    made(wire, "m", pairwise(5), signs(*PATTERNS))
    (chunk,) = redis.keys("hopfield:{m}:*:chunk:*")
    payload: Any = redis.get(chunk)
    redis.set(chunk, bytes([payload[0] ^ 1]) + payload[1:])
    expected = list(wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name="m")))
    service.kill()
    other = start_service(redis_url=valkey.url)
    with connected(other.address) as anew:
        assert list(anew.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name="m"))) == expected
    assert "checksum" in other.log()
