"""Modern Hopfield memories, as a caller in any language sees them."""

import grpc
import numpy as np
import pytest
from tests.wire import Wire, floats, made, modern, refusal, signs

from hopfield.v1 import memory_service_pb2, patterns_pb2, recall_service_pb2

DIRECTIONS = np.random.default_rng(9).normal(size=(20, 12))
PATTERNS = (3 * DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)).astype(np.float32)
NOISY = PATTERNS + 0.2 * np.random.default_rng(10).normal(size=PATTERNS.shape).astype(np.float32)


def recall(wire: Wire, name: str, query: patterns_pb2.Patterns, **options: object) -> recall_service_pb2.RecallResponse:
    how = recall_service_pb2.RecallOptions(**options)  # type: ignore[arg-type]
    return wire.recall.Recall(recall_service_pb2.RecallRequest(name=name, query=query, options=how))


def numbers(patterns: patterns_pb2.Patterns) -> list[float]:
    return [float(number) for number in np.frombuffer(patterns.floats, "<f4")]


@pytest.fixture
def stored(wire: Wire, name: str) -> str:
    made(wire, name, modern(12, beta=2), floats(*PATTERNS.tolist()))
    return name


def test_it_recalls_real_numbers_with_the_weights_of_attention(wire: Wire, stored: str) -> None:
    answer = recall(wire, stored, floats(NOISY[4].tolist()))
    assert (answer.label, answer.match) == ("4", recall_service_pb2.MATCH_PATTERN)
    assert answer.stop_reason == recall_service_pb2.STOP_REASON_CONVERGED
    assert answer.pattern.coding == patterns_pb2.CODING_REAL
    np.testing.assert_allclose(numbers(answer.pattern), PATTERNS[4], atol=0.05)
    assert len(answer.attention_labels) == len(answer.attention_weights) == 8
    assert answer.attention_labels[0] == "4"
    assert list(answer.attention_weights) == sorted(answer.attention_weights, reverse=True)
    assert 0.99 < sum(answer.attention_weights) <= 1 + 1e-12
    assert answer.energy < answer.initial_energy
    assert answer.flips == 0


def test_a_batch_a_stream_and_a_trace_give_the_same(wire: Wire, stored: str) -> None:
    one = recall(wire, stored, floats(NOISY[4].tolist()), seed=1)
    options = recall_service_pb2.RecallOptions(seed=1)
    queries = floats(*NOISY[3:5].tolist())
    batch = wire.recall.BatchRecall(
        recall_service_pb2.BatchRecallRequest(name=stored, queries=queries, options=options)
    )
    asked = recall_service_pb2.StreamRecallRequest(name=stored, queries=queries, options=options)
    (streamed,) = wire.recall.StreamRecall(iter([asked]))
    for answers in (batch, streamed.block):
        assert numbers(answers.patterns)[12:] == numbers(one.pattern)
        assert (answers.energies[1], answers.labels[1], answers.iterations[1]) == (one.energy, "4", one.iterations)
        assert list(answers.attention_labels)[8:] == list(one.attention_labels)
        assert list(answers.attention_weights)[8:] == list(one.attention_weights)
    request = recall_service_pb2.TraceRecallRequest(name=stored, query=floats(NOISY[4].tolist()), options=options)
    parts = list(wire.recall.TraceRecall(request))
    assert parts[-1].recall == one
    steps = [number for part in parts for number in numbers(part.patterns)]
    assert steps[:12] == NOISY[4].tolist()
    assert steps[-12:] == numbers(one.pattern)


def test_the_nearest_are_those_of_the_largest_cosine(wire: Wire, stored: str) -> None:
    request = recall_service_pb2.NearestRequest(
        name=stored, queries=floats(NOISY[4].tolist()), k=2, include_patterns=True
    )
    found = wire.recall.Nearest(request)
    cosines = PATTERNS @ NOISY[4] / np.linalg.norm(PATTERNS, axis=1) / np.linalg.norm(NOISY[4])
    assert list(found.labels) == [str(k) for k in np.argsort(-cosines)[:2]]
    np.testing.assert_allclose(found.overlaps, np.sort(cosines)[::-1][:2], rtol=1e-5)
    assert numbers(found.patterns)[:12] == PATTERNS[4].tolist()


def test_stored_patterns_are_listed_as_they_were_stored(wire: Wire, stored: str) -> None:
    listed = wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name=stored))
    assert numbers(listed.patterns) == PATTERNS.ravel().tolist()


def test_beta_and_tolerance_can_be_changed(wire: Wire, stored: str) -> None:
    request = memory_service_pb2.UpdateMemoryRequest(name=stored, spec=modern(0, beta=0.001))
    memory = wire.memory.UpdateMemory(request).memory
    assert (memory.spec, memory.revision) == (modern(12, beta=0.001, tolerance=1e-6), 2)
    blurred = recall(wire, stored, floats(NOISY[4].tolist()))
    assert blurred.match == recall_service_pb2.MATCH_SPURIOUS
    np.testing.assert_allclose(numbers(blurred.pattern), PATTERNS.mean(axis=0), atol=0.05)


def test_its_diagnosis_tells_separations(wire: Wire, stored: str) -> None:
    diagnosis = wire.memory.DiagnoseMemory(memory_service_pb2.DiagnoseMemoryRequest(name=stored)).diagnosis
    products = PATTERNS @ PATTERNS.T
    others = np.where(np.eye(20, dtype=bool), -np.inf, products).max(axis=1)
    assert diagnosis.smallest_margin == pytest.approx((products.diagonal() - others).min(), rel=1e-5)
    assert not diagnosis.HasField("weights")
    assert not diagnosis.HasField("capacity")


WRONG: dict[str, tuple[patterns_pb2.Patterns, dict[str, object], str]] = {
    "signs": (signs([1] * 12), {}, "query"),
    "too few": (floats([1.0] * 11), {}, "query.neurons"),
    "another coding": (
        patterns_pb2.Patterns(count=1, neurons=12, floats=b"\0" * 48, coding=patterns_pb2.CODING_BIPOLAR),
        {},
        "query.coding",
    ),
    "an update rule": (floats([1.0] * 12), {"update": recall_service_pb2.UPDATE_RULE_SYNCHRONOUS}, "options.update"),
    "an order": (floats([1.0] * 12), {"order": recall_service_pb2.UPDATE_ORDER_SEQUENTIAL}, "options.order"),
    "a tie rule": (floats([1.0] * 12), {"tie": recall_service_pb2.TIE_RULE_PLUS}, "options.tie"),
    "clamping": (floats([1.0] * 12), {"clamp": True}, "options.clamp"),
    "no iterations": (floats([1.0] * 12), {"max_iterations": 0}, "options.max_iterations"),
}


@pytest.mark.parametrize(("query", "options", "field"), WRONG.values(), ids=WRONG)
def test_what_means_nothing_to_it_is_refused(
    wire: Wire, stored: str, query: patterns_pb2.Patterns, options: dict[str, object], field: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        recall(wire, stored, query, **options)
    answer = refusal(caught.value)
    assert (answer.code, answer.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


def test_bits_are_not_stored(wire: Wire, stored: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        wire.memory.StorePatterns(
            memory_service_pb2.StorePatternsRequest(name=stored, patterns=signs([1] * 12), labels=["a"])
        )
    assert refusal(caught.value).fields == ["patterns"]
