"""How the calls of the client that is awaited go over gRPC."""

# gRPC keeps the deadlines, on the server's side too; asyncio.timeout would do so on this side alone.
# ruff: noqa: ASYNC109

import asyncio
import os
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import grpc
from grpc import aio
from numpy.typing import ArrayLike

from hopfield.v1 import (
    attractor_service_pb2_grpc,
    memory_service_pb2_grpc,
    recall_service_pb2_grpc,
    server_service_pb2_grpc,
)
from hopfield_client._addresses import Addresses
from hopfield_client._async_exchange import AsyncExchange, AsyncPipeline
from hopfield_client._calls import LEAST_MESSAGE_BYTES, Call, Method, PageCall, StreamCall, Upload
from hopfield_client._client_calls import ClientCalls
from hopfield_client._config import channel_options
from hopfield_client._errors import Cancelled, ClientClosed, DataLoss, HopfieldError, InvalidArgument, WrongEventLoop
from hopfield_client._process import opens_asyncio_channel
from hopfield_client._readiness import HEALTH_CHECK, Readiness
from hopfield_client._recall_batch import RecallBatchCall
from hopfield_client._recall_stream import RecallStreamCall, each_of_async
from hopfield_client._results import Recall, RecallBatch, TraceStep
from hopfield_client._retrying import Attempts
from hopfield_client._trace import TraceCall

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")


async def _until_none(items: "asyncio.Queue[ItemT | None]") -> AsyncIterator[ItemT]:
    while (item := await items.get()) is not None:
        yield item


class _Line:
    """A channel and its stubs, which are of one event loop."""

    def __init__(self, addresses: Addresses) -> None:
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongEventLoop("no event loop runs here: make the client inside a coroutine") from None
        opens_asyncio_channel()
        self.process = os.getpid()
        self.closed = asyncio.Event()
        self.channel = aio.insecure_channel(addresses.target, options=channel_options(addresses))
        self.memories = memory_service_pb2_grpc.MemoryServiceStub(self.channel)
        self.recalls = recall_service_pb2_grpc.RecallServiceStub(self.channel)
        self.attractors = attractor_service_pb2_grpc.AttractorServiceStub(self.channel)
        self.server = server_service_pb2_grpc.ServerServiceStub(self.channel)
        self.health = self.channel.unary_unary(HEALTH_CHECK, bytes, bytes)


class AsyncConnection:
    """A channel, and how calls go over it; what a client and its memories share.

    From a pickle, it opens a channel anew, in the event loop that uses it first.
    """

    def __init__(self, calls: ClientCalls) -> None:
        self._calls = calls
        self._closed = False
        # Of the server; None until it was asked.
        self._max_message_bytes: int | None = None
        self._opened: _Line | None = _Line(calls.addresses)

    def __getstate__(self) -> dict[str, Any]:
        return {"_calls": self._calls, "_closed": self._closed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._max_message_bytes = None
        self._opened = None

    @property
    def memories(self) -> "memory_service_pb2_grpc.MemoryServiceAsyncStub":
        return self._line().memories

    @property
    def recalls(self) -> "recall_service_pb2_grpc.RecallServiceAsyncStub":
        return self._line().recalls

    @property
    def attractors(self) -> "attractor_service_pb2_grpc.AttractorServiceAsyncStub":
        return self._line().attractors

    @property
    def server(self) -> "server_service_pb2_grpc.ServerServiceAsyncStub":
        return self._line().server

    def _line(self) -> _Line:
        """The channel, of which only its own event loop may make use."""
        if self._opened is None:
            if self._closed:
                raise ClientClosed("the client is closed")
            self._opened = _Line(self._calls.addresses)
        if self._opened.process != os.getpid():
            opens_asyncio_channel()
        if asyncio.get_running_loop() is not self._opened.loop:
            raise WrongEventLoop("the client belongs to another event loop, the one it was made in")
        return self._opened

    async def run(
        self,
        method: Method[RequestT, Awaitable[ResponseT]],
        call: Call[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        _, response = await self._answered(method, lambda: call, timeout)
        # Here and not deeper, since what it warns of points at the caller of the client.
        return call.read(response)

    async def run_upload(
        self,
        method: Method[Iterator[RequestT], Awaitable[ResponseT]],
        upload: Upload[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        message_bytes = await self._message_bytes(upload.size, timeout)
        call, response = await self._answered(method, lambda: upload.begin(message_bytes), timeout)
        return call.read(response)

    async def _answered(
        self,
        method: Method[RequestT, Awaitable[ResponseT]],
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
                    response = await method(call.request, timeout=attempts.seconds_left())
            except HopfieldError as error:
                await self.pause(attempts, error)
            else:
                return call, response

    async def _message_bytes(self, size: int, timeout: float | None) -> int:
        """How large a message of what takes `size` bytes in all may be, asking the server where that matters."""
        if size <= LEAST_MESSAGE_BYTES:
            return LEAST_MESSAGE_BYTES
        if self._max_message_bytes is None:
            info = await self.run(self.server.GetServerInfo, self._calls.server_info(), timeout)
            self._max_message_bytes = info.max_message_bytes
        return self._max_message_bytes

    async def run_batch(self, batch: RecallBatchCall, timeout: float | None = None) -> RecallBatch:
        call = batch.begin(await self._message_bytes(batch.size, timeout))
        while call is not None:
            try:
                page = await self.run(self.recalls.BatchRecall, call, timeout)
            except InvalidArgument as error:
                call = batch.halved(error)
                if call is None:
                    raise
            else:
                for part in page.items:
                    batch.take(part)
                call = page.following
        return batch.finish()

    async def run_pages(
        self,
        method: Method[RequestT, Awaitable[ResponseT]],
        call: PageCall[RequestT, ResponseT, ItemT] | None,
        timeout: float | None = None,
    ) -> AsyncIterator[ItemT]:
        while call is not None:
            page = await self.run(method, call, timeout)
            for item in page.items:
                yield item
            call = page.following

    async def run_stream(
        self,
        method: Method[RequestT, AsyncIterable[ResponseT]],
        call: StreamCall[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        seconds = self._calls.timeout(timeout)
        attempts = self._calls.attempts(seconds)
        while True:
            try:
                with self._errors(seconds):
                    async for part in method(call.request, timeout=attempts.seconds_left()):
                        call.take(part)
                return call.finish()
            except HopfieldError as error:
                await self.pause(attempts, error)
                call.restart()

    def steps(self, call: TraceCall, timeout: float | None = None) -> AsyncGenerator[TraceStep, None]:
        # Not a generator itself, so that a wrong timeout is refused now and not with the first step.
        return self._steps(call, self._calls.timeout(timeout))

    async def _steps(self, call: TraceCall, seconds: float) -> AsyncGenerator[TraceStep, None]:
        attempts = self._calls.attempts(seconds)
        shown = False
        while True:
            try:
                with self._errors(seconds, if_other_coding=call.if_other_coding):
                    parts = self.recalls.TraceRecall(call.request, timeout=attempts.seconds_left())
                    try:
                        async for part in parts:
                            shown = True
                            for step in call.take(part):
                                yield step
                    finally:
                        # Closed or dropped before the end, the server need not go on.
                        parts.cancel()
                call.finish()
            except HopfieldError as error:
                if shown:
                    raise
                await self.pause(attempts, error)
            else:
                return

    def recalls_of(
        self,
        call: RecallStreamCall,
        queries: Iterable[ArrayLike] | AsyncIterable[ArrayLike],
        timeout: float | None = None,
    ) -> AsyncGenerator[Recall, None]:
        # Not a generator itself, as `steps`.
        return self._recalls_of(call, each_of_async(queries, call), self._calls.timeout(timeout))

    async def _recalls_of(
        self, call: RecallStreamCall, queries: AsyncIterator[ArrayLike], seconds: float
    ) -> AsyncGenerator[Recall, None]:
        # Requests are sent on a task of gRPC's, so that they and the answers cannot wait for one another.
        pipeline: AsyncPipeline[Any, Any] = AsyncPipeline(self, self.recalls.StreamRecall, seconds)
        try:
            call.expect()
            async for query in queries:
                for request in call.add(query):
                    pipeline.send(request)
                while call.is_full:
                    for answer in call.take(await pipeline.answer(call.broken_off, call.if_other_coding)):
                        yield answer
                call.expect()
            for request in call.rest():
                pipeline.send(request)
            pipeline.send(None)
            while call.in_flight:
                for answer in call.take(await pipeline.answer(call.broken_off, call.if_other_coding)):
                    yield answer
            call.finish()
        finally:
            pipeline.close()

    def attempts(self, seconds: float) -> Attempts:
        return self._calls.attempts(seconds)

    def exchange(
        self,
        method: Callable[[AsyncIterator[RequestT]], Any],
        timeout: float | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> AsyncExchange[RequestT, ResponseT]:
        return AsyncExchange(self, method, self._calls.timeout(timeout), arguments)

    def begin(
        self,
        method: Callable[[AsyncIterator[RequestT]], Any],
        outgoing: "asyncio.Queue[RequestT | None]",
        seconds: float,
    ) -> Any:
        with self._errors(seconds):
            return method(_until_none(outgoing))

    async def next_answer(
        self,
        answers: AsyncIterator[ResponseT],
        seconds: float,
        broken_off: Callable[[], DataLoss],
        if_other_coding: str = "",
        arguments: Mapping[str, str] | None = None,
        left: float | None = None,
    ) -> ResponseT:
        """Gives the next answer of a stream; of `seconds`, so many are `left` where there were other attempts."""
        try:
            with self._errors(seconds, if_other_coding=if_other_coding, arguments=arguments):
                async with asyncio.timeout(seconds if left is None else left):
                    response = await anext(answers, None)
        except TimeoutError:
            raise self._calls.overdue(seconds) from None
        if response is None:
            raise broken_off()
        return response

    async def wait_until_ready(self, timeout: float) -> None:
        readiness = Readiness(self._calls.addresses, timeout)
        while True:
            try:
                with self._errors(timeout):
                    answer = await self._line().health(b"", timeout=readiness.seconds_left())
                error = readiness.judge(answer)
            except HopfieldError as raised:
                error = readiness.judge_error(raised)
            if error is None:
                return
            await self.pause(readiness.attempts, error)

    async def pause(self, attempts: Attempts, error: HopfieldError) -> None:
        """Waits until the next attempt at a call is due; raises what the last one failed with where there is none."""
        if (closed := self._line().closed).is_set() or (seconds := attempts.pause(error)) is None:
            raise error
        with suppress(TimeoutError):
            await asyncio.wait_for(closed.wait(), seconds)
            raise Cancelled("the client was closed while the call ran")

    async def close(self) -> None:
        self._closed = True
        if self._opened is not None and self._opened.process == os.getpid():
            self._opened.closed.set()
            await self._opened.channel.close(None)

    @contextmanager
    def _errors(
        self,
        timeout: float,
        *,
        if_made: str = "",
        if_other_coding: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> Iterator[None]:
        self._line()
        try:
            yield
        except grpc.RpcError as error:
            # Without gRPC's own error, which prints as many lines that say the same; it stays as __context__.
            raise self._calls.error(
                error, timeout, if_made=if_made, if_other_coding=if_other_coding, arguments=arguments
            ) from None
        except aio.UsageError:
            # What gRPC raises of a closed channel.
            if self._closed:
                raise ClientClosed("the client is closed") from None
            raise
        except asyncio.CancelledError:
            # Closing a channel ends its calls as if somebody had cancelled their tasks.
            task = asyncio.current_task()
            if self._closed and not (task and task.cancelling()):
                raise Cancelled("the client was closed while the call ran") from None
            raise
