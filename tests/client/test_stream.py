"""Recalls in a stream: both clients with a real service, and with a gRPC server that answers as told."""

import asyncio
import gc
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from tests.client.asking import options
from tests.client.conftest import Connect
from tests.client.letters import LABELS, PATTERNS, N, corrupted, random_patterns
from tests.processes import ServiceProcess

from hopfield.v1 import recall_service_pb2
from hopfield_client import (
    AsyncHopfieldClient,
    Cancelled,
    ClientClosed,
    DataLoss,
    DeadlineExceeded,
    HopfieldClient,
    InvalidArgument,
    Memory,
    NotFound,
    Recall,
    Unavailable,
)
from hopfield_client._memory_calls import MemoryCalls

Request = recall_service_pb2.StreamRecallRequest
Response = recall_service_pb2.StreamRecallResponse
QUERIES = random_patterns(3000, seed=9)
BLOCK = 1024


def alike(answers: list[Recall], others: list[Recall]) -> bool:
    return [repr(answer) for answer in answers] == [repr(other) for other in others] and all(
        np.array_equal(answer.pattern, other.pattern) and answer.seed == other.seed
        for answer, other in zip(answers, others, strict=True)
    )


# With a real service


def test_the_answers_are_those_of_a_batch_in_order(letters: Memory) -> None:
    batch = letters.recall_batch(QUERIES, seed=2**64 - 9)
    assert alike(list(letters.recall_stream(iter(QUERIES), seed=2**64 - 9)), list(batch))


def test_each_answer_is_that_of_the_recall_with_its_seed(letters: Memory) -> None:
    query = corrupted(PATTERNS[1], 12)
    for answer in letters.recall_stream([query] * 5, update="glauber", beta=0.5, max_iterations=3):
        alone = letters.recall(query, seed=answer.seed, update="glauber", beta=0.5, max_iterations=3)
        assert alike([answer], [alone])


def test_queries_of_any_kind_are_each_answered_in_their_own(letters: Memory) -> None:
    bits = PATTERNS > 0
    queries: list[Any] = [
        bits[0],
        bits[1].reshape(8, 8),
        PATTERNS[2].tolist(),
        np.ma.masked_array(bits[3], np.arange(N) < 9),
        np.ma.masked_array(bits[4], np.arange(N) < 19),
        PATTERNS[0].astype(float),
    ]
    answers = list(letters.recall_stream(queries))
    assert [answer.label for answer in answers] == [*LABELS, "A"]
    assert [answer.pattern.dtype for answer in answers] == [bool, bool, np.int8, bool, bool, np.int8]
    assert [answer.pattern.shape for answer in answers] == [(N,), (8, 8), (N,), (N,), (N,), (N,)]


def test_a_source_may_write_every_query_to_the_same_memory(letters: Memory) -> None:
    def readings() -> Iterator[Any]:
        buffer = np.empty(N, np.int8)
        for pattern in PATTERNS:
            buffer[:] = pattern
            yield buffer

    assert [answer.label for answer in letters.recall_stream(readings())] == LABELS


def test_an_array_is_a_stream_of_its_rows_and_nothing_is_a_stream_of_nothing(letters: Memory) -> None:
    assert [answer.label for answer in letters.recall_stream(PATTERNS)] == LABELS
    assert list(letters.recall_stream([])) == []


def test_an_empty_memory_has_no_labels(client: HopfieldClient, name: str) -> None:
    (answer,) = client.create_memory(name, 4).recall_stream([[1, -1, 1, 1]])
    assert (answer.label, answer.overlap, answer.match) == (None, None, "none")


def test_no_more_queries_are_taken_than_are_on_their_way(letters: Memory) -> None:
    taken: list[None] = []

    def endless() -> Iterator[Any]:
        while True:
            taken.append(None)
            yield PATTERNS[0]

    answers = letters.recall_stream(endless())
    for _ in range(10 * BLOCK):
        assert next(answers).label == "A"
    assert len(taken) <= 14 * BLOCK


def test_queries_that_come_slowly_are_answered_as_they_come(letters: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopfield_client._recall_stream._SLOW", -1.0)
    taken: list[None] = []

    def slow() -> Iterator[Any]:
        for pattern in PATTERNS:
            taken.append(None)
            yield pattern

    for count, answer in enumerate(letters.recall_stream(slow()), start=1):
        assert (answer.label, len(taken)) == (LABELS[count - 1], count)


def test_a_change_is_seen_by_the_queries_after_it(letters: Memory, other_client: HopfieldClient) -> None:
    def storing() -> Iterator[Any]:
        yield from [PATTERNS[0]] * BLOCK
        other_client.memory(letters.name).store(-PATTERNS[:1], ["inverse"])
        yield PATTERNS[0]

    revisions = [answer.revision for answer in letters.recall_stream(storing())]
    # The block before it may have been on its way.
    assert revisions[-1] == letters.info().revision
    assert revisions == sorted(revisions)


WRONG = {
    "of wrong values": np.where(np.arange(N) == 5, 7, PATTERNS[0]),
    "of another size": PATTERNS[0][:9],
    "of 0s and 1s alone": (PATTERNS[1] > 0).astype(np.int8),
    "of one value": 1,
    "of no values": [],
    "of text": ["1"] * N,
}


def answers_before(answers: Iterator[Recall], error: type[Exception]) -> tuple[list[str | None], str]:
    """The labels of the answers that come before the stream raises, and what it then says."""
    labels: list[str | None] = []
    with pytest.raises(error) as raised:
        labels.extend(answer.label for answer in answers)
    assert next(answers, None) is None
    return labels, str(raised.value)


@pytest.mark.parametrize("before", [0, 7, BLOCK - 1, BLOCK, 2500])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_the_queries_before_a_wrong_one_are_answered(letters: Memory, before: int, wrong: Any) -> None:
    taken: list[int] = []

    def queries() -> Iterator[Any]:
        for k in range(before):
            yield PATTERNS[k % len(PATTERNS)]
        yield wrong
        while len(taken) < 2 * BLOCK:
            taken.append(len(taken))
            yield PATTERNS[0]

    labels, message = answers_before(letters.recall_stream(queries()), InvalidArgument)
    assert labels == [LABELS[k % len(LABELS)] for k in range(before)]
    assert message.startswith(f"queries[{before}]")
    # What may follow it in its block, before anybody looks.
    assert len(taken) < BLOCK


def test_the_queries_before_one_that_the_server_refuses_are_answered(client: HopfieldClient, letters: Memory) -> None:
    queries = [*[PATTERNS[1]] * 2500, PATTERNS[0][:9], *[PATTERNS[1]] * 9]
    labels, message = answers_before(client.memory(letters.name).recall_stream(queries), InvalidArgument)
    assert labels == ["B"] * 2500
    assert message.startswith("queries: neurons must be 64, ")


@pytest.mark.parametrize("before", [0, 7, BLOCK, 2500])
def test_the_queries_before_their_source_fails_are_answered(letters: Memory, before: int) -> None:
    failure = KeyError("of the caller")

    def queries() -> Iterator[Any]:
        for k in range(before):
            yield PATTERNS[k % len(PATTERNS)]
        raise failure

    labels, message = answers_before(letters.recall_stream(queries()), KeyError)
    assert labels == [LABELS[k % len(LABELS)] for k in range(before)]
    assert message == str(failure)


async def test_so_they_are_where_queries_come_asynchronously(server: ServiceProcess, name: str) -> None:
    async def failing() -> AsyncIterator[Any]:
        for k in range(2500):
            yield PATTERNS[k % len(PATTERNS)]
        raise KeyError("of the caller")

    async def wrong() -> AsyncIterator[Any]:
        for k in range(2500):
            yield PATTERNS[k % len(PATTERNS)]
        yield PATTERNS[0][:9]

    async with AsyncHopfieldClient(server.address, timeout=60.0) as client:
        memory = await client.create_memory(name, N, rule="pseudo_inverse")
        await memory.store(PATTERNS, LABELS)
        for queries, error in ((failing(), KeyError), (wrong(), InvalidArgument)):
            answers = memory.recall_stream(queries)
            for k in range(2500):
                assert (await anext(answers)).label == LABELS[k % len(LABELS)]
            with pytest.raises(error):
                await anext(answers)


def test_zeros_and_ones_are_refused_however_the_stream_is_cut(client: HopfieldClient, letters: Memory) -> None:
    unknowing = client.memory(letters.name)
    mixed = [PATTERNS[0], (PATTERNS[1] > 0).astype(np.int8)]
    for memory, queries in ((letters, mixed[1:]), (letters, mixed), (unknowing, mixed[1:]), (unknowing, mixed)):
        with pytest.raises(InvalidArgument, match="holds only 0s and 1s"):
            list(memory.recall_stream(queries))


def test_a_memory_that_is_deleted_ends_the_stream(letters: Memory, other_client: HopfieldClient) -> None:
    def deleting() -> Iterator[Any]:
        yield from [PATTERNS[0]] * 4 * BLOCK
        other_client.delete_memory(letters.name)
        yield PATTERNS[0]

    with pytest.raises(NotFound):
        list(letters.recall_stream(deleting()))


def test_what_the_queries_raise_passes_through(letters: Memory) -> None:
    def failing() -> Iterator[Any]:
        yield from PATTERNS
        raise ValueError("the sensor is gone")

    with pytest.raises(ValueError, match="the sensor is gone"):
        list(letters.recall_stream(failing()))


async def test_queries_may_come_asynchronously(server: ServiceProcess, name: str) -> None:
    async def queries() -> AsyncIterator[Any]:
        for pattern in PATTERNS:
            await asyncio.sleep(0)
            yield pattern

    async with AsyncHopfieldClient(server.address, timeout=60.0) as client:
        memory = await client.create_memory(name, N, rule="pseudo_inverse")
        await memory.store(PATTERNS, LABELS)
        assert [answer.label async for answer in memory.recall_stream(queries())] == LABELS


# With a server that answers as told


class Streaming(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers every stream as `behaviour` says; `ended` is set when a call is over, in whatever way."""

    def __init__(self) -> None:
        self.behaviour: Callable[[Iterator[Request]], Iterator[Response]] = echo
        self.requests: list[Request] = []
        self.calls: list[grpc.ServicerContext] = []
        self.ended = threading.Event()
        self.address = ""

    def service(self, _: grpc.HandlerCallDetails) -> Any:
        def answer(requests: Iterator[Request], context: grpc.ServicerContext) -> Iterator[Response]:
            self.calls.append(context)
            context.add_callback(self.ended.set)
            yield from self.behaviour(self.noted(requests))

        return grpc.stream_stream_rpc_method_handler(
            answer, request_deserializer=Request.FromString, response_serializer=Response.SerializeToString
        )

    def silent(self, requests: Iterator[Request]) -> Iterator[Response]:
        """Answers the first block, and then none for as long as somebody waits."""
        yield answered(next(requests))
        assert self.ended.wait(60), "the client never gave up"

    def noted(self, requests: Iterator[Request]) -> Iterator[Request]:
        for request in requests:
            self.requests.append(request)
            yield request


def answered(request: Request, **columns: Any) -> Response:
    count = request.queries.count
    zeros = {
        name: [0] * count for name in ("energies", "initial_energies", "iterations", "flips", "stop_reasons", "matches")
    }
    block = {"patterns": request.queries, **zeros, "seed": 7, "uid": "u", "revision": 5, **columns}
    return Response(block=recall_service_pb2.BatchRecallResponse(**block))


def echo(requests: Iterator[Request]) -> Iterator[Response]:
    for request in requests:
        yield answered(request)


@contextmanager
def streaming(port: int = 0) -> Iterator[Streaming]:
    handler = Streaming()
    with ThreadPoolExecutor(4) as pool:
        running = grpc.server(pool, handlers=[handler])
        handler.address = f"127.0.0.1:{running.add_insecure_port(f'127.0.0.1:{port}')}"
        running.start()
        yield handler
        running.stop(None).wait()


@pytest.fixture
def told() -> Iterator[Streaming]:
    with streaming() as handler:
        yield handler


def test_name_and_options_go_once_and_what_was_seen_goes_with_each_block(
    connect: Connect, told: Streaming, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine a query may be slow to come by itself, and cut its block short.
    monkeypatch.setattr("hopfield_client._recall_stream._SLOW", 60.0)
    memory = connect(told.address).memory("digits")
    assert len(list(memory.recall_stream([[True, False]] * 8 * BLOCK, seed=3))) == 8 * BLOCK
    assert [request.name for request in told.requests] == ["digits", *[""] * 7]
    assert [request.HasField("options") for request in told.requests] == [True, *[False] * 7]
    assert told.requests[0].options.seed == 3
    assert [request.queries.count for request in told.requests] == [BLOCK] * 8
    assert not told.requests[0].HasField("token")
    assert (told.requests[-1].token.uid, told.requests[-1].token.revision) == ("u", 5)


@pytest.mark.parametrize(
    "columns", [{"energies": []}, {"labels": ["a"]}, {"matches": [1]}, {"patterns": {"count": 1, "neurons": 2}}]
)
def test_columns_that_do_not_fit_together_are_data_loss(memory: MemoryCalls, columns: dict[str, Any]) -> None:
    call = memory.recall_stream(options())
    queries = [[[1, -1], [1, 1]]] * 3
    requests = [request for query in queries for request in call.add(query)] + list(call.rest())
    with pytest.raises(DataLoss):
        call.take(answered(requests[0], **columns))


def test_more_answers_than_blocks_are_data_loss(memory: MemoryCalls) -> None:
    with pytest.raises(DataLoss, match="more answers"):
        memory.recall_stream(options()).take(Response())


def test_a_stream_that_breaks_off_is_data_loss(connect: Connect, told: Streaming) -> None:
    def first_only(requests: Iterator[Request]) -> Iterator[Response]:
        yield answered(next(requests))

    told.behaviour = first_only
    answers = connect(told.address).memory("digits").recall_stream([[True, False]] * (BLOCK + 3))
    for _ in range(BLOCK):
        next(answers)
    with pytest.raises(DataLoss, match="before the answers to 3 queries"):
        next(answers)


# Each says its number, so that none can be missing or come twice.
NUMBERED = (np.arange(7 * BLOCK + 3)[:, np.newaxis] >> np.arange(13) & 1).astype(np.bool_)


def test_a_stream_that_was_begun_before_its_server_came_up_is_answered(connect: Connect) -> None:
    finished = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as early, ThreadPoolExecutor(1) as pool:
        port = early.getsockname()[1]

        def serve_after_the_first_attempt() -> Streaming:
            early.accept()[0].close()
            early.close()
            with streaming(port) as server:
                assert finished.wait(60)
                return server

        serving = pool.submit(serve_after_the_first_attempt)
        try:
            answers = list(connect(f"127.0.0.1:{port}", timeout=60.0).memory("digits").recall_stream(NUMBERED))
        finally:
            finished.set()
        assert len(serving.result().calls) == 1
    np.testing.assert_array_equal([answer.pattern for answer in answers], NUMBERED)


@pytest.mark.parametrize("count", [1, len(NUMBERED)])
def test_until_the_first_answer_a_stream_that_breaks_is_begun_anew_with_what_was_sent(
    connect: Connect, told: Streaming, count: int
) -> None:
    def breaking_twice(requests: Iterator[Request]) -> Iterator[Response]:
        if len(told.calls) < 3:
            next(requests)
            told.calls[-1].abort(grpc.StatusCode.UNAVAILABLE, "away")
        told.requests.clear()
        yield from echo(requests)

    told.behaviour = breaking_twice
    answers = list(connect(told.address, timeout=60.0).memory("digits").recall_stream(NUMBERED[:count], seed=3))
    np.testing.assert_array_equal([answer.pattern for answer in answers], NUMBERED[:count])
    assert len(told.calls) == 3
    assert (told.requests[0].name, told.requests[0].options.seed) == ("digits", 3)


def test_after_the_first_answer_a_stream_that_breaks_ends(connect: Connect, told: Streaming) -> None:
    def breaking(requests: Iterator[Request]) -> Iterator[Response]:
        yield answered(next(requests))
        assert sum(request.queries.count for request in requests) == BLOCK + 3
        told.calls[-1].abort(grpc.StatusCode.UNAVAILABLE, "away")

    told.behaviour = breaking
    answers = connect(told.address, timeout=60.0).memory("digits").recall_stream(NUMBERED[: 2 * BLOCK + 3])
    for query in NUMBERED[:BLOCK]:
        np.testing.assert_array_equal(next(answers).pattern, query)
    with pytest.raises(Unavailable):
        next(answers)
    assert len(told.calls) == 1


def test_what_a_server_refuses_a_long_stream_for_is_said(connect: Connect, told: Streaming) -> None:
    def refusing(requests: Iterator[Request]) -> Iterator[Response]:
        for request in requests:
            if request.name:
                told.calls[-1].abort(grpc.StatusCode.NOT_FOUND, "no memory")
            yield answered(request)

    told.behaviour = refusing
    memory = connect(told.address, timeout=60.0).memory("digits")
    for _ in range(10):
        with pytest.raises(NotFound, match="no memory"):
            list(memory.recall_stream(NUMBERED))
    assert len(told.calls) == 10


def test_the_timeout_is_that_of_the_next_answers(connect: Connect, told: Streaming) -> None:
    told.behaviour = told.silent
    answers = connect(told.address, timeout=60.0).memory("digits").recall_stream([[True]] * (BLOCK + 1), timeout=0.5)
    for _ in range(BLOCK):
        next(answers)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.5 s"):
        next(answers)
    assert told.ended.wait(60)


def test_a_stream_that_was_never_begun_asks_nobody(connect: Connect, told: Streaming) -> None:
    connect(told.address).memory("digits").recall_stream([[True]])
    assert not told.requests


def test_a_stream_that_is_dropped_ends(told: Streaming) -> None:
    with HopfieldClient(told.address, timeout=60.0) as client:
        for _ in client.memory("digits").recall_stream([[True]] * 9 * BLOCK):
            break
        gc.collect()
        assert told.ended.wait(60)


async def test_an_awaited_stream_that_is_dropped_ends(told: Streaming) -> None:
    async with AsyncHopfieldClient(told.address, timeout=60.0) as client:
        async for _ in client.memory("digits").recall_stream([[True]] * 9 * BLOCK):
            break
        gc.collect()
        assert await asyncio.to_thread(told.ended.wait, 60)


def test_a_stream_of_a_closed_client_has_no_answers(connect: Connect, told: Streaming) -> None:
    client = connect(told.address)
    answers = client.memory("digits").recall_stream([[True]])
    client.close()
    with pytest.raises(ClientClosed):
        next(answers)


def test_a_stream_that_runs_when_the_client_is_closed_is_cancelled(connect: Connect, told: Streaming) -> None:
    told.behaviour = told.silent
    client = connect(told.address, timeout=60.0)
    answers = client.memory("digits").recall_stream([[True]] * (BLOCK + 1))
    for _ in range(BLOCK):
        next(answers)
    client.close()
    with pytest.raises(Cancelled):
        next(answers)


def test_what_is_wrong_with_the_options_is_said_at_once(connect: Connect, told: Streaming) -> None:
    memory = connect(told.address).memory("digits")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"timeout": 0}, "timeout"),
        ({"update": "glauber"}, "beta"),
        ({"seed": -1}, "seed"),
    ]
    for wrong, field in cases:
        with pytest.raises(InvalidArgument) as refused:
            memory.recall_stream([], **wrong)
        assert refused.value.field == field
