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


class KernelExecutor:
    """A fixed number of threads for recalls, and as many for learning, which recalls however long do not keep waiting."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._learning = ThreadPoolExecutor(threads, thread_name_prefix="learning")
        self._recalling = ThreadPoolExecutor(threads, thread_name_prefix="recalling")
        # In order; a dictionary, since any of them may be given up.
        self._waiting: dict[_Waiting[Any], None] = {}
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

    async def recall(self, function: Callable[[Interruption], Result], of: object, *, short: bool) -> Result:
        """Runs a function that recalls: here and now if it is short, or else on a thread for recalls.

        Those of one network that wait for a thread are run as one batch, one right after the other, while its weights are in the
        cache. None waits for a batch to fill: a batch is what came while all threads were busy.

        Args:
            function: as for `learn`. It may be interrupted and run anew, and must give the same result then.
            of: the network it recalls from.
            short: whether it is expected to take less time than the way to a thread and back. It goes there all the same
                once it has taken longer.
        """
        if short:
            end = time.monotonic() + _SHORT
            try:
                return function(lambda: time.monotonic() > end)
            except Interrupted:
                pass
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(function, of, result, alone=short)
        self._wait_for_thread(waiting)
        try:
            return await result
        finally:
            waiting.abandoned = True
            self._waiting.pop(waiting, None)

    def _wait_for_thread(self, waiting: _Waiting[Any]) -> None:
        self._waiting[waiting] = None
        self._start_batches()

    def _start_batches(self) -> None:
        while self._idle and self._waiting:
            self._idle -= 1
            loop, batch = asyncio.get_running_loop(), self._next_batch()
            running = loop.run_in_executor(self._recalling, self._run_batch, batch, loop)
            running.add_done_callback(lambda _, batch=batch: self._batch_ended(batch))  # type: ignore[misc]

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

    def _given_up(self, waiting: _Waiting[Any]) -> bool:
        return waiting.abandoned or self._closing.is_set()

    def _batch_ended(self, batch: Iterable[_Waiting[Any]]) -> None:
        self._idle += 1
        if self._closing.is_set():
            # It may not have begun.
            for one in batch:
                one.result.cancel()
        else:
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


def _piece(items: Iterator[Item], most: int) -> list[Item]:
    piece: list[Item] = []
    end = time.monotonic() + _PIECE
    for item in items:
        piece.append(item)
        if len(piece) >= most or time.monotonic() > end:
            break
    return piece
