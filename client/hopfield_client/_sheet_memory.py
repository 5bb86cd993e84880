"""A handle of one sheet attractor, whose calls block."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._attractor_calls import SheetCalls
from hopfield_client._connection import Connection
from hopfield_client._errors import ClientClosed
from hopfield_client._html import table
from hopfield_client._models import Sheet
from hopfield_client._results import SheetRecall
from hopfield_client._track_calls import MoveRequest, MoveResponse, PositionTrackCalls
from hopfield_client._types import MemoryInfo

if TYPE_CHECKING:
    from hopfield_client._exchange import Exchange


class PositionTrack:
    """A position that is kept while it moves, made by `SheetMemory.track`. It is open inside `with`."""

    def __init__(self, connection: Connection, calls: PositionTrackCalls, timeout: float | None) -> None:
        self._connection = connection
        self._calls = calls
        self._timeout = timeout
        self._exchange: Exchange[MoveRequest, MoveResponse] | None = None

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

    def move(self, velocity: ArrayLike, seconds: ArrayLike) -> NDArray[np.float64]:
        """Move the lattice at a velocity for some time, or at several, one after the other.

        Args:
            velocity: along the first and the second axis, (2,) or (k, 2). Its length is at most 1: beyond, the lattice
                would not follow. At 1 the input of a neuron that prefers this direction grows by 0.10315 of itself.
            seconds: of the sheet's own time, 0 to 600 each. One number, for every move, or (k,).

        Returns:
            The phase after the move, (2,), 0 to below 1; of k moves the phase after each, (k, 2).

        Raises:
            InvalidArgument: too fast, or too long. The server ends the track then; `phase` stays at the last move made.
            ClientClosed: outside `with`.
        """
        if self._exchange is None:
            raise ClientClosed("the track is open only inside `with`")
        phases: list[NDArray[np.float64]] = []
        for request in self._calls.move(velocity, seconds):
            phases += self._calls.take(self._exchange.ask(request))
        return np.array(phases).reshape(-1, 2) if np.ndim(velocity) > 1 or np.ndim(seconds) else phases[0]

    def __enter__(self) -> Self:
        self._exchange = self._connection.exchange(
            self._connection.attractors.IntegratePosition, self._timeout, self._calls.arguments
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
        return f"PositionTrack(phase=({self.phase[0]:.4g}, {self.phase[1]:.4g}))"


class SheetMemory:
    """A handle of one sheet attractor, made by a client's `create_memory(model=Sheet())` or `sheet`.

    It stores no patterns: what it holds is a position, which the lattice of bumps on it keeps, but for whole vectors of the lattice. Times are
    in seconds of the sheet's own time, which has nothing to do with how long a call takes. Every call raises NotFound when there is no memory of
    that name, and FailedPrecondition when it is no sheet.
    """

    def __init__(self, connection: Connection, calls: SheetCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    def update(self, model: Sheet, *, expected_revision: int | None = None) -> MemoryInfo:
        """Makes another sheet of it, in one commit.

        Args:
            model: what it is to be: `dataclasses.replace(memory.info().model, tau=0.02)`. The side must be the same.
            expected_revision: change only if the memory is at this revision.

        Raises:
            Conflict: the memory is at another revision than the one expected.
            InvalidArgument: a number that is not allowed, or another side.
        """
        call = self._calls.update(model, expected_revision)
        return self._connection.run(self._connection.memories.UpdateMemory, call)

    def recall(self, rates: ArrayLike, *, max_time: float = 10.0, timeout: float | None = None) -> SheetRecall:
        """Settles rates to a lattice.

        Args:
            rates: what the neurons fire, (n, n) numbers of 0 to 1000, in units of their input at rest.
            max_time: seconds of the sheet's own time after which it ends unsettled, at most 600.
            timeout: seconds this call may take; None: the client's.

        Raises:
            InvalidArgument: rates or a time that are not allowed.
        """
        call = self._calls.recall(rates, max_time)
        return self._connection.run(self._connection.attractors.RecallPosition, call, timeout)

    def track(
        self, start: ArrayLike = (0.0, 0.0), *, include_rates: bool = False, timeout: float | None = None
    ) -> PositionTrack:
        """Keeps a position while it moves: `with sheet.track() as track: track.move((0.3, 0), seconds=0.5)`.

        The sheet is the one of that moment until the track ends, whatever becomes of the memory.

        Args:
            start: the phase it begins at, two numbers; or rates, as for `recall`, which are taken as they are.
            include_rates: have the rates sent too, for `track.rates`.
            timeout: seconds in which each move must be answered; None: the client's.

        Raises:
            InvalidArgument: a start that is not allowed; some only when the track is entered.
        """
        return PositionTrack(self._connection, self._calls.track(start, include_rates=include_rates), timeout)

    def __repr__(self) -> str:
        return f"SheetMemory({self.name!r})"

    def _repr_html_(self) -> str:
        """What notebooks show. Asks no server: see `info`."""
        return table(f"SheetMemory {self.name!r}", [("kind", "sheet attractor")])
