"""The client of Redis. No command keeps anybody waiting for long: it is answered within a time, or given up."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hopfield_service.store.patience import Patience

_log = logging.getLogger(__name__)

_CONNECTIONS = 64
# Of these some are kept free for what finds out whether Redis is there, and is to be told by it.
_RESERVED = 8
# What is large is given the time that it takes to carry at 100 Mbit/s.
_BYTES_PER_SECOND = 12e6

_expected_bytes: ContextVar[int] = ContextVar("_expected_bytes", default=0)


class RedisAway(RedisConnectionError):
    """Redis is known to be away, and was not asked, or no longer."""


@contextmanager
def expecting(nbytes: int) -> Iterator[None]:
    """Has commands inside given time for replies of so many bytes."""
    token = _expected_bytes.set(nbytes)
    try:
        yield
    finally:
        _expected_bytes.reset(token)


class BoundedRedis(redis.Redis):
    """A client that gives up what is not answered in time, and asks nothing of a Redis that is known to be away.

    The time of a command begins when it has a connection, however many commands wait for one: it is Redis that is judged by it. A
    command whose connection breaks is sent again, and so is one that has no answer after half of its time: its reply may have been
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
        self._slots = asyncio.Semaphore(_CONNECTIONS - _RESERVED)
        self._away = False
        # Everything that waits for Redis, to be given up when it is away.
        self._waiting: set[asyncio.Timeout] = set()
        self._last_answer = -math.inf
        self._suspicion: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether Redis is known to be away."""
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        """Once it is, commands are refused, and those under way given up: they would only wait."""
        self._away = away
        if away:
            for bound in self._waiting:
                if not bound.expired():
                    bound.reschedule(0)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """See redis.Redis.

        Raises:
            RedisAway: it is known to be.
            redis.exceptions.TimeoutError: there was no answer in time.
        """
        nbytes = _expected_bytes.get() + sum(len(arg) for arg in args if isinstance(arg, bytes))
        seconds = self._seconds + nbytes / _BYTES_PER_SECOND
        send = cast("Callable[[], Awaitable[Any]]", partial(super().execute_command, *args, **options))
        async with self.bounded(seconds):
            try:
                async with Patience(seconds / 2):
                    return await send()
            except TimeoutError:
                self._suspect_that_it_is_away()
                return await send()

    def _suspect_that_it_is_away(self) -> None:
        """Asks whether Redis is there, unless it has answered somebody just now: then it is a command that is slow."""
        silent = asyncio.get_running_loop().time() - self._last_answer > self._seconds / 2
        if silent and (self._suspicion is None or self._suspicion.done()):
            self._suspicion = asyncio.create_task(self._confirm_that_it_is_away())

    async def _confirm_that_it_is_away(self) -> None:
        if not await self.answers(self._seconds / 2):
            self.away = True

    async def answers(self, seconds: float | None = None) -> bool:
        """Whether Redis gives a sign of life within some seconds, asked also while it is known to be away."""
        try:
            async with self.bounded(seconds, reserved=True), self.pipeline(transaction=False) as pipeline:
                pipeline.ping()
                await pipeline.execute()
        except RedisError as error:
            _log.debug("no sign of life from Redis: %s", error)
            return False
        return True

    @asynccontextmanager
    async def bounded(self, seconds: float | None = None, *, reserved: bool = False) -> AsyncIterator[None]:
        """Gives up what is done inside after some seconds, or once Redis is known to be away.

        Args:
            seconds: None for those of any command.
            reserved: whether to use a connection that is kept free for it, and to try also while Redis is known to be away.

        Raises:
            RedisAway: it is known to be.
            redis.exceptions.TimeoutError: there was no answer in time.
        """
        if self._away and not reserved:
            raise RedisAway
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(None) as waiting:
                if not reserved:
                    self._waiting.add(waiting)
                try:
                    async with (
                        nullcontext() if reserved else self._slots,
                        Patience(self._seconds if seconds is None else seconds),
                    ):
                        yield
                        self._last_answer = clock()
                finally:
                    self._waiting.discard(waiting)
        except TimeoutError as error:
            if self._away and not reserved:
                raise RedisAway from error
            raise RedisTimeoutError("no answer in time") from error
