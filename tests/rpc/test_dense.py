"""Dense memories, as a caller in any language sees them."""

import grpc
import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.wire import Wire, dense, made, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2

RANDOM = np.random.default_rng(4)
PATTERNS = np.where(RANDOM.random((40, 32)) < 0.5, 1, -1)


def recall(wire: Wire, name: str, query: list[int]) -> recall_service_pb2.RecallResponse:
    return wire.recall.Recall(
        recall_service_pb2.RecallRequest(
            name=name, query=signs(query), options=recall_service_pb2.RecallOptions(seed=1)
        )
    )


def update(wire: Wire, name: str, *mask: str, **changes: object) -> memory_pb2.Memory:
    request = memory_service_pb2.UpdateMemoryRequest(
        name=name, spec=dense(0, **changes), update_mask=FieldMask(paths=mask) if mask else None
    )
    return wire.memory.UpdateMemory(request).memory


def test_it_recalls_more_patterns_than_it_has_neurons(wire: Wire, name: str) -> None:
    memory = made(wire, name, dense(32, exponential=True), signs(*PATTERNS.tolist()))
    assert (memory.neurons, memory.pattern_count, memory.spec) == (32, 40, dense(32, exponential=True))
    assert memory.capacity == 2**16 / 32
    query = PATTERNS[7].copy()
    query[:3] *= -1
    answer = recall(wire, name, query.tolist())
    assert np.frombuffer(answer.pattern.signs, np.int8).tolist() == PATTERNS[7].tolist()
    assert (answer.label, answer.match, answer.flips) == ("7", recall_service_pb2.MATCH_PATTERN, 3)
    overlaps = PATTERNS @ PATTERNS[7]
    assert answer.energy == pytest.approx(-np.log(np.exp(overlaps).sum()), rel=1e-12)


def test_its_energy_is_that_of_its_degree(wire: Wire, name: str) -> None:
    made(wire, name, dense(32, degree=5), signs(*PATTERNS.tolist()))
    answer = recall(wire, name, PATTERNS[3].tolist())
    assert answer.initial_energy == -((PATTERNS @ PATTERNS[3]) ** 5).sum()


def test_its_interaction_can_be_changed(wire: Wire, name: str) -> None:
    made(wire, name, dense(32, degree=2), signs(*PATTERNS.tolist()))
    assert update(wire, name, degree=3).spec == dense(32, degree=3)
    assert update(wire, name, exponential=True).spec == dense(32, exponential=True)
    masked = update(wire, name, "dense.degree", "dense.exponential", degree=4)
    assert (masked.spec, masked.revision) == (dense(32, degree=4), 4)
    made(wire, f"{name}-anew", dense(32, degree=4), signs(*PATTERNS.tolist()))
    changed, anew = (recall(wire, each, PATTERNS[3].tolist()) for each in (name, f"{name}-anew"))
    assert (changed.energy, changed.pattern) == (anew.energy, anew.pattern)


def test_a_store_beyond_its_capacity_is_warned_of(wire: Wire, name: str) -> None:
    made(wire, name, dense(32, degree=2))
    request = memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(*PATTERNS.tolist()))
    (warning,) = wire.memory.StorePatterns(request).warnings
    assert warning.reason == memory_pb2.WARNING_REASON_CAPACITY
    assert "a dense memory of degree 2 holds random patterns up to" in warning.message


def test_its_diagnosis_has_margins_and_no_weights(wire: Wire, name: str) -> None:
    made(wire, name, dense(32, exponential=True), signs(*PATTERNS.tolist()))
    request = memory_service_pb2.DiagnoseMemoryRequest(name=name)
    diagnosis = wire.memory.DiagnoseMemory(request).diagnosis
    assert (diagnosis.stable_count, diagnosis.HasField("weights")) == (40, False)
    assert diagnosis.smallest_margin > 0
    assert diagnosis.verdict.startswith("exponential dense memory with 40")


def test_it_has_no_weights_to_be_sent(wire: Wire, name: str) -> None:
    made(wire, name, dense(32, degree=3))
    with pytest.raises(grpc.RpcError) as caught:
        list(wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name)))
    answer = refusal(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_WEIGHTS")
    assert answer.metadata == {"name": name, "family": "dense"}
