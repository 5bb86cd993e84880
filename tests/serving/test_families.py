"""A memory of any family is the same on every path: here, on a replica, after a restart, and after its log was compacted."""

from typing import Any

import numpy as np
import pytest
from tests.processes import StartService, ValkeyProcess
from tests.wire import Wire, connected, dense, floats, made, modern, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2

NEURONS = 512
PATTERNS = np.where(np.random.default_rng(6).random((80, NEURONS)) < 0.5, 1, -1)
QUERIES = PATTERNS * np.where(np.random.default_rng(7).random(PATTERNS.shape) < 0.2, -1, 1)
SPECS = {
    "whole numbers": dense(NEURONS, degree=3),
    "floats": dense(NEURONS, degree=9),
    "exponential": dense(NEURONS, exponential=True),
    "real numbers": modern(NEURONS, beta=0.01),
}


def message_of(patterns: Any, spec: memory_pb2.MemorySpec) -> patterns_pb2.Patterns:
    return floats(*patterns.tolist()) if spec.HasField("modern") else signs(*patterns.tolist())


def store(wire: Wire, patterns: Any, spec: memory_pb2.MemorySpec) -> memory_pb2.Memory:
    labels = [f"pattern {k}" for k in range(len(patterns))]
    request = memory_service_pb2.StorePatternsRequest(
        name="m", patterns=message_of(patterns, spec), labels=labels, replace=True
    )
    return wire.memory.StorePatterns(request).memory


def seen(wire: Wire, memory: memory_pb2.Memory) -> bytes:
    """All that recalls say, at this revision or a later one."""
    request = recall_service_pb2.BatchRecallRequest(
        name="m",
        queries=message_of(QUERIES, memory.spec),
        options=recall_service_pb2.RecallOptions(seed=3),
        token=memory_pb2.FreshnessToken(uid=memory.uid, revision=memory.revision),
    )
    return wire.recall.BatchRecall(request).SerializeToString(deterministic=True)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_it_is_the_same_on_every_path(
    spec: memory_pb2.MemorySpec, valkey: ValkeyProcess, start_service: StartService
) -> None:
    first = start_service(redis_url=valkey.url)
    with connected(first.address) as wire, valkey.client() as redis:
        made(wire, "m", spec)
        memory = store(wire, PATTERNS[:3], spec)
        with connected(start_service(redis_url=valkey.url).address) as replica:
            assert seen(replica, memory) == seen(wire, memory)
            # Some 5 kB a store: the log becomes much longer than what it adds up to.
            for _ in range(500):
                memory = store(wire, PATTERNS, spec)
                if redis.hget("hopfield:{m}:head", "generation"):
                    break
            else:
                raise AssertionError("the log was not compacted")
            expected = seen(wire, memory)
            assert seen(replica, memory) == expected
    first.kill()
    with connected(start_service(redis_url=valkey.url).address) as anew:
        assert seen(anew, memory) == expected
