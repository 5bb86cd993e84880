"""hopfield.v1.AttractorService: convert, call, convert."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

import grpc

from hopfield.v1 import attractor_service_pb2, attractor_service_pb2_grpc
from hopfield_service.errors import InvalidField
from hopfield_service.rpc import attractor_convert, convert
from hopfield_service.rpc.convert import LARGE, converted
from hopfield_service.serving.attractors import Attractors, Moves, Whereabouts
from hopfield_service.serving.conversion import on_thread_if

Context = grpc.aio.ServicerContext[Any, Any]

# Dimensions of what is kept.
_HEADING, _POSITION = 1, 2

Request = TypeVar(
    "Request", attractor_service_pb2.IntegrateHeadingRequest, attractor_service_pb2.IntegratePositionRequest
)


class AttractorServicer(attractor_service_pb2_grpc.AttractorServiceServicer):
    """hopfield.v1.AttractorService."""

    def __init__(self, attractors: Attractors) -> None:
        self._attractors = attractors

    async def RecallHeading(
        self, request: attractor_service_pb2.RecallHeadingRequest, context: Context
    ) -> attractor_service_pb2.RecallHeadingResponse:
        """See the .proto."""
        rates = await converted(request.rates, attractor_convert.rates_in)
        max_time = attractor_convert.max_time_in(request)
        token = convert.token_in(request)
        head, settled = await self._attractors.recall(request.name, _HEADING, rates, max_time, token)
        return attractor_convert.recalled_heading_out(head, settled)

    async def IntegrateHeading(
        self, request_iterator: AsyncIterator[attractor_service_pb2.IntegrateHeadingRequest], context: Context
    ) -> AsyncIterator[attractor_service_pb2.IntegrateHeadingResponse]:
        """See the .proto."""
        opening = await anext(aiter(request_iterator), None)
        if opening is None:
            return
        track = self._attractors.track(
            opening.name,
            _HEADING,
            await converted(opening, attractor_convert.heading_start_in),
            convert.token_in(opening),
            _moves(opening, request_iterator, attractor_convert.turns_in),
            with_rates=opening.include_rates,
        )
        async for whereabouts in track:
            yield await on_thread_if(_large(whereabouts), partial(attractor_convert.headings_out, whereabouts))

    async def RecallPosition(
        self, request: attractor_service_pb2.RecallPositionRequest, context: Context
    ) -> attractor_service_pb2.RecallPositionResponse:
        """See the .proto."""
        rates = await converted(request.rates, attractor_convert.rates_in)
        max_time = attractor_convert.max_time_in(request)
        token = convert.token_in(request)
        head, settled = await self._attractors.recall(request.name, _POSITION, rates, max_time, token)
        return attractor_convert.recalled_position_out(head, settled)

    async def IntegratePosition(
        self, request_iterator: AsyncIterator[attractor_service_pb2.IntegratePositionRequest], context: Context
    ) -> AsyncIterator[attractor_service_pb2.IntegratePositionResponse]:
        """See the .proto."""
        opening = await anext(aiter(request_iterator), None)
        if opening is None:
            return
        track = self._attractors.track(
            opening.name,
            _POSITION,
            await converted(opening, attractor_convert.phase_start_in),
            convert.token_in(opening),
            _moves(opening, request_iterator, attractor_convert.moves_in),
            with_rates=opening.include_rates,
        )
        async for whereabouts in track:
            yield await on_thread_if(_large(whereabouts), partial(attractor_convert.positions_out, whereabouts))


async def _moves(
    opening: Request, later: AsyncIterator[Request], moves_in: Callable[[Request], Moves]
) -> AsyncIterator[Moves]:
    """The moves of the first message of a track, and of those that follow it."""
    yield await converted(opening, moves_in)
    async for request in later:
        _check_goes_on(request)
        yield await converted(request, moves_in)


def _large(whereabouts: Whereabouts) -> bool:
    """Whether it takes more than a millisecond to convert."""
    return whereabouts.rates is not None and whereabouts.rates.nbytes >= LARGE


def _check_goes_on(
    request: attractor_service_pb2.IntegrateHeadingRequest | attractor_service_pb2.IntegratePositionRequest,
) -> None:
    """Refuses a later message of a stream that says what only the first may."""
    start = request.WhichOneof("start") or "start"
    for field, given in (
        ("name", bool(request.name)),
        (start, request.WhichOneof("start") is not None),
        ("include_rates", request.include_rates),
        ("token", request.HasField("token")),
    ):
        if given:
            raise InvalidField(field, "must not be set but in the first message of a stream")
