"""The calls of one attractor: requests built and answers read, once, for both clients; everything about a call except sending it."""

from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike

from hopfield.v1 import attractor_service_pb2, memory_service_pb2
from hopfield_client import _answers
from hopfield_client._arguments import UINT64_MAX, integer, real_number
from hopfield_client._attractor_wire import image_of, lattice_of, phase_of, rates_message, rates_of
from hopfield_client._calls import Call, request_id
from hopfield_client._freshness import Freshness
from hopfield_client._model_specs import mask_of, spec_of
from hopfield_client._models import AttractorModel
from hopfield_client._results import RingRecall, SheetRecall
from hopfield_client._track_calls import HeadingTrackCalls, PositionTrackCalls
from hopfield_client._types import MemoryInfo


class AttractorCalls:
    """What the calls of all attractors have in common.

    Args:
        name: of the memory.
        freshness: shared by all memories of a client.
    """

    def __init__(self, name: str, freshness: Freshness) -> None:
        self.name = name
        self._freshness = freshness

    def info(self) -> Call[memory_service_pb2.GetMemoryRequest, memory_service_pb2.GetMemoryResponse, MemoryInfo]:
        return Call(memory_service_pb2.GetMemoryRequest(name=self.name), self._reads_info())

    def update(
        self, model: AttractorModel, expected_revision: int | None
    ) -> Call[memory_service_pb2.UpdateMemoryRequest, memory_service_pb2.UpdateMemoryResponse, MemoryInfo]:
        expected = None if expected_revision is None else integer(expected_revision, "expected_revision", 0, UINT64_MAX)
        request = memory_service_pb2.UpdateMemoryRequest(
            name=self.name,
            spec=spec_of(model),
            update_mask=mask_of(model),
            expected_revision=expected,
            request_id=request_id(),
        )
        if_made = "changes nothing" if expected is None else "raises Conflict"
        return Call(request, self._reads_info(), if_made, arguments={"spec": "model"})

    def _reads_info(self) -> Callable[[Any], MemoryInfo]:
        note = self._freshness.watch(self.name)

        def read(response: Any) -> MemoryInfo:
            note(response.memory.uid, response.memory.revision)
            return _answers.memory_info(response.memory)

        return read


class RingCalls(AttractorCalls):
    """The calls of one ring."""

    def recall(
        self, rates: ArrayLike, max_time: float
    ) -> Call[attractor_service_pb2.RecallHeadingRequest, attractor_service_pb2.RecallHeadingResponse, RingRecall]:
        request = attractor_service_pb2.RecallHeadingRequest(
            name=self.name,
            rates=rates_message(rates, "rates"),
            max_time=real_number(max_time, "max_time"),
            token=self._freshness.token(self.name),
        )
        note = self._freshness.watch(self.name)

        def read(response: attractor_service_pb2.RecallHeadingResponse) -> RingRecall:
            note(response.uid, response.revision)
            return RingRecall(
                rates=rates_of(response.rates, 1)[0],
                heading=response.heading,
                energy=response.energy,
                initial_energy=response.initial_energy,
                time=response.time,
                converged=response.converged,
                revision=response.revision,
                uid=response.uid,
            )

        return Call(request, read)

    def track(self, start: ArrayLike, *, include_rates: bool) -> HeadingTrackCalls:
        return HeadingTrackCalls(self.name, start, include_rates=include_rates, freshness=self._freshness)


class SheetCalls(AttractorCalls):
    """The calls of one sheet."""

    def recall(
        self, rates: ArrayLike, max_time: float
    ) -> Call[attractor_service_pb2.RecallPositionRequest, attractor_service_pb2.RecallPositionResponse, SheetRecall]:
        request = attractor_service_pb2.RecallPositionRequest(
            name=self.name,
            rates=rates_message(rates, "rates"),
            max_time=real_number(max_time, "max_time"),
            token=self._freshness.token(self.name),
        )
        note = self._freshness.watch(self.name)

        def read(response: attractor_service_pb2.RecallPositionResponse) -> SheetRecall:
            note(response.uid, response.revision)
            return SheetRecall(
                rates=image_of(response.rates),
                phase=phase_of(response.phase),
                lattice=lattice_of(response.lattice),
                time=response.time,
                converged=response.converged,
                revision=response.revision,
                uid=response.uid,
            )

        return Call(request, read)

    def track(self, start: ArrayLike, *, include_rates: bool) -> PositionTrackCalls:
        return PositionTrackCalls(self.name, start, include_rates=include_rates, freshness=self._freshness)
