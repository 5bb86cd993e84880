"""The client of Redis. No command keeps anybody waiting for long: it is answered within a time, or given up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

# Commands that may be under way at once; more wait for one of these.
_CONNECTIONS = 64
# What a command carries travels at least so fast. Few carry more than a tenth of a second's worth.
_BYTES_PER_SECOND = 50e6


class RedisAway(RedisConnectionError):
    """Redis is known to be away, and was not asked."""


class BoundedRedis(redis.Redis):
    """A client that gives up what is not answered in time, and asks nothing of a Redis that is known to be away.

    A command whose connection breaks is sent again, and so is one that has no answer after half of its time: its reply may have been
    lost. Whoever sends a command must therefore send one that can be repeated.
    """

    def __init__(self, url: str, seconds: float) -> None:
        """Connects when first used.

        Args:
            url: redis://, rediss:// or unix://.
            seconds: in which a command must be answered, connecting and sending again included; longer by what it takes to
                carry a large one.
        """
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            # One bound for everything, below, instead of one for each step.
            timeout=None,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2, supported_errors=(RedisConnectionError,)),
            protocol=2,
        )
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._seconds = seconds
        self._away = False
        self._under_way: set[asyncio.Timeout] = set()

    @property
    def away(self) -> bool:
        """Whether Redis is known to be away."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        """Once it is, commands are refused, and those under way given up: they would only wait."""
        self._away = away
        if away:
            for bound in self._under_way:
                bound.reschedule(0)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """See redis.Redis.

        Raises:
            RedisAway: it is known to be.
            redis.exceptions.TimeoutError: there was no answer in time.
        """
        seconds = self._seconds + sum(len(arg) for arg in args if isinstance(arg, bytes)) / _BYTES_PER_SECOND
        send = cast("Callable[[], Awaitable[Any]]", partial(super().execute_command, *args, **options))
        async with self.bounded(seconds):
            try:
                async with asyncio.timeout(seconds / 2):
                    return await send()
            except TimeoutError:
                return await send()

    @asynccontextmanager
    async def bounded(self, seconds: float | None = None, *, though_away: bool = False) -> AsyncIterator[None]:
        """Gives up what is done inside after some seconds, or once Redis is known to be away.

        Args:
            seconds: None for those of any command.
            though_away: whether to try all the same where it is known to be away already.

        Raises:
            RedisAway: it is known to be, and is not tried.
            redis.exceptions.TimeoutError: it was given up.
        """
        if self._away and not though_away:
            raise RedisAway
        try:
            async with asyncio.timeout(self._seconds if seconds is None else seconds) as bound:
                self._under_way.add(bound)
                try:
                    yield
                finally:
                    self._under_way.discard(bound)
        except TimeoutError as error:
            raise RedisTimeoutError("no answer in time") from error
