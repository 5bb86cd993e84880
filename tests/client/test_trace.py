"""Traces as their parts arrive, and as they are given up: both clients against a gRPC server that streams as told."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from tests.client.asking import options
from tests.client.conftest import Connect

from hopfield.v1 import patterns_pb2, recall_service_pb2
from hopfield_client import (
    AsyncHopfieldClient,
    Cancelled,
    ClientClosed,
    DataLoss,
    DeadlineExceeded,
    HopfieldClient,
    InvalidArgument,
    NotFound,
    TraceStep,
)
from hopfield_client._memory_calls import MemoryCalls

Part = recall_service_pb2.TraceRecallResponse
Behaviour = Callable[[recall_service_pb2.TraceRecallRequest, grpc.ServicerContext], Iterator[Part]]

ANSWER = recall_service_pb2.RecallResponse(
    pattern=patterns_pb2.Patterns(count=1, neurons=4, bits=b"\x05"), iterations=2, seed=7, uid="u", revision=5
)


def part(*iterations: int, answer: bool = False, **columns: Any) -> Part:
    """Steps of the same state, or columns that do not fit."""
    count = len(iterations)
    state = patterns_pb2.Patterns(count=count, neurons=4 if count else 0, bits=b"\x05" * count)
    whole = {"iterations": iterations, "patterns": state, "energies": [-1.5] * count, "flips": [2] * count, **columns}
    return Part(**whole, recall=ANSWER if answer else None)


# Parts


def test_steps_come_in_the_shape_and_type_of_the_query(memory: MemoryCalls) -> None:
    for query, state in (
        ([[1, -1], [1, 1]], np.array([[1, -1], [1, -1]], np.int8)),
        ([[True, False], [True, True]], np.array([[True, False], [True, False]])),
    ):
        call = memory.trace(query, options())
        (step,) = call.take(part(3))
        assert (step.iteration, step.energy, step.flips) == (3, -1.5, 2)
        np.testing.assert_array_equal(step.pattern, state, strict=True)


def test_unknown_neurons_show_until_they_are_visited(memory: MemoryCalls) -> None:
    states = patterns_pb2.Patterns(count=2, neurons=4, bits=b"\x04\x05", known=b"\x0c\x0f")
    received = part(0, 1, patterns=states)
    first, second = memory.trace([0, 0, 1, -1], options()).take(received)
    assert (first.pattern.tolist(), second.pattern.tolist()) == ([0, 0, 1, -1], [1, -1, 1, -1])
    query = np.ma.masked_array([False, False, True, False], [True, True, False, False])
    first, second = memory.trace(query, options()).take(received)
    assert (first.pattern.tolist(), second.pattern.tolist()) == ([None, None, True, False], [True, False, True, False])


def test_a_step_shows_itself_without_its_thousand_neurons() -> None:
    step = TraceStep(3, np.ones((25, 40), np.int8), -499.5, 12)
    assert repr(step) == "TraceStep(iteration=3, energy=-499.5, flips=12, pattern=int8[25, 40])"


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [part(0, 1)],
        [part(0, answer=True), part(1)],
        [part(0, energies=[]), part(1, answer=True)],
        [part(0, flips=[1, 2]), part(1, answer=True)],
        [part(0, patterns=patterns_pb2.Patterns(count=1, neurons=9, bits=b"\x05\x00")), part(1, answer=True)],
    ],
)
def test_a_trace_that_does_not_arrive_whole_is_data_loss(memory: MemoryCalls, parts: list[Part]) -> None:
    call = memory.trace([1, -1, 1, 1], options())

    def transfer() -> None:
        for received in parts:
            call.take(received)
        call.finish()

    with pytest.raises(DataLoss):
        transfer()
    assert call.recall is None


def test_the_end_of_a_trace_is_seen_of_the_memory(memory: MemoryCalls) -> None:
    call = memory.trace([1, -1, 1, 1], options())
    call.take(part(0, 1, 2))
    call.take(part(answer=True))
    call.finish()
    assert call.recall is not None
    assert (call.recall.iterations, call.recall.pattern.tolist()) == (2, [1, -1, 1, -1])
    following = memory.trace([1, -1, 1, 1], options()).request
    assert (following.token.uid, following.token.revision) == ("u", 5)


# Streams


class Streaming(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers every trace as `behaviour` says; `ended` is set when a call is over, in whatever way."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = lambda _, __: iter(())
        self.requests: list[recall_service_pb2.TraceRecallRequest] = []
        self.ended = threading.Event()
        self.address = ""

    def service(self, _: grpc.HandlerCallDetails) -> Any:
        def answer(request: recall_service_pb2.TraceRecallRequest, context: grpc.ServicerContext) -> Iterator[Part]:
            self.requests.append(request)
            context.add_callback(self.ended.set)
            yield from self.behaviour(request, context)

        return grpc.unary_stream_rpc_method_handler(
            answer,
            request_deserializer=recall_service_pb2.TraceRecallRequest.FromString,
            response_serializer=Part.SerializeToString,
        )


@pytest.fixture
def server() -> Iterator[Streaming]:
    handler = Streaming()
    with ThreadPoolExecutor(4) as pool:
        running = grpc.server(pool, handlers=[handler])
        handler.address = f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
        running.start()
        yield handler
        running.stop(None).wait()


def whole(_: recall_service_pb2.TraceRecallRequest, __: grpc.ServicerContext) -> Iterator[Part]:
    yield part(0, 1)
    yield part(2, answer=True)


def endless(_: recall_service_pb2.TraceRecallRequest, context: grpc.ServicerContext) -> Iterator[Part]:
    """Two steps, and then nothing for as long as somebody waits."""
    given_up = threading.Event()
    context.add_callback(given_up.set)
    yield part(0, 1)
    assert given_up.wait(timeout=60), "the client never gave up"


def test_a_trace_is_an_iterator_that_ends_with_the_answer(connect: Connect, server: Streaming) -> None:
    server.behaviour = whole
    trace = connect(server.address).memory("digits").trace([1, -1, 1, 1], seed=7)
    assert server.requests == []
    for step in trace:
        assert trace.recall is None
        assert step.pattern.tolist() == [1, -1, 1, -1]
    assert step.iteration == 2
    assert trace.recall is not None
    assert (trace.recall.seed, trace.recall.iterations, trace.recall.revision) == (7, 2, 5)
    assert list(trace) == []
    (request,) = server.requests
    assert (request.name, request.query.bits, request.options.seed) == ("digits", b"\x0d", 7)


def test_steps_are_there_before_the_recall_has_ended(connect: Connect, server: Streaming) -> None:
    taken = threading.Event()

    def behaviour(_: recall_service_pb2.TraceRecallRequest, __: grpc.ServicerContext) -> Iterator[Part]:
        yield part(0, 1)
        assert taken.wait(timeout=60), "the first steps never arrived"
        yield part(2, answer=True)

    server.behaviour = behaviour
    trace = connect(server.address, timeout=60.0).memory("digits").trace([1, -1, 1, 1])
    assert [next(trace).iteration, next(trace).iteration] == [0, 1]
    taken.set()
    assert [step.iteration for step in trace] == [2]


def test_a_trace_that_is_closed_ends_the_recall(connect: Connect, server: Streaming) -> None:
    server.behaviour = endless
    trace = connect(server.address, timeout=60.0).memory("digits").trace([1, -1, 1, 1])
    assert next(trace).iteration == 0
    trace.close()
    assert server.ended.wait(timeout=60)
    assert list(trace) == []
    assert trace.recall is None
    trace.close()


def test_a_trace_that_was_never_begun_asks_nobody(connect: Connect, server: Streaming) -> None:
    trace = connect(server.address).memory("digits").trace([1, -1, 1, 1])
    trace.close()
    assert list(trace) == []
    assert server.requests == []


def test_a_trace_that_is_dropped_ends_the_recall(server: Streaming) -> None:
    server.behaviour = endless
    with HopfieldClient(server.address, timeout=60.0) as client:
        for step in client.memory("digits").trace([1, -1, 1, 1]):
            assert step.iteration == 0
            break
        gc.collect()
        assert server.ended.wait(timeout=60)


async def test_an_awaited_trace_that_is_dropped_ends_the_recall(server: Streaming) -> None:
    server.behaviour = endless
    async with AsyncHopfieldClient(server.address, timeout=60.0) as client:
        async for step in client.memory("digits").trace([1, -1, 1, 1]):
            assert step.iteration == 0
            break
        gc.collect()
        assert await asyncio.to_thread(server.ended.wait, 60)


async def test_a_task_that_waits_for_a_step_can_be_cancelled(server: Streaming) -> None:
    server.behaviour = endless
    async with AsyncHopfieldClient(server.address, timeout=60.0) as client:
        trace = client.memory("digits").trace([1, -1, 1, 1])
        assert [(await anext(trace)).iteration, (await anext(trace)).iteration] == [0, 1]
        waiting = asyncio.ensure_future(trace.__anext__())
        await asyncio.wait([waiting], timeout=0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.to_thread(server.ended.wait, 60)


def test_an_error_amid_the_steps_is_raised_where_they_break_off(connect: Connect, server: Streaming) -> None:
    def behaviour(_: recall_service_pb2.TraceRecallRequest, context: grpc.ServicerContext) -> Iterator[Part]:
        yield part(0, 1)
        context.abort(grpc.StatusCode.NOT_FOUND, "it was deleted")

    server.behaviour = behaviour
    trace = connect(server.address).memory("digits").trace([1, -1, 1, 1])
    assert [next(trace).iteration, next(trace).iteration] == [0, 1]
    with pytest.raises(NotFound, match="it was deleted"):
        next(trace)
    assert list(trace) == []
    assert trace.recall is None


def test_steps_without_an_answer_are_data_loss(connect: Connect, server: Streaming) -> None:
    server.behaviour = lambda _, __: iter([part(0, 1)])
    with pytest.raises(DataLoss, match="the trace broke off before the answer"):
        list(connect(server.address).memory("digits").trace([1, -1, 1, 1]))


def test_the_timeout_is_that_of_the_whole_trace(connect: Connect, server: Streaming) -> None:
    server.behaviour = endless
    trace = connect(server.address, timeout=60.0).memory("digits").trace([1, -1, 1, 1], timeout=0.5)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.5 s"):
        list(trace)


def test_what_is_wrong_with_a_trace_is_said_before_its_first_step(connect: Connect, server: Streaming) -> None:
    memory = connect(server.address).memory("digits", shape=4)
    for query, chosen, field in (
        ([1, -1, 1, 1], {"timeout": 0}, "timeout"),
        ([1, -1, 1, 1], {"update": "glauber"}, "beta"),
        ([1, -1], {}, "query"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            memory.trace(query, **chosen)
        assert refused.value.field == field


def test_a_trace_of_a_closed_client_has_no_steps(connect: Connect, server: Streaming) -> None:
    client = connect(server.address)
    trace = client.memory("digits").trace([1, -1, 1, 1])
    client.close()
    with pytest.raises(ClientClosed):
        next(trace)


def test_a_trace_that_runs_when_the_client_is_closed_is_cancelled(connect: Connect, server: Streaming) -> None:
    server.behaviour = endless
    client = connect(server.address, timeout=60.0)
    trace = client.memory("digits").trace([1, -1, 1, 1])
    assert [next(trace).iteration, next(trace).iteration] == [0, 1]
    client.close()
    with pytest.raises(Cancelled):
        next(trace)
