"""Kernels run on threads, and learn when nobody waits for them any longer."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import pytest
from tests.waiting import until as until_true

from hopfield_service.core.interruption import Interrupted, Interruption
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.serving.turns import ThreadTime

Result = TypeVar("Result")

wait_until = partial(until_true, within=60)

A, B = object(), object()
"""Stand for two networks."""


async def on_thread(executor: KernelExecutor, function: Callable[[Interruption], Result], source: object = A) -> Result:
    return await executor.recall(function, source)


def until(interruption: Interruption) -> None:
    """Runs until it is interrupted."""
    while not interruption():
        pass
    raise Interrupted


class Occupied:
    """Keeps the threads of an executor busy until it is told to let go."""

    def __init__(self, executor: KernelExecutor, threads: int) -> None:
        self._begun = threading.Barrier(threads + 1)
        self._over = threading.Event()
        self._tasks = [asyncio.create_task(on_thread(executor, self._occupy, object())) for _ in range(threads)]

    def _occupy(self, _: Interruption) -> None:
        self._begun.wait(60)
        self._over.wait(60)

    async def begun(self) -> None:
        await asyncio.to_thread(self._begun.wait, 60)

    async def let_go(self) -> None:
        self._over.set()
        await asyncio.gather(*self._tasks)


async def test_a_call_runs_on_another_thread_and_its_result_or_error_comes_back() -> None:
    executor = KernelExecutor(1)
    assert await executor.learn(lambda _: threading.current_thread().name) == "learning_0"
    assert await on_thread(executor, lambda _: threading.current_thread().name) == "recalling_0"
    with pytest.raises(ZeroDivisionError):
        await executor.learn(lambda _: 1 // 0)
    await executor.close()


@pytest.mark.parametrize("kind", ["recall", "learn"])
async def test_a_function_hears_that_its_caller_was_cancelled(kind: str) -> None:
    executor = KernelExecutor(1)
    run = partial(on_thread, executor) if kind == "recall" else executor.learn
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
    assert await on_thread(executor, lambda abandoned: abandoned()) is False
    await executor.close()


async def test_closing_interrupts_the_recalls_that_run() -> None:
    executor = KernelExecutor(1)
    started = threading.Event()

    def until_interrupted(interrupted: Callable[[], bool]) -> str:
        started.set()
        while not interrupted():
            pass
        return "interrupted"

    task = asyncio.create_task(on_thread(executor, until_interrupted))
    await asyncio.to_thread(started.wait)
    await executor.close()
    assert await task == "interrupted"


async def test_learning_does_not_wait_for_recalls() -> None:
    executor = KernelExecutor(1)
    started, learnt = threading.Event(), threading.Event()

    def until_learnt(interrupted: Callable[[], bool]) -> bool:
        started.set()
        return learnt.wait(10) and not interrupted()

    task = asyncio.create_task(on_thread(executor, until_learnt))
    await asyncio.to_thread(started.wait)
    await executor.learn(lambda _: learnt.set())
    assert await task
    await executor.close()


async def test_a_short_recall_runs_where_the_request_is() -> None:
    executor = KernelExecutor(1)
    assert await executor.run(lambda _: threading.current_thread(), A, short=True) is threading.main_thread()
    with pytest.raises(ZeroDivisionError):
        await executor.run(lambda _: 1 // 0, A, short=True)
    await executor.close()


async def test_a_recall_that_is_not_as_short_as_expected_goes_on_on_a_thread() -> None:
    executor = KernelExecutor(1)
    tries = []

    def longer(interruption: Interruption) -> str:
        tries.append(threading.current_thread().name)
        if len(tries) == 1:
            until(interruption)
        return tries[-1]

    assert await executor.run(longer, A, short=True) == "recalling_0"
    assert tries == [threading.main_thread().name, "recalling_0"]
    await executor.close()


async def test_recalls_of_one_network_that_wait_run_one_after_the_other() -> None:
    executor = KernelExecutor(1)
    occupied = Occupied(executor, 1)
    await occupied.begun()
    order: list[str] = []
    names = ("A1", "B1", "A2", "B2", "A3")
    waiting = [
        asyncio.create_task(on_thread(executor, lambda _, name=name: order.append(name), A if name[0] == "A" else B))  # type: ignore[misc]
        for name in names
    ]
    await asyncio.sleep(0)
    await occupied.let_go()
    await asyncio.gather(*waiting)
    assert order == ["A1", "A2", "A3", "B1", "B2"]
    await executor.close()


async def test_recalls_of_one_network_share_the_threads() -> None:
    executor = KernelExecutor(2)
    occupied = Occupied(executor, 2)
    await occupied.begun()
    together = threading.Barrier(2)

    def both(_: Interruption) -> None:
        together.wait(60)

    waiting = [asyncio.create_task(on_thread(executor, both)) for _ in range(4)]
    await asyncio.sleep(0)
    await occupied.let_go()
    await asyncio.gather(*waiting)
    await executor.close()


async def test_parts_of_a_recall_run_at_the_same_time_and_their_results_come_in_order() -> None:
    executor = KernelExecutor(2)
    together, first_waits = threading.Barrier(2), threading.Event()

    def first(_: Interruption) -> str:
        together.wait(60)
        first_waits.wait(60)
        return "first"

    def second(_: Interruption) -> str:
        together.wait(60)
        first_waits.set()
        return "second"

    assert executor.idle_threads == 2
    assert await executor.recall_all([first, second], A, ThreadTime()) == ["first", "second"]
    await executor.close()


async def test_the_error_of_a_part_is_that_of_the_whole_and_the_other_parts_are_given_up() -> None:
    executor = KernelExecutor(2)
    together, given_up = threading.Barrier(2), threading.Event()

    def wrong(_: Interruption) -> None:
        together.wait(60)
        raise ZeroDivisionError

    def other(interruption: Interruption) -> None:
        together.wait(60)
        try:
            until(interruption)
        finally:
            given_up.set()

    with pytest.raises(ZeroDivisionError):
        await executor.recall_all([wrong, other], A, ThreadTime())
    assert await asyncio.to_thread(given_up.wait, 60)
    await executor.close()
    assert executor.idle_threads == 2


async def test_a_closed_executor_gives_up_what_comes_after() -> None:
    executor = KernelExecutor(1)
    await executor.close()
    with pytest.raises(asyncio.CancelledError):
        await on_thread(executor, lambda _: "done")


async def test_a_long_recall_keeps_the_others_of_its_batch_for_a_moment_only() -> None:
    executor = KernelExecutor(1)
    occupied = Occupied(executor, 1)
    await occupied.begun()
    long = asyncio.create_task(on_thread(executor, until))
    others = [asyncio.create_task(on_thread(executor, lambda _: "done")) for _ in range(3)]
    await asyncio.sleep(0)
    await occupied.let_go()
    # It goes on when they are done.
    assert await asyncio.gather(*others) == ["done"] * 3
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert await on_thread(executor, lambda _: "next") == "next"
    await executor.close()


async def test_long_work_lets_short_work_pass_and_goes_on_where_it_was() -> None:
    executor = KernelExecutor(2)
    passed = threading.Event()
    tries: list[int] = []

    def long(interruption: Interruption) -> str:
        tries.append(1)
        while not passed.is_set():
            assert not interruption()
        return "done"

    for run in (partial(on_thread, executor), executor.learn, executor.load):
        passed.clear()
        tries.clear()
        under_way = [asyncio.create_task(run(long)) for _ in range(20)]
        assert await run(lambda _: "short") == "short"
        passed.set()
        assert await asyncio.gather(*under_way) == ["done"] * 20
        assert len(tries) == 20
    await executor.close()


async def test_all_long_work_goes_on() -> None:
    executor = KernelExecutor(2)
    counts = [0] * 50

    def long(interruption: Interruption, number: int) -> None:
        # Until each of the others has had several turns.
        while min(counts) < 5:
            assert not interruption()
            counts[number] += 1

    under_way = [executor.recall(partial(long, number=number), object(), long=True) for number in range(50)]
    await asyncio.wait_for(asyncio.gather(*under_way), 120)
    await executor.close()


async def test_a_steady_stream_of_short_work_does_not_stop_long_work() -> None:
    executor = KernelExecutor(1)
    ended = threading.Event()
    turns: list[float] = []

    def long(interruption: Interruption) -> None:
        while len(turns) < 5:
            before = time.monotonic()
            assert not interruption()
            if time.monotonic() - before > 0.01:
                turns.append(before)
        ended.set()

    def short(interruption: Interruption) -> None:
        end = time.monotonic() + 0.005
        while time.monotonic() < end:
            interruption()

    async def callers() -> None:
        while not ended.is_set():
            await on_thread(executor, short, object())

    await asyncio.wait_for(asyncio.gather(on_thread(executor, long), *(callers() for _ in range(4))), 60)
    await executor.close()


async def test_work_that_waits_for_its_turn_ends_at_once_when_it_is_given_up() -> None:
    executor = KernelExecutor(1)
    began: list[int] = []
    ended: list[int] = []

    def long(interruption: Interruption, number: int) -> None:
        began.append(number)
        try:
            until(interruption)
        finally:
            ended.append(number)

    under_way = [asyncio.create_task(executor.learn(partial(long, number=number))) for number in range(10)]
    await asyncio.to_thread(wait_until, lambda: len(began) == 10)
    for task in under_way[1:]:
        task.cancel()
    await asyncio.gather(*under_way[1:], return_exceptions=True)
    await asyncio.to_thread(wait_until, lambda: len(ended) >= 9)
    under_way[0].cancel()
    await asyncio.gather(under_way[0], return_exceptions=True)
    await asyncio.to_thread(wait_until, lambda: len(ended) == 10)
    assert await executor.learn(lambda _: "next") == "next"
    await executor.close()


async def test_closing_does_not_wait_for_what_does_not_ask() -> None:
    executor = KernelExecutor(1)
    let_go, began = threading.Event(), threading.Event()

    def deaf(_: Interruption) -> None:
        began.set()
        let_go.wait(60)

    task = asyncio.create_task(executor.learn(deaf))
    await asyncio.to_thread(began.wait)
    await asyncio.wait_for(executor.close(), 10)
    with pytest.raises(asyncio.CancelledError):
        await task
    let_go.set()


async def test_a_recall_given_up_while_it_waits_does_not_run() -> None:
    executor = KernelExecutor(1)
    occupied = Occupied(executor, 1)
    await occupied.begun()
    ran: list[str] = []
    given_up = asyncio.create_task(on_thread(executor, lambda _: ran.append("given up")))
    other = asyncio.create_task(on_thread(executor, lambda _: ran.append("other")))
    await asyncio.sleep(0)
    given_up.cancel()
    await occupied.let_go()
    await other
    assert ran == ["other"]
    await executor.close()


async def test_closing_gives_up_the_recalls_that_wait() -> None:
    executor = KernelExecutor(1)
    occupied = Occupied(executor, 1)
    await occupied.begun()
    waiting = asyncio.create_task(on_thread(executor, lambda _: "done"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(executor.close())
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await occupied.let_go()
    await closing


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
