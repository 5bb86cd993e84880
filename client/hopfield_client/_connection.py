"""How the calls of the client that blocks go over gRPC."""

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from numpy.typing import ArrayLike

from hopfield.v1 import (
    attractor_service_pb2_grpc,
    memory_service_pb2_grpc,
    recall_service_pb2_grpc,
    server_service_pb2_grpc,
)
from hopfield_client._addresses import Addresses
from hopfield_client._calls import LEAST_MESSAGE_BYTES, Call, Method, PageCall, StreamCall, Upload
from hopfield_client._client_calls import ClientCalls
from hopfield_client._config import channel_options
from hopfield_client._errors import Cancelled, ClientClosed, DataLoss, HopfieldError, InvalidArgument
from hopfield_client._exchange import Exchange, Pipeline
from hopfield_client._process import ForkedLock, keep_inherited, opens_channel
from hopfield_client._readiness import HEALTH_CHECK, Readiness
from hopfield_client._recall_batch import RecallBatchCall
from hopfield_client._recall_stream import RecallStreamCall, each
from hopfield_client._results import Recall, RecallBatch, TraceStep
from hopfield_client._retrying import Attempts
from hopfield_client._trace import TraceCall

if TYPE_CHECKING:
    import queue

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")


class _Line:
    """A channel and its stubs, which are of one process."""

    def __init__(self, addresses: Addresses) -> None:
        opens_channel()
        self.process = os.getpid()
        self.closed = threading.Event()
        self.channel = grpc.insecure_channel(addresses.target, options=channel_options(addresses))
        self.memories = memory_service_pb2_grpc.MemoryServiceStub(self.channel)
        self.recalls = recall_service_pb2_grpc.RecallServiceStub(self.channel)
        self.attractors = attractor_service_pb2_grpc.AttractorServiceStub(self.channel)
        self.server = server_service_pb2_grpc.ServerServiceStub(self.channel)
        self.health = self.channel.unary_unary(HEALTH_CHECK, bytes, bytes)


class Connection:
    """A channel, and how calls go over it; what a client and its memories share.

    In a forked process, and from a pickle, it opens a channel anew.
    """

    def __init__(self, calls: ClientCalls) -> None:
        self._calls = calls
        self._closed = False
        # Of the server; None until it was asked.
        self._max_message_bytes: int | None = None
        self._opening = ForkedLock()
        self._opened: _Line | None = _Line(calls.addresses)

    def __getstate__(self) -> dict[str, Any]:
        return {"_calls": self._calls, "_closed": self._closed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._max_message_bytes = None
        self._opening = ForkedLock()
        self._opened = None

    @property
    def memories(self) -> memory_service_pb2_grpc.MemoryServiceStub:
        return self._line().memories

    @property
    def recalls(self) -> recall_service_pb2_grpc.RecallServiceStub:
        return self._line().recalls

    @property
    def attractors(self) -> attractor_service_pb2_grpc.AttractorServiceStub:
        return self._line().attractors

    @property
    def server(self) -> server_service_pb2_grpc.ServerServiceStub:
        return self._line().server

    def _line(self) -> _Line:
        """The channel of this process."""
        line = self._opened
        if line is not None and line.process == os.getpid():
            return line
        with self._opening:
            if self._closed:
                raise ClientClosed("the client is closed")
            if self._opened is not None and self._opened.process != os.getpid():
                keep_inherited(self._opened)
                self._opened = None
            if self._opened is None:
                self._opened = _Line(self._calls.addresses)
            return self._opened

    def run(
        self,
        method: Method[RequestT, ResponseT],
        call: Call[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        _, response = self._answered(method, lambda: call, timeout)
        # Here and not deeper, since what it warns of points at the caller of the client.
        return call.read(response)

    def run_upload(
        self,
        method: Method[Iterator[RequestT], ResponseT],
        upload: Upload[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        message_bytes = self._message_bytes(upload.size, timeout)
        call, response = self._answered(method, lambda: upload.begin(message_bytes), timeout)
        return call.read(response)

    def _answered(
        self,
        method: Method[RequestT, ResponseT],
        begin: Callable[[], Call[RequestT, ResponseT, AnswerT]],
        timeout: float | None,
    ) -> tuple[Call[RequestT, ResponseT, AnswerT], ResponseT]:
        """Makes attempts at a call, each of them what `begin` gives, and returns the one that was answered."""
        seconds = self._calls.timeout(timeout)
        attempts = self._calls.attempts(seconds)
        while True:
            call = begin()
            try:
                with self._errors(
                    seconds, if_made=call.if_made, if_other_coding=call.if_other_coding, arguments=call.arguments
                ):
                    response = method(call.request, timeout=attempts.seconds_left())
            except HopfieldError as error:
                self.pause(attempts, error)
            else:
                return call, response

    def _message_bytes(self, size: int, timeout: float | None) -> int:
        """How large a message of what takes `size` bytes in all may be, asking the server where that matters."""
        if size <= LEAST_MESSAGE_BYTES:
            return LEAST_MESSAGE_BYTES
        if self._max_message_bytes is None:
            info = self.run(self.server.GetServerInfo, self._calls.server_info(), timeout)
            self._max_message_bytes = info.max_message_bytes
        return self._max_message_bytes

    def run_batch(self, batch: RecallBatchCall, timeout: float | None = None) -> RecallBatch:
        call = batch.begin(self._message_bytes(batch.size, timeout))
        while call is not None:
            try:
                page = self.run(self.recalls.BatchRecall, call, timeout)
            except InvalidArgument as error:
                call = batch.halved(error)
                if call is None:
                    raise
            else:
                for part in page.items:
                    batch.take(part)
                call = page.following
        return batch.finish()

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
        attempts = self._calls.attempts(seconds)
        while True:
            try:
                with self._errors(seconds):
                    for part in method(call.request, timeout=attempts.seconds_left()):
                        call.take(part)
                return call.finish()
            except HopfieldError as error:
                self.pause(attempts, error)
                call.restart()

    def steps(self, call: TraceCall, timeout: float | None = None) -> Generator[TraceStep, None, None]:
        # Not a generator itself, so that a wrong timeout is refused now and not with the first step.
        return self._steps(call, self._calls.timeout(timeout))

    def _steps(self, call: TraceCall, seconds: float) -> Generator[TraceStep, None, None]:
        attempts = self._calls.attempts(seconds)
        shown = False
        while True:
            try:
                with self._errors(seconds, if_other_coding=call.if_other_coding):
                    parts = self.recalls.TraceRecall(call.request, timeout=attempts.seconds_left())
                    try:
                        for part in parts:
                            shown = True
                            yield from call.take(part)
                    finally:
                        # Closed or dropped before the end, the server need not go on.
                        parts.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs
                return call.finish()
            except HopfieldError as error:
                if shown:
                    raise
                self.pause(attempts, error)

    def recalls_of(
        self, call: RecallStreamCall, queries: Iterable[ArrayLike], timeout: float | None = None
    ) -> Generator[Recall, None, None]:
        # Not a generator itself, as `steps`.
        return self._recalls_of(call, queries, self._calls.timeout(timeout))

    def _recalls_of(
        self, call: RecallStreamCall, queries: Iterable[ArrayLike], seconds: float
    ) -> Generator[Recall, None, None]:
        # gRPC takes requests on a thread of its own; queries are asked for on that of the caller alone.
        pipeline = Pipeline(self, self.recalls.StreamRecall, seconds)
        try:
            call.expect()
            for query in each(queries, call):
                for request in call.add(query):
                    pipeline.send(request)
                while call.is_full:
                    yield from call.take(pipeline.answer(call.broken_off, call.if_other_coding))
                call.expect()
            for request in call.rest():
                pipeline.send(request)
            pipeline.send(None)
            while call.in_flight:
                yield from call.take(pipeline.answer(call.broken_off, call.if_other_coding))
            call.finish()
        finally:
            pipeline.close()

    def attempts(self, seconds: float) -> Attempts:
        return self._calls.attempts(seconds)

    def exchange(
        self,
        method: "grpc.StreamStreamMultiCallable[RequestT, ResponseT]",
        timeout: float | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> Exchange[RequestT, ResponseT]:
        return Exchange(self, method, self._calls.timeout(timeout), arguments)

    def begin(
        self,
        method: "grpc.StreamStreamMultiCallable[RequestT, ResponseT]",
        outgoing: "queue.SimpleQueue[RequestT | None]",
        seconds: float,
    ) -> "grpc.CallIterator[ResponseT]":
        with self._errors(seconds):
            return method(iter(outgoing.get, None))

    def next_answer(
        self,
        incoming: "grpc.CallIterator[ResponseT]",
        seconds: float,
        broken_off: Callable[[], DataLoss],
        if_other_coding: str = "",
        arguments: Mapping[str, str] | None = None,
        left: float | None = None,
    ) -> ResponseT:
        """Gives the next answer of a stream; of `seconds`, so many are `left` where there were other attempts."""
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            incoming.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs

        timer = threading.Timer(seconds if left is None else left, give_up)
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

    def wait_until_ready(self, timeout: float) -> None:
        readiness = Readiness(self._calls.addresses, timeout)
        while True:
            try:
                with self._errors(timeout):
                    answer = self._line().health(b"", timeout=readiness.seconds_left())
                error = readiness.judge(answer)
            except HopfieldError as raised:
                error = readiness.judge_error(raised)
            if error is None:
                return
            self.pause(readiness.attempts, error)

    def pause(self, attempts: Attempts, error: HopfieldError) -> None:
        """Waits until the next attempt at a call is due; raises what the last one failed with where there is none."""
        if (closed := self._line().closed).is_set() or (seconds := attempts.pause(error)) is None:
            raise error
        if closed.wait(seconds):
            raise Cancelled("the client was closed while the call ran")

    def close(self) -> None:
        self._closed = True
        if self._opened is not None and self._opened.process == os.getpid():
            self._opened.closed.set()
            self._opened.channel.close()

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
