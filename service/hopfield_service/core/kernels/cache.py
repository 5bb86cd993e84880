"""Compiled kernels on disk, in a directory named after everything that decides the machine code.

numba's own cache knows a kernel by its source file alone. It does not see that a kernel called from another file has
changed, and it fails on a damaged file. Here the directory is named after a digest of all kernels and of the versions, and
each file begins with a digest of its contents.
"""

import hashlib
import os
import pickle
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from hopfield_service.core.kernels.reports import complain

_SOURCES = Path(__file__).parent
# Directories of other digests that stay: of the versions, or branches, that are run in turns.
_OTHERS_KEPT = 3
_NAME = re.compile(r"kernels-[0-9a-f]{16}")
_CHECKSUM_BYTES = 32
# They say where numba keeps its files and how many threads it runs, and change no code.
_NO_MATTER = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS"}


def _digest() -> str:
    """Of the kernels, the versions of what compiles them, and the settings of numba. Each file says for which processor it is."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(_SOURCES.glob("*.py")):
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    settings = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_") and item[0] not in _NO_MATTER)
    versions = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, np.__version__)
    digest.update(repr((versions, settings)).encode())
    return digest.hexdigest()


def _places() -> Iterator[Path]:
    """Where the directory may be, the best place first: where the user says, beside the kernels, where the user's caches are."""
    told: str = config.CACHE_DIR  # type: ignore[attr-defined]  # numba sets it as it loads
    if told:
        yield Path(told)
    yield _SOURCES / "__pycache__"
    # There may be no home directory.
    with suppress(RuntimeError):
        caches = "~/Library/Caches" if sys.platform == "darwin" else os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        yield Path(caches).expanduser() / "hopfield-recall"


class Directory:
    """Where this process keeps compiled kernels.

    Attributes:
        path: the directory; None where there is none and none can be made.
        writable: whether files can be added to it.
    """

    def __init__(self) -> None:
        """Takes the first place where files can be written, or where kernels stand that were compiled for others to read."""
        name = f"kernels-{_digest()}"
        self.path: Path | None = None
        self.writable = False
        for path in (place / name for place in _places()):
            self.writable = _can_be_written(path)
            if self.writable or _is_directory(path):
                self.path = path
                break
        if self.path is not None and self.writable:
            _remove_old(self.path)

    def cannot_be_written(self, error: OSError) -> None:
        """Gives up keeping kernels, and says so once."""
        if self.writable:
            self.writable = False
            complain(
                f"compiled kernels cannot be kept in {self.path} ({error.strerror}): they are compiled at each start"
            )


def _can_be_written(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
        # The last use counts, when old ones are removed.
        os.utime(path)
    except OSError:
        return False
    return True


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _remove_old(path: Path) -> None:
    """Removes what was compiled from other kernels or by other versions, but for what was used last."""
    with suppress(OSError):
        others = [other for other in path.parent.iterdir() if _NAME.fullmatch(other.name) and other != path]
        others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        for other in others[_OTHERS_KEPT:]:
            shutil.rmtree(other, ignore_errors=True)


@cache
def directory() -> Directory:
    """That of this process."""
    return Directory()


class KernelCache(_Cache):
    """What numba asks for a compiled kernel and gives it to: one file for each kernel, types of arguments, and processor."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._stem = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"

    @property
    def cache_path(self) -> str | None:
        """The directory; None where nothing can be written."""
        kept = directory()
        return str(kept.path) if kept.writable else None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel for these types; None where it is not on disk, or its file is damaged."""
        target_context.refresh()
        key = sig, target_context.codegen().magic_tuple()
        path = self._path(key)
        if path is None:
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        checksum, body = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if _checksum(body) != checksum:
            complain(f"the compiled kernel {path} is damaged: compiling it again")
            return None
        kept_key, reduced = pickle.loads(body)  # noqa: S301 - written here, as numba's own files are
        # Types are told apart by their names, and may in theory have the same.
        return CompileResult._rebuild(target_context, *reduced) if kept_key == key else None  # noqa: SLF001

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keeps a compiled kernel, where that is possible."""
        key = sig, data.codegen.magic_tuple()
        path = self._path(key)
        # Code with addresses of this process in it is of no use to another.
        if path is None or not directory().writable or data.library.has_dynamic_globals:
            return
        body = dumps((key, data._reduce()))  # noqa: SLF001
        try:
            # Others may delete old directories.
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, _checksum(body) + body)
        except OSError as error:
            directory().cannot_be_written(error)

    def _path(self, key: Any) -> Path | None:
        where = directory().path
        if where is None:
            return None
        return where / f"{self._stem}.{hashlib.blake2b(repr(key).encode(), digest_size=8).hexdigest()}"

    def enable(self) -> None:
        """See numba: it always is."""

    def disable(self) -> None:
        """See numba: nothing here does that."""

    def flush(self) -> None:
        """See numba: a change of the kernels changes the directory."""


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECKSUM_BYTES).digest()


def _write(path: Path, content: bytes) -> None:
    """Writes a file so that another process sees all of it or nothing.

    Raises:
        OSError: there is no room, or no right.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        # Others may run what one of them has compiled, as with any file of the package.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
