"""What stands in Redis of a memory that stores nothing: its spec, and the weights made from it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import redis as redis_client
from tests.processes import StartService, ValkeyProcess
from tests.waiting import until

from hopfield_client import HopfieldClient, Ring, Sheet
from hopfield_service.core.ring import RingSpec
from hopfield_service.core.sheet import SheetSpec
from hopfield_service.store.blob_codec import Manifest, read_blob
from hopfield_service.store.layout import Keys

RATES = np.random.default_rng(0).uniform(1, 20, 64)


@pytest.fixture
def redis(valkey: ValkeyProcess) -> Iterator[redis_client.Redis]:
    with valkey.client() as client:
        yield client


def snapshot(redis: redis_client.Redis, name: str) -> dict[str, Any]:
    """The arrays of the snapshot of a memory; none where there is none."""
    keys = Keys("hopfield")
    head: Any = redis.hgetall(keys.head(name))
    if b"snapshot" not in head:
        return {}
    manifest = Manifest.from_json(head[b"snapshot"])
    uid = head[b"uid"].decode()
    chunks: list[Any] = [redis.get(keys.chunk(name, uid, manifest.blob, i)) for i in range(manifest.chunks)]
    return read_blob(manifest, chunks)


def test_the_weights_are_in_redis_once_it_is_made_and_once_it_is_changed(
    valkey: ValkeyProcess, redis: redis_client.Redis, start_service: StartService
) -> None:
    with HopfieldClient(start_service(redis_url=valkey.url).address, timeout=60) as client:
        ring = client.create_memory("compass", model=Ring())
        made = RingSpec().empty().arrays()["weights"].values
        np.testing.assert_array_equal(snapshot(redis, "compass")["weights"], made)
        ring.update(Ring(concentration=5.0))
        changed = RingSpec(concentration=5.0).empty().arrays()["weights"].values
        until(lambda: np.array_equal(snapshot(redis, "compass")["weights"], changed))
        client.create_memory("map", model=Sheet())
        for name, array in SheetSpec().empty().arrays().items():
            np.testing.assert_array_equal(snapshot(redis, "map")[name], array.values)


def test_a_replica_and_a_restart_settle_to_the_same_bits(valkey: ValkeyProcess, start_service: StartService) -> None:
    first = start_service(redis_url=valkey.url)
    second = start_service(redis_url=valkey.url)
    with HopfieldClient(first.address, timeout=60) as one, HopfieldClient(second.address, timeout=60) as other:
        settled = one.create_memory("compass", model=Ring()).recall(RATES)
        elsewhere = other.ring("compass").recall(RATES)
        np.testing.assert_array_equal(settled.rates, elsewhere.rates)
        assert settled.heading == elsewhere.heading
        one.ring("compass").update(Ring(tau=0.02))
        until(lambda: other.ring("compass").recall(RATES).revision == 1)
        assert other.ring("compass").recall(RATES).time == one.ring("compass").recall(RATES).time
    first.terminate()
    with HopfieldClient(start_service(redis_url=valkey.url).address, timeout=60) as after:
        np.testing.assert_array_equal(after.ring("compass").recall(RATES).rates, settled.rates)


def test_a_snapshot_that_is_lost_is_made_anew(
    valkey: ValkeyProcess, redis: redis_client.Redis, start_service: StartService
) -> None:
    first = start_service(redis_url=valkey.url)
    with HopfieldClient(first.address, timeout=60) as client:
        settled = client.create_memory("compass", model=Ring()).recall(RATES)
    first.terminate()
    redis.hdel(Keys("hopfield").head("compass"), "snapshot", "blob")
    with HopfieldClient(start_service(redis_url=valkey.url).address, timeout=60) as client:
        np.testing.assert_array_equal(client.ring("compass").recall(RATES).rates, settled.rates)
        until(lambda: bool(snapshot(redis, "compass")))
