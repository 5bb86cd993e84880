"""How the calls of the client that blocks go over gRPC."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

import grpc
from numpy.typing import ArrayLike

from hopfield.v1 import (
    attractor_service_pb2_grpc,
    memory_service_pb2_grpc,
    recall_service_pb2,
    recall_service_pb2_grpc,
    server_service_pb2_grpc,
)
from hopfield_client._calls import Call, Method, PageCall, StreamCall
from hopfield_client._client_calls import ClientCalls
from hopfield_client._config import RetryConfig, channel_options
from hopfield_client._errors import Cancelled, ClientClosed, DataLoss, HopfieldError
from hopfield_client._recall_stream import RecallStreamCall, each
from hopfield_client._results import Recall, TraceStep
from hopfield_client._trace import TraceCall

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")


class Connection:
    """A channel, and how calls go over it; what a client and its memories share."""

    def __init__(self, calls: ClientCalls, retry: RetryConfig) -> None:
        self._channel = grpc.insecure_channel(calls.address, options=channel_options(retry))
        self._calls = calls
        self._closed = False
        self.memories = memory_service_pb2_grpc.MemoryServiceStub(self._channel)
        self.recalls = recall_service_pb2_grpc.RecallServiceStub(self._channel)
        self.attractors = attractor_service_pb2_grpc.AttractorServiceStub(self._channel)
        self.server = server_service_pb2_grpc.ServerServiceStub(self._channel)

    def run(
        self,
        method: Method[RequestT, ResponseT],
        call: Call[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        seconds = self._calls.timeout(timeout)
        with self._errors(
            seconds, if_made=call.if_made, if_other_coding=call.if_other_coding, arguments=call.arguments
        ):
            response = method(call.request, timeout=seconds)
        return call.read(response)

    def run_pages(
        self,
        method: Method[RequestT, ResponseT],
        call: PageCall[RequestT, ResponseT, ItemT] | None,
        timeout: float | None = None,
    ) -> Iterator[ItemT]:
        while call is not None:
            page = self.run(method, call, timeout)
            yield from page.items
            call = page.following

    def run_stream(
        self,
        method: Method[RequestT, Iterable[ResponseT]],
        call: StreamCall[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        seconds = self._calls.timeout(timeout)
        with self._errors(seconds):
            for part in method(call.request, timeout=seconds):
                call.take(part)
        return call.finish()

    def steps(self, call: TraceCall, timeout: float | None = None) -> Generator[TraceStep, None, None]:
        # Not a generator itself, so that a wrong timeout is refused now and not with the first step.
        return self._steps(call, self._calls.timeout(timeout))

    def _steps(self, call: TraceCall, seconds: float) -> Generator[TraceStep, None, None]:
        with self._errors(seconds, if_other_coding=call.if_other_coding):
            parts = self.recalls.TraceRecall(call.request, timeout=seconds)
            try:
                for part in parts:
                    yield from call.take(part)
            finally:
                # Closed or dropped before the end, the server need not go on.
                parts.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs
        call.finish()

    def recalls_of(
        self, call: RecallStreamCall, queries: Iterable[ArrayLike], timeout: float | None = None
    ) -> Generator[Recall, None, None]:
        # Not a generator itself, as `steps`.
        return self._recalls_of(call, queries, self._calls.timeout(timeout))

    def _recalls_of(
        self, call: RecallStreamCall, queries: Iterable[ArrayLike], seconds: float
    ) -> Generator[Recall, None, None]:
        # gRPC takes requests on a thread of its own; queries are asked for on that of the caller alone.
        outgoing: queue.SimpleQueue[recall_service_pb2.StreamRecallRequest | None] = queue.SimpleQueue()
        with self._errors(seconds):
            incoming = self.recalls.StreamRecall(iter(outgoing.get, None))
        try:
            call.expect()
            for query in each(queries, call):
                for request in call.add(query):
                    outgoing.put(request)
                while call.is_full:
                    yield from self._taken(incoming, call, seconds)
                call.expect()
            for request in call.rest():
                outgoing.put(request)
            outgoing.put(None)
            while call.in_flight:
                yield from self._taken(incoming, call, seconds)
            call.finish()
        finally:
            outgoing.put(None)
            incoming.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs

    def _taken(
        self,
        incoming: "grpc.CallIterator[recall_service_pb2.StreamRecallResponse]",
        call: RecallStreamCall,
        seconds: float,
    ) -> list[Recall]:
        return call.take(self.next_answer(incoming, seconds, call.broken_off, call.if_other_coding))

    def exchange(
        self,
        method: "grpc.StreamStreamMultiCallable[RequestT, ResponseT]",
        timeout: float | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> "Exchange[RequestT, ResponseT]":
        seconds = self._calls.timeout(timeout)
        outgoing: queue.SimpleQueue[RequestT | None] = queue.SimpleQueue()
        with self._errors(seconds):
            return Exchange(self, outgoing, method(iter(outgoing.get, None)), seconds, arguments)

    def next_answer(
        self,
        incoming: "grpc.CallIterator[ResponseT]",
        seconds: float,
        broken_off: Callable[[], DataLoss],
        if_other_coding: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> ResponseT:
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            incoming.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            with self._errors(seconds, if_other_coding=if_other_coding, arguments=arguments):
                response = next(iter(incoming), None)
        except Cancelled:
            if overdue.is_set():
                raise self._calls.overdue(seconds) from None
            raise
        finally:
            timer.cancel()
        if response is None:
            raise broken_off()
        return response

    def close(self) -> None:
        self._closed = True
        self._channel.close()

    @contextmanager
    def _errors(
        self,
        timeout: float,
        *,
        if_made: str = "",
        if_other_coding: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            # Without gRPC's own error, which prints as many lines that say the same; it stays as __context__.
            raise self._calls.error(
                error, timeout, if_made=if_made, if_other_coding=if_other_coding, arguments=arguments
            ) from None
        except ValueError:
            # What gRPC raises of a closed channel.
            if self._closed:
                raise ClientClosed("the client is closed") from None
            raise


class Exchange(Generic[RequestT, ResponseT]):
    """A stream on which every message is answered before the next is sent. What ended it is raised ever after."""

    def __init__(
        self,
        connection: Connection,
        outgoing: "queue.SimpleQueue[RequestT | None]",
        incoming: "grpc.CallIterator[ResponseT]",
        seconds: float,
        arguments: Mapping[str, str] | None,
    ) -> None:
        self._connection = connection
        self._outgoing = outgoing
        self._incoming = incoming
        self._seconds = seconds
        self._arguments = arguments
        self._ended_by: HopfieldError | None = None

    def ask(self, request: RequestT) -> ResponseT:
        if self._ended_by is not None:
            raise self._ended_by
        self._outgoing.put(request)
        try:
            return self._connection.next_answer(
                self._incoming,
                self._seconds,
                lambda: DataLoss("the stream broke off before the answer"),
                arguments=self._arguments,
            )
        except HopfieldError as error:
            self._ended_by = error
            raise

    def close(self) -> None:
        self._outgoing.put(None)
        self._incoming.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs
