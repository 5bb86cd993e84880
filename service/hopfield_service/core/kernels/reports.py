"""Who wants to know what is compiled, since it takes long the first time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event


class _Reporting(event.Listener):
    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report

    def on_start(self, event_: event.Event) -> None:
        """See numba. Nothing to say before it is done."""

    def on_end(self, event_: event.Event) -> None:
        """See numba."""
        self._report(event_.data["dispatcher"].py_func.__name__)


@contextmanager
def reported(report: Callable[[str], None]) -> Iterator[None]:
    """Has the name of every kernel that is compiled reported, on the thread that compiles it; not of those that were kept on disk."""
    with event.install_listener("numba:compile", _Reporting(report)):
        yield
