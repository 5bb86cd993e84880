"""A stream on which messages and answers take turns, whose calls block."""

import queue
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from hopfield_client._errors import ClientClosed, DataLoss, HopfieldError

if TYPE_CHECKING:
    import grpc

    from hopfield_client._connection import Connection

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Exchange(Generic[RequestT, ResponseT]):
    """A stream on which every message is answered before the next is sent. What ended it is raised ever after.

    Until the first answer has come, a stream that breaks is opened anew.
    """

    def __init__(
        self,
        connection: "Connection",
        method: "grpc.StreamStreamMultiCallable[RequestT, ResponseT]",
        seconds: float,
        arguments: Mapping[str, str] | None,
    ) -> None:
        self._connection = connection
        self._method = method
        self._seconds = seconds
        self._arguments = arguments
        self._outgoing: queue.SimpleQueue[RequestT | None] = queue.SimpleQueue()
        self._incoming: grpc.CallIterator[ResponseT] | None = None
        self._ended_by: HopfieldError | None = None

    def open(self, request: RequestT) -> ResponseT:
        """Opens the stream with its first message, and gives the answer to it."""
        attempts = self._connection.attempts(self._seconds)
        while True:
            self._outgoing = queue.SimpleQueue()
            try:
                self._incoming = self._connection.begin(self._method, self._outgoing, self._seconds)
                return self._next(request, attempts.seconds_left())
            except HopfieldError as error:
                self.close()
                self._connection.pause(attempts, error)

    def ask(self, request: RequestT) -> ResponseT:
        if self._ended_by is not None:
            raise self._ended_by
        try:
            return self._next(request, self._seconds)
        except HopfieldError as error:
            self._ended_by = error
            raise

    def _next(self, request: RequestT, left: float) -> ResponseT:
        if self._incoming is None:
            raise ClientClosed("the stream is not open")
        self._outgoing.put(request)
        return self._connection.next_answer(
            self._incoming,
            self._seconds,
            lambda: DataLoss("the stream broke off before the answer"),
            arguments=self._arguments,
            left=left,
        )

    def close(self) -> None:
        self._outgoing.put(None)
        if self._incoming is not None:
            self._incoming.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs
