"""Streams of messages and as many answers, whose calls block."""

import queue
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from hopfield_client._errors import ClientClosed, DataLoss, HopfieldError

if TYPE_CHECKING:
    import grpc

    from hopfield_client._connection import Connection

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Pipeline(Generic[RequestT, ResponseT]):
    """A stream on which messages may go ahead of the answers.

    Until the first answer has come, a stream that breaks is opened anew, and what was sent is sent again.
    """

    def __init__(
        self,
        connection: "Connection",
        method: "grpc.StreamStreamMultiCallable[RequestT, ResponseT]",
        seconds: float,
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        """Opens the stream. An answer may take so many seconds, attempts at the first one included."""
        self._connection = connection
        self._method = method
        self._seconds = seconds
        self._arguments = arguments
        # What was sent, for as long as it may have to be sent again; then None.
        self._sent: list[RequestT | None] | None = []
        self._open()

    def _open(self) -> None:
        self._outgoing: queue.SimpleQueue[RequestT | None] = queue.SimpleQueue()
        for request in self._sent or ():
            self._outgoing.put(request)
        self._incoming = self._connection.begin(self._method, self._outgoing, self._seconds)

    def send(self, request: RequestT | None) -> None:
        """Sends the next message; None after the last one."""
        if self._sent is not None:
            self._sent.append(request)
        self._outgoing.put(request)

    def answer(self, broken_off: Callable[[], DataLoss], if_other_coding: str = "") -> ResponseT:
        """Gives the next answer; `broken_off` says what to raise where the stream ends instead."""
        if self._sent is None:
            return self._answer(broken_off, if_other_coding, self._seconds)
        attempts = self._connection.attempts(self._seconds)
        while True:
            try:
                response = self._answer(broken_off, if_other_coding, attempts.seconds_left())
            except HopfieldError as error:
                self.close()
                self._connection.pause(attempts, error)
                self._open()
            else:
                self._sent = None
                return response

    def _answer(self, broken_off: Callable[[], DataLoss], if_other_coding: str, left: float) -> ResponseT:
        return self._connection.next_answer(
            self._incoming, self._seconds, broken_off, if_other_coding, self._arguments, left
        )

    def close(self) -> None:
        # Else gRPC's thread that takes the messages would wait for the next one.
        self._outgoing.put(None)
        self._incoming.cancel()  # type: ignore[no-untyped-call]  # in grpc's stubs


class Exchange(Generic[RequestT, ResponseT]):
    """A stream on which every message is answered before the next is sent. What ended it is raised ever after."""

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
        self._pipeline: Pipeline[RequestT, ResponseT] | None = None
        self._ended_by: HopfieldError | None = None

    def open(self, request: RequestT) -> ResponseT:
        """Opens the stream with its first message, and gives the answer to it."""
        self._pipeline = Pipeline(self._connection, self._method, self._seconds, self._arguments)
        return self._next(request)

    def ask(self, request: RequestT) -> ResponseT:
        if self._ended_by is not None:
            raise self._ended_by
        try:
            return self._next(request)
        except HopfieldError as error:
            self._ended_by = error
            raise

    def _next(self, request: RequestT) -> ResponseT:
        if self._pipeline is None:
            raise ClientClosed("the stream is not open")
        self._pipeline.send(request)
        return self._pipeline.answer(lambda: DataLoss("the stream broke off before the answer"))

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.close()
