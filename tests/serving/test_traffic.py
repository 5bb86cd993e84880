"""Storing and following move about as many bytes as patterns have, and not the weight matrix."""

from collections.abc import Iterator

import pytest
import redis as redis_client
from tests.processes import ServiceProcess, StartService, ValkeyProcess
from tests.replicas import random_patterns, recall, store
from tests.waiting import until
from tests.wire import Wire, connected, made, pairwise

N, P = 4096, 200
PATTERNS = random_patterns(P + 1, N)
# One triangle, of sums that 16 bits hold.
MATRIX_BYTES = N * (N + 1) // 2 * 2


@pytest.fixture
def service(valkey: ValkeyProcess, start_service: StartService) -> ServiceProcess:
    return start_service(redis_url=valkey.url)


@pytest.fixture
def redis(valkey: ValkeyProcess) -> Iterator[redis_client.Redis]:
    with valkey.client() as client:
        yield client


def moved(redis: redis_client.Redis, direction: str) -> int:
    return int(redis.info("stats")[f"total_net_{direction}_bytes"])


def filled(wire: Wire, redis: redis_client.Redis) -> None:
    made(wire, "m", pairwise(N))
    store(wire, "m", *PATTERNS[:P])
    until(lambda: not redis.keys("*:writer"))


def test_a_store_moves_less_than_16_kib_to_redis(service: ServiceProcess, redis: redis_client.Redis) -> None:
    with connected(service.address) as wire:
        filled(wire, redis)
        before = moved(redis, "input")
        store(wire, "m", PATTERNS[P])
        after = moved(redis, "input")
    print(f"\nto Redis for one pattern: {after - before} bytes; the weight matrix has {MATRIX_BYTES}")
    assert after - before < 16 << 10


def test_a_replica_that_catches_up_moves_less_than_16_kib_from_redis(
    service: ServiceProcess, redis: redis_client.Redis, valkey: ValkeyProcess, start_service: StartService
) -> None:
    with connected(service.address) as wire, connected(start_service(redis_url=valkey.url).address) as other:
        filled(wire, redis)
        recall(other, "m", PATTERNS[0])
        before = moved(redis, "output")
        memory = store(wire, "m", PATTERNS[P])
        assert recall(other, "m", PATTERNS[P], memory).label == str(P)
        after = moved(redis, "output")
    print(f"\nfrom Redis for both replicas: {after - before} bytes; the weight matrix has {MATRIX_BYTES}")
    assert after - before < 16 << 10
