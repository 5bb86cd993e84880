"""Who wants to know what is compiled, since it takes long the first time, and what keeps it from being kept."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

Report = Callable[[str], None]


def warn(message: str) -> None:
    """Says it as a warning of Python."""
    warnings.warn(message, RuntimeWarning, stacklevel=2)


_complaints: list[Report] = [warn]


def complain(message: str) -> None:
    """Says what is wrong with the compiled kernels on disk, to whom `reported` names; else as a warning of Python."""
    _complaints[-1](message)


class _Reporting(event.Listener):
    def __init__(self, report: Report) -> None:
        self._report = report

    def on_start(self, event_: event.Event) -> None:
        """See numba. Nothing to say before it is done."""

    def on_end(self, event_: event.Event) -> None:
        """See numba."""
        function = event_.data["dispatcher"].py_func
        self._report(f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}")


@contextmanager
def reported(report: Report, complaint: Report = warn) -> Iterator[None]:
    """Has the name of every kernel that is compiled reported, on the thread that compiles it; not of those that were kept on disk.

    Args:
        report: is called with `module.kernel`, once for each combination of types it is compiled for.
        complaint: is called with what is wrong with the compiled kernels on disk.
    """
    _complaints.append(complaint)
    try:
        with event.install_listener("numba:compile", _Reporting(report)):
            yield
    finally:
        _complaints.pop()
