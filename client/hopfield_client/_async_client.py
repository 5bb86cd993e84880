"""The client whose calls are awaited."""

# gRPC keeps the deadlines, on the server's side too; asyncio.timeout would do so on this side alone.
# ruff: noqa: ASYNC109

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Self, TypeVar

import grpc
import numpy as np
from grpc import aio
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import memory_service_pb2_grpc, recall_service_pb2_grpc, server_service_pb2_grpc
from hopfield_client._arguments import recall_options
from hopfield_client._calls import Call, ClientCalls, MemoryCalls, Method, PageCall, StreamCall
from hopfield_client._config import DEFAULT_RETRY, RetryConfig, channel_options
from hopfield_client._errors import Cancelled, ClientClosed, WrongEventLoop
from hopfield_client._types import (
    LearningRule,
    MemoryInfo,
    Recall,
    RecallBatch,
    ServerInfo,
    Stored,
    StoredPattern,
    TieRule,
    UpdateRule,
)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")


class _Connection:
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
        self.server = server_service_pb2_grpc.ServerServiceStub(self._channel)

    async def run(
        self,
        method: Method[RequestT, Awaitable[ResponseT]],
        call: Call[RequestT, ResponseT, AnswerT],
        timeout: float | None = None,
    ) -> AnswerT:
        seconds = self._calls.timeout(timeout)
        with self._errors(seconds, call.if_made):
            response = await method(call.request, timeout=seconds)
        return call.read(response)

    async def run_pages(
        self, method: Method[RequestT, Awaitable[ResponseT]], call: PageCall[RequestT, ResponseT, ItemT] | None
    ) -> AsyncIterator[ItemT]:
        while call is not None:
            page = await self.run(method, call)
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

    async def close(self) -> None:
        self._closed = True
        await self._channel.close(None)

    @contextmanager
    def _errors(self, timeout: float, if_made: str = "") -> Iterator[None]:
        if asyncio.get_running_loop() is not self._loop:
            raise WrongEventLoop("the client belongs to another event loop, the one it was made in")
        try:
            yield
        except grpc.RpcError as error:
            # Without gRPC's own error, which prints as many lines that say the same; it stays as __context__.
            raise self._calls.error(error, timeout, if_made) from None
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


class AsyncHopfieldClient:
    """HopfieldClient for asyncio: the same names; calls that reach the server are awaited. `async with` closes it.

    To be made where an event loop runs, and used in that loop; elsewhere it raises WrongEventLoop. Arguments: as HopfieldClient.
    """

    def __init__(self, address: str, *, timeout: float = 10.0, retry: RetryConfig = DEFAULT_RETRY) -> None:
        self._calls = ClientCalls(address, timeout)
        self._connection = _Connection(self._calls, retry)

    async def create_memory(
        self,
        name: str,
        neurons: int,
        *,
        rule: LearningRule = "hebbian",
        thresholds: ArrayLike | None = None,
        shape: int | Sequence[int] | None = None,
        exist_ok: bool = False,
    ) -> "AsyncMemory":
        """Makes an empty memory. Arguments and errors: as HopfieldClient.create_memory."""
        call = self._calls.create_memory(
            name, neurons, rule=rule, thresholds=thresholds, shape=shape, exist_ok=exist_ok
        )
        return AsyncMemory(self._connection, await self._connection.run(self._connection.memories.CreateMemory, call))

    def memory(self, name: str, *, shape: int | Sequence[int] | None = None) -> "AsyncMemory":
        """A handle of a memory. Asks nobody, and is not awaited. Arguments: as HopfieldClient.memory."""
        return AsyncMemory(self._connection, self._calls.memory(name, shape))

    async def list_memories(self, prefix: str = "") -> AsyncIterator[MemoryInfo]:
        """Describes the memories whose names begin with `prefix`, in order of their names, fetched as they are consumed."""
        call = self._calls.list_memories(prefix)
        async for info in self._connection.run_pages(self._connection.memories.ListMemories, call):
            yield info

    async def delete_memory(self, name: str, *, missing_ok: bool = False) -> None:
        """Deletes a memory and everything in it. Errors: as HopfieldClient.delete_memory."""
        call = self._calls.delete_memory(name, missing_ok=missing_ok)
        await self._connection.run(self._connection.memories.DeleteMemory, call)

    async def import_weights(
        self,
        name: str,
        weights: ArrayLike,
        thresholds: ArrayLike | None = None,
        *,
        timeout: float | None = None,
    ) -> "AsyncMemory":
        """Makes a memory from weights given from outside. Arguments and errors: as HopfieldClient.import_weights."""
        call = self._calls.import_weights(name, weights, thresholds)
        made = await self._connection.run(self._connection.memories.ImportWeights, call, timeout)
        return AsyncMemory(self._connection, made)

    async def server_info(self) -> ServerInfo:
        """Version, limits and rules of the server."""
        return await self._connection.run(self._connection.server.GetServerInfo, self._calls.server_info())

    async def close(self) -> None:
        """Closes the connection. Calls that are running raise Cancelled."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncHopfieldClient({self._calls.address!r})"


class AsyncMemory:
    """A handle of one memory, as Memory; calls are awaited."""

    def __init__(self, connection: _Connection, calls: MemoryCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of one pattern, in which stored ones are given back; None where `client.memory` was told none: (N,)."""
        return self._calls.shape

    async def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return await self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    async def store(
        self,
        patterns: ArrayLike,
        labels: str | Iterable[str] | None = None,
        *,
        replace: bool = False,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> Stored:
        """Learns patterns: all of them in one commit, or none. Arguments, answer and errors: as Memory.store."""
        call = self._calls.store(patterns, labels, replace=replace, expected_revision=expected_revision)
        return await self._connection.run(self._connection.memories.StorePatterns, call, timeout)

    async def forget(self, labels: str | Iterable[str], *, timeout: float | None = None) -> MemoryInfo:
        """Unlearns the patterns of these labels, all in one commit, or none. Arguments, answer and errors: as Memory.forget."""
        call = self._calls.forget(labels)
        return await self._connection.run(self._connection.memories.ForgetPatterns, call, timeout)

    async def patterns(self) -> AsyncIterator[StoredPattern]:
        """The stored patterns, oldest first, each int8 of -1 and 1 in the handle's shape, fetched as they are consumed."""
        call = self._calls.patterns()
        async for stored in self._connection.run_pages(self._connection.memories.ListPatterns, call):
            yield stored

    async def pattern(self, label: str) -> NDArray[np.int8]:
        """One stored pattern, int8 of -1 and 1 in the handle's shape. Errors: as Memory.pattern."""
        return await self._connection.run(self._connection.memories.ListPatterns, self._calls.pattern(label))

    async def recall(
        self,
        query: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        timeout: float | None = None,
    ) -> Recall:
        """Runs the dynamics from a query until they settle. Arguments and errors: as Memory.recall."""
        options = recall_options(
            update=update, order=order, seed=seed, max_iterations=max_iterations, tie=tie, clamp=clamp
        )
        call = self._calls.recall(query, options)
        return await self._connection.run(self._connection.recalls.Recall, call, timeout)

    async def recall_batch(
        self,
        queries: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        timeout: float | None = None,
    ) -> RecallBatch:
        """Runs the dynamics from each of many queries, in one call. Arguments and errors: as Memory.recall_batch."""
        options = recall_options(
            update=update, order=order, seed=seed, max_iterations=max_iterations, tie=tie, clamp=clamp
        )
        call = self._calls.recall_batch(queries, options)
        return await self._connection.run(self._connection.recalls.BatchRecall, call, timeout)

    async def weights(self, *, timeout: float | None = None) -> NDArray[np.float64]:
        """The weights J that recall uses, (N, N), symmetric. They may take `timeout` seconds; None: the client's timeout."""
        call = self._calls.weights()
        return await self._connection.run_stream(self._connection.memories.GetWeights, call, timeout)

    def __repr__(self) -> str:
        return f"AsyncMemory({self.name!r})"
