"""The connections to Redis: at most as many as the settings allow, and fewer where Redis allows fewer."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import redis.asyncio as redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from hopfield_service.logs import Repeats
from hopfield_service.store.redis_refusals import CLOSED, CROWDED, refusal_of

_log = logging.getLogger(__name__)
_log.addFilter(Repeats(600.0))

# Seconds after which a pool that was refused a connection tries to open more than it has.
_CROWDED_SECONDS = 10.0
# Seconds after which an unused connection is closed. Other clients of a Redis with few connections may need it.
_IDLE_SECONDS = 30.0


class FairSemaphore:
    """A semaphore that admits waiting tasks in their order, and whose size may change."""

    def __init__(self, size: Callable[[], int]) -> None:
        """Admits tasks while fewer than `size()` are inside."""
        self._size = size
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Waits for a turn. `give_back` ends it."""
        if self._inside < self._size() and not self._waiting:
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        # The size may have grown since the others began to wait.
        self.admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Ends a turn."""
        self._inside -= 1
        self.admit()

    def admit(self) -> None:
        """Admits as many waiting tasks as the size allows."""
        while self._waiting and self._inside < self._size():
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(self, *_: object) -> None:
        self.give_back()


class Pool(redis.ConnectionPool):
    """Connections to one Redis.

    A caller waits while all connections are in use. Where Redis refuses a further connection, the pool lives with those
    that it has, and tries again after 10 s.

    Attributes:
        size: Connections that may be in use at once now.
    """

    def __init__(self, max_connections: int, **options: Any) -> None:
        """Connects when first used.

        Args:
            max_connections: at once, at most.
            options: of `redis.asyncio.ConnectionPool`.
        """
        super().__init__(max_connections=max_connections, **options)
        self.size = max_connections
        self._crowded_until = 0.0
        self._turns = FairSemaphore(lambda: self.size)
        self._stale: WeakSet[AbstractConnection] = WeakSet()
        self._released: dict[AbstractConnection, float] = {}

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        """See redis.asyncio.ConnectionPool; waits for a connection while all are in use."""
        while True:
            await self._turns.take()
            connection = self.get_available_connection()
            try:
                await self.ensure_connection(connection)
            except RedisConnectionError as error:
                await self.release(connection)
                if not self._lives_without(error):
                    raise
            except BaseException:
                await self.release(connection)
                raise
            else:
                return connection

    def get_available_connection(self) -> AbstractConnection:
        """An open connection where there is one. A closed one would have to be opened, which Redis may refuse."""
        idle = self._available_connections
        number = next((i for i in reversed(range(len(idle))) if idle[i].is_connected), len(idle) - 1)
        connection = idle.pop(number) if idle else self.make_connection()  # type: ignore[no-untyped-call]
        self._released.pop(connection, None)
        self._in_use_connections.add(connection)
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """See redis.asyncio.ConnectionPool."""
        try:
            if connection in self._stale:
                self._stale.discard(connection)
                await connection.disconnect(nowait=True)
        finally:
            await super().release(connection)
            self._released[connection] = time.monotonic()
            self._turns.give_back()

    def _lives_without(self, error: RedisConnectionError) -> bool:
        """Whether there are open connections to use or to wait for instead of the one that could not be opened."""
        if any(each.is_connected for each in self._available_connections):
            return True
        connected = sum(each.is_connected for each in self._in_use_connections)
        # One of them may be the subscription, which is never released.
        if connected < 2 or not _turns_away(error):
            return False
        self.size = min(self.size, connected)
        refusal = refusal_of(error)
        # A connection that Redis closes before it says why: it serves others of this pool, so there are too many.
        reason = (CROWDED if refusal is CLOSED else refusal).reason
        _log.warning(
            "Redis accepts fewer connections than HOPFIELD_REDIS_CONNECTIONS (%d): %s. The service goes on with those "
            "that it has",
            *(self.max_connections, reason),
        )
        self._crowded_until = time.monotonic() + _CROWDED_SECONDS
        return True

    async def tend(self) -> None:
        """Closes connections that nobody used for a while, and tries to open more some time after a refusal."""
        now = time.monotonic()
        if now > self._crowded_until:
            self.size = self.max_connections
            self._turns.admit()
        unused = [each for each in self._available_connections if now - self._released.get(each, now) > _IDLE_SECONDS]
        await self._close(unused)

    async def reconnect(self) -> None:
        """Closes every connection: idle ones now, those in use when they are released."""
        self._stale.update(self._in_use_connections)
        await self._close(list(self._available_connections))

    def is_stale(self, connection: AbstractConnection | None) -> bool:
        """Whether a connection in use was opened before the last `reconnect`."""
        return connection is not None and connection in self._stale

    async def _close(self, idle: list[AbstractConnection]) -> None:
        # Taken out first, so that nobody uses a connection that is being closed.
        self._available_connections = [each for each in self._available_connections if each not in idle]
        for connection in idle:
            self._released.pop(connection, None)
            await connection.disconnect(nowait=True)


def _turns_away(error: RedisConnectionError) -> bool:
    """Whether a server was there and closed the new connection; there is none behind other errors."""
    cause = error.__context__
    return not isinstance(cause, OSError) or isinstance(cause, ConnectionResetError | BrokenPipeError)
