"""Where kernels run: short recalls at once, everything else on threads. Kernels release the GIL, so that the event loop goes on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

from hopfield_service.core.interruption import Interrupted, Interruption, never
from hopfield_service.serving.turns import ThreadTime, Turns

Item = TypeVar("Item")
Result = TypeVar("Result")

# Seconds after which what a thread has found so far is passed on.
_PIECE = 0.05
# Seconds that a recall taken for short may keep the event loop; then it is begun anew on a thread.
_SHORT = 0.001


class KernelExecutor:
    """Turns on threads (turns.py) for recalls, as many for learning, and as many for loading, which keep one another waiting for nothing."""

    def __init__(self, threads: int) -> None:
        self._recalling = Turns(threads, "recalling")
        self._learning = Turns(threads, "learning")
        self._loading = Turns(threads, "loading")

    async def learn(self, function: Callable[[Interruption], Result]) -> Result:
        """Runs a function that makes a network, or tells about one.

        Args:
            function: is given another that says, from any thread, whether nobody waits for the result any longer: when the
                awaiting task was cancelled, as gRPC does when the caller went away or the deadline passed, or when the
                service is closing. It is to be asked every few milliseconds, which is when others get their turns.
        """
        (result,) = await _all_of(self._learning, [function], object(), ThreadTime())
        return result

    async def load(self, function: Callable[[Interruption], Result]) -> Result:
        """Runs a function that makes a network known to Redis: recalls and changes wait for it. Arguments: as `learn`."""
        (result,) = await _all_of(self._loading, [function], object(), ThreadTime())
        return result

    def at_once(self, function: Callable[[Interruption], Result]) -> Result | None:
        """Runs a function that is expected to take less time than the way to a thread and back: here and now.

        Args:
            function: as for `learn`. It may be run anew, and must give the same result then.

        Returns:
            Its result; None where it took longer and was interrupted, to be run by `recall`.
        """
        end = time.monotonic() + _SHORT
        try:
            return function(lambda: time.monotonic() > end)
        except Interrupted:
            return None

    async def recall(self, function: Callable[[Interruption], Result], source: object, *, long: bool = False) -> Result:
        """Runs a function that recalls.

        Those of one network that wait for a thread are run as one batch, one right after the other, while its weights are in the
        cache. None waits for a batch to fill: a batch is what came while all threads were busy.

        Args:
            function: as for `learn`.
            source: the network it recalls from.
            long: whether it is expected to take a tenth of a second or longer.
        """
        (result,) = await _all_of(self._recalling, [function], source, ThreadTime.of(long=long))
        return result

    async def recall_all(
        self, functions: Iterable[Callable[[Interruption], Result]], source: object, thread_time: ThreadTime
    ) -> list[Result]:
        """Runs each of some functions as `recall` does, all at the same time where threads are idle.

        Args:
            functions: as for `recall`.
            source: the network they recall from.
            thread_time: of the call that they are pieces of.

        Returns:
            Their results, in order.
        """
        return await _all_of(self._recalling, functions, source, thread_time)

    async def run(
        self, function: Callable[[Interruption], Result], source: object, *, short: bool, long: bool = False
    ) -> Result:
        """Runs a function that recalls: `at_once` if it is expected to be short, and on a thread if it is not, or was not."""
        result = self.at_once(function) if short else None
        return await self.recall(function, source, long=long) if result is None else result

    @property
    def idle_threads(self) -> int:
        """How many threads for recalls nobody uses now."""
        return self._recalling.free

    async def trace(self, function: Callable[[Interruption], Iterator[Item]], most: int) -> AsyncIterator[list[Item]]:
        """Runs an iterator on threads for recalls. Otherwise as `read`."""
        async for piece in _pieces(self._recalling, function, most):
            yield piece

    async def read(self, function: Callable[[Interruption], Iterator[Item]], most: int) -> AsyncIterator[list[Item]]:
        """Runs an iterator on threads for learning.

        Args:
            function: makes the iterator; is given what `learn` gives.
            most: items to be passed on at once.

        Yields:
            The next items, at least one: as many as come in some milliseconds. The iterator stands still until they are taken.
        """
        async for piece in _pieces(self._learning, function, most):
            yield piece

    async def close(self) -> None:
        """Interrupts what runs, waits a moment for it to end, and starts nothing more."""
        await asyncio.gather(*(turns.close() for turns in (self._recalling, self._learning, self._loading)))


async def _all_of(
    turns: Turns, functions: Iterable[Callable[[Interruption], Result]], source: object, thread_time: ThreadTime
) -> list[Result]:
    under_way = [turns.begin(function, source, thread_time) for function in functions]
    try:
        return [await work.result for work in under_way]
    finally:
        for work in under_way:
            turns.give_up(work)


async def _pieces(
    turns: Turns, function: Callable[[Interruption], Iterator[Item]], most: int
) -> AsyncIterator[list[Item]]:
    thread_time = ThreadTime()
    # Each piece is work of its own, with an interruption of its own.
    of_piece: list[Interruption] = [never]

    def interruption_of_piece() -> bool:
        return of_piece[0]()

    items = function(interruption_of_piece)

    def piece(interruption: Interruption) -> list[Item]:
        of_piece[0] = interruption
        return _piece(items, most)

    while True:
        (found,) = await _all_of(turns, [piece], items, thread_time)
        if not found:
            return
        yield found


def _piece(items: Iterator[Item], most: int) -> list[Item]:
    piece: list[Item] = []
    end = time.monotonic() + _PIECE
    for item in items:
        piece.append(item)
        if len(piece) >= most or time.monotonic() > end:
            break
    return piece
