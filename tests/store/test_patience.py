"""Redis is not judged by a clock that the event loop itself has stopped."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest
from tests.processes import ValkeyProcess

from hopfield_service.store.patience import Patience
from hopfield_service.store.redis_client import BoundedRedis

SECONDS = 0.3
STALL = 1.0


@pytest.fixture
async def redis(valkey: ValkeyProcess) -> AsyncIterator[BoundedRedis]:
    client = BoundedRedis(f"redis://127.0.0.1:{valkey.port}/0", SECONDS, connections=8)
    yield client
    await client.aclose()


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of what takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


async def asked(valkey: ValkeyProcess, answering: Coroutine[Any, Any, Any]) -> Any:
    """What is asked of a Redis that answers after 0.1 s, while the event loop stands still."""
    with valkey.client() as other:
        other.execute_command("CLIENT", "PAUSE", "100")
    task = asyncio.create_task(answering)
    await asyncio.sleep(0.02)
    assert not task.done()
    time.sleep(STALL)  # noqa: ASYNC251 - the fault itself
    return await task


async def test_a_redis_that_answers_is_not_away_when_the_loop_stood_still(
    redis: BoundedRedis, valkey: ValkeyProcess
) -> None:
    assert await redis._answers(SECONDS)
    assert await asked(valkey, redis._answers(SECONDS))


async def test_a_command_is_answered_when_the_loop_stood_still(redis: BoundedRedis, valkey: ValkeyProcess) -> None:
    await redis.execute_command("SET", "a", "b")
    assert await asked(valkey, redis.execute_command("GET", "a")) == b"b"
    assert not redis.away


async def test_a_redis_that_is_silent_is_away_after_its_seconds(silent: str) -> None:
    client = BoundedRedis(silent, SECONDS, connections=8)
    began = time.monotonic()
    assert not await client._answers(SECONDS)
    assert time.monotonic() - began < 10 * SECONDS
    await client.aclose()


async def test_seconds_before_a_stall_count() -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(SECONDS / 2, time.sleep, STALL)
    began = loop.time()
    with pytest.raises(TimeoutError):
        async with Patience(SECONDS):
            await asyncio.sleep(60)
    # The stall, and as much again as was left before it.
    assert loop.time() - began >= STALL + SECONDS / 2


async def test_a_loop_that_is_always_late_does_not_wait_for_ever() -> None:
    loop = asyncio.get_running_loop()
    stalling = True

    def stall() -> None:
        time.sleep(0.1)
        if stalling:
            loop.call_soon(stall)

    stall()
    with pytest.raises(TimeoutError):
        async with Patience(0.1):
            await asyncio.sleep(60)
    stalling = False


async def test_what_ends_in_time_is_not_disturbed() -> None:
    async with Patience(0.1):
        pass
    await asyncio.sleep(0.2)
