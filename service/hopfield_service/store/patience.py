"""A timeout that does not count the time in which the event loop stood still."""

import asyncio
from types import TracebackType
from typing import Self

# Seconds. A slice that ends later than it should by as much is one in which the event loop stood still.
_SLICE = 0.05
_LATE = 0.02
# In all, so many times its seconds: a loop that is late all the time must not wait forever.
_LONGEST = 5


class Patience:
    """Gives up what is done inside after some seconds of a running event loop, as asyncio.timeout does.

    A reply that came while the loop stood still has not been read when the loop goes on: it is late through no fault of whoever
    sent it. The seconds are therefore counted in slices, and a slice that ends late counts for nothing.
    """

    def __init__(self, seconds: float) -> None:
        """Counts from when it is entered."""
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._left = seconds
        self._end = self._loop.time() + _LONGEST * seconds
        self._slice: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """See asyncio.timeout.

        Raises:
            TimeoutError: the seconds are over.
        """
        if self._slice is not None:
            self._slice.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _wait(self) -> None:
        now = self._loop.time()
        seconds = max(0.0, min(_SLICE, self._left))
        self._slice = self._loop.call_at(now + seconds, self._look, now, seconds)

    def _look(self, since: float, seconds: float) -> None:
        now = self._loop.time()
        if now - since < seconds + _LATE:
            self._left -= seconds
        if self._left <= 0 or now > self._end:
            self._timeout.reschedule(now)
        else:
            self._wait()
