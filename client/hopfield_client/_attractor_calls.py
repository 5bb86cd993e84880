"""The calls of one attractor: requests built and answers read, once, for both clients; everything about a call except sending it."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import attractor_service_pb2, memory_service_pb2, patterns_pb2
from hopfield_client import _answers
from hopfield_client._arguments import UINT64_MAX, flag, integer, real_number, real_numbers
from hopfield_client._calls import Call, request_id
from hopfield_client._errors import DataLoss, InvalidArgument
from hopfield_client._freshness import Freshness
from hopfield_client._model_specs import mask_of, spec_of
from hopfield_client._models import AttractorModel
from hopfield_client._types import MemoryInfo, RingRecall, SheetRecall

TurnRequest = attractor_service_pb2.IntegrateHeadingRequest
TurnResponse = attractor_service_pb2.IntegrateHeadingResponse
MoveRequest = attractor_service_pb2.IntegratePositionRequest
MoveResponse = attractor_service_pb2.IntegratePositionResponse


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

    def track(self, start: ArrayLike, *, include_rates: bool) -> "HeadingTrackCalls":
        return HeadingTrackCalls(self.name, start, include_rates=include_rates, freshness=self._freshness)


class HeadingTrackCalls:
    """What is sent on the stream of a track, and what its answers say.

    Attributes:
        arguments: as `Call.arguments`.
        heading: after the last move, in degrees.
        rates: after the last move, (N,) float32, in Hz; None where they were not asked for.
    """

    arguments: ClassVar[Mapping[str, str]] = {"rates": "start"}

    def __init__(self, name: str, start: ArrayLike, *, include_rates: bool, freshness: Freshness) -> None:
        self._opening = TurnRequest(
            name=name,
            include_rates=flag(include_rates, "include_rates"),
            # Tells where the bump is in the beginning.
            angular_velocities=[0.0],
            durations=[0.0],
            token=freshness.token(name),
        )
        if np.ndim(start):
            self._opening.rates.CopyFrom(rates_message(start, "start"))
        else:
            self._opening.heading = _finite(start, "start")
        self._note = freshness.watch(name)
        self.heading = math.nan
        self.rates: NDArray[np.float32] | None = None

    def opening(self) -> TurnRequest:
        return self._opening

    def turn(self, degrees_per_second: float, seconds: float) -> TurnRequest:
        return TurnRequest(
            angular_velocities=[_finite(degrees_per_second, "degrees_per_second")],
            durations=[_finite(seconds, "seconds")],
        )

    def take(self, response: TurnResponse) -> float:
        if len(response.headings) != 1:
            raise DataLoss("the answer to a move does not arrive as it was asked for")
        self._note(response.uid, response.revision)
        self.heading = response.headings[0]
        if response.HasField("rates"):
            self.rates = rates_of(response.rates, 1)[0]
        return self.heading


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
                rates=_image(response.rates),
                phase=_phase(response.phase),
                lattice=_lattice(response.lattice),
                time=response.time,
                converged=response.converged,
                revision=response.revision,
                uid=response.uid,
            )

        return Call(request, read)

    def track(self, start: ArrayLike, *, include_rates: bool) -> "PositionTrackCalls":
        return PositionTrackCalls(self.name, start, include_rates=include_rates, freshness=self._freshness)


class PositionTrackCalls:
    """What is sent on the stream of a track, and what its answers say.

    Attributes:
        arguments: as `Call.arguments`.
        phase: after the last move, (2,); NaN before the first answer.
        lattice: what it is told along, (2, 2), in neurons; NaN before the first answer.
        rates: after the last move, (n, n) float32; None where they were not asked for.
    """

    arguments: ClassVar[Mapping[str, str]] = {"rates": "start"}

    def __init__(self, name: str, start: ArrayLike, *, include_rates: bool, freshness: Freshness) -> None:
        self._opening = MoveRequest(
            name=name,
            include_rates=flag(include_rates, "include_rates"),
            # Tells where the lattice is in the beginning.
            velocities_x=[0.0],
            velocities_y=[0.0],
            durations=[0.0],
            token=freshness.token(name),
        )
        if not np.ndim(start):
            raise InvalidArgument(f"start is {start!r}; it must be a phase, two numbers, or rates", field="start")
        if np.size(start) == 2:
            first, second = _two(start, "start")
            self._opening.phase.CopyFrom(attractor_service_pb2.Phase(first=first, second=second))
        else:
            self._opening.rates.CopyFrom(rates_message(start, "start"))
        self._note = freshness.watch(name)
        self.phase = np.full(2, np.nan)
        self.lattice = np.full((2, 2), np.nan)
        self.rates: NDArray[np.float32] | None = None

    def opening(self) -> MoveRequest:
        return self._opening

    def move(self, velocity: ArrayLike, seconds: float) -> MoveRequest:
        x, y = _two(velocity, "velocity")
        return MoveRequest(velocities_x=[x], velocities_y=[y], durations=[_finite(seconds, "seconds")])

    def take(self, response: MoveResponse) -> NDArray[np.float64]:
        if len(response.phases) != 1:
            raise DataLoss("the answer to a move does not arrive as it was asked for")
        self._note(response.uid, response.revision)
        self.phase = _phase(response.phases[0])
        self.lattice = _lattice(response.lattice)
        if response.HasField("rates"):
            self.rates = _image(response.rates)
        return self.phase


def _two(values: ArrayLike, argument: str) -> tuple[float, float]:
    array = real_numbers(values, argument)
    if array.size != 2 or not np.isfinite(array).all():
        raise InvalidArgument(f"{argument} is {values!r}; it must be two finite numbers", field=argument)
    first, second = array.ravel().tolist()
    return first, second


def _phase(message: attractor_service_pb2.Phase) -> NDArray[np.float64]:
    return np.array([message.first, message.second])


def _lattice(message: attractor_service_pb2.Lattice) -> NDArray[np.float64]:
    return np.array([[message.first_x, message.first_y], [message.second_x, message.second_y]])


def _image(message: patterns_pb2.Patterns) -> NDArray[np.float32]:
    side = math.isqrt(message.neurons)
    if side**2 != message.neurons:
        raise DataLoss("the rates do not arrive as the server announced them")
    return rates_of(message, 1).reshape(side, side)


def _finite(value: Any, argument: str) -> float:
    result = real_number(value, argument)
    if not math.isfinite(result):
        raise InvalidArgument(f"{argument} is {result}; it must be finite", field=argument)
    return result


def rates_message(rates: ArrayLike, argument: str) -> patterns_pb2.Patterns:
    """The rates of one state as they travel, whatever their shape.

    Raises:
        InvalidArgument: they are no real numbers.
    """
    array = real_numbers(rates, argument).astype("<f4").ravel()
    return patterns_pb2.Patterns(count=1, neurons=len(array), floats=array.tobytes())


def rates_of(message: patterns_pb2.Patterns, count: int) -> NDArray[np.float32]:
    """The rates in an answer, (count, N).

    Raises:
        DataLoss: they are not so many.
    """
    if message.count != count or len(message.floats) != 4 * count * message.neurons:
        raise DataLoss("the rates do not arrive as the server announced them")
    return np.frombuffer(message.floats, "<f4").reshape(count, message.neurons).astype(np.float32)
