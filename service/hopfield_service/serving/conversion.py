"""Threads for work that is neither recall nor learning: checks of large requests, conversions, large answers.

Such work is Python and numpy. It holds the GIL for parts of the time, so that it has few threads, and stops between two
pieces once nobody waits for it.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hopfield_service.core.interruption import Interruption, never

Result = TypeVar("Result")

PIECE = 1 << 13
"""Python objects that are worked through in about a millisecond, after which a conversion looks whether it goes on."""

# Two threads that hold the GIL in turn let the event loop have it within some ten milliseconds.
_threads = ThreadPoolExecutor(2, "converting")


async def on_thread(function: Callable[[Interruption], Result]) -> Result:
    """Runs a function on one of these threads.

    Args:
        function: is given another that says, from any thread, whether nobody waits for the result any longer.
    """
    abandoned = threading.Event()
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, function, abandoned.is_set)
    finally:
        abandoned.set()


async def on_thread_if(large: bool, function: Callable[[Interruption], Result]) -> Result:
    """Runs a function as `on_thread` does if it takes long, and at once if it does not."""
    return await on_thread(function) if large else function(never)
