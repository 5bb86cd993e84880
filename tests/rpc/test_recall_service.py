"""Recall, as a caller in any language sees it."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from tests.wire import Wire, made, pairwise, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2


def recall(
    wire: Wire,
    name: str,
    query: patterns_pb2.Patterns,
    token: memory_pb2.FreshnessToken | None = None,
    **options: object,
) -> recall_service_pb2.RecallResponse:
    how = recall_service_pb2.RecallOptions(**options)  # type: ignore[arg-type]
    return wire.recall.Recall(recall_service_pb2.RecallRequest(name=name, query=query, options=how, token=token))


def state(answer: recall_service_pb2.RecallResponse) -> list[int]:
    return [int(sign) for sign in np.frombuffer(answer.pattern.signs, np.int8)]


def test_the_four_neuron_example_of_the_texts(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4), signs([-1, -1, -1, 1]))
    answer = recall(wire, name, signs([-1, -1, -1, -1]))
    s = np.array([-1, -1, -1, 1])
    J = np.outer(s, s) / 4 * (1 - np.eye(4))
    assert state(answer) == s.tolist()
    assert answer.energy == -0.5 * s @ J @ s == -1.5
    assert answer.initial_energy == 0
    assert (answer.flips, answer.iterations) == (1, 2)
    assert answer.stop_reason == recall_service_pb2.STOP_REASON_CONVERGED
    assert (answer.label, answer.overlap, answer.match) == ("0", 1, recall_service_pb2.MATCH_PATTERN)


def test_the_answer_says_whether_it_is_a_pattern_its_inverse_or_spurious(wire: Wire, name: str) -> None:
    X = np.where(np.random.default_rng(5).random((3, 100)) < 0.5, 1, -1)
    made(wire, name, pairwise(100), signs(*X.tolist()))
    inverse = recall(wire, name, signs((-X[1]).tolist()))
    assert (inverse.label, inverse.overlap, inverse.match) == ("1", -1, recall_service_pb2.MATCH_INVERSE)
    mixture = recall(wire, name, signs(np.sign(X.sum(axis=0)).tolist()))
    assert mixture.match == recall_service_pb2.MATCH_SPURIOUS
    assert abs(mixture.overlap) < 1


def test_where_nothing_is_stored_there_is_no_label_and_no_overlap(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(3))
    answer = recall(wire, name, signs([1, -1, 1]))
    assert state(answer) == [1, -1, 1]
    assert answer.match == recall_service_pb2.MATCH_NONE
    assert not answer.HasField("label")
    assert not answer.HasField("overlap")


def test_unknown_neurons_are_filled_in_and_are_no_flips(wire: Wire, name: str) -> None:
    pattern = [1, -1, 1, 1, -1, -1]
    made(wire, name, pairwise(6), signs(pattern))
    answer = recall(wire, name, signs([1, -1, 0, 0, 0, -1]))
    assert (state(answer), answer.flips) == (pattern, 0)


def test_clamp_holds_what_is_known(wire: Wire, name: str) -> None:
    pattern = [1, 1, 1, 1, 1, 1]
    made(wire, name, pairwise(6), signs(pattern))
    query = signs([-1, 1, 1, 1, 0, 0])
    assert state(recall(wire, name, query)) == pattern
    assert state(recall(wire, name, query, clamp=True)) == [-1, 1, 1, 1, 1, 1]


def test_answers_come_in_the_encoding_of_the_query(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(10), signs([1, -1] * 5))
    answer = recall(wire, name, patterns_pb2.Patterns(count=1, neurons=10, bits=bytes([0b01010101, 0b01])))
    assert answer.pattern.bits == bytes([0b01010101, 0b01])
    assert recall(wire, name, signs([1, -1] * 5)).pattern.WhichOneof("encoding") == "signs"


def test_a_network_of_two_states_is_reported_as_a_cycle(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(2), signs([1, 1]))
    answer = recall(wire, name, signs([1, -1]), update=recall_service_pb2.UPDATE_RULE_SYNCHRONOUS)
    assert answer.stop_reason == recall_service_pb2.STOP_REASON_CYCLE
    assert (state(answer), answer.iterations, answer.flips) == ([1, -1], 2, 4)


def test_an_iteration_limit_ends_a_recall_that_has_not_settled(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(2), signs([1, 1]))
    answer = recall(wire, name, signs([1, -1]), max_iterations=1)
    assert (answer.stop_reason, answer.iterations) == (recall_service_pb2.STOP_REASON_ITERATION_LIMIT, 1)


def test_the_seed_used_is_echoed_and_gives_the_same_answer_again(wire: Wire, name: str) -> None:
    random = np.random.default_rng(0)
    made(wire, name, pairwise(80), signs(*np.where(random.random((30, 80)) < 0.5, 1, -1).tolist()))
    query = signs(random.integers(-1, 2, 80).tolist())
    answer = recall(wire, name, query)
    assert recall(wire, name, query, seed=answer.seed) == answer
    others = {recall(wire, name, query, seed=seed).pattern.signs for seed in range(20)}
    assert len(others) > 1, "the order of updates must matter in a crowded memory, or this test says nothing"
    assert recall(wire, name, query).seed != answer.seed


@pytest.mark.parametrize("rule", [memory_pb2.LEARNING_RULE_HEBBIAN, memory_pb2.LEARNING_RULE_PSEUDO_INVERSE])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"update": recall_service_pb2.UPDATE_RULE_SYNCHRONOUS},
        {"order": recall_service_pb2.UPDATE_ORDER_SEQUENTIAL, "tie": recall_service_pb2.TIE_RULE_PLUS},
        {"clamp": True, "tie": recall_service_pb2.TIE_RULE_MINUS},
        {"explicit_order": list(reversed(range(50))), "max_iterations": 2},
        {"update": recall_service_pb2.UPDATE_RULE_GLAUBER, "beta": 2.0, "max_iterations": 5},
        {"update": recall_service_pb2.UPDATE_RULE_GLAUBER, "annealing": {"beta": [0.5, 1, 4]}, "clamp": True},
    ],
    ids=str,
)
def test_each_answer_of_a_batch_is_that_of_the_single_recall(
    wire: Wire, name: str, rule: int, options: dict[str, object]
) -> None:
    random = np.random.default_rng(1)
    made(wire, name, pairwise(50, rule=rule), signs(*np.where(random.random((12, 50)) < 0.5, 1, -1).tolist()))
    # As many as are worth two threads.
    queries = random.integers(-1, 2, (130, 50)).tolist()
    seed = 2**64 - 20
    how = recall_service_pb2.RecallOptions(seed=seed, **options)  # type: ignore[arg-type]
    request = recall_service_pb2.BatchRecallRequest(name=name, queries=signs(*queries), options=how)
    batch = wire.recall.BatchRecall(request)
    assert (batch.patterns.count, batch.patterns.neurons, batch.seed) == (130, 50, seed)
    states = np.frombuffer(batch.patterns.signs, np.int8).reshape(130, 50)
    for k, query in enumerate(queries):
        single = recall(wire, name, signs(query), token=None, seed=(seed + k) % 2**64, **options)
        assert single == recall_service_pb2.RecallResponse(
            pattern=patterns_pb2.Patterns(
                count=1, neurons=50, signs=states[k].tobytes(), coding=patterns_pb2.CODING_BIPOLAR
            ),
            energy=batch.energies[k],
            initial_energy=batch.initial_energies[k],
            iterations=batch.iterations[k],
            flips=batch.flips[k],
            stop_reason=batch.stop_reasons[k],
            label=batch.labels[k],
            overlap=batch.overlaps[k],
            match=batch.matches[k],
            seed=(seed + k) % 2**64,
            uid=batch.uid,
            revision=batch.revision,
        )


def test_a_token_of_a_predecessor_is_void(wire: Wire, name: str) -> None:
    old = made(wire, name, pairwise(3), signs([1, 1, 1]))
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))
    new = made(wire, name, pairwise(3))
    answer = recall(wire, name, signs([1, 1, 1]), memory_pb2.FreshnessToken(uid=old.uid, revision=99))
    assert (answer.uid, answer.revision) == (new.uid, 0)


def test_writers_and_readers_at_once_lose_nothing(wire: Wire, name: str) -> None:
    N, writers, each = 64, 8, 10
    made(wire, name, pairwise(N))
    X = np.where(np.random.default_rng(7).random((writers * each, N)) < 0.5, 1, -1)

    def write(writer: int) -> None:
        for k in range(each):
            number = writer * each + k
            request = memory_service_pb2.StorePatternsRequest(
                name=name, patterns=signs(X[number].tolist()), labels=[str(number)]
            )
            revision = wire.memory.StorePatterns(request).memory.revision
            # Whoever wrote reads what was written, whatever else is going on.
            answer = recall(wire, name, signs(X[number].tolist()), max_iterations=1)
            assert answer.revision >= revision

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    memory = wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory
    assert (memory.pattern_count, memory.revision) == (writers * each, writers * each)
    _, *parts = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    expected = X.T @ X / N
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(np.frombuffer(b"".join(part.rows for part in parts)).reshape(N, N), expected)


def test_a_deadline_stops_a_recall_that_would_go_on_and_the_service_goes_on_answering(wire: Wire, name: str) -> None:
    # A negative self-coupling flips its neuron at each visit, for ever.
    header = memory_service_pb2.ImportWeightsHeader(name=name, neurons=300)
    rows = np.diag(np.full(300, -1.0)).tobytes()
    parts = [memory_service_pb2.ImportWeightsRequest(header=header), memory_service_pb2.ImportWeightsRequest(rows=rows)]
    wire.memory.ImportWeights(iter(parts))
    query = signs([1] * 300)
    how = recall_service_pb2.RecallOptions(max_iterations=1_000_000)
    request = recall_service_pb2.RecallRequest(name=name, query=query, options=how)
    # More of them than there are threads: if one went on, the last calls would find no thread.
    calls = [wire.recall.Recall.future(request, timeout=0.3) for _ in range(16)]
    assert {call.exception().code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}  # type: ignore[union-attr]
    assert recall(wire, name, query, max_iterations=10).iterations == 10


def test_a_recall_of_a_memory_deleted_meanwhile_is_not_found(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(3), signs([1, 1, 1]))
    recall(wire, name, signs([1, 1, 1]))
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))
    with pytest.raises(grpc.RpcError) as caught:
        recall(wire, name, signs([1, 1, 1]))
    assert refusal(caught.value).reason == "MEMORY_NOT_FOUND"
