"""What happens to every call, whatever its method: admission, reading of its messages, and the answer to errors.

grpc.aio reads the message of a unary call before any code of ours runs, and keeps it until the call is over. On the
wire it is a stream of one message. So every method is served as one that takes a stream, and its messages are read here.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import grpc

from hopfield_service.errors import ServiceError, ShuttingDown, Starting
from hopfield_service.rpc.admission import MessageLimits, Reader
from hopfield_service.rpc.running_calls import RunningCalls
from hopfield_service.rpc.serializing import serialized
from hopfield_service.rpc.status import DETAILS_KEY, InternalError, rich_status, status_code
from hopfield_service.rpc.streaming import written
from hopfield_service.serving.admission import Account, Admission, charge_to

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
# Calls of Watch that do not count as calls in flight. They take some 14 kilobytes each.
_UNCOUNTED_WATCHES = 1024
# Seconds that a call waits for a service that starts. A start takes about one where the kernels are compiled.
_START_AWAITED = 3.0

Answer: TypeAlias = Callable[[Context, Account], Coroutine[Any, Any, Any]]


class AdmitCalls(Interceptor):
    """Serves calls within what they may take together, and answers a ServiceError with its status and details.

    It answers anything else that goes wrong with INTERNAL, and logs it. grpc.aio by itself answers with UNKNOWN, and
    with the text of the exception.
    """

    def __init__(self, admission: Admission, limits: MessageLimits, calls: RunningCalls) -> None:
        """Takes what calls may take together, how large their messages may be, and what knows those that run."""
        self._admission = admission
        self._limits = limits
        self._calls = calls
        self._watches = 0
        self._is_started = False
        self._started = asyncio.Event()
        # The handler of a method is the same for every call, and so is what is made of it.
        self._handlers: dict[str, Handler] = {}

    def start(self) -> None:
        """Lets calls compute. Before, they would compile kernels one by one, and keep the event loop from all others."""
        self._is_started = True
        self._started.set()

    async def _wait_for_start(self) -> None:
        """Waits a moment until calls may compute.

        Raises:
            Starting: they still may not.
        """
        try:
            await asyncio.wait_for(self._started.wait(), _START_AWAITED)
        except TimeoutError:
            raise Starting from None

    # The stubs forget that a method nobody serves has no handler.
    async def intercept_service(  # type: ignore[override]
        self, continuation: Callable[[Details], Awaitable[Handler | None]], handler_call_details: Details
    ) -> Handler | None:
        """See grpc.aio.ServerInterceptor."""
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        self._handlers[method] = self._admitting(method, handler)
        return self._handlers[method]

    def _admitting(self, method: str, handler: Handler) -> Handler:
        streams = bool(handler.request_streaming)
        # The deserializer is the class method of the message's class.
        message_type = handler.request_deserializer.__self__  # type: ignore[union-attr]
        reader = Reader(method, message_type, streams, self._admission, self._limits)
        if handler.response_streaming and not inspect.isasyncgenfunction(handler.unary_stream or handler.stream_stream):
            serve = self._serve(method, reader, self._watching(handler, reader))
            return grpc.stream_stream_rpc_method_handler(serve, None, serialized)
        if handler.response_streaming:
            serve = self._serve(method, reader, _answering_often(handler, reader))
            return grpc.stream_stream_rpc_method_handler(serve, None, serialized)
        serve = self._serve(method, reader, _answering_once(handler, reader))
        return grpc.stream_unary_rpc_method_handler(serve, None, serialized)

    def _watching(self, handler: Handler, reader: Reader) -> Answer:
        """Answers a method that writes its answers itself: Watch, of the health service.

        Each client of several servers has a call of it with each of them for as long as it lives. It takes next to
        nothing, so that the first of them do not count as calls in flight.
        """
        behavior: Any = handler.unary_stream

        async def answer(context: Context, account: Account) -> None:
            request = await reader.message(context, account)
            self._calls.watch(_this_task())
            if self._watches >= _UNCOUNTED_WATCHES:
                await behavior(request, context)
                return
            self._watches += 1
            reader.lane.leave(account.peer)
            try:
                await behavior(request, context)
            finally:
                self._watches -= 1
                reader.lane.return_to(account.peer)

        return answer

    def _serve(self, method: str, reader: Reader, answer: Answer) -> Any:
        admission, lane, calls = self._admission, reader.lane, self._calls

        async def serve(_: object, context: Context) -> Any:
            account = None
            task = _this_task()
            try:
                calls.begin(task)
                peer = context.peer()
                lane.enter(peer)
                account = admission.account(peer)
                charge_to(account)
                if not self._is_started and lane is not admission.control:
                    await self._wait_for_start()
                return await answer(context, account)
            except asyncio.CancelledError:
                if not calls.has_ended(task):
                    # The caller has gone.
                    raise
                refused: ServiceError = ShuttingDown()
            except grpc.aio.BaseError:
                # The call is gone.
                raise
            except Exception as error:  # noqa: BLE001 - the outermost edge
                refused = _refused(method, error)
            finally:
                calls.leave(task)
                if account is not None:
                    lane.leave(account.peer)
                    if account.holds_bytes:
                        # The answer is in memory until it is sent.
                        release: Any = partial(_release, account)
                        context.add_done_callback(release)
            # Not where the error is handled: its traceback holds the request, and gRPC would keep it.
            aborting = _abort(context, refused)
            # The error that this raises is kept by the context, and keeps this frame.
            del context
            return await aborting

        return serve


def _this_task() -> "asyncio.Task[Any]":
    """The task that a call is served in."""
    return cast("asyncio.Task[Any]", asyncio.current_task())


def _release(account: Account, _: Context) -> None:
    account.release()


def _answering_once(handler: Handler, reader: Reader) -> Answer:
    if handler.request_streaming:
        behavior: Any = handler.stream_unary

        async def answer_stream(context: Context, account: Account) -> Any:
            async with aclosing(reader.messages(context, account)) as messages:
                return await behavior(messages, context)

        return answer_stream
    behavior = handler.unary_unary

    async def answer(context: Context, account: Account) -> Any:
        return await behavior(await reader.message(context, account), context)

    return answer


def _answering_often(handler: Handler, reader: Reader) -> Answer:
    if handler.request_streaming:
        behavior: Any = handler.stream_stream

        async def answer_stream(context: Context, account: Account) -> None:
            async with (
                aclosing(reader.messages(context, account)) as messages,
                aclosing(behavior(messages, context)) as responses,
            ):
                async for response in responses:
                    await written(response, context)

        return answer_stream
    behavior = handler.unary_stream

    async def answer(context: Context, account: Account) -> None:
        async with aclosing(behavior(await reader.message(context, account), context)) as responses:
            async for response in responses:
                await written(response, context)

    return answer


def _refused(method: str, error: Exception) -> ServiceError:
    """What a caller is told of an error, without what led to it."""
    if not isinstance(error, ServiceError):
        _log.error("%s failed", method, exc_info=error)
        error = InternalError()
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error


async def _abort(context: Context, error: ServiceError) -> None:
    aborting = context.abort(
        status_code(error), error.message, ((DETAILS_KEY, rich_status(error).SerializeToString()),)
    )
    del context
    try:
        await aborting
    except grpc.aio.InternalError:
        # The caller has gone.
        return
