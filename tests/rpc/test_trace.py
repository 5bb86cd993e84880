"""A recall can be watched, iteration by iteration."""

from typing import Any

import numpy as np
import pytest
from tests.wire import Wire, made, pairwise, signs

from hopfield.v1 import patterns_pb2, recall_service_pb2

SYNCHRONOUS = recall_service_pb2.UPDATE_RULE_SYNCHRONOUS
GLAUBER = recall_service_pb2.UPDATE_RULE_GLAUBER
PATTERNS = np.where(np.random.default_rng(6).random((9, 60)) < 0.5, 1, -1)


def trace(
    wire: Wire, name: str, query: patterns_pb2.Patterns, **options: object
) -> list[recall_service_pb2.TraceRecallResponse]:
    how = recall_service_pb2.RecallOptions(**options)  # type: ignore[arg-type]
    return list(wire.recall.TraceRecall(recall_service_pb2.TraceRecallRequest(name=name, query=query, options=how)))


def states(parts: list[recall_service_pb2.TraceRecallResponse]) -> list[list[int]]:
    return [
        state
        for part in parts
        for state in np.frombuffer(part.patterns.signs, np.int8).reshape(-1, part.patterns.neurons or 1).tolist()
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"update": SYNCHRONOUS}, {"update": GLAUBER, "annealing": {"beta": [0.5, 2]}}, {"clamp": True}],
    ids=str,
)
def test_a_trace_goes_from_the_query_to_the_answer_of_the_recall(
    wire: Wire, name: str, options: dict[str, object]
) -> None:
    made(wire, name, pairwise(60), signs(*PATTERNS.tolist()))
    query = signs(np.random.default_rng(7).integers(-1, 2, 60).tolist())
    parts = trace(wire, name, query, seed=3, **options)
    answer = wire.recall.Recall(
        recall_service_pb2.RecallRequest(
            name=name,
            query=query,
            options=recall_service_pb2.RecallOptions(seed=3, **options),  # type: ignore[arg-type]
        )
    )
    found = states(parts)
    assert [bool(part.HasField("recall")) for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].recall == answer
    assert found[0] == list(np.frombuffer(query.signs, np.int8))
    assert found[-1] == list(np.frombuffer(answer.pattern.signs, np.int8))
    assert [i for part in parts for i in part.iterations] == list(range(answer.iterations + 1))
    flips = [count for part in parts for count in part.flips]
    assert (flips[0], sum(flips)) == (0, answer.flips)
    energies = [energy for part in parts for energy in part.energies]
    assert (energies[0], energies[-1]) == (answer.initial_energy, answer.energy)


def test_both_states_of_a_cycle_are_in_its_trace(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(2), signs([1, 1]))
    parts = trace(wire, name, signs([1, -1]), update=SYNCHRONOUS)
    assert states(parts) == [[1, -1], [-1, 1], [1, -1]]
    assert parts[-1].recall.stop_reason == recall_service_pb2.STOP_REASON_CYCLE


def test_unknown_neurons_are_told_from_known_ones_in_bits_too(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(3), signs([1, 1, -1]))
    query = patterns_pb2.Patterns(count=1, neurons=3, bits=b"\x01", known=b"\x01")
    part, *rest = trace(wire, name, query)
    assert not rest
    assert part.patterns.known == b"\x01\x07\x07"
    assert part.patterns.bits == b"\x01\x03\x03"
    assert not part.recall.pattern.known


def test_a_long_trace_comes_in_pieces_and_can_be_left(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(60), signs(*PATTERNS.tolist()))
    how = recall_service_pb2.RecallOptions(update=GLAUBER, beta=0.1, max_iterations=1_000_000)
    query = signs([1] * 60)
    for _ in range(10):
        call: Any = wire.recall.TraceRecall(
            recall_service_pb2.TraceRecallRequest(name=name, query=query, options=how), timeout=60
        )
        assert 1 <= len(next(call).iterations) < 100_000
        call.cancel()
    # More than there are threads, all of which are free again.
    wire.recall.Recall(recall_service_pb2.RecallRequest(name=name, query=query), timeout=10)
