"""Locks that fall when their last holder dies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hopfield_service.store.file_lock import acquire, holders, is_free, try_lock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "lock"


async def test_is_taken_once(path: Path) -> None:
    lock = try_lock(path)
    assert lock is not None
    assert try_lock(path) is None
    assert await acquire(path, within=0.05) is None
    assert not is_free(path)
    os.close(lock)
    assert is_free(path)


def test_is_held_by_those_who_inherited_it_until_the_last_one_dies(path: Path) -> None:
    lock = try_lock(path)
    assert lock is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,)) as heir:
        assert holders(path) == {os.getpid(), heir.pid}
        os.close(lock)
        assert not is_free(path)
        assert holders(path) == {heir.pid}
        heir.kill()
    assert is_free(path)
    assert holders(path) == set()


def test_is_not_held_by_those_who_merely_read_it(path: Path) -> None:
    path.touch()
    with path.open():
        assert is_free(path)
        assert holders(path) == set()


def test_is_not_left_open_where_it_cannot_be_taken(path: Path) -> None:
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        try_lock(path)
