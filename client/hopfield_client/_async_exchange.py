"""Streams of messages and as many answers, whose calls are awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hopfield_client._errors import ClientClosed, DataLoss, HopfieldError, WrongEventLoop

if TYPE_CHECKING:
    from hopfield_client._async_connection import AsyncConnection

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class AsyncPipeline(Generic[RequestT, ResponseT]):
    """A stream on which messages may go ahead of the answers.

    Until the first answer has come, a stream that breaks is opened anew. The first message alone is sent until then, and
    the others wait: whatever ends a call while a message is on its way, gRPC's asyncio calls it an internal error.
    """

    def __init__(
        self,
        connection: "AsyncConnection",
        method: Callable[[AsyncIterator[RequestT]], Any],
        seconds: float,
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Opens the stream. An answer may take so many seconds, attempts at the first one included."""
        self._connection = connection
        self._method = method
        self._seconds = seconds
        self._arguments = arguments
        # The first message, which may have to be sent again, and those that wait; None once the first answer has come.
        self._held: list[RequestT | None] | None = []
        self._open()

    def _open(self) -> None:
        self._outgoing: asyncio.Queue[RequestT | None] = asyncio.Queue()
        if self._held:
            self._outgoing.put_nowait(self._held[0])
        self._incoming = self._connection.begin(self._method, self._outgoing, self._seconds)
        self._answers: AsyncIterator[ResponseT] = aiter(self._incoming)

    def send(self, request: RequestT | None) -> None:
        """Sends the next message; None after the last one."""
        if not self._held:
            self._outgoing.put_nowait(request)
        if self._held is not None:
            self._held.append(request)

    async def answer(self, broken_off: Callable[[], DataLoss], if_other_coding: str = "") -> ResponseT:
        """Gives the next answer; `broken_off` says what to raise where the stream ends instead."""
        if self._held is None:
            return await self._answer(broken_off, if_other_coding, self._seconds)
        attempts = self._connection.attempts(self._seconds)
        while True:
            try:
                response = await self._answer(broken_off, if_other_coding, attempts.seconds_left())
            except HopfieldError as error:
                self.close()
                # Cancelling a call that has ended does not end gRPC's task that takes its messages.
                self._outgoing.put_nowait(None)
                await self._connection.pause(attempts, error)
                self._open()
            else:
                for request in self._held[1:]:
                    self._outgoing.put_nowait(request)
                self._held = None
                return response

    async def _answer(self, broken_off: Callable[[], DataLoss], if_other_coding: str, left: float) -> ResponseT:
        return await self._connection.next_answer(
            self._answers, self._seconds, broken_off, if_other_coding, self._arguments, left
        )

    def close(self) -> None:
        self._incoming.cancel()


class AsyncExchange(Generic[RequestT, ResponseT]):
    """A stream on which every message is answered before the next is sent. What ended it is raised ever after."""

    def __init__(
        self,
        connection: "AsyncConnection",
        method: Callable[[AsyncIterator[RequestT]], Any],
        seconds: float,
        arguments: Mapping[str, str] | None,
    ) -> None:
        self._connection = connection
        self._method = method
        self._seconds = seconds
        self._arguments = arguments
        self._pipeline: AsyncPipeline[RequestT, ResponseT] | None = None
        self._ended_by: HopfieldError | None = None

    async def open(self, request: RequestT) -> ResponseT:
        """Opens the stream with its first message, and gives the answer to it."""
        self._pipeline = AsyncPipeline(self._connection, self._method, self._seconds, self._arguments)
        return await self._next(request)

    async def ask(self, request: RequestT) -> ResponseT:
        if self._ended_by is not None:
            raise self._ended_by
        try:
            return await self._next(request)
        except WrongEventLoop:
            raise
        except HopfieldError as error:
            self._ended_by = error
            raise

    async def _next(self, request: RequestT) -> ResponseT:
        if self._pipeline is None:
            raise ClientClosed("the stream is not open")
        self._pipeline.send(request)
        return await self._pipeline.answer(lambda: DataLoss("the stream broke off before the answer"))

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
