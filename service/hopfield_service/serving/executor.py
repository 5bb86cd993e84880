"""The threads that kernels run on. Kernels release the GIL, so that the event loop goes on meanwhile."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class KernelExecutor:
    """A fixed number of threads for whatever takes longer than the event loop can wait."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="kernel")

    async def call(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        """Runs a function on a thread, to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, argument)

    async def call_interruptibly(self, function: Callable[[Callable[[], bool]], Result]) -> Result:
        """Runs a function on a thread.

        Args:
            function: is given another that says, from any thread, whether nobody waits for the result any longer: when the
                awaiting task was cancelled, as gRPC does when the caller went away or the deadline passed.
        """
        abandoned = threading.Event()
        try:
            return await self.call(function, abandoned.is_set)
        finally:
            abandoned.set()

    def close(self) -> None:
        """Waits for what runs, and starts nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
