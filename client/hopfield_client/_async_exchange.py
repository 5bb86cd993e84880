"""A stream on which messages and answers take turns, whose calls are awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hopfield_client._errors import ClientClosed, DataLoss, HopfieldError, WrongEventLoop

if TYPE_CHECKING:
    from hopfield_client._async_connection import AsyncConnection

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class AsyncExchange(Generic[RequestT, ResponseT]):
    """A stream on which every message is answered before the next is sent. What ended it is raised ever after.

    Until the first answer has come, a stream that breaks is opened anew.
    """

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
        self._outgoing: asyncio.Queue[RequestT | None] = asyncio.Queue()
        self._incoming: Any = None
        self._ended_by: HopfieldError | None = None

    async def open(self, request: RequestT) -> ResponseT:
        """Opens the stream with its first message, and gives the answer to it."""
        attempts = self._connection.attempts(self._seconds)
        while True:
            self._outgoing = asyncio.Queue()
            try:
                self._incoming = self._connection.begin(self._method, self._outgoing, self._seconds)
                return await self._next(request, attempts.seconds_left())
            except HopfieldError as error:
                self.close()
                await self._connection.pause(attempts, error)

    async def ask(self, request: RequestT) -> ResponseT:
        if self._ended_by is not None:
            raise self._ended_by
        try:
            return await self._next(request, self._seconds)
        except WrongEventLoop:
            raise
        except HopfieldError as error:
            self._ended_by = error
            raise

    async def _next(self, request: RequestT, left: float) -> ResponseT:
        if self._incoming is None:
            raise ClientClosed("the stream is not open")
        self._outgoing.put_nowait(request)
        answers: AsyncIterator[ResponseT] = aiter(self._incoming)
        return await self._connection.next_answer(
            answers,
            self._seconds,
            lambda: DataLoss("the stream broke off before the answer"),
            arguments=self._arguments,
            left=left,
        )

    def close(self) -> None:
        if self._incoming is not None:
            self._incoming.cancel()
