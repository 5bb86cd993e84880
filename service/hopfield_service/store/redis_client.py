"""The client of Redis. No command keeps anybody waiting for long: it is answered within a time, or given up."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hopfield_service.logs import Repeats
from hopfield_service.store.handshake import reason_of_failure
from hopfield_service.store.patience import Patience
from hopfield_service.store.redis_pool import FairSemaphore, Pool
from hopfield_service.store.redis_refusals import PasswordFileUnusable, Refusal, code_of

# Connections that are kept free for the probe and for announcements.
_RESERVED = 2
_log = logging.getLogger(__name__)
_log.addFilter(Repeats(60.0))

_DEFAULT_PORT = 6379
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

    def __init__(self, url: str, seconds: float, connections: int, password_file: Path | None = None) -> None:
        """Connects when first used.

        Args:
            url: redis://, rediss:// or unix://.
            seconds: in which a command must be answered, connecting and sending again included; longer by what it takes to
                carry a large one.
            connections: at once, at most; the option max_connections of the URL goes before it.
            password_file: holds the password, which is read for each new connection; None for that of the URL.
        """
        options: dict[str, Any] = {
            "max_connections": connections,
            # One bound for everything, below, instead of one for each step.
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "retry": Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2, supported_errors=(RedisConnectionError,)),
            "protocol": 2,
            **parse_url(url),
        }
        if password_file is not None:
            options["credential_provider"] = _PasswordFile(password_file, options.pop("username", None))
        pool = Pool(**options)
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True
        self._pool = pool
        self._seconds = seconds
        self._turns = FairSemaphore(lambda: max(1, pool.size - _RESERVED))
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
            except ResponseError as error:
                if code_of(error) != "READONLY":
                    raise
                # The server that this connection leads to was the primary once. Another may have its address now.
                await self.reconnect()
                return await send()

    async def reason_of_failure(self) -> Refusal | None:
        """Why there is no connection, where its error does not say."""
        host, port = (self._pool.connection_kwargs.get(part) for part in ("host", "port"))
        tls = issubclass(self._pool.connection_class, SSLConnection)
        if host is None or (tls and self._last_answer != -math.inf):
            return None
        return await reason_of_failure(host, port or _DEFAULT_PORT, tls=tls, seconds=self._seconds)

    @property
    def last_answer(self) -> float:
        """When Redis last answered anything, by the clock of the event loop."""
        return self._last_answer

    async def reconnect(self) -> None:
        """Closes all connections, those in use once they are released, so that the next ones lead where the address does."""
        _log.info("the Redis at the other end is a replica now; connecting anew")
        await self._pool.reconnect()

    def is_stale(self, subscription: PubSub) -> bool:
        """Whether a subscription was opened before the last `reconnect`."""
        return self._pool.is_stale(subscription.connection)

    async def tend(self) -> None:
        """To be called now and then: see `Pool.tend`."""
        await self._pool.tend()
        self._turns.admit()

    def _suspect_that_it_is_away(self) -> None:
        """Asks whether Redis is there, unless it has answered somebody just now: then it is a command that is slow."""
        silent = asyncio.get_running_loop().time() - self._last_answer > self._seconds / 2
        if silent and (self._suspicion is None or self._suspicion.done()):
            self._suspicion = asyncio.create_task(self._confirm_that_it_is_away())

    async def _confirm_that_it_is_away(self) -> None:
        if not await self._answers(self._seconds / 2):
            self.away = True

    async def _answers(self, seconds: float) -> bool:
        """Whether Redis gives a sign of life within some seconds."""
        try:
            async with self.bounded(seconds, reserved=True), self.pipeline(transaction=False) as pipeline:
                pipeline.ping()
                await pipeline.execute()
        except RedisError as error:
            # One that refuses has answered. The probe says what and why.
            return isinstance(error, ResponseError)
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
                        nullcontext() if reserved else self._turns,
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


class _PasswordFile(CredentialProvider):
    """The user of the URL with the password that a file holds now: it may change while the service runs."""

    def __init__(self, path: Path, username: str | None) -> None:
        self._path = path
        self._username = username

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """See CredentialProvider.

        Raises:
            PasswordFileUnusable: the file cannot be read, or is empty.
        """
        try:
            password = self._path.read_text().rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise PasswordFileUnusable(f"the file HOPFIELD_REDIS_PASSWORD_FILE cannot be read ({why})") from error
        if not password:
            raise PasswordFileUnusable("the file HOPFIELD_REDIS_PASSWORD_FILE is empty; write the password into it")
        return (self._username, password) if self._username else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """See `get_credentials`. A file this small is read at once."""
        return self.get_credentials()
