"""Messages of a stream are answered in order, and read no further than they are answered."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hopfield_service.rpc.streaming import answered_in_order

MOST = 4


class Numbers:
    """A stream of numbers, which knows how far it was read."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self.count):
            self.read += 1
            yield number


async def everything_else() -> None:
    """Lets all tasks go as far as they can."""
    for _ in range(100):
        await asyncio.sleep(0)


async def doubled(number: int) -> int:
    return 2 * number


async def test_answers_come_in_order_though_later_ones_are_ready_first() -> None:
    ready = [asyncio.Event() for _ in range(3)]

    async def answer(number: int) -> int:
        await ready[number].wait()
        return number

    answers = answered_in_order(aiter(Numbers(3)), answer, MOST)
    ready[2].set()
    ready[1].set()
    first = asyncio.ensure_future(anext(answers))
    await everything_else()
    assert not first.done()
    ready[0].set()
    assert [await first, *[number async for number in answers]] == [0, 1, 2]


async def test_a_stream_is_read_no_further_than_it_is_answered() -> None:
    numbers = Numbers(100)
    answers = answered_in_order(aiter(numbers), doubled, MOST)
    for taken in range(1, 20):
        assert await anext(answers) == 2 * (taken - 1)
        await everything_else()
        # The last one that was taken makes room when the next one is asked for.
        assert numbers.read == taken - 1 + MOST
    await answers.aclose()


async def test_an_answer_that_fails_ends_the_stream_after_those_before_it() -> None:
    async def answer(number: int) -> float:
        return 1 / (2 - number)

    answers = answered_in_order(aiter(Numbers(9)), answer, MOST)
    assert [await anext(answers), await anext(answers)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        await anext(answers)


async def test_a_stream_that_breaks_off_raises_after_the_answers_to_what_came() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise ConnectionError

    answers = answered_in_order(broken(), doubled, MOST)
    assert [await anext(answers), await anext(answers)] == [2, 4]
    with pytest.raises(ConnectionError):
        await anext(answers)


async def test_answers_that_nobody_takes_any_longer_are_given_up() -> None:
    given_up = []

    async def answer(number: int) -> int:
        if number == 0:
            return number
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.append(number)
            raise
        return number

    answers = answered_in_order(aiter(Numbers(9)), answer, MOST)
    assert await anext(answers) == 0
    await everything_else()
    await answers.aclose()
    assert sorted(given_up) == [1, 2, 3]
