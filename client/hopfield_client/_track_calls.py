"""What is sent on the stream of a track, and what its answers say, for both clients."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield.v1 import attractor_service_pb2
from hopfield_client._arguments import flag, real_numbers
from hopfield_client._attractor_wire import finite, lattice_of, phase_of, rates_message, rates_of, two
from hopfield_client._errors import DataLoss, InvalidArgument
from hopfield_client._freshness import Freshness

TurnRequest = attractor_service_pb2.IntegrateHeadingRequest
TurnResponse = attractor_service_pb2.IntegrateHeadingResponse
MoveRequest = attractor_service_pb2.IntegratePositionRequest
MoveResponse = attractor_service_pb2.IntegratePositionResponse

# What the service takes in one message: moves, seconds of them all, and rates in the answer.
_MOST_MOVES = 1024
_MOST_SECONDS = 600.0
_MOST_RATES = 1 << 21


class _TrackCalls:
    """What the calls of both kinds of track have in common.

    Attributes:
        arguments: as `Call.arguments`; changes with every message, since the argument that a field came from does.
    """

    def __init__(self, name: str, *, include_rates: bool, freshness: Freshness) -> None:
        self.arguments: dict[str, str] = {"rates": "start"}
        flag(include_rates, "include_rates")
        self._note = freshness.watch(name)
        self._most_moves = _MOST_MOVES
        # Of the moves of one call: how many are awaited, the rates after them, and whether the caller passed one alone.
        self._awaited = 1
        self._rates: list[NDArray[np.float32]] = []
        self._single = True

    def _parts(self, seconds: NDArray[np.float64], *, single: bool) -> Iterator[slice]:
        """The moves in as few messages as the service takes them in. Those of an earlier call are forgotten."""
        self._rates, self._single = [], single
        start, total = 0, 0.0
        for end, each in enumerate([*seconds.tolist(), math.inf]):
            if start < end and (end - start == self._most_moves or total + each > _MOST_SECONDS):
                self._awaited = end - start
                yield slice(start, end)
                start, total = end, 0.0
            total += each

    def _name_items(self, part: slice, columns: dict[str, tuple[str, ArrayLike]]) -> None:
        """Tells what the caller calls the items of the columns of a message.

        Args:
            part: the moves of the message among those of the call.
            columns: the argument that each column came from, and what the caller passed for it.
        """
        self.arguments.clear()
        self.arguments["rates"] = "start"
        for column, (argument, value) in columns.items():
            several = np.ndim(value) == (2 if argument == "velocity" else 1)
            for k, move in enumerate(range(part.start, part.stop)):
                self.arguments[f"{column}[{k}]"] = f"{argument}[{move}]" if several else argument

    def _take_rates(self, response: TurnResponse | MoveResponse, count: int) -> None:
        if count != self._awaited:
            raise DataLoss("the answer to a move does not arrive as it was asked for")
        self._note(response.uid, response.revision)
        if response.HasField("rates"):
            self._rates.append(rates_of(response.rates, count))
            self._most_moves = min(_MOST_MOVES, max(1, _MOST_RATES // response.rates.neurons))

    def _rates_of_call(self) -> NDArray[np.float32] | None:
        """The rates after each move of the last call, (k, N), or after its only one, (N,)."""
        if not self._rates:
            return None
        return self._rates[0][0] if self._single else np.concatenate(self._rates)


class HeadingTrackCalls(_TrackCalls):
    """What is sent on the stream of a track of a ring, and what its answers say.

    Attributes:
        heading: after the last move, in degrees.
    """

    def __init__(self, name: str, start: ArrayLike, *, include_rates: bool, freshness: Freshness) -> None:
        super().__init__(name, include_rates=include_rates, freshness=freshness)
        self._opening = TurnRequest(
            name=name,
            include_rates=include_rates,
            # Tells where the bump is in the beginning.
            angular_velocities=[0.0],
            durations=[0.0],
            token=freshness.token(name),
        )
        if np.ndim(start):
            self._opening.rates.CopyFrom(rates_message(start, "start"))
        else:
            self._opening.heading = finite(start, "start")
        self.heading = math.nan

    @property
    def rates(self) -> NDArray[np.float32] | None:
        """After the last move, (N,) float32, in Hz; (k, N) after k moves in one call; None where they were not asked for."""
        return self._rates_of_call()

    def opening(self) -> TurnRequest:
        return self._opening

    def turn(self, degrees_per_second: ArrayLike, seconds: ArrayLike) -> Iterator[TurnRequest]:
        columns = {
            "angular_velocities": ("degrees_per_second", degrees_per_second),
            "durations": ("seconds", seconds),
        }
        velocities, durations = _together(
            _finite_numbers(degrees_per_second, "degrees_per_second"),
            _finite_numbers(seconds, "seconds"),
            "degrees_per_second",
        )
        for part in self._parts(durations, single=not (np.ndim(degrees_per_second) or np.ndim(seconds))):
            self._name_items(part, columns)
            yield TurnRequest(angular_velocities=velocities[part].tolist(), durations=durations[part].tolist())

    def take(self, response: TurnResponse) -> list[float]:
        """The headings after each move of a message."""
        self._take_rates(response, len(response.headings))
        headings = list(response.headings)
        self.heading = headings[-1]
        return headings


class PositionTrackCalls(_TrackCalls):
    """What is sent on the stream of a track of a sheet, and what its answers say.

    Attributes:
        phase: after the last move, (2,); NaN before the first answer.
        lattice: what it is told along, (2, 2), in neurons; NaN before the first answer.
    """

    def __init__(self, name: str, start: ArrayLike, *, include_rates: bool, freshness: Freshness) -> None:
        super().__init__(name, include_rates=include_rates, freshness=freshness)
        self._opening = MoveRequest(
            name=name,
            include_rates=include_rates,
            # Tells where the lattice is in the beginning.
            velocities_x=[0.0],
            velocities_y=[0.0],
            durations=[0.0],
            token=freshness.token(name),
        )
        if not np.ndim(start):
            raise InvalidArgument(f"start is {start!r}; it must be a phase, two numbers, or rates", field="start")
        if np.size(start) == 2:
            first, second = two(start, "start")
            self._opening.phase.CopyFrom(attractor_service_pb2.Phase(first=first, second=second))
        else:
            self._opening.rates.CopyFrom(rates_message(start, "start"))
        self.phase = np.full(2, np.nan)
        self.lattice = np.full((2, 2), np.nan)

    @property
    def rates(self) -> NDArray[np.float32] | None:
        """After the last move, (n, n) float32; (k, n, n) after k moves in one call; None where they were not asked for."""
        rates = self._rates_of_call()
        if rates is None:
            return None
        side = math.isqrt(rates.shape[-1])
        return rates.reshape(*rates.shape[:-1], side, side)

    def opening(self) -> MoveRequest:
        return self._opening

    def move(self, velocity: ArrayLike, seconds: ArrayLike) -> Iterator[MoveRequest]:
        velocities = _finite_numbers(velocity, "velocity")
        if velocities.ndim not in {1, 2} or velocities.shape[-1] != 2:
            raise InvalidArgument(
                f"velocity is {velocity!r}; it must be two finite numbers, or a row of two for each move",
                field="velocity",
            )
        columns = {
            "velocities_x": ("velocity", velocity),
            "velocities_y": ("velocity", velocity),
            "durations": ("seconds", seconds),
        }
        x, durations = _together(velocities[..., 0], _finite_numbers(seconds, "seconds"), "velocity")
        y = np.broadcast_to(velocities[..., 1], x.shape)
        for part in self._parts(durations, single=velocities.ndim == 1 and not np.ndim(seconds)):
            self._name_items(part, columns)
            yield MoveRequest(
                velocities_x=x[part].tolist(), velocities_y=y[part].tolist(), durations=durations[part].tolist()
            )

    def take(self, response: MoveResponse) -> list[NDArray[np.float64]]:
        """The phases after each move of a message, each (2,)."""
        self._take_rates(response, len(response.phases))
        if self._rates and math.isqrt(response.rates.neurons) ** 2 != response.rates.neurons:
            raise DataLoss("the rates do not arrive as the server announced them")
        phases = [phase_of(phase) for phase in response.phases]
        self.phase = phases[-1]
        self.lattice = lattice_of(response.lattice)
        return phases


def _finite_numbers(values: ArrayLike, argument: str) -> NDArray[np.float64]:
    """A finite number, or an array of some."""
    if not np.ndim(values):
        return np.array(finite(values, argument))
    array = real_numbers(values, argument)
    wrong = ~np.isfinite(array)
    if wrong.any():
        index = ", ".join(map(str, np.argwhere(wrong)[0].tolist()))
        raise InvalidArgument(f"{argument}[{index}] is {array[wrong][0]}; it must be finite", field=argument)
    return array


def _together(
    velocities: NDArray[np.float64], durations: NDArray[np.float64], argument: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One velocity and one duration a move, both (k,), where either may be the same for all moves."""
    if (
        velocities.ndim > 1
        or durations.ndim > 1
        or (velocities.ndim and durations.ndim and len(velocities) != len(durations))
    ):
        raise InvalidArgument(
            f"seconds has the shape {durations.shape}, for moves of the shape {velocities.shape} in {argument}: each must be a "
            "number, or one a move",
            field="seconds",
        )
    velocities, durations = np.broadcast_arrays(np.atleast_1d(velocities), np.atleast_1d(durations))
    return velocities, durations
