"""Long work that nobody waits for any longer stops."""

from collections.abc import Callable

Interruption = Callable[[], bool]
"""Asked now and then whether nobody waits for the result any longer."""


class Interrupted(Exception):
    """Nobody waits for the result any longer."""


def never() -> bool:
    """The result is always waited for."""
    return False


def check(interruption: Interruption) -> None:
    """Asks.

    Raises:
        Interrupted: nobody waits any longer.
    """
    if interruption():
        raise Interrupted
