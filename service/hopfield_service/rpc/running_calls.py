"""The calls that run, and what becomes of them when the time for finishing them is over."""

from asyncio import Task
from typing import Any

from hopfield_service.errors import ShuttingDown


class RunningCalls:
    """Knows the calls that run, and ends them with ShuttingDown when it is told to.

    grpc.aio by itself ends them with a bare CANCELLED, which callers do not repeat.
    """

    def __init__(self) -> None:
        self._running: set[Task[Any]] = set()
        self._watching: set[Task[Any]] = set()
        self._ended: set[Task[Any]] = set()
        self._ending = False

    def begin(self, task: Task[Any]) -> None:
        """Takes note of a call that begins.

        Raises:
            ShuttingDown: calls are being ended.
        """
        if self._ending:
            raise ShuttingDown
        self._running.add(task)

    def watch(self, task: Task[Any]) -> None:
        """Takes note that a call watches health for as long as its caller likes."""
        self._watching.add(task)

    def leave(self, task: Task[Any]) -> None:
        """Takes note that a call is over."""
        for tasks in (self._running, self._watching, self._ended):
            tasks.discard(task)

    def end_watching(self) -> None:
        """Ends the calls that watch health. They have been told that the service goes."""
        self._end(self._watching)

    def end(self) -> None:
        """Ends every call that runs, and each that still comes."""
        self._ending = True
        self._end(self._running)

    def has_ended(self, task: Task[Any]) -> bool:
        """Whether a call was cancelled here, and not by its caller as well. To be asked once, where it is cancelled."""
        return task in self._ended and task.uncancel() == 0

    def _end(self, tasks: set[Task[Any]]) -> None:
        for task in tasks - self._ended:
            self._ended.add(task)
            task.cancel()
