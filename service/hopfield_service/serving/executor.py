"""Where kernels run: short recalls at once, everything else on threads. Kernels release the GIL, so that the event loop goes on."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from hopfield_service.core.interruption import Interrupted, Interruption

Item = TypeVar("Item")
Result = TypeVar("Result")

# Seconds after which what a thread has found so far is passed on.
_PIECE = 0.05
# Seconds that a recall taken for short may keep the event loop; then it is begun anew on a thread.
_SHORT = 0.001
# Seconds that a recall may keep others of its batch; then it is put back, to run alone.
_PATIENCE = 0.1


class _Waiting(Generic[Result]):
    """A recall that waits for a thread.

    Attributes:
        function: as `KernelExecutor.recall` takes it.
        of: what it recalls from.
        result: where its result goes.
        alone: it takes long, and must not keep others of a batch.
        abandoned: nobody waits for it any longer.
    """

    def __init__(
        self,
        function: Callable[[Interruption], Result],
        of: object,
        result: "asyncio.Future[Result]",
        *,
        alone: bool,
    ) -> None:
        self.function = function
        self.of = of
        self.result = result
        self.alone = alone
        self.abandoned = False

    def succeed(self, result: Result) -> None:
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)

    def abandon(self) -> None:
        """Says that nobody waits for the result any longer, nor wonders at an error."""
        self.abandoned = True
        if not self.result.cancel() and not self.result.cancelled():
            self.result.exception()


class KernelExecutor:
    """A fixed number of threads for recalls, and as many for learning, which recalls however long do not keep waiting."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._learning = ThreadPoolExecutor(threads, thread_name_prefix="learning")
        self._recalling = ThreadPoolExecutor(threads, thread_name_prefix="recalling")
        # In order; a dictionary, since any of them may be given up.
        self._waiting: dict[_Waiting[Any], None] = {}
        self._unanswered: set[_Waiting[Any]] = set()
        self._idle = threads
        self._closing = threading.Event()

    async def learn(self, function: Callable[[Interruption], Result]) -> Result:
        """Runs a function on a thread for learning.

        Args:
            function: is given another that says, from any thread, whether nobody waits for the result any longer: when the
                awaiting task was cancelled, as gRPC does when the caller went away or the deadline passed, or when the
                service is closing.
        """
        with self._interruption() as interruption:
            return await asyncio.get_running_loop().run_in_executor(self._learning, function, interruption)

    def at_once(self, function: Callable[[Interruption], Result]) -> Result | None:
        """Runs a function that is expected to take less time than the way to a thread and back: here and now.

        Args:
            function: as for `learn`. It may be run anew, and must give the same result then.

        Returns:
            Its result; None where it took longer and was interrupted, to be run by `recall`, alone.
        """
        end = time.monotonic() + _SHORT
        try:
            return function(lambda: time.monotonic() > end)
        except Interrupted:
            return None

    async def recall(self, function: Callable[[Interruption], Result], of: object, *, alone: bool = False) -> Result:
        """Runs a function that recalls on a thread for recalls.

        Those of one network that wait for a thread are run as one batch, one right after the other, while its weights are in the
        cache. None waits for a batch to fill: a batch is what came while all threads were busy.

        Args:
            function: as for `at_once`.
            of: the network it recalls from.
            alone: whether it must not keep others of a batch.
        """
        (result,) = await self.recall_all([function], of, alone=alone)
        return result

    async def recall_all(
        self, functions: Iterable[Callable[[Interruption], Result]], of: object, *, alone: bool = False
    ) -> list[Result]:
        """Runs each of some functions as `recall` does, all at the same time where threads are idle.

        Returns:
            Their results, in order.
        """
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(function, of, loop.create_future(), alone=alone) for function in functions]
        self._unanswered.update(waiting)
        for one in waiting:
            self._wait_for_thread(one)
        try:
            return [await one.result for one in waiting]
        finally:
            for one in waiting:
                one.abandon()
                self._waiting.pop(one, None)
            self._unanswered.difference_update(waiting)

    async def run(self, function: Callable[[Interruption], Result], of: object, *, short: bool) -> Result:
        """Runs a function that recalls: `at_once` if it is expected to be short, and on a thread if it is not, or was not."""
        result = self.at_once(function) if short else None
        return await self.recall(function, of, alone=short) if result is None else result

    @property
    def idle_threads(self) -> int:
        """How many threads for recalls nobody uses now."""
        return self._idle

    def _wait_for_thread(self, waiting: _Waiting[Any]) -> None:
        if self._closing.is_set():
            waiting.result.cancel()
            return
        self._waiting[waiting] = None
        self._start_batches()

    def _start_batches(self) -> None:
        while self._idle and self._waiting and not self._closing.is_set():
            self._idle -= 1
            self._recalling.submit(self._run_batch, self._next_batch(), asyncio.get_running_loop())

    def _next_batch(self) -> list[_Waiting[Any]]:
        """The recall that has waited longest, and a thread's share of those that recall from the same."""
        first = next(iter(self._waiting))
        same = [first] if first.alone else [one for one in self._waiting if one.of is first.of and not one.alone]
        batch = same[: math.ceil(len(same) / self._threads)]
        for one in batch:
            del self._waiting[one]
        return batch

    def _run_batch(self, batch: list[_Waiting[Any]], loop: asyncio.AbstractEventLoop) -> None:
        """Runs on a thread for recalls."""
        for one in batch:
            if self._given_up(one):
                continue
            end = math.inf if one.alone or len(batch) == 1 else time.monotonic() + _PATIENCE
            try:
                result = one.function(lambda: self._given_up(one) or time.monotonic() > end)  # noqa: B023 - called here alone
            except Interrupted as error:
                if self._given_up(one):
                    loop.call_soon_threadsafe(one.fail, error)
                else:
                    one.alone = True
                    loop.call_soon_threadsafe(self._wait_for_thread, one)
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                loop.call_soon_threadsafe(one.fail, error)
            else:
                loop.call_soon_threadsafe(one.succeed, result)
        loop.call_soon_threadsafe(self._batch_ended)

    def _given_up(self, waiting: _Waiting[Any]) -> bool:
        return waiting.abandoned or self._closing.is_set()

    def _batch_ended(self) -> None:
        self._idle += 1
        self._start_batches()

    async def trace(self, function: Callable[[Interruption], Iterator[Item]], most: int) -> AsyncIterator[list[Item]]:
        """Runs an iterator on threads for recalls.

        Args:
            function: makes the iterator; is given what `learn` gives.
            most: items to be passed on at once.

        Yields:
            The next items, at least one: as many as come in some milliseconds. The iterator stands still until they are taken.
        """
        with self._interruption() as interruption:
            items = function(interruption)
            while piece := await asyncio.get_running_loop().run_in_executor(self._recalling, _piece, items, most):
                yield piece

    @contextmanager
    def _interruption(self) -> Iterator[Interruption]:
        abandoned = threading.Event()
        try:
            yield lambda: abandoned.is_set() or self._closing.is_set()
        finally:
            abandoned.set()

    async def close(self) -> None:
        """Interrupts the recalls, waits for what runs, and starts nothing more."""
        self._closing.set()
        for one in self._waiting:
            one.result.cancel()
        for pool in (self._recalling, self._learning):
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
        # Of those whose batch never began; what ran has come to its end, and said so before this.
        for one in self._unanswered:
            one.result.cancel()


def _piece(items: Iterator[Item], most: int) -> list[Item]:
    piece: list[Item] = []
    end = time.monotonic() + _PIECE
    for item in items:
        piece.append(item)
        if len(piece) >= most or time.monotonic() > end:
            break
    return piece
