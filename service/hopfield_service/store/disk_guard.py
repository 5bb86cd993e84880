"""Keeps the private Valkey server from filling its disk.

A Valkey that syncs every write ends when a write fails, since it cannot take back what it has carried out. So it is made to
refuse writes shortly before: its limit on memory is set to one byte, and it answers "OOM". Deleting is still allowed then.
A reserve file holds some room for that. It is removed where a write has failed all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from hopfield_service.store.valkey_process import connection

if TYPE_CHECKING:
    from pathlib import Path

    from hopfield_service.store.data_directory import Places

logger = logging.getLogger(__name__)

# What the reserve file holds for deletes and expiring keys.
_RESERVE_BYTES = 4 << 20
# Below this much free room, beside the reserve, changes are refused; from twice as much on they are taken again.
_LOW_BYTES = 4 << 20
# With less than this left the reserve is given up.
_EMPTY_BYTES = 256 << 10
# After a write that failed although there was room, for a smaller one, changes are refused for so long: at first, and at most.
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
# A failure so long after the last one counts as the first.
_CALM_SECONDS = 120.0
_ASK_SECONDS = 1.0
# How often a rewrite of the log is tried, to make room. Valkey's own rule only looks at how much the log has grown.
_REWRITE_SECONDS = 30.0
_REFUSE_WRITES = 1


class DiskGuard:
    """Decides whether Valkey takes changes, by the room on its disk.

    Attributes:
        closed: Whether changes are refused.
    """

    def __init__(self, places: Places, maxmemory: int) -> None:
        """Decides nothing before `prepare`.

        Args:
            places: of the data directory.
            maxmemory: bytes of data that Valkey takes at most while there is room.
        """
        self.closed = False
        self._socket = places.socket
        self._data = places.data
        self._reserve: Path = places.data / "reserve"
        self._maxmemory = maxmemory
        self._open_after = -math.inf
        self._pause = _PAUSE_SECONDS
        self._failed_at = -math.inf
        self._ask_after = -math.inf
        self._rewrite_after = -math.inf

    @property
    def maxmemory(self) -> int:
        """The limit that Valkey is to have now, in bytes."""
        return _REFUSE_WRITES if self.closed else self._maxmemory

    @property
    def is_low(self) -> bool:
        """Whether the disk has too little room."""
        return self._free() < _LOW_BYTES

    async def prepare(self) -> None:
        """Takes the reserve, before Valkey starts. Where there is no room for it changes are refused from the start."""
        if self.is_low or not await asyncio.to_thread(self._take_reserve):
            self._close()

    def write_failed(self) -> None:
        """Gives up the reserve and refuses changes, since Valkey has ended because a write failed."""
        now = time.monotonic()
        calm = now > self._failed_at + _CALM_SECONDS
        self._pause = _PAUSE_SECONDS if calm else min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        self._failed_at, self._open_after = now, now + self._pause
        self._give_up_reserve()
        self._close()

    async def look(self) -> None:
        """Looks at the disk, and tells Valkey whether to take changes. Does nothing while it does not answer."""
        with contextlib.suppress(RedisError):
            if self.closed:
                await self._look_for_room()
            elif self.is_low or await self._last_write_failed():
                await self._limit(_REFUSE_WRITES)
                self._close()

    async def _look_for_room(self) -> None:
        free = self._free()
        if free < _EMPTY_BYTES:
            self._give_up_reserve()
        needed = 2 * _LOW_BYTES + (0 if self._reserve.exists() else _RESERVE_BYTES)
        if free >= needed and time.monotonic() >= self._open_after:
            if await asyncio.to_thread(self._take_reserve) and not await self._last_write_failed():
                await self._limit(self._maxmemory)
                self.closed = False
                logger.warning("the disk of %s has room again: changes are taken", self._data)
        elif time.monotonic() >= self._rewrite_after:
            self._rewrite_after = time.monotonic() + _REWRITE_SECONDS
            await self._rewrite(free)

    async def _rewrite(self, free: int) -> None:
        """Has the log rewritten, where it holds much that is gone and what is left fits beside it."""
        async with connection(self._socket) as valkey:
            info = await valkey.info("memory", "persistence")
            live = int(info["used_memory_dataset"])
            reserved = _RESERVE_BYTES if self._reserve.exists() else 0
            worth_it = int(info["aof_current_size"]) > live + _LOW_BYTES
            if worth_it and free + reserved > live + _EMPTY_BYTES and not info["aof_rewrite_in_progress"]:
                self._give_up_reserve()
                logger.info("rewriting the log of %s, to make room", self._data)
                await valkey.bgrewriteaof()

    async def _last_write_failed(self) -> bool:
        """Whether Valkey could not write to its log, and goes on trying, as it does where it does not sync every write."""
        if time.monotonic() < self._ask_after and not self.closed:
            return False
        self._ask_after = time.monotonic() + _ASK_SECONDS
        async with connection(self._socket) as valkey:
            status: str = (await valkey.info("persistence")).get("aof_last_write_status", "ok")
            return status != "ok"

    async def _limit(self, maxmemory: int) -> None:
        async with connection(self._socket) as valkey:
            await valkey.config_set("maxmemory", maxmemory)

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            self._rewrite_after = time.monotonic() + _ASK_SECONDS
            logger.error(
                "the disk of %s is full (%d bytes are free): changes are refused until there is room (%d bytes); recalls go "
                "on, and memories can be deleted",
                *(self._data, self._free(), 2 * _LOW_BYTES + _RESERVE_BYTES),
            )

    def _free(self) -> int:
        found = os.statvfs(self._data)
        return found.f_bavail * found.f_frsize

    def _take_reserve(self) -> bool:
        """Writes the reserve file, unless it is there; whether it is there then."""
        try:
            if self._reserve.exists() and self._reserve.stat().st_size == _RESERVE_BYTES:
                return True
            with self._reserve.open("wb") as file:
                for _ in range(_RESERVE_BYTES >> 20):
                    file.write(bytes(1 << 20))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self._give_up_reserve()
            return False
        return True

    def _give_up_reserve(self) -> None:
        self._reserve.unlink(missing_ok=True)
