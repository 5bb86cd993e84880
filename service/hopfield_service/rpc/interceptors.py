"""What happens to every call, whatever its method: bytes that do not parse, and errors, are answered as the wire promises."""

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.message import Message

from hopfield_service.errors import ServiceError
from hopfield_service.rpc.parsing import SMALL, parsed, parsed_small, request_type
from hopfield_service.rpc.serializing import serialized
from hopfield_service.rpc.status import DETAILS_KEY, InternalError, rich_status, status_code
from hopfield_service.rpc.streaming import written

_log = logging.getLogger(__name__)

# Generic in the stubs only.
if TYPE_CHECKING:
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
    Interceptor: TypeAlias = grpc.aio.ServerInterceptor[Any, Any]
else:
    Handler = grpc.RpcMethodHandler
    Interceptor = grpc.aio.ServerInterceptor
Details: TypeAlias = grpc.HandlerCallDetails
Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class AnswerErrors(Interceptor):
    """Answers a ServiceError with its status and details, a request that does not parse with MalformedMessage, and
    anything else that goes wrong with INTERNAL, logged here and nowhere else.

    grpc.aio by itself answers both of the latter with UNKNOWN, and with the text of the exception.
    """  # noqa: D205 - the summary does not fit a line

    def __init__(self) -> None:
        # The handler of a method is the same for every call, and so is what is made of it.
        self._answering: dict[str, Handler] = {}

    # The stubs forget that a method nobody serves has no handler.
    async def intercept_service(  # type: ignore[override]
        self, continuation: Callable[[Details], Awaitable[Handler | None]], handler_call_details: Details
    ) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        if method not in self._answering:
            self._answering[method] = _answering(method, handler)
        return self._answering[method]


def _answering(method: str, handler: Handler) -> Handler:
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(
            _answering_once(method, handler.unary_unary, streamed=False), None, serialized
        )
    if handler.stream_unary is not None:
        return grpc.stream_unary_rpc_method_handler(
            _answering_once(method, handler.stream_unary, streamed=True), None, serialized
        )
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(
            _answering_often(method, handler.unary_stream, streamed=False), None, serialized
        )
    return grpc.stream_stream_rpc_method_handler(
        _answering_often(method, handler.stream_stream, streamed=True), None, serialized
    )


async def _parsed(method: str, request: Any, *, streamed: bool) -> Any:
    message_type = request_type(method)
    if streamed:
        return _each_parsed(method, message_type, request)
    if len(request) <= SMALL:
        return parsed_small(method, message_type, request)
    return await parsed(method, message_type, request)


async def _each_parsed(method: str, message_type: type[Message], requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for request in requests:
        yield await parsed(method, message_type, request)


def _answering_once(method: str, behavior: Any, *, streamed: bool) -> Any:
    async def answer(request: Any, context: Context) -> Any:
        try:
            return await behavior(await _parsed(method, request, streamed=streamed), context)
        except Exception as error:  # noqa: BLE001 - the outermost edge
            return await _abort(method, error, context)

    return answer


def _answering_often(method: str, behavior: Any, *, streamed: bool) -> Any:
    if not inspect.isasyncgenfunction(behavior):
        # It writes its answers to the context itself, as the health service's Watch does.
        return _answering_once(method, behavior, streamed=streamed)

    # Not a generator: gRPC by itself logs a traceback where it cannot send what that yields.
    async def answer(request: Any, context: Context) -> None:
        try:
            async with aclosing(behavior(await _parsed(method, request, streamed=streamed), context)) as responses:
                async for response in responses:
                    await written(response, context)
        except Exception as error:  # noqa: BLE001 - the outermost edge
            await _abort(method, error, context)

    return answer


async def _abort(method: str, error: Exception, context: Context) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if not isinstance(error, ServiceError):
        _log.error("%s failed", method, exc_info=error)
        error = InternalError()
    await context.abort(status_code(error), error.message, ((DETAILS_KEY, rich_status(error).SerializeToString()),))
