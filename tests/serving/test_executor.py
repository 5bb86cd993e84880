"""Kernels run on threads, and learn when nobody waits for them any longer."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from hopfield_service.serving.executor import KernelExecutor


async def test_a_call_runs_on_another_thread_and_its_result_or_error_comes_back() -> None:
    executor = KernelExecutor(1)
    assert await executor.learn(lambda argument: (argument, threading.current_thread().name), 7) == (7, "learning_0")
    with pytest.raises(ZeroDivisionError):
        await executor.learn(lambda argument: 1 // argument, 0)
    await executor.close()


async def test_a_function_hears_that_its_caller_was_cancelled() -> None:
    executor = KernelExecutor(1)
    started, ended = threading.Event(), threading.Event()

    def until_abandoned(abandoned: Callable[[], bool]) -> None:
        started.set()
        while not abandoned():
            pass
        ended.set()

    task = asyncio.create_task(executor.recall(until_abandoned))
    await asyncio.to_thread(started.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 10)
    await executor.close()


async def test_what_is_not_abandoned_is_not_told_so() -> None:
    executor = KernelExecutor(1)
    assert await executor.recall(lambda abandoned: abandoned()) is False
    await executor.close()


async def test_closing_interrupts_the_recalls_that_run() -> None:
    executor = KernelExecutor(1)
    started = threading.Event()

    def until_interrupted(interrupted: Callable[[], bool]) -> str:
        started.set()
        while not interrupted():
            pass
        return "interrupted"

    task = asyncio.create_task(executor.recall(until_interrupted))
    await asyncio.to_thread(started.wait)
    await executor.close()
    assert await task == "interrupted"


async def test_learning_does_not_wait_for_recalls() -> None:
    executor = KernelExecutor(1)
    started, learnt = threading.Event(), threading.Event()

    def until_learnt(interrupted: Callable[[], bool]) -> bool:
        started.set()
        return learnt.wait(10) and not interrupted()

    task = asyncio.create_task(executor.recall(until_learnt))
    await asyncio.to_thread(started.wait)
    await executor.learn(lambda event: event.set(), learnt)
    assert await task
    await executor.close()
