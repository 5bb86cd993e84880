"""How the calls of the client that is awaited go over gRPC."""

# gRPC keeps the deadlines, on the server's side too; asyncio.timeout would do so on this side alone.
# ruff: noqa: ASYNC109

import asyncio
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
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import grpc
from grpc import aio
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
from hopfield_client._errors import Cancelled, ClientClosed, DataLoss, HopfieldError, WrongEventLoop
from hopfield_client._recall_stream import RecallStreamCall, each_of_async
from hopfield_client._results import Recall, TraceStep
from hopfield_client._trace import TraceCall

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")


async def _until_none(items: "asyncio.Queue[ItemT | None]") -> AsyncIterator[ItemT]:
    while (item := await items.get()) is not None:
        yield item


class AsyncConnection:
    """A channel, and how calls go over it; what a client and its memories share."""

    def __init__(self, calls: ClientCalls, retry: RetryConfig) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongEventLoop("no event loop runs here: make the client inside a coroutine") from None
        self._channel = aio.insecure_channel(calls.address, options=channel_options(retry))
        self._calls = calls
        self._closed = False
        self.memories = memory_service_pb2_grpc.MemoryServiceStub(self._channel)
        self.recalls = recall_service_pb2_grpc.RecallServiceStub(self._channel)
        self.attractors = attractor_service_pb2_grpc.AttractorServiceStub(self._channel)
        self.server = server_service_pb2_grpc.ServerServiceStub(self._channel)

    async def run(
        self,
        method: Method[RequestT, Awaitable[ResponseT]],
        call: Call[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        seconds = self._calls.timeout(timeout)
        with self._errors(
            seconds, if_made=call.if_made, if_other_coding=call.if_other_coding, arguments=call.arguments
        ):
            response = await method(call.request, timeout=seconds)
        return call.read(response)

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
        with self._errors(seconds):
            async for part in method(call.request, timeout=seconds):
                call.take(part)
        return call.finish()

    def steps(self, call: TraceCall, timeout: float | None = None) -> AsyncGenerator[TraceStep, None]:
        # Not a generator itself, so that a wrong timeout is refused now and not with the first step.
        return self._steps(call, self._calls.timeout(timeout))

    async def _steps(self, call: TraceCall, seconds: float) -> AsyncGenerator[TraceStep, None]:
        with self._errors(seconds, if_other_coding=call.if_other_coding):
            parts = self.recalls.TraceRecall(call.request, timeout=seconds)
            try:
                async for part in parts:
                    for step in call.take(part):
                        yield step
            finally:
                # Closed or dropped before the end, the server need not go on.
                parts.cancel()
        call.finish()

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
        outgoing: asyncio.Queue[recall_service_pb2.StreamRecallRequest | None] = asyncio.Queue()
        with self._errors(seconds):
            incoming = self.recalls.StreamRecall(_until_none(outgoing))
        answers = aiter(incoming)
        try:
            call.expect()
            async for query in queries:
                for request in call.add(query):
                    outgoing.put_nowait(request)
                while call.is_full:
                    for answer in await self._taken(answers, call, seconds):
                        yield answer
                call.expect()
            for request in call.rest():
                outgoing.put_nowait(request)
            outgoing.put_nowait(None)
            while call.in_flight:
                for answer in await self._taken(answers, call, seconds):
                    yield answer
            call.finish()
        finally:
            incoming.cancel()

    async def _taken(
        self,
        answers: AsyncIterator[recall_service_pb2.StreamRecallResponse],
        call: RecallStreamCall,
        seconds: float,
    ) -> list[Recall]:
        return call.take(await self.next_answer(answers, seconds, call.broken_off, call.if_other_coding))

    def exchange(
        self,
        method: Callable[[AsyncIterator[RequestT]], Any],
        timeout: float | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> "AsyncExchange[RequestT, ResponseT]":
        seconds = self._calls.timeout(timeout)
        outgoing: asyncio.Queue[RequestT | None] = asyncio.Queue()
        with self._errors(seconds):
            return AsyncExchange(self, outgoing, method(_until_none(outgoing)), seconds, arguments)

    async def next_answer(
        self,
        answers: AsyncIterator[ResponseT],
        seconds: float,
        broken_off: Callable[[], DataLoss],
        if_other_coding: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> ResponseT:
        try:
            with self._errors(seconds, if_other_coding=if_other_coding, arguments=arguments):
                async with asyncio.timeout(seconds):
                    response = await anext(answers, None)
        except TimeoutError:
            raise self._calls.overdue(seconds) from None
        if response is None:
            raise broken_off()
        return response

    async def close(self) -> None:
        self._closed = True
        await self._channel.close(None)

    @contextmanager
    def _errors(
        self,
        timeout: float,
        *,
        if_made: str = "",
        if_other_coding: str = "",
        arguments: Mapping[str, str] | None = None,
    ) -> Iterator[None]:
        if asyncio.get_running_loop() is not self._loop:
            raise WrongEventLoop("the client belongs to another event loop, the one it was made in")
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


class AsyncExchange(Generic[RequestT, ResponseT]):
    """A stream on which every message is answered before the next is sent. What ended it is raised ever after."""

    def __init__(
        self,
        connection: AsyncConnection,
        outgoing: "asyncio.Queue[RequestT | None]",
        incoming: Any,
        seconds: float,
        arguments: Mapping[str, str] | None,
    ) -> None:
        self._connection = connection
        self._outgoing = outgoing
        self._incoming = incoming
        self._answers: AsyncIterator[ResponseT] = aiter(incoming)
        self._seconds = seconds
        self._arguments = arguments
        self._ended_by: HopfieldError | None = None

    async def ask(self, request: RequestT) -> ResponseT:
        if self._ended_by is not None:
            raise self._ended_by
        self._outgoing.put_nowait(request)
        try:
            return await self._connection.next_answer(
                self._answers,
                self._seconds,
                lambda: DataLoss("the stream broke off before the answer"),
                arguments=self._arguments,
            )
        except WrongEventLoop:
            raise
        except HopfieldError as error:
            self._ended_by = error
            raise

    def close(self) -> None:
        self._incoming.cancel()
