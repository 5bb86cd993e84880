"""To wait for what is to become true, instead of for a time."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], within: float = 20) -> None:
    """Returns once a condition holds; fails if it does not come to."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
