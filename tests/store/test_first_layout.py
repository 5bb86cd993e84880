"""A store whose specs and labels are JSON, as the first versions of format 1 wrote them, is read and written on.

`format_1.json` holds every key of such a store but notes: its type, and its value in base64.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis as redis_client
from tests.processes import StartService, ValkeyProcess
from tests.replicas import recall, weights
from tests.wire import Wire, connected, pairwise, signs

from hopfield.v1 import memory_service_pb2

PATTERNS = np.random.default_rng(1).choice([-1, 1], (6, 8))


def restore(redis: redis_client.Redis) -> None:
    for key, (kind, value) in json.loads(Path(__file__).with_name("format_1.json").read_text()).items():
        match kind:
            case "hash":
                redis.hset(key, mapping={_bytes(field): _bytes(text) for field, text in value})
            case "string":
                redis.set(key, _bytes(value))
            case "stream":
                for entry_id, fields in value:
                    redis.xadd(key, {_bytes(field): _bytes(text) for field, text in fields}, id=entry_id)
            case "zset":
                redis.zadd(key, {_bytes(name): 0 for name in value})


def _bytes(text: str) -> Any:
    return base64.b64decode(text)


def labels(wire: Wire) -> list[str]:
    return list(wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="thresholds")).labels)


@pytest.mark.parametrize("snapshot", [True, False], ids=["from the snapshot", "from the log"])
def test_the_first_layout_is_read(valkey: ValkeyProcess, start_service: StartService, snapshot: bool) -> None:
    with valkey.client() as redis:
        restore(redis)
        if not snapshot:
            redis.hdel("hopfield:{thresholds}:head", "snapshot", "blob")
    with connected(start_service(redis_url=valkey.url).address) as wire:
        listed = wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest()).memories
        assert [memory.name for memory in listed] == ["imported", "thresholds"]
        assert list(listed[1].spec.pairwise.thresholds) == [0, 0, 0, 0, 0, 0, 0, 0.5]
        assert (listed[1].revision, listed[1].pattern_count) == (4, 3)
        assert labels(wire) == ['ä "quoted" 中', "2", "3"]
        assert recall(wire, "thresholds", PATTERNS[1].tolist()).revision == 4
        np.testing.assert_array_equal(weights(wire, "imported"), (np.eye(8) + 1) / 2)

        wire.memory.StorePatterns(
            memory_service_pb2.StorePatternsRequest(name="thresholds", patterns=signs(PATTERNS[4].tolist()))
        )
        changed = pairwise(0, thresholds=[0.5] * 8)
        wire.memory.UpdateMemory(memory_service_pb2.UpdateMemoryRequest(name="thresholds", spec=changed))
        there = weights(wire, "thresholds")
    with connected(start_service(redis_url=valkey.url).address) as wire:
        assert labels(wire) == ['ä "quoted" 中', "2", "3", "4"]
        np.testing.assert_array_equal(weights(wire, "thresholds"), there)
        memory = wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="thresholds")).memory
        assert list(memory.spec.pairwise.thresholds) == [0.5] * 8
