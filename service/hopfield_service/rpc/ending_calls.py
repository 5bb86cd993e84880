"""What becomes of the calls that still run when the time for finishing them is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from hopfield_service.errors import ShuttingDown

# Generic in the stubs only.
if TYPE_CHECKING:
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
    Interceptor: TypeAlias = grpc.aio.ServerInterceptor[Any, Any]
else:
    Handler = grpc.RpcMethodHandler
    Interceptor = grpc.aio.ServerInterceptor
Details: TypeAlias = grpc.HandlerCallDetails


class EndCalls(Interceptor):
    """Knows the calls that run, and ends them with ShuttingDown when it is told to.

    grpc.aio by itself ends them with a bare CANCELLED, which callers do not repeat.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._ending = False
        # The handler of a method is the same for every call, and so is what is made of it.
        self._ended: dict[str, Handler] = {}

    def end(self) -> None:
        """End every call that runs, and each that still comes."""
        self._ending = True
        for task in self._running:
            task.cancel()

    # The stubs forget that a method nobody serves has no handler.
    async def intercept_service(  # type: ignore[override]
        self, continuation: Callable[[Details], Awaitable[Handler | None]], handler_call_details: Details
    ) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        # Those who watch health have been told, and are let go without an error of ours.
        if handler is None or handler_call_details.method.startswith("/grpc."):
            return handler
        method = handler_call_details.method
        if method not in self._ended:
            self._ended[method] = self._that_can_be_ended(handler)
        return self._ended[method]

    @contextmanager
    def _run(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task is None:
            yield
            return
        self._running.add(task)
        try:
            if self._ending:
                raise ShuttingDown
            yield
        except asyncio.CancelledError:
            # Not where the caller has gone.
            if self._ending and task.uncancel() == 0:
                raise ShuttingDown from None
            raise
        finally:
            self._running.discard(task)

    def _that_can_be_ended(self, handler: Handler) -> Handler:
        behavior: Any = handler.unary_unary or handler.stream_unary or handler.unary_stream or handler.stream_stream

        async def answer(request: Any, context: Any) -> Any:
            with self._run():
                return await behavior(request, context)

        async def answer_often(request: Any, context: Any) -> AsyncIterator[Any]:
            with self._run():
                async for response in behavior(request, context):
                    yield response

        kinds = {
            (False, False): (grpc.unary_unary_rpc_method_handler, answer),
            (True, False): (grpc.stream_unary_rpc_method_handler, answer),
            (False, True): (grpc.unary_stream_rpc_method_handler, answer_often),
            (True, True): (grpc.stream_stream_rpc_method_handler, answer_often),
        }
        make, ended = kinds[bool(handler.request_streaming), bool(handler.response_streaming)]
        made: Handler = make(ended, handler.request_deserializer, handler.response_serializer)
        return made
