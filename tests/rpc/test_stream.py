"""Recalls in a stream: blocks of queries in, their answers out, in order and without end."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.wire import Wire, made, pairwise, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, recall_service_pb2

N = 50
PATTERNS = np.where(np.random.default_rng(1).random((12, N)) < 0.5, 1, -1)
QUERIES = np.random.default_rng(2).integers(-1, 2, (40, N))

Request = recall_service_pb2.StreamRecallRequest


@pytest.fixture
def memory(wire: Wire, name: str) -> memory_pb2.Memory:
    return made(wire, name, pairwise(N), signs(*PATTERNS.tolist()))


def blocks(name: str, *sizes: int, queries: NDArray[np.int64] = QUERIES, **options: object) -> Iterator[Request]:
    start = 0
    for number, size in enumerate(sizes):
        request = Request(queries=signs(*queries[start : start + size].tolist()))
        if number == 0:
            request.name = name
            request.options.CopyFrom(recall_service_pb2.RecallOptions(**options))  # type: ignore[arg-type]
        yield request
        start += size


def refused(wire: Wire, *requests: Request) -> tuple[list[recall_service_pb2.StreamRecallResponse], Any]:
    """The answers before the error, and the error."""
    answers: list[recall_service_pb2.StreamRecallResponse] = []
    with pytest.raises(grpc.RpcError) as caught:
        answers.extend(wire.recall.StreamRecall(iter(requests)))
    return answers, refusal(caught.value)


@pytest.mark.parametrize("sizes", [(40,), (1, 20, 19), (1,) * 40], ids=str)
def test_the_answers_are_those_of_a_batch_however_the_stream_is_cut(
    wire: Wire, memory: memory_pb2.Memory, sizes: tuple[int, ...]
) -> None:
    seed = 2**64 - 20
    how = recall_service_pb2.RecallOptions(seed=seed)
    batch = wire.recall.BatchRecall(
        recall_service_pb2.BatchRecallRequest(name=memory.name, queries=signs(*QUERIES.tolist()), options=how)
    )
    answers = [answer.block for answer in wire.recall.StreamRecall(blocks(memory.name, *sizes, seed=seed))]
    assert [answer.patterns.count for answer in answers] == list(sizes)
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    assert [answer.seed for answer in answers] == [(seed + start) % 2**64 for start in starts]
    assert b"".join(answer.patterns.signs for answer in answers) == batch.patterns.signs
    for column in (
        "energies",
        "initial_energies",
        "iterations",
        "flips",
        "stop_reasons",
        "labels",
        "overlaps",
        "matches",
    ):
        assert [value for answer in answers for value in getattr(answer, column)] == list(getattr(batch, column))
    assert {(answer.uid, answer.revision) for answer in answers} == {(memory.uid, memory.revision)}


def test_a_seed_is_drawn_for_the_whole_stream_where_none_is_given(wire: Wire, memory: memory_pb2.Memory) -> None:
    first, second = (answer.block for answer in wire.recall.StreamRecall(blocks(memory.name, 3, 2)))
    assert second.seed == (first.seed + 3) % 2**64
    how = recall_service_pb2.RecallOptions(seed=(second.seed + 1) % 2**64)
    query = signs(QUERIES[4].tolist())
    single = wire.recall.Recall(recall_service_pb2.RecallRequest(name=memory.name, query=query, options=how))
    assert single.pattern.signs == second.patterns.signs[N:]


def test_a_block_is_answered_before_the_next_one_comes(wire: Wire, memory: memory_pb2.Memory) -> None:
    answered = threading.Semaphore()

    def one_by_one() -> Iterator[Request]:
        for request in blocks(memory.name, 2, 2, 2):
            assert answered.acquire(timeout=60)
            yield request

    for answer in wire.recall.StreamRecall(one_by_one()):
        assert answer.block.patterns.count == 2
        answered.release()


def test_each_block_sees_the_memory_as_it_is_when_it_comes(wire: Wire, memory: memory_pb2.Memory) -> None:
    stored = threading.Event()

    def store_between() -> Iterator[Request]:
        first, second = blocks(memory.name, 1, 1)
        yield first
        assert stored.wait(60)
        yield second

    answers: Any = wire.recall.StreamRecall(store_between())
    assert next(answers).block.revision == memory.revision
    wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name=memory.name, patterns=signs([1] * N)))
    stored.set()
    assert next(answers).block.revision == memory.revision + 1


def test_a_stream_of_nothing_is_answered_with_nothing(wire: Wire) -> None:
    assert list(wire.recall.StreamRecall(iter(()))) == []


def test_an_error_comes_after_the_answers_before_it(wire: Wire, memory: memory_pb2.Memory) -> None:
    good, short = Request(name=memory.name, queries=signs([1] * N)), Request(queries=signs([1, 1]))
    answers, refusal_of_short = refused(wire, good, short, Request(queries=signs([1] * N)))
    assert len(answers) == 1
    assert (refusal_of_short.code, refusal_of_short.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["queries.neurons"])


@pytest.mark.parametrize(
    ("later", "field"),
    [({"name": "another"}, "name"), ({"options": recall_service_pb2.RecallOptions()}, "options")],
)
def test_name_and_options_are_given_once(
    wire: Wire, memory: memory_pb2.Memory, later: dict[str, Any], field: str
) -> None:
    queries = signs([1] * N)
    answers, refused_later = refused(
        wire, Request(name=memory.name, queries=queries), Request(queries=queries, **later)
    )
    assert len(answers) == 1
    assert refused_later.fields == [field]
    assert "first message" in refused_later.message


def test_a_block_without_queries_and_a_stream_without_a_name_are_refused(wire: Wire, memory: memory_pb2.Memory) -> None:
    _, without_queries = refused(wire, Request(name=memory.name))
    assert without_queries.fields == ["queries.count"]
    _, without_name = refused(wire, Request(queries=signs([1] * N)))
    assert without_name.fields == ["name"]


def test_a_memory_that_is_deleted_ends_its_streams(wire: Wire, memory: memory_pb2.Memory) -> None:
    deleted = threading.Event()

    def across_its_end() -> Iterator[Request]:
        first, second = blocks(memory.name, 1, 1)
        yield first
        assert deleted.wait(60)
        yield second

    answers: Any = wire.recall.StreamRecall(across_its_end())
    next(answers)
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=memory.name))
    deleted.set()
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert refusal(caught.value).reason == "MEMORY_NOT_FOUND"


def test_streams_that_are_left_are_recalled_no_further(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(N), signs(*PATTERNS.tolist()))
    how: dict[str, Any] = {"update": recall_service_pb2.UPDATE_RULE_GLAUBER, "beta": 0.1, "max_iterations": 1_000_000}
    left: list[Any] = [wire.recall.StreamRecall(blocks(name, 1, 1, 1, 1, 1, 1, **how)) for _ in range(10)]
    for call in left:
        call.cancel()
    # More than there are threads, all of which are free again.
    query = signs([1] * N)
    wire.recall.Recall(recall_service_pb2.RecallRequest(name=name, query=query), timeout=30)
