"""What becomes of the client in a process that was forked from the one it was made in."""

import os
import threading
import weakref
from types import TracebackType

from hopfield_client._errors import WrongEventLoop

_uses_grpc = False
_uses_asyncio = False
_is_forked = False
_lost_asyncio = False
_locks: "weakref.WeakSet[ForkedLock]" = weakref.WeakSet()
# Channels of the parent. Closed here, they would say so over connections that are the parent's.
_inherited: list[object] = []


def is_forked() -> bool:
    """Tell whether this process was forked from one that had a client.

    gRPC's threads are not in it, and what they shared is as they left it.
    """
    return _is_forked


def opens_channel() -> None:
    """Take note that this process uses gRPC."""
    global _uses_grpc  # noqa: PLW0603 - of the process
    _uses_grpc = True


def opens_asyncio_channel() -> None:
    """Take note that this process uses grpc.aio.

    Raises:
        WrongEventLoop: it was forked from one that did. The thread by which grpc.aio hears of answers is not in it,
            and calls would wait for ever.
    """
    global _uses_asyncio  # noqa: PLW0603 - of the process
    if _lost_asyncio:
        raise WrongEventLoop(
            "an AsyncHopfieldClient cannot be used in a forked process: start it with 'spawn' or 'forkserver', "
            "or use a HopfieldClient there"
        )
    opens_channel()
    _uses_asyncio = True


def keep_inherited(channel: object) -> None:
    """Keep a channel of the parent as it is until this process ends."""
    _inherited.append(channel)


class ForkedLock:
    """A lock that nobody holds in a forked process, whoever held it in the parent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _locks.add(self)

    def renew(self) -> None:
        """Free it, whoever held it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()


def _after_fork() -> None:
    global _is_forked, _lost_asyncio  # noqa: PLW0603 - of the process
    _is_forked = _is_forked or _uses_grpc
    _lost_asyncio = _lost_asyncio or _uses_asyncio
    for lock in _locks:
        lock.renew()


os.register_at_fork(after_in_child=_after_fork)
