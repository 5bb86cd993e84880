"""What the machine has, or as much of it as the container of this process may use."""

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_CGROUP_OF_THIS_PROCESS = Path("/proc/self/cgroup")


def memory_bytes() -> int:
    """Memory that this process may use, in bytes: the machine's, or the least limit of the control groups it is in."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _limit_files():
        try:
            text = file.read_text("ascii").strip()
        except OSError:
            continue
        # "max" where there is none.
        if text.isdigit():
            limits.append(int(text))
    return min(limits)


def _limit_files() -> list[Path]:
    """Where the limits of the control groups of this process stand: of both versions, and of all groups around them."""
    try:
        lines = _CGROUP_OF_THIS_PROCESS.read_text("ascii").splitlines()
    except OSError:
        return []
    files = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        root, name = (_CGROUPS, "memory.max") if not controllers else (_CGROUPS / "memory", "memory.limit_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        group = root / path.lstrip("/")
        # In a container the path may be that outside of it, and only the root is there.
        files += [parent / name for parent in (group, *group.parents) if parent.is_relative_to(root)]
    return files
