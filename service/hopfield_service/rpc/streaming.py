"""Answers that come in streams, and streams in which every message has an answer of its own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc

BLOCKS_AHEAD: Final = 4
"""Blocks of a stream that are taken in and not answered yet; see the .proto."""

Request = TypeVar("Request")
Response = TypeVar("Response")


async def written(response: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    """Sends one answer of a stream.

    Raises:
        asyncio.CancelledError: the caller is gone. gRPC cancels the call too, a moment after it fails to send.
    """
    try:
        await context.write(response)
    except grpc.aio.InternalError:
        raise asyncio.CancelledError from None


async def answered_in_order(
    requests: AsyncIterator[Request], answer: Callable[[Request], Awaitable[Response]], most: int
) -> AsyncGenerator[Response, None]:
    """Answers the messages of a stream in the order in which they came, some of them at the same time.

    Args:
        requests: the stream. It is read no further than `most` says: whoever sends more is held up by gRPC's flow control.
        answer: makes the answer to one message; what it raises ends the stream, after the answers before it.
        most: messages that may have been read and not been answered.
    """
    room = asyncio.Semaphore(most)
    # The answers under way in order; None when no more are to come.
    answers: asyncio.Queue[asyncio.Future[Response] | None] = asyncio.Queue()
    under_way: set[asyncio.Future[Response]] = set()

    async def read() -> None:
        await room.acquire()
        async for request in requests:
            answering = asyncio.ensure_future(answer(request))
            under_way.add(answering)
            answers.put_nowait(answering)
            await room.acquire()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: answers.put_nowait(None))
    try:
        while (answering := await answers.get()) is not None:
            yield await answering
            under_way.discard(answering)
            room.release()
        # Raises what has ended the stream before its end.
        await reading
    finally:
        reading.cancel()
        for answering in under_way:
            answering.cancel()
        await asyncio.gather(reading, *under_way, return_exceptions=True)
