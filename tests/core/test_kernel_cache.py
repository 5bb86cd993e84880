"""Compiled code on disk: kept where it can be, never stale, and never in the way."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numba.core import config

import hopfield_service
from hopfield_service.core.kernels import cache, generator
from hopfield_service.core.kernels.compilation import compiled

# Recalls with four neurons, and says which file was run and where its compiled code is kept.
RECALLS = """
import numpy as np
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.interruption import never
from hopfield_service.core.kernels import generator
from hopfield_service.core.network import Store
from hopfield_service.core.pairwise import PairwiseSpec
from hopfield_service.core.patterns import Queries
network = PairwiseSpec(4).empty().apply(Store(np.array([[0b1000]], np.uint8), ("a",)), never)
print(network.recall(Queries.of(np.array([-1, -1, -1, -1], np.int8)), RecallOptions(seed=0), never).state.tolist())
print(generator.__file__)
print(generator.shuffle.stats.cache_path)
"""

# Of the seed 1234567.
WORD = 6457827717110365317

# Runs a kernel that calls one of another file, and says what it gave, how often it was found on disk, and where it is kept.
TUNES = """
import numpy as np
from hopfield_service.core.kernels import ring
curve = np.empty(4)
ring.tuning(0.0, 1.0, 40.0, 8.0, curve)
print(curve[0])
print(sum(ring.tuning.stats.cache_hits.values()))
print(ring.tuning.stats.cache_path)
"""
TUNED = 40.0
# Of elementary.py: an exponential, and one that is twice as large.
RETURNED, DOUBLED = "return float(total * np", "return 2.0 * float(total * np"
TUNED_BY_THE_DOUBLE = 79.0


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package without anything compiled, in a folder of its own."""
    source = Path(hopfield_service.__file__).parent
    shutil.copytree(source, tmp_path / "copy" / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def run(
    copy: Path, program: str, *, warnings: str = "error", prefix: Sequence[str] = (), **environment: str
) -> list[str]:
    """What a process that runs the copy prints, and then what it writes to stderr."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    finished = subprocess.run(
        [*prefix, sys.executable, "-W", warnings, "-c", program],
        env={**inherited, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return [*finished.stdout.splitlines(), finished.stderr]


def tuned(copy: Path, *, prefix: Sequence[str] = (), **environment: str) -> tuple[float, int, str]:
    """What the kernel gave, whether it was found on disk, and where it is kept."""
    value, hits, path, _ = run(copy, TUNES, prefix=prefix, **environment)
    return float(value), int(hits), path


class TestWhereItIsKept:
    def test_is_the_directory_that_numba_is_told(self, copy: Path, tmp_path: Path) -> None:
        _, hits, path = tuned(copy, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
        assert hits == 0
        assert Path(path).parent == tmp_path / "cache"
        assert list(Path(path).glob("ring.tuning.*"))
        assert tuned(copy, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == (TUNED, 1, path)

    def test_is_beside_the_kernels_otherwise(self, copy: Path) -> None:
        _, _, path = tuned(copy)
        assert Path(path).parent == copy / "hopfield_service" / "core" / "kernels" / "__pycache__"

    def test_is_memory_where_no_place_is_writable(self, copy: Path, tmp_path: Path) -> None:
        # A folder below a regular file can be made by nobody, not even by root.
        file = tmp_path / "file"
        file.touch()
        (copy / "hopfield_service" / "core" / "kernels" / "__pycache__").touch()
        nowhere = {"NUMBA_CACHE_DIR": str(file / "numba"), "HOME": str(file), "XDG_CACHE_HOME": str(file / "cache")}
        state, ran, path, _ = run(copy, RECALLS, **nowhere)
        assert state == "[-1, -1, -1, 1]"
        assert Path(ran).is_relative_to(copy)
        assert path == "None"

    def test_is_read_by_somebody_who_may_not_write_there(self, copy: Path, tmp_path: Path) -> None:
        place = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        path = Path(tuned(copy, **place)[2])
        path.chmod(0o555)
        # Root may write anywhere, unless the capability is taken from it.
        powerless = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all") if os.getuid() == 0 else ()
        if powerless and shutil.which("setpriv") is None:
            pytest.skip("needs setpriv, to run as somebody who may not write")
        assert tuned(copy, prefix=powerless, **place) == (TUNED, 1, "None")
        path.chmod(0o755)


class TestAnEditOfAHelper:
    def edit(self, copy: Path) -> None:
        path = copy / "hopfield_service" / "core" / "kernels" / "elementary.py"
        text = path.read_text("utf-8")
        assert text.count(RETURNED) == 1
        path.write_text(text.replace(RETURNED, DOUBLED), "utf-8")

    def test_is_seen_by_what_calls_it_from_another_file(self, copy: Path) -> None:
        assert tuned(copy)[0] == TUNED
        self.edit(copy)
        assert tuned(copy)[:2] == (TUNED_BY_THE_DOUBLE, 0)

    def test_leaves_what_was_compiled_before_for_when_it_is_taken_back(self, copy: Path) -> None:
        kept = copy / "hopfield_service" / "core" / "kernels" / "elementary.py"
        before = kept.read_text("utf-8")
        tuned(copy)
        self.edit(copy)
        tuned(copy)
        kept.write_text(before, "utf-8")
        assert tuned(copy)[:2] == (TUNED, 1)


def test_old_directories_do_not_pile_up(copy: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    for age in range(10):
        old = place / f"kernels-{age:016x}"
        old.mkdir(parents=True)
        (old / "ring.tuning.0123456789abcdef").touch()
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    (place / "of somebody else").mkdir()
    _, _, path = tuned(copy, NUMBA_CACHE_DIR=str(place))
    kept = {f"kernels-{age:016x}" for age in range(3)}
    assert {found.name for found in place.iterdir()} == {*kept, Path(path).name, "of somebody else"}


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut after a byte": lambda content: content[:1],
    "cut in half": lambda content: content[: len(content) // 2],
    "cut by a byte": lambda content: content[:-1],
    "zeroed": lambda content: bytes(len(content)),
    "a bit turned": lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
    "a text": lambda _: b"hello\n",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_compiled_again_with_a_warning(
    damage: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cache, "directory", functools.cache(cache.Directory))
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))

    def drawn() -> tuple[int, int]:
        """A word, and how many kernels were found on disk for it: by a kernel that this process has not compiled yet."""
        next_word = compiled(generator.next_word.py_func)  # type: ignore[attr-defined]
        word = int(next_word(np.array([1234567], np.uint64)))
        return word, sum(next_word.stats.cache_hits.values())

    assert drawn() == (WORD, 0)
    (file,) = tmp_path.rglob("generator.next_word.*")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(RuntimeWarning, match=f"the compiled kernel {file} is damaged: compiling it again"):
        assert drawn() == (WORD, 0)
    # The one that replaced it is whole.
    assert drawn() == (WORD, 1)


def test_where_there_is_no_room_it_runs_in_memory_with_a_warning(copy: Path, tmp_path: Path) -> None:
    # Files may have 512 or 1024 bytes, which no kernel fits into.
    no_room = ("sh", "-c", 'ulimit -f 1; exec "$@"', "sh")
    place = str(tmp_path / "cache")
    value, _, _, said = run(copy, TUNES, warnings="default", prefix=no_room, NUMBA_CACHE_DIR=place)
    assert float(value) == TUNED
    assert said.count("cannot be kept in") == 1
    assert "File too large" in said
    assert [path for path in Path(place).rglob("*") if path.is_file()] == []


def test_settings_of_numba_that_change_the_code_change_the_directory(copy: Path, tmp_path: Path) -> None:
    place = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    _, _, path = tuned(copy, **place)
    assert tuned(copy, NUMBA_OPT="1", **place)[2] != path
    assert tuned(copy, NUMBA_NUM_THREADS="1", **place)[2] == path
