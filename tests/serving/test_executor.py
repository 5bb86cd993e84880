"""Kernels run on threads, and learn when nobody waits for them any longer."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from hopfield_service.serving.executor import KernelExecutor


async def test_a_call_runs_on_another_thread_and_its_result_or_error_comes_back() -> None:
    executor = KernelExecutor(1)
    assert await executor.call(lambda argument: (argument, threading.current_thread().name), 7) == (7, "kernel_0")
    with pytest.raises(ZeroDivisionError):
        await executor.call(lambda argument: 1 // argument, 0)
    executor.close()


async def test_a_function_hears_that_its_caller_was_cancelled() -> None:
    executor = KernelExecutor(1)
    started, ended = threading.Event(), threading.Event()

    def until_abandoned(abandoned: Callable[[], bool]) -> None:
        started.set()
        while not abandoned():
            pass
        ended.set()

    task = asyncio.create_task(executor.call_interruptibly(until_abandoned))
    await asyncio.to_thread(started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 10)
    executor.close()


async def test_what_is_not_abandoned_is_not_told_so() -> None:
    executor = KernelExecutor(1)
    assert await executor.call_interruptibly(lambda abandoned: abandoned()) is False
    executor.close()
