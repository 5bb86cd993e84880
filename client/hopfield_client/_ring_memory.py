"""A handle of one ring attractor, whose calls block."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._attractor_calls import RingCalls
from hopfield_client._connection import Connection
from hopfield_client._errors import ClientClosed
from hopfield_client._html import table
from hopfield_client._models import Ring
from hopfield_client._results import RingRecall
from hopfield_client._track_calls import HeadingTrackCalls, TurnRequest, TurnResponse
from hopfield_client._types import MemoryInfo

if TYPE_CHECKING:
    from hopfield_client._exchange import Exchange


class HeadingTrack:
    """A heading that is kept while it turns, made by `RingMemory.track`. It is open inside `with`."""

    def __init__(self, connection: Connection, calls: HeadingTrackCalls, timeout: float | None) -> None:
        self._connection = connection
        self._calls = calls
        self._timeout = timeout
        self._exchange: Exchange[TurnRequest, TurnResponse] | None = None

    @property
    def heading(self) -> float:
        """Where the bump is after the last turn, in degrees, 0 to below 360; NaN before the track was entered."""
        return self._calls.heading

    @property
    def rates(self) -> NDArray[np.float32] | None:
        """What the neurons fire after the last turn, (N,) float32, in Hz, or (k, N) after k turns in one call; None without `include_rates`."""
        return self._calls.rates

    @overload
    def turn(self, degrees_per_second: float, seconds: float) -> float: ...

    @overload
    def turn(
        self, degrees_per_second: Sequence[float] | NDArray[Any], seconds: float | Sequence[float] | NDArray[Any]
    ) -> NDArray[np.float64]: ...

    @overload
    def turn(self, degrees_per_second: float, seconds: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]: ...

    def turn(
        self,
        degrees_per_second: float | Sequence[float] | NDArray[Any],
        seconds: float | Sequence[float] | NDArray[Any],
    ) -> float | NDArray[np.float64]:
        """Turn the bump at an angular velocity for some time, or at several, one after the other.

        Args:
            degrees_per_second: at most 28.6 / tau either way: beyond, the bump would not follow. One number, or (k,).
            seconds: of the ring's own time, 0 to 600 each. One number, for every turn, or (k,).

        Returns:
            The heading after the turn, in degrees, 0 to below 360; of k turns the heading after each, (k,) float64.

        Raises:
            InvalidArgument: too fast, or too long. The server ends the track then; `heading` stays at the last turn made.
            ClientClosed: outside `with`.
        """
        if self._exchange is None:
            raise ClientClosed("the track is open only inside `with`")
        headings: list[float] = []
        for request in self._calls.turn(degrees_per_second, seconds):
            headings += self._calls.take(self._exchange.ask(request))
        return np.array(headings) if np.ndim(degrees_per_second) or np.ndim(seconds) else headings[0]

    def __enter__(self) -> Self:
        self._exchange = self._connection.exchange(
            self._connection.attractors.IntegrateHeading, self._timeout, self._calls.arguments
        )
        try:
            self._calls.take(self._exchange.open(self._calls.opening()))
        except BaseException:
            self._exchange.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def __repr__(self) -> str:
        return f"HeadingTrack(heading={self.heading:.6g})"


class RingMemory:
    """A handle of one ring attractor, made by a client's `create_memory(model=Ring())` or `ring`.

    It stores no patterns: what it holds is a heading, which the bump of activity on it keeps. Headings are in degrees, times in seconds
    of the ring's own time, which has nothing to do with how long a call takes. Every call raises NotFound when there is no memory of
    that name, and FailedPrecondition when it is no ring.
    """

    def __init__(self, connection: Connection, calls: RingCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    def update(self, model: Ring, *, expected_revision: int | None = None) -> MemoryInfo:
        """Makes another ring of it, in one commit.

        Args:
            model: what it is to be: `dataclasses.replace(memory.info().model, tau=0.02)`. The neurons must be as many.
            expected_revision: change only if the memory is at this revision.

        Raises:
            Conflict: the memory is at another revision than the one expected.
            InvalidArgument: a number that is not allowed, or other neurons.
        """
        call = self._calls.update(model, expected_revision)
        return self._connection.run(self._connection.memories.UpdateMemory, call)

    def recall(self, rates: ArrayLike, *, max_time: float = 10.0, timeout: float | None = None) -> RingRecall:
        """Settles rates to a bump.

        Args:
            rates: what the neurons fire, (N,) numbers of 0 to 1000, in Hz.
            max_time: seconds of the ring's own time after which it ends unsettled, at most 600.
            timeout: seconds this call may take; None: the client's.

        Raises:
            InvalidArgument: rates or a time that are not allowed.
        """
        call = self._calls.recall(rates, max_time)
        return self._connection.run(self._connection.attractors.RecallHeading, call, timeout)

    def track(
        self, start: ArrayLike = 0.0, *, include_rates: bool = False, timeout: float | None = None
    ) -> HeadingTrack:
        """Keeps a heading while it turns: `with ring.track(90) as track: track.turn(45, seconds=2)`.

        The ring is the one of that moment until the track ends, whatever becomes of the memory.

        Args:
            start: the heading it begins at, in degrees; or rates, as for `recall`, which are taken as they are.
            include_rates: have the rates sent too, for `track.rates`.
            timeout: seconds in which each turn must be answered; None: the client's.

        Raises:
            InvalidArgument: a start that is not allowed; some only when the track is entered.
        """
        return HeadingTrack(self._connection, self._calls.track(start, include_rates=include_rates), timeout)

    def __repr__(self) -> str:
        return f"RingMemory({self.name!r})"

    def _repr_html_(self) -> str:
        """What notebooks show. Asks no server: see `info`."""
        return table(f"RingMemory {self.name!r}", [("kind", "ring attractor")])
