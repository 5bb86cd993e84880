"""The threads that kernels run on. Kernels release the GIL, so that the event loop goes on meanwhile."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class KernelExecutor:
    """A fixed number of threads for recalls, and as many for learning, which recalls however long do not keep waiting."""

    def __init__(self, threads: int) -> None:
        self._learning = ThreadPoolExecutor(threads, thread_name_prefix="learning")
        self._recalling = ThreadPoolExecutor(threads, thread_name_prefix="recalling")
        self._closing = threading.Event()

    async def learn(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        """Runs a function on a thread, to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._learning, function, argument)

    async def recall(self, function: Callable[[Callable[[], bool]], Result]) -> Result:
        """Runs a function on a thread.

        Args:
            function: is given another that says, from any thread, whether nobody waits for the result any longer: when the
                awaiting task was cancelled, as gRPC does when the caller went away or the deadline passed, or when the
                service is closing.
        """
        abandoned = threading.Event()

        def interrupted() -> bool:
            return abandoned.is_set() or self._closing.is_set()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._recalling, function, interrupted)
        finally:
            abandoned.set()

    async def close(self) -> None:
        """Interrupts the recalls, waits for what runs, and starts nothing more."""
        self._closing.set()
        for pool in (self._recalling, self._learning):
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
