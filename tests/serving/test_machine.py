"""How much memory the service takes there to be: the machine's, or what its control groups leave of it."""

from pathlib import Path

import pytest

from hopfield_service import machine


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where control groups are, which are those of the test."""
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_CGROUP_OF_THIS_PROCESS", tmp_path / "cgroup")
    return tmp_path


def limit(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


@pytest.mark.usefixtures("groups")
def test_without_control_groups_it_is_that_of_the_machine() -> None:
    assert machine.memory_bytes() > 1 << 28


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/a/b", "a/b/memory.max"),
        ("0::/a/b", "a/memory.max"),
        # In a container the path may be that outside of it.
        ("0::/not/here", "memory.max"),
        ("4:memory:/a", "memory/a/memory.limit_in_bytes"),
        ("4:cpu,memory:/not/here", "memory/memory.limit_in_bytes"),
    ],
)
def test_the_least_limit_counts(groups: Path, line: str, file: str) -> None:
    (groups / "cgroup").write_text(f"3:cpuset:/\n{line}\n")
    limit(groups / "memory.max", "max")
    limit(groups / file, "1048576")
    assert machine.memory_bytes() == 1 << 20


def test_no_limit_is_none(groups: Path) -> None:
    (groups / "cgroup").write_text("0::/a\n")
    limit(groups / "a" / "memory.max", "max")
    assert machine.memory_bytes() > 1 << 28
