"""A handle of one ring attractor, whose calls are awaited."""

# gRPC keeps the deadlines, on the server's side too; asyncio.timeout would do so on this side alone.
# ruff: noqa: ASYNC109

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._async_connection import AsyncConnection
from hopfield_client._attractor_calls import RingCalls
from hopfield_client._errors import ClientClosed
from hopfield_client._html import table
from hopfield_client._models import Ring
from hopfield_client._results import RingRecall
from hopfield_client._track_calls import HeadingTrackCalls, TurnRequest, TurnResponse
from hopfield_client._types import MemoryInfo

if TYPE_CHECKING:
    from hopfield_client._async_exchange import AsyncExchange


class AsyncHeadingTrack:
    """A heading that is kept while it turns, as HeadingTrack; open inside `async with`."""

    def __init__(self, connection: AsyncConnection, calls: HeadingTrackCalls, timeout: float | None) -> None:
        self._connection = connection
        self._calls = calls
        self._timeout = timeout
        self._exchange: AsyncExchange[TurnRequest, TurnResponse] | None = None

    @property
    def heading(self) -> float:
        """Where the bump is after the last turn, in degrees, 0 to below 360; NaN before the track was entered."""
        return self._calls.heading

    @property
    def rates(self) -> NDArray[np.float32] | None:
        """What the neurons fire after the last turn, (N,) float32, in Hz, or (k, N) after k turns in one call; None without `include_rates`."""
        return self._calls.rates

    @overload
    async def turn(self, degrees_per_second: float, seconds: float) -> float: ...

    @overload
    async def turn(
        self, degrees_per_second: Sequence[float] | NDArray[Any], seconds: float | Sequence[float] | NDArray[Any]
    ) -> NDArray[np.float64]: ...

    @overload
    async def turn(self, degrees_per_second: float, seconds: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]: ...

    async def turn(
        self,
        degrees_per_second: float | Sequence[float] | NDArray[Any],
        seconds: float | Sequence[float] | NDArray[Any],
    ) -> float | NDArray[np.float64]:
        """Turns the bump at an angular velocity for some time. Arguments, answer and errors: as HeadingTrack.turn."""
        if self._exchange is None:
            raise ClientClosed("the track is open only inside `async with`")
        headings: list[float] = []
        for request in self._calls.turn(degrees_per_second, seconds):
            headings += self._calls.take(await self._exchange.ask(request))
        return np.array(headings) if np.ndim(degrees_per_second) or np.ndim(seconds) else headings[0]

    async def __aenter__(self) -> Self:
        self._exchange = self._connection.exchange(
            self._connection.attractors.IntegrateHeading, self._timeout, self._calls.arguments
        )
        try:
            self._calls.take(await self._exchange.open(self._calls.opening()))
        except BaseException:
            self._exchange.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    def __repr__(self) -> str:
        return f"AsyncHeadingTrack(heading={self.heading:.6g})"


class AsyncRingMemory:
    """A handle of one ring attractor, as RingMemory; calls are awaited."""

    def __init__(self, connection: AsyncConnection, calls: RingCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    async def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return await self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    async def update(self, model: Ring, *, expected_revision: int | None = None) -> MemoryInfo:
        """Makes another ring of it, in one commit. Arguments and errors: as RingMemory.update."""
        call = self._calls.update(model, expected_revision)
        return await self._connection.run(self._connection.memories.UpdateMemory, call)

    async def recall(self, rates: ArrayLike, *, max_time: float = 10.0, timeout: float | None = None) -> RingRecall:
        """Settles rates to a bump. Arguments and errors: as RingMemory.recall."""
        call = self._calls.recall(rates, max_time)
        return await self._connection.run(self._connection.attractors.RecallHeading, call, timeout)

    def track(
        self, start: ArrayLike = 0.0, *, include_rates: bool = False, timeout: float | None = None
    ) -> AsyncHeadingTrack:
        """Keeps a heading while it turns, inside `async with`. Not awaited. Arguments and errors: as RingMemory.track."""
        return AsyncHeadingTrack(self._connection, self._calls.track(start, include_rates=include_rates), timeout)

    def __repr__(self) -> str:
        return f"AsyncRingMemory({self.name!r})"

    def _repr_html_(self) -> str:
        """What notebooks show. Asks no server: see `info`."""
        return table(f"AsyncRingMemory {self.name!r}", [("kind", "ring attractor")])
