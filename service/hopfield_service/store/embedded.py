"""The private Valkey server of a service that was given no Redis.

Two locks keep a data directory to one service and one Valkey, whatever was killed and in which order.

* `service.lock` is held by the service for as long as it lives.
* `valkey.lock` is taken by the service and inherited by Valkey, and the service closes its own copy. From then on it is
  held exactly as long as Valkey, or a process that Valkey forked to rewrite its log, is alive.

A start that finds `valkey.lock` free therefore knows that no Valkey lives here. One that finds it held adopts the Valkey
that holds it, or kills it when it does not answer. Killing is safe: Valkey writes to its log before it answers, and what a
process has written outlives the process. For the same reason one that ends while the service runs is started anew.

The locks belong to files, not to paths. A service whose directory was deleted, moved or replaced kills its own Valkey and
ends: what that Valkey acknowledged would be lost, and the paths may belong to another service.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import time
from collections import deque
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from redis.exceptions import RedisError

from hopfield_service.store.data_directory import (
    DataDirectoryInUse,
    DataDirectoryUnusable,
    Places,
    made,
    prepared,
    usable,
)
from hopfield_service.store.disk_guard import DiskGuard
from hopfield_service.store.file_lock import acquire, is_free, try_lock
from hopfield_service.store.valkey_process import (
    EmbeddedServerFailed,
    connection,
    evict,
    fate,
    launch,
    ready,
)

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

__all__ = ["EmbeddedServer", "EmbeddedServerFailed"]

logger = logging.getLogger(__name__)

# A child that a killed service was just starting holds a copy of the lock until it has become Valkey.
_SERVICE_LOCK_SECONDS = 0.5
# How long a Valkey that was found running may show no sign of life. Replacing it loses nothing, so this is short.
_HUNG_SECONDS = 5.0
# How long a clean shutdown may take, which syncs the log to disk.
_SHUTDOWN_SECONDS = 10.0
# How long the end of a Valkey, a full disk or a deleted directory may go unnoticed.
_WATCH_SECONDS = 0.1
# One that ends so many times within so long has a reason that starting it once more does not take away.
_ENDS = 5
_ENDS_SECONDS = 60.0
# How long after a start that failed on a full disk the next one is tried.
_RETRY_SECONDS = 1.0
# The exit code of a Valkey that could not write to its log.
_WRITE_FAILED = 1


class EmbeddedServer:
    """A private Valkey server that listens on a Unix socket and keeps everything it acknowledged.

    It runs in a session of its own, so that Ctrl-C in a terminal reaches the service alone, and it outlives a service
    that is killed: the next `start` on the same directory adopts it.

    Attributes:
        url: Where it listens, for `redis.asyncio.from_url`: `unix:///absolute/path.sock`.
        pid: Its process id.
        adopted: Whether it was running already when it was started here.
    """

    def __init__(
        self,
        places: Places,
        service_lock: int,
        appendfsync: str,
        guard: DiskGuard,
        pid: int,
        process: subprocess.Popen[bytes] | None,
    ) -> None:
        self.url = "unix://" + quote(str(places.socket))
        self.pid = pid
        self.adopted = process is None
        self._places = places
        self._appendfsync = appendfsync
        self._guard = guard
        self._process = process
        self._service_lock: int | None = service_lock

    @classmethod
    async def start(
        cls, data_dir: Path, *, maxmemory: int = 0, appendfsync: Literal["always", "everysec"] = "always"
    ) -> EmbeddedServer:
        """Starts Valkey on a directory, or adopts the one that is running there, and waits until its data is loaded.

        Args:
            data_dir: Where the data lives. Made, readable by this user alone, when it does not exist.
            maxmemory: Bytes of data beyond which Valkey refuses writes; 0 for no limit.
            appendfsync: When a write reaches the disk: before it is acknowledged, or within a second of that. The death
                of any process loses nothing either way; with "everysec" the death of the machine can lose a second.

        Returns:
            The running server, which answers. Call `stop` when done.

        Raises:
            DataDirectoryInUse: Another service works on this directory.
            DataDirectoryUnusable: Nothing can be kept in this directory.
            EmbeddedServerFailed: Valkey cannot be run or does not come up.
        """
        with usable(data_dir), contextlib.ExitStack() as on_failure:
            data = made(data_dir)
            service_lock = await acquire(data / "service.lock", within=_SERVICE_LOCK_SECONDS)
            if service_lock is None:
                raise DataDirectoryInUse(
                    f"{data} is in use by another hopfield-server{_signature(data / 'service.lock')}. "
                    f"Stop that one, or set HOPFIELD_DATA_DIR to another directory for this one."
                )
            on_failure.callback(os.close, service_lock)
            _sign(service_lock)
            places = prepared(data)
            guard = DiskGuard(places, maxmemory)
            await guard.prepare()
            try:
                pid, process = await _adopt_or_launch(places, appendfsync, guard.maxmemory)
            except EmbeddedServerFailed as error:
                if guard.is_low:
                    raise EmbeddedServerFailed(f"{error}\nThe disk of {data} is full.") from error
                raise
            on_failure.pop_all()
        return cls(places, service_lock, appendfsync, guard, pid, process)

    async def keep_up(self) -> None:
        """Starts Valkey anew on the same directory whenever it ends, and has it refuse changes while the disk is full.

        Never returns; to be cancelled before `stop`.

        Raises:
            DataDirectoryUnusable: Nothing can be kept in this directory any longer: it is gone, perhaps.
            EmbeddedServerFailed: It does not come up again, or ends again and again.
        """
        ends: deque[float] = deque(maxlen=_ENDS)
        with usable(self._places.data):
            while True:
                lock = await self._lock_left_behind()
                end = "ended, nobody knows how" if self._process is None else fate(self._process)
                what = f"the private Valkey server (process {self.pid}) on {self._places.data} {end}"
                if self._could_not_write():
                    self._guard.write_failed()
                else:
                    ends.append(time.monotonic())
                if len(ends) == _ENDS and ends[-1] < ends[0] + _ENDS_SECONDS:
                    os.close(lock)
                    raise EmbeddedServerFailed(
                        f"{what}, and did so {_ENDS} times within {_ENDS_SECONDS:g} s. Its log is {self._places.log}."
                    )
                logger.error("%s; starting it anew. Its log is %s", what, self._places.log)
                self._process = await self._started_anew(lock)
                self.pid = self._process.pid

    def _could_not_write(self) -> bool:
        """Whether Valkey has ended because it could not write; of one that was adopted only the disk tells."""
        if self._process is None:
            return self._guard.is_low
        return self._process.returncode == _WRITE_FAILED

    async def _started_anew(self, lock: int) -> subprocess.Popen[bytes]:
        """Starts Valkey, on a full disk as often as it takes."""
        while True:
            try:
                return await launch(self._places, lock, self._appendfsync, self._guard.maxmemory)
            except (EmbeddedServerFailed, OSError) as error:
                self._check_directory()
                if not self._guard.is_low:
                    raise
                logger.error("the disk is full, and %s", error)  # noqa: TRY400 - the message says all
            await asyncio.sleep(_RETRY_SECONDS)
            relocked = try_lock(self._places.valkey_lock)
            lock = await evict(self._places) if relocked is None else relocked

    async def _lock_left_behind(self) -> int:
        """Waits until Valkey has ended, and takes its lock. Looks after the directory and the disk meanwhile.

        Looks now and then: a thread that waits for a process or for a lock could not be cancelled.
        """
        while True:
            self._check_directory()
            if self._process is None:
                # It is not a child of this process, and nothing but its lock tells of its end.
                lock = try_lock(self._places.valkey_lock)
                if lock is not None:
                    return lock
            elif self._process.poll() is not None:
                lock = try_lock(self._places.valkey_lock)
                # A process that it forked to rewrite its log may still hold it.
                return await evict(self._places) if lock is None else lock
            await self._guard.look()
            await asyncio.sleep(_WATCH_SECONDS)

    def _check_directory(self) -> None:
        """Kills Valkey when its directory is no longer the one that it was started on.

        Raises:
            DataDirectoryUnusable: It was deleted, moved or replaced.
        """
        if self._has_directory():
            return
        self._kill()
        raise DataDirectoryUnusable(
            f"the data directory {self._places.data} was deleted, moved or replaced while the service was using it. "
            f"Its Valkey server was ended, since what it stored from now on would be lost. "
            f"Start the service again to begin with what is in the directory now."
        )

    def _has_directory(self) -> bool:
        """Whether the lock of the service is still the file at its path, and the data directory still has data."""
        if self._service_lock is None:
            return False
        try:
            found = (self._places.data / "service.lock").stat()
            (self._places.files / "appendonlydir").stat()
        except OSError as error:
            # Anything else may pass, as on a file system that is slow to answer.
            return error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
        return os.path.samestat(found, os.fstat(self._service_lock))

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Shuts Valkey down, waits until it is gone, and frees the data directory. Does nothing the second time.

        A Valkey that does not shut down in time is killed, which loses nothing it acknowledged.

        Raises:
            EmbeddedServerFailed: It could be neither shut down nor killed.
        """
        if self._service_lock is None:
            return
        with usable(self._places.data), contextlib.ExitStack() as at_the_end:
            has_directory = self._has_directory()
            at_the_end.callback(os.close, self._service_lock)
            self._service_lock = None
            if not has_directory:
                # What lies at its paths, if anything, belongs to another service.
                self._kill()
                if self._process is not None:
                    await asyncio.to_thread(self._process.wait)
                return
            async with connection(self._places.socket) as valkey:
                # It never answers this one. Whether it heard is seen by its lock.
                with contextlib.suppress(RedisError):
                    await valkey.shutdown(nosave=True)
            valkey_lock = await acquire(self._places.valkey_lock, within=_SHUTDOWN_SECONDS)
            if valkey_lock is None:
                valkey_lock = await evict(self._places)
            at_the_end.callback(os.close, valkey_lock)
            if self._process is not None:
                await asyncio.to_thread(self._process.wait)
            self._places.remove_socket()


def _sign(lock: int) -> None:
    """Writes into a lock who holds it, for messages. A disk too full for that is full for Valkey, which says so."""
    os.ftruncate(lock, 0)
    with contextlib.suppress(OSError):
        os.write(lock, str(os.getpid()).encode())


def _signature(path: Path) -> str:
    """Who signed a lock, for a message; nothing when its holder has not come to signing yet."""
    signature = path.read_text("ascii", errors="replace")
    return f" (process {signature})" if signature.isdigit() else ""


async def _adopt_or_launch(
    places: Places, appendfsync: str, maxmemory: int
) -> tuple[int, subprocess.Popen[bytes] | None]:
    """Brings one Valkey up on a directory that this process has locked.

    Returns:
        Its process id, and its process if it was started now.
    """
    lock = try_lock(places.valkey_lock)
    if lock is None:
        pid = await _adopt(places, appendfsync, maxmemory)
        if pid is not None:
            logger.info("adopted the Valkey server (process %d) that was running on %s", pid, places.data)
            return pid, None
        lock = await evict(places)
    process = await launch(places, lock, appendfsync, maxmemory)
    return process.pid, process


async def _adopt(places: Places, appendfsync: str, maxmemory: int) -> int | None:
    """Waits for the running Valkey and sets it up as one started now would be.

    Returns:
        Its process id; None if it died or does not answer.
    """
    pid = await ready(places.socket, gone=lambda: is_free(places.valkey_lock), patience=_HUNG_SECONDS)
    if pid is not None:
        async with connection(places.socket) as valkey:
            try:
                await valkey.config_set("appendfsync", appendfsync)
                await valkey.config_set("maxmemory", maxmemory)
            except RedisError:
                logger.warning("the Valkey server (process %d) died while it was adopted", pid, exc_info=True)
                return None
    return pid
