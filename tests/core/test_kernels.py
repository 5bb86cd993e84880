"""Compiled code: kept on disk where some place is writable, and running all the same where none is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hopfield_service

# Draws from the generator, recalls with four neurons, and says which file was run and where its compiled code is kept.
PROGRAM = """
import numpy as np
from hopfield_service.core import kernels
from hopfield_service.core.dynamics import RecallOptions
from hopfield_service.core.network import Store
from hopfield_service.core.pairwise import PairwiseSpec
print(int(kernels.next_word(np.array([1234567], np.uint64))))
network = PairwiseSpec(4).empty().apply(Store(np.array([[0b1000]], np.uint8), ("a",)))
print(network.recall(np.array([-1, -1, -1, -1], np.int8), RecallOptions(seed=0), lambda: False).state.tolist())
print(kernels.__file__)
print(kernels.shuffle.stats.cache_path)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package without anything compiled, in a folder of its own."""
    source = Path(hopfield_service.__file__).parent
    shutil.copytree(source, tmp_path / "copy" / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def cache_of(copy: Path, **environment: str) -> str:
    """Where a process that runs the copy keeps its compiled code."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={**inherited, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    word, state, file, cache = finished.stdout.splitlines()
    assert word == "6457827717110365317"
    assert state == "[-1, -1, -1, 1]"
    assert Path(file).is_relative_to(copy)
    return cache


def test_compiled_code_is_kept_where_it_can_be(copy: Path, tmp_path: Path) -> None:
    cache = cache_of(copy, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert Path(cache).is_relative_to(tmp_path / "cache")
    assert list(Path(cache).glob("*.nbc"))


def test_where_no_place_is_writable_the_kernels_run_uncached(copy: Path, tmp_path: Path) -> None:
    # A folder below a regular file can be made by nobody, not even by root.
    file = tmp_path / "file"
    file.touch()
    (copy / "hopfield_service" / "core" / "__pycache__").touch()
    nowhere = {"NUMBA_CACHE_DIR": str(file / "numba"), "HOME": str(file), "XDG_CACHE_HOME": str(file / "cache")}
    assert cache_of(copy, **nowhere) == "None"


def test_kernels_let_other_threads_run() -> None:
    from hopfield_service.core import kernels

    options = [kernels.asynchronous.targetoptions, kernels.synchronous.targetoptions]  # type: ignore[attr-defined]
    assert [one["nogil"] for one in options] == [True, True]
