"""hopfield.v1.AttractorService: convert, call, convert."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from hopfield.v1 import attractor_service_pb2, attractor_service_pb2_grpc
from hopfield_service.errors import InvalidField
from hopfield_service.rpc import attractor_convert, convert
from hopfield_service.serving.attractors import Attractors, Moves

Context = grpc.aio.ServicerContext[Any, Any]

_HEADING = 1


class AttractorServicer(attractor_service_pb2_grpc.AttractorServiceServicer):
    """hopfield.v1.AttractorService."""

    def __init__(self, attractors: Attractors) -> None:
        self._attractors = attractors

    async def RecallHeading(
        self, request: attractor_service_pb2.RecallHeadingRequest, context: Context
    ) -> attractor_service_pb2.RecallHeadingResponse:
        """See the .proto."""
        rates = attractor_convert.rates_in(request.rates)
        max_time = attractor_convert.max_time_in(request)
        token = convert.token_in(request.token)
        head, settled = await self._attractors.recall(request.name, _HEADING, rates, max_time, token)
        return attractor_convert.recalled_heading_out(head, settled)

    async def IntegrateHeading(
        self, request_iterator: AsyncIterator[attractor_service_pb2.IntegrateHeadingRequest], context: Context
    ) -> AsyncIterator[attractor_service_pb2.IntegrateHeadingResponse]:
        """See the .proto."""
        opening = await anext(aiter(request_iterator), None)
        if opening is None:
            return

        async def moves() -> AsyncIterator[Moves]:
            yield attractor_convert.turns_in(opening)
            async for request in request_iterator:
                _check_goes_on(request)
                yield attractor_convert.turns_in(request)

        start = attractor_convert.heading_start_in(opening)
        token = convert.token_in(opening.token)
        track = self._attractors.track(opening.name, _HEADING, start, token, moves(), with_rates=opening.include_rates)
        async for whereabouts in track:
            yield attractor_convert.headings_out(whereabouts)


def _check_goes_on(request: attractor_service_pb2.IntegrateHeadingRequest) -> None:
    """Refuses a later message of a stream that says what only the first may."""
    start = request.WhichOneof("start") or "heading"
    for field, given in (
        ("name", bool(request.name)),
        (start, request.WhichOneof("start") is not None),
        ("include_rates", request.include_rates),
        ("token", request.HasField("token")),
    ):
        if given:
            raise InvalidField(field, "must not be set but in the first message of a stream")
