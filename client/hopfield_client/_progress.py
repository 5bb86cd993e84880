"""How far something that takes long is."""

import sys
from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Is called with how much is done, and of how much."""


def progress_of(progress: bool | Progress, things: str) -> Progress:
    """What to call: what the caller gave, or for True what says on stderr how many things are done; for False nothing happens."""
    if callable(progress):
        return progress
    if not progress:
        return lambda _done, _total: None

    def say(done: int, total: int) -> None:
        sys.stderr.write(f"\r{done} of {total} {things}{'' if done < total else chr(10)}")
        sys.stderr.flush()

    return say
