"""A memory has one of two codings, and speaks it: patterns, weights, thresholds and energies."""

import grpc
import numpy as np
import pytest
from tests.wire import Wire, made, pairwise, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2

BINARY = patterns_pb2.CODING_BINARY
HALVES = np.array([[1, 1, 0, 0], [1, 0, 1, 0]])
T = (2 * HALVES - 1).T @ (2 * HALVES - 1) / 4 * (1 - np.eye(4))
# Half of what a neuron can receive: its field is zero where half of its input is there.
U = T.sum(axis=1) / 2


def recall(wire: Wire, name: str, query: patterns_pb2.Patterns) -> recall_service_pb2.RecallResponse:
    return wire.recall.Recall(recall_service_pb2.RecallRequest(name=name, query=query))


def values(patterns: patterns_pb2.Patterns) -> list[int]:
    return [int(value) for value in np.frombuffer(patterns.signs, np.int8)]


def test_a_binary_memory_takes_and_gives_zeros_and_ones(wire: Wire, name: str) -> None:
    memory = made(wire, name, pairwise(4, coding=BINARY, thresholds=U), signs(*HALVES.tolist()))
    assert memory.spec.pairwise.coding == BINARY
    answer = recall(wire, name, signs(HALVES[0].tolist()))
    V = HALVES[0]
    assert (values(answer.pattern), answer.pattern.coding) == (V.tolist(), BINARY)
    assert answer.energy == -0.5 * V @ T @ V + U @ V
    assert (answer.label, answer.overlap, answer.match) == ("0", 1.0, recall_service_pb2.MATCH_PATTERN)


def test_weights_of_a_binary_memory_are_those_between_zeros_and_ones(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4, coding=BINARY, thresholds=U), signs(*HALVES.tolist()))
    header, *parts = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    assert header.header.coding == BINARY
    assert header.header.thresholds == list(U)
    np.testing.assert_array_equal(np.frombuffer(b"".join(part.rows for part in parts)).reshape(4, 4), T)


def test_the_same_bits_are_stored_under_either_coding(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4, coding=BINARY), signs(*HALVES.tolist()))
    made(wire, f"{name}-bipolar", pairwise(4), signs(*(2 * HALVES - 1).tolist()))
    one, other = (
        wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name=memory)).patterns
        for memory in (name, f"{name}-bipolar")
    )
    assert one.bits == other.bits
    assert (one.coding, other.coding) == (BINARY, patterns_pb2.CODING_BIPOLAR)


def test_an_all_zero_query_of_a_binary_memory_without_thresholds_has_fields_of_zero(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4, coding=BINARY), signs([0, 0, 0, 1]))
    answer = recall(wire, name, signs([0, 0, 0, 0]))
    assert (values(answer.pattern), answer.energy, answer.iterations) == ([0, 0, 0, 0], 0, 1)


def test_unknown_neurons_of_a_binary_memory_are_those_the_mask_leaves_out(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4, coding=BINARY, thresholds=U), signs([1, 1, 0, 0]))
    query = patterns_pb2.Patterns(count=1, neurons=4, bits=b"\x03", known=b"\x0b", coding=BINARY)
    answer = recall(wire, name, query)
    assert (answer.pattern.bits, answer.flips) == (b"\x03", 0)


def test_imported_weights_have_a_coding_too(wire: Wire, name: str) -> None:
    header = memory_service_pb2.ImportWeightsHeader(name=name, neurons=2, thresholds=[0.5, 0.5], coding=BINARY)
    rows = np.array([[0, 1.0], [1.0, 0]]).astype("<f8").tobytes()
    parts = [memory_service_pb2.ImportWeightsRequest(header=header), memory_service_pb2.ImportWeightsRequest(rows=rows)]
    memory = wire.memory.ImportWeights(iter(parts)).memory
    assert (memory.spec.pairwise.coding, memory.spec.pairwise.rule) == (BINARY, memory_pb2.LEARNING_RULE_IMPORTED)
    assert not memory.HasField("capacity")
    answer = recall(wire, name, signs([1, 1]))
    assert (values(answer.pattern), answer.energy) == ([1, 1], 0.0)


def test_without_thresholds_a_binary_memory_holds_half_as_much_and_says_so(wire: Wire, name: str) -> None:
    stored = np.random.default_rng(3).integers(0, 2, (100, 1000))
    assert made(wire, name, pairwise(1000, coding=BINARY)).capacity == pytest.approx(0.069)
    request = memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(*stored.tolist()))
    answer = wire.memory.StorePatterns(request)
    (warning,) = answer.warnings
    assert warning.reason == memory_pb2.WARNING_REASON_CAPACITY
    assert "hebbian in 0/1 coding without thresholds holds random patterns up to 0.069 (69 of them)" in warning.message
    assert "with thresholds of half the row sums it holds up to 138" in warning.message

    header, *parts = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    sums = np.frombuffer(b"".join(part.rows for part in parts)).reshape(1000, 1000).sum(axis=1)
    assert header.header.neurons == 1000
    update = memory_service_pb2.UpdateMemoryRequest(
        name=name,
        spec=pairwise(0, thresholds=sums / 2),
    )
    balanced = wire.memory.UpdateMemory(update)
    assert not balanced.warnings
    assert balanced.memory.capacity == pytest.approx(0.138)
    # It is known wherever the memory is told of, without its weights.
    assert wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory == balanced.memory
    diagnosis = wire.memory.DiagnoseMemory(memory_service_pb2.DiagnoseMemoryRequest(name=name)).diagnosis
    assert diagnosis.capacity == balanced.memory.capacity


def test_minus_one_is_no_value_of_a_binary_memory(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(2, coding=BINARY))
    with pytest.raises(grpc.RpcError) as caught:
        recall(wire, name, signs([1, -1]))
    answer = refusal(caught.value)
    assert answer.fields == ["query.signs"]
    assert "must be 1 or 0" in answer.message
