"""Several replicas on one Redis, as the tests of what they share need them."""

from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.wire import Refusal, Wire, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2


def random_patterns(count: int, neurons: int, seed: int = 1) -> list[list[int]]:
    """Patterns of +1 and -1."""
    patterns: list[list[int]] = np.random.default_rng(seed).choice([-1, 1], (count, neurons)).tolist()
    return patterns


def store(wire: Wire, name: str, *patterns: list[int], **fields: Any) -> memory_pb2.Memory:
    """Where a memory stands after it has stored patterns."""
    request = memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(*patterns), **fields)
    return wire.memory.StorePatterns(request).memory


def recall(
    wire: Wire, name: str, query: list[int], seen: memory_pb2.Memory | None = None, timeout: float | None = None
) -> recall_service_pb2.RecallResponse:
    """The answer of a caller who has seen a memory where `seen` says."""
    token = None if seen is None else memory_pb2.FreshnessToken(uid=seen.uid, revision=seen.revision)
    options = recall_service_pb2.RecallOptions(seed=1)
    request = recall_service_pb2.RecallRequest(name=name, query=signs(query), options=options, token=token)
    return wire.recall.Recall(request, timeout=timeout)


def weights(wire: Wire, name: str) -> NDArray[np.float64]:
    """J of a memory."""
    header, *parts = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    return np.frombuffer(b"".join(part.rows for part in parts)).reshape(header.header.neurons, -1)


def hebb(*patterns: list[int]) -> NDArray[np.float64]:
    """J of Hebb's rule."""
    X = np.array(patterns)
    J: NDArray[np.float64] = X.T @ X / X.shape[1]
    np.fill_diagonal(J, 0)
    return J


def refused(call: Any, *arguments: Any, **options: Any) -> Refusal:
    """What a call that is refused says."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **options)
    return refusal(caught.value)
