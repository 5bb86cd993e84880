"""A handle of one sheet attractor, whose calls are awaited."""

# gRPC keeps the deadlines, on the server's side too; asyncio.timeout would do so on this side alone.
# ruff: noqa: ASYNC109

from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._async_connection import AsyncConnection
from hopfield_client._attractor_calls import SheetCalls
from hopfield_client._errors import ClientClosed
from hopfield_client._html import table
from hopfield_client._models import Sheet
from hopfield_client._results import SheetRecall
from hopfield_client._track_calls import MoveRequest, MoveResponse, PositionTrackCalls
from hopfield_client._types import MemoryInfo

if TYPE_CHECKING:
    from hopfield_client._async_exchange import AsyncExchange


class AsyncPositionTrack:
    """A position that is kept while it moves, as PositionTrack; open inside `async with`."""

    def __init__(self, connection: AsyncConnection, calls: PositionTrackCalls, timeout: float | None) -> None:
        self._connection = connection
        self._calls = calls
        self._timeout = timeout
        self._exchange: AsyncExchange[MoveRequest, MoveResponse] | None = None

    @property
    def phase(self) -> NDArray[np.float64]:
        """Where the lattice is after the last move: how far along each of its vectors, (2,), 0 to below 1; NaN before the track was entered."""
        return self._calls.phase

    @property
    def lattice(self) -> NDArray[np.float64]:
        """The vectors of the lattice, (2, 2), in neurons; NaN before the track was entered."""
        return self._calls.lattice

    @property
    def rates(self) -> NDArray[np.float32] | None:
        """What the neurons fire after the last move, (n, n) float32, or (k, n, n) after k moves in one call; None without `include_rates`."""
        return self._calls.rates

    async def move(self, velocity: ArrayLike, seconds: ArrayLike) -> NDArray[np.float64]:
        """Moves the lattice at a velocity for some time. Arguments, answer and errors: as PositionTrack.move."""
        if self._exchange is None:
            raise ClientClosed("the track is open only inside `async with`")
        phases: list[NDArray[np.float64]] = []
        for request in self._calls.move(velocity, seconds):
            phases += self._calls.take(await self._exchange.ask(request))
        return np.array(phases).reshape(-1, 2) if np.ndim(velocity) > 1 or np.ndim(seconds) else phases[0]

    async def __aenter__(self) -> Self:
        self._exchange = self._connection.exchange(
            self._connection.attractors.IntegratePosition, self._timeout, self._calls.arguments
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
        return f"AsyncPositionTrack(phase=({self.phase[0]:.4g}, {self.phase[1]:.4g}))"


class AsyncSheetMemory:
    """A handle of one sheet attractor, as SheetMemory; calls are awaited."""

    def __init__(self, connection: AsyncConnection, calls: SheetCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    async def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return await self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    async def update(self, model: Sheet, *, expected_revision: int | None = None) -> MemoryInfo:
        """Makes another sheet of it, in one commit. Arguments and errors: as SheetMemory.update."""
        call = self._calls.update(model, expected_revision)
        return await self._connection.run(self._connection.memories.UpdateMemory, call)

    async def recall(self, rates: ArrayLike, *, max_time: float = 10.0, timeout: float | None = None) -> SheetRecall:
        """Settles rates to a lattice. Arguments and errors: as SheetMemory.recall."""
        call = self._calls.recall(rates, max_time)
        return await self._connection.run(self._connection.attractors.RecallPosition, call, timeout)

    def track(
        self, start: ArrayLike = (0.0, 0.0), *, include_rates: bool = False, timeout: float | None = None
    ) -> AsyncPositionTrack:
        """Keeps a position while it moves, inside `async with`. Not awaited. Arguments and errors: as SheetMemory.track."""
        return AsyncPositionTrack(self._connection, self._calls.track(start, include_rates=include_rates), timeout)

    def __repr__(self) -> str:
        return f"AsyncSheetMemory({self.name!r})"

    def _repr_html_(self) -> str:
        """What notebooks show. Asks no server: see `info`."""
        return table(f"AsyncSheetMemory {self.name!r}", [("kind", "sheet attractor")])
