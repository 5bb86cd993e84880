"""The data directory of a private Valkey server: where things lie in it, and that this user alone reaches them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Linux takes 107 bytes, macOS 103.
_SOCKET_PATH_LIMIT = 103


class DataDirectoryInUse(RuntimeError):
    """Another service works on this data directory."""


class DataDirectoryUnusable(RuntimeError):
    """The data directory cannot be made, read, written to or kept from others; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Places:
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

    def remove_socket(self) -> None:
        """Removes the socket, and the directory it had of its own; does nothing where there is none."""
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.data:
            with contextlib.suppress(FileNotFoundError):
                self.socket.parent.rmdir()


@contextlib.contextmanager
def usable(data_dir: Path) -> Iterator[None]:
    """Says of a system error what it means: that the data directory cannot be used.

    Raises:
        DataDirectoryUnusable: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or data_dir
        reason = f"{where} is not a directory" if error.errno == errno.EEXIST else f"{where}: {error.strerror}"
        raise DataDirectoryUnusable(
            f"the data directory {data_dir} cannot be used ({reason}). "
            f"Set HOPFIELD_DATA_DIR to a directory on a local disk that this user can write to."
        ) from error


def made(data_dir: Path) -> Path:
    """Makes the data directory, if it is missing, and returns its path, absolute and without symbolic links.

    Raises:
        OSError: It cannot be made.
    """
    data = data_dir.resolve()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return data


def prepared(data: Path) -> Places:
    """Makes the directories that Valkey needs in a data directory that this process has locked.

    Raises:
        OSError: One cannot be made.
        DataDirectoryUnusable: Another user could have made one.
    """
    files = data / "valkey"
    files.mkdir(mode=0o700, exist_ok=True)
    socket = data / "valkey.sock"
    if len(os.fsencode(socket)) > _SOCKET_PATH_LIMIT:
        socket = _private_directory(data) / "valkey.sock"
    return Places(data=data, files=files, log=data / "valkey.log", socket=socket, valkey_lock=data / "valkey.lock")


def _private_directory(data: Path) -> Path:
    """Makes the directory for the socket of a data directory whose own path is too long for one.

    It has the same name at every start, so that a running Valkey is found again.

    Raises:
        DataDirectoryUnusable: The path is still too long, or another user could have put something there.
    """
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()).absolute() / f"hopfield-{os.getuid()}-{name}"
    if len(os.fsencode(directory / "valkey.sock")) > _SOCKET_PATH_LIMIT:
        raise DataDirectoryUnusable(
            f"both {data} and {directory} are too long for a Unix socket, whose path has at most "
            f"{_SOCKET_PATH_LIMIT} bytes. Set a shorter data directory or a shorter TMPDIR."
        )
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise DataDirectoryUnusable(
            f"{directory} is not a directory that this user alone can enter, so the socket of {data} cannot lie there. "
            f"Remove it, or set a data directory with a shorter path."
        )
    return directory
