"""Kernels run on threads, and learn when nobody waits for them any longer."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from hopfield_service.core.interruption import Interruption
from hopfield_service.serving.executor import KernelExecutor


async def test_a_call_runs_on_another_thread_and_its_result_or_error_comes_back() -> None:
    executor = KernelExecutor(1)
    assert await executor.learn(lambda _: threading.current_thread().name) == "learning_0"
    assert await executor.recall(lambda _: threading.current_thread().name) == "recalling_0"
    with pytest.raises(ZeroDivisionError):
        await executor.learn(lambda _: 1 // 0)
    await executor.close()


@pytest.mark.parametrize("kind", ["recall", "learn"])
async def test_a_function_hears_that_its_caller_was_cancelled(kind: str) -> None:
    executor = KernelExecutor(1)
    run = executor.recall if kind == "recall" else executor.learn
    started, ended = threading.Event(), threading.Event()

    def until_abandoned(abandoned: Callable[[], bool]) -> None:
        started.set()
        while not abandoned():
            pass
        ended.set()

    task = asyncio.create_task(run(until_abandoned))
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
    await executor.learn(lambda _: learnt.set())
    assert await task
    await executor.close()


async def test_a_trace_passes_on_what_there_is_and_stands_still_until_it_is_taken() -> None:
    executor = KernelExecutor(1)
    made: list[int] = []

    def count(_: Interruption) -> Iterator[int]:
        for number in range(7):
            made.append(number)
            yield number

    pieces = executor.trace(count, 3)
    assert await anext(pieces) == [0, 1, 2]
    assert made == [0, 1, 2]
    assert [piece async for piece in pieces] == [[3, 4, 5], [6]]
    await executor.close()


async def test_a_trace_that_nobody_takes_any_longer_ends() -> None:
    executor = KernelExecutor(1)
    started, ended = threading.Event(), threading.Event()

    def until_abandoned(interruption: Interruption) -> Iterator[int]:
        yield 0
        started.set()
        while not interruption():
            pass
        ended.set()

    pieces = executor.trace(until_abandoned, 1)
    assert await anext(pieces) == [0]
    waiting = asyncio.ensure_future(anext(pieces))
    await asyncio.to_thread(started.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(ended.wait, 10)
    await executor.close()
