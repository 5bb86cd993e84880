"""Threads on which work takes turns, so that long work keeps nobody waiting for long.

Each piece of work has a thread from its beginning to its end, and runs only while it has a *turn*. There are as many turns
as cores are meant to be used. Work asks every few milliseconds whether anybody still waits for it (core/interruption.py).
That is when its turn passes to another, once it has lasted for a slice of time, and the thread waits until the turn comes
back. So nothing has to be written as a generator, and no answer depends on who else is served.

Who is next: the call that has had the least time on threads. Short work so comes before long work, and long work shares
evenly. A call that has waited longest gets a turn now and then whatever it has had, so that nothing starves.
"""

import asyncio
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hopfield_service.core.interruption import Interruption

Result = TypeVar("Result")

# Seconds that a turn lasts where others wait. It ends when the work asks next.
_SLICE = 0.02
# Seconds after which the work that has waited longest has a turn, whatever it has had.
_OLDEST_EVERY = 0.1
# Work that has begun and waits for its turn, at most: each has a thread. What is expected to be long begins only up to half
# of that, so that short work always finds a thread.
_MOST_PAUSED = 1024
# Seconds of work that is expected to be long counts as having had, so that it begins after what may be short.
_LONG = 0.1
# Seconds that closing waits for work to hear of it. The process ends without it then.
_SECONDS_TO_CLOSE = 1.0


@dataclass(slots=True)
class ThreadTime:
    """What a call has had of the threads; the pieces of one call share it.

    Attributes:
        seconds: of running, on any thread.
    """

    seconds: float = 0.0

    @classmethod
    def of(cls, *, long: bool) -> "ThreadTime":
        """That of a new call, which is expected to take long or not."""
        return cls(_LONG if long else 0.0)


class Work(Generic[Result]):
    """A function that runs on a thread, in turns with others.

    Attributes:
        function: is given `goes_unwanted`.
        source: of the weights it reads: work on the same runs one right after the other, while they are in the cache.
        thread_time: of the call it is a piece of.
        result: where its result goes.
        rest: what the same thread is to run after it.
    """

    def __init__(
        self,
        turns: "Turns",
        function: Callable[[Interruption], Result],
        source: object,
        thread_time: ThreadTime,
        result: "asyncio.Future[Result]",
    ) -> None:
        self.function = function
        self.source = source
        self.thread_time = thread_time
        self.result = result
        self.rest: deque[Work[Any]] = deque()
        self._turns = turns
        self._abandoned = False
        # Of the slice that it is in, or of waiting where it is paused; of time.monotonic().
        self.since = 0.0
        self.has_turn = True
        self._resumed = threading.Lock()
        self._resumed.acquire()

    def goes_unwanted(self) -> bool:
        """The interruption: whether nobody waits for it any longer. Passes the turn to others where it is time to, before it answers."""
        if not self.is_given_up() and time.monotonic() - self.since > _SLICE:
            self._turns.let_others(self)
        return self.is_given_up()

    def is_given_up(self) -> bool:
        """Whether nobody waits for it any longer."""
        # A cancelled task cancels the result at once, and gives the work up when it runs next.
        return self._abandoned or self.result.cancelled() or self._turns.closing

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs it on this thread, and has the event loop pass on what comes of it."""
        try:
            result = self.function(self.goes_unwanted)
        except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
            loop.call_soon_threadsafe(self._fail, error)
        else:
            loop.call_soon_threadsafe(self._succeed, result)

    def wait_for_turn(self) -> None:
        """Waits on this thread for `resume`."""
        self._resumed.acquire()

    def pause(self, now: float) -> None:
        """Begins to wait."""
        self.thread_time.seconds += now - self.since
        self.since = now

    def resume(self, now: float) -> None:
        """Has the thread that waits go on."""
        self.since = now
        self._resumed.release()

    def abandon(self) -> None:
        """Says that nobody waits for the result any longer, nor wonders at an error."""
        self._abandoned = True
        if not self.result.cancel() and not self.result.cancelled():
            self.result.exception()

    def _succeed(self, result: Result) -> None:
        if not self.result.done():
            self.result.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class Turns:
    """So many turns, and the work that waits for one."""

    def __init__(self, count: int, name: str) -> None:
        """With `count` turns, on the event loop that runs; threads are named after `name`."""
        self._count = count
        # They are made one by one, when there is none that has nothing to do.
        self._pool = ThreadPoolExecutor(2 * _MOST_PAUSED, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._free = count
        # Not begun, in order; of calls that have had nothing, and of others.
        self._fresh: OrderedDict[Work[Any], None] = OrderedDict()
        self._later: dict[Work[Any], None] = {}
        # Begun, and without a turn.
        self._paused: dict[Work[Any], None] = {}
        self._unanswered: set[Work[Any]] = set()
        self._oldest_served = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.closing = False

    @property
    def free(self) -> int:
        """How many turns nobody has."""
        return self._free

    def begin(
        self, function: Callable[[Interruption], Result], source: object, thread_time: ThreadTime
    ) -> Work[Result]:
        """Has a function run when its turn comes. To be given up by `give_up`, whatever becomes of it."""
        work = Work(self, function, source, thread_time, self._loop.create_future())
        if self.closing:
            work.result.cancel()
            return work
        self._unanswered.add(work)
        with self._lock:
            (self._later if thread_time.seconds else self._fresh)[work] = None
            while self._free and (chosen := self._chosen(time.monotonic())) is not None:
                self._free -= 1
                self._start(chosen)
        return work

    def give_up(self, work: Work[Any]) -> None:
        """Says that nobody waits for it any longer. It ends when it asks next; at once, where it waits for a turn."""
        self._unanswered.discard(work)
        work.abandon()
        with self._lock:
            self._fresh.pop(work, None)
            self._later.pop(work, None)
            if work in self._paused:
                self._end_paused(work)

    def let_others(self, work: Work[Any]) -> None:
        """Called on a thread whose turn has lasted: passes it on where others wait, and comes back with the next turn."""
        if not (self._fresh or self._later or self._paused or work.rest):
            return
        now = time.monotonic()
        with self._lock:
            if work.is_given_up() or not work.has_turn:
                return
            self._give_back(work.rest)
            work.pause(now)
            self._paused[work] = None
            chosen = self._chosen(now)
            if chosen is None or chosen is work:
                work.resume(now)
            else:
                self._start(chosen)
        work.wait_for_turn()

    async def close(self) -> None:
        """Interrupts what runs, starts nothing more, and waits a moment for what runs to end."""
        self.closing = True
        with self._lock:
            for work in (*self._fresh, *self._later):
                work.result.cancel()
            self._fresh.clear()
            self._later.clear()
            for work in list(self._paused):
                self._end_paused(work)
        with suppress(TimeoutError):
            shutting_down = asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)
            await asyncio.wait_for(shutting_down, _SECONDS_TO_CLOSE)
        # What ran has come to its end, and said so before this; or it does not end in time.
        for work in self._unanswered:
            work.result.cancel()

    # With the lock held.

    def _chosen(self, now: float) -> "Work[Any] | deque[Work[Any]] | None":
        """Whose turn it is, taken from those who wait: paused work, or work that one thread is to begin and run in order."""
        paused = self._paused
        room = _MOST_PAUSED - len(paused)
        if paused and now - self._oldest_served > _OLDEST_EVERY:
            self._oldest_served = now
            return self._resumable(min(paused, key=lambda work: work.since))
        if self._fresh and room > 0:
            return self._batch()
        least = min(paused, key=lambda work: work.thread_time.seconds, default=None)
        later = min(self._later, key=lambda work: work.thread_time.seconds, default=None)
        if later is not None and (2 * room <= _MOST_PAUSED or _has_had_less(least, later)):
            later = None
        if later is not None:
            del self._later[later]
            return deque([later])
        return None if least is None else self._resumable(least)

    def _resumable(self, work: Work[Any]) -> Work[Any]:
        del self._paused[work]
        return work

    def _batch(self) -> deque[Work[Any]]:
        """The work that has waited longest, and a thread's share of that on the same weights."""
        first = next(iter(self._fresh))
        same = [work for work in self._fresh if work.source is first.source]
        batch = deque(same[: math.ceil(len(same) / self._count)])
        for work in batch:
            del self._fresh[work]
        return batch

    def _give_back(self, rest: deque[Work[Any]]) -> None:
        while rest:
            work = rest.pop()
            self._fresh[work] = None
            self._fresh.move_to_end(work, last=False)

    def _start(self, chosen: "Work[Any] | deque[Work[Any]]") -> None:
        if isinstance(chosen, Work):
            chosen.resume(time.monotonic())
        else:
            self._pool.submit(self._run, chosen)

    def _end_paused(self, work: Work[Any]) -> None:
        """Has paused work go on without a turn, to find out that it is given up."""
        del self._paused[work]
        work.has_turn = False
        work.resume(time.monotonic())

    # On a thread.

    def _run(self, batch: deque[Work[Any]] | None) -> None:
        while batch:
            began = time.monotonic()
            work = batch.popleft()
            work.since, work.rest = began, batch
            if not work.is_given_up():
                work.run(self._loop)
            batch = self._after(work, batch)

    def _after(self, work: Work[Any], rest: deque[Work[Any]]) -> deque[Work[Any]] | None:
        """What this thread runs next; None where the turn has passed to another, or nobody waits."""
        now = time.monotonic()
        with self._lock:
            work.thread_time.seconds += now - work.since
            if not work.has_turn:
                return None
            if rest and not (self._paused and now - self._oldest_served > _OLDEST_EVERY):
                return rest
            self._give_back(rest)
            chosen = None if self.closing else self._chosen(now)
            if isinstance(chosen, deque):
                return chosen
            if chosen is None:
                self._free += 1
            else:
                chosen.resume(now)
            return None


def _has_had_less(one: Work[Any] | None, other: Work[Any]) -> bool:
    """Whether there is one, and it has had no more time than another."""
    return one is not None and one.thread_time.seconds <= other.thread_time.seconds
