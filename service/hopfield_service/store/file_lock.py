"""Locks on files that fall when their last holder dies.

They are `flock` locks: one belongs to an open file and is shared by every process that inherited it, so that it is held
until the last copy of its file descriptor is closed, and no crash leaves one behind.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path

_POLL_SECONDS = 0.01


def try_lock(path: Path) -> int | None:
    """Takes a lock that nobody holds.

    Args:
        path: The lock file, made when it does not exist.

    Returns:
        The file descriptor that holds the lock until it and what inherited it are closed; None when others hold it.

    Raises:
        OSError: The file cannot be opened, or its file system knows no locks.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return lock


async def acquire(path: Path, *, within: float, every: float = _POLL_SECONDS) -> int | None:
    """Takes a lock, as `try_lock` does, and waits for it if others hold it. Holds nothing if it is cancelled.

    Args:
        path: The lock file, made when it does not exist.
        within: How many seconds to wait.
        every: How many seconds to let pass between two looks.
    """
    deadline = time.monotonic() + within
    while True:
        lock = try_lock(path)
        if lock is not None or time.monotonic() >= deadline:
            return lock
        await asyncio.sleep(every)


def is_free(path: Path) -> bool:
    """Whether nobody holds a lock. Holds it for an instant to find out.

    Raises:
        OSError: The file cannot be opened, or its file system knows no locks.
    """
    lock = try_lock(path)
    if lock is not None:
        os.close(lock)
    return lock is not None


def holders(path: Path) -> set[int]:
    """The processes that hold a lock, as far as this one may see them.

    They are found by the lock itself rather than by a process id written down somewhere, which may have come to mean
    another process since.

    Args:
        path: The lock file, absolute and without symbolic links.

    Returns:
        Process ids.
    """
    if Path("/proc/self/fdinfo").exists():
        return {
            int(process.name) for process in Path("/proc").iterdir() if process.name.isdigit() and _holds(process, path)
        }
    lsof = shutil.which("lsof", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if lsof is None:
        return set()
    # Without Linux's /proc it cannot be told who holds the lock from who has the file open. Nobody else should have.
    listed = subprocess.run([lsof, "-t", "--", path], stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    return {int(pid) for pid in listed.stdout.split()} - {os.getpid()}


def _holds(process: Path, lock: Path) -> bool:
    # Processes end while we look, and those of other users are closed to us.
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                # One that merely reads the file, a backup perhaps, holds no lock.
                if descriptor.readlink() == lock and "FLOCK" in (process / "fdinfo" / descriptor.name).read_text(
                    "ascii"
                ):
                    return True
    return False
