"""The threads that kernels run on. Kernels release the GIL, so that the event loop goes on meanwhile."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from hopfield_service.core.interruption import Interruption

Item = TypeVar("Item")
Result = TypeVar("Result")

# Seconds after which what a thread has found so far is passed on.
_PIECE = 0.05


class KernelExecutor:
    """A fixed number of threads for recalls, and as many for learning, which recalls however long do not keep waiting."""

    def __init__(self, threads: int) -> None:
        self._learning = ThreadPoolExecutor(threads, thread_name_prefix="learning")
        self._recalling = ThreadPoolExecutor(threads, thread_name_prefix="recalling")
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

    async def recall(self, function: Callable[[Interruption], Result]) -> Result:
        """Runs a function on a thread for recalls. Arguments: as `learn`."""
        with self._interruption() as interruption:
            return await asyncio.get_running_loop().run_in_executor(self._recalling, function, interruption)

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
