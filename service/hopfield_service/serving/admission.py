"""What all calls together may take of this process: bytes and calls, counted, waited for, and refused beyond.

```
 a call ── enters a Lane ──> one of at most so many calls
   │
   ├── reads a message ────> holds a slot of its Lane, as large as any message, until the message is there
   │
   └── takes bytes ────────> its Account: message, intermediate arrays and answer, out of what all calls share
```

gRPC tells the size of a message only once all of it has come. A slot bounds what comes meanwhile; the account then
takes what the message costs.
"""

import asyncio
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

from hopfield_service.errors import InvalidField, Overloaded

ALLOWANCE: Final = 1 << 16
"""Bytes that a call may take beside those that all calls share: no small call waits for a large one."""

# Of the calls in flight, the share that no connection can take from the others.
_SHARE_OF_OTHERS = 4
# Who calls, where it is the service itself.
_NOBODY = ""
# Seconds that a call waits for bytes that others have taken.
_PATIENCE = 5.0
# Seconds that a message may take to come while other calls wait for the slot it holds.
_SLOW_MESSAGE = 1.0
# And the next message of a stream, which may be at rest.
_SLOW_IN_STREAM = 0.1
_SWEPT_EVERY = 0.1

_BYTES_TAKEN = "the calls in flight take all the memory that they may take (HOPFIELD_MAX_BYTES_IN_FLIGHT)"


class _Pool:
    """A number of bytes that calls take and give back. Callers wait in turn, whatever the number of their calls."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.free = capacity
        # By peer, the one whose turn it is first.
        self._waiting: OrderedDict[str, deque[tuple[int, asyncio.Future[None]]]] = OrderedDict()

    @property
    def is_wanted(self) -> bool:
        """Whether calls wait."""
        return bool(self._waiting)

    def take_now(self, nbytes: int) -> bool:
        """Takes bytes if they are free and no call waits."""
        if nbytes > self.free or self._waiting:
            return False
        self.free -= nbytes
        return True

    async def take(self, nbytes: int, peer: str) -> bool:
        """Takes bytes once they are free and it is the peer's turn; False if that does not come to be in time."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (nbytes, turn)
        self._waiting.setdefault(peer, deque()).append(waiter)
        self._serve()
        try:
            await asyncio.wait({turn}, timeout=_PATIENCE)
        except asyncio.CancelledError:
            if turn.done():
                self.give_back(nbytes)
            else:
                self._leave(peer, waiter)
            raise
        if not turn.done():
            self._leave(peer, waiter)
            return False
        return True

    def give_back(self, nbytes: int) -> None:
        """Gives back what was taken, to the next who waits."""
        self.free += nbytes
        if self._waiting:
            self._serve()

    def _leave(self, peer: str, waiter: tuple[int, "asyncio.Future[None]"]) -> None:
        self._waiting[peer].remove(waiter)
        if not self._waiting[peer]:
            del self._waiting[peer]
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            peer, queue = next(iter(self._waiting.items()))
            nbytes, turn = queue[0]
            # Nobody overtakes who asks for much, or it would never be their turn.
            if nbytes > self.free:
                return
            self.free -= nbytes
            turn.set_result(None)
            queue.popleft()
            if queue:
                self._waiting.move_to_end(peer)
            else:
                del self._waiting[peer]


class Lane:
    """Calls of one kind: how many are in flight, and the slots in which their messages come."""

    def __init__(self, calls: int, slots: int, message_bytes: int, slow_message: float = _SLOW_MESSAGE) -> None:
        """Takes how many calls may be in flight, how many of them may read at once, and the largest message's size."""
        self._calls_left = calls
        self._calls_each = max(1, calls - calls // _SHARE_OF_OTHERS)
        self._in_flight: dict[str, int] = {}
        self._message_bytes = message_bytes
        self._slow_message = slow_message
        self._slots = _Pool(slots * message_bytes)
        # In the order in which they began.
        self._readers: dict[Account, None] = {}
        self._sweeping = False

    def enter(self, peer: str) -> None:
        """Counts one more call of a peer.

        Raises:
            Overloaded: there are as many as may be, of all or of one peer.
        """
        in_flight = self._in_flight.get(peer, 0)
        if self._calls_left <= 0 or in_flight >= self._calls_each:
            whose = "" if self._calls_left <= 0 else "of one connection "
            raise Overloaded(f"as many calls {whose}are in flight as may be (HOPFIELD_MAX_CALLS)")
        self.return_to(peer)

    def return_to(self, peer: str) -> None:
        """Counts a call of a peer that is in flight whether or not there are as many as may be."""
        self._calls_left -= 1
        self._in_flight[peer] = self._in_flight.get(peer, 0) + 1

    def leave(self, peer: str) -> None:
        """Counts one call of a peer less."""
        self._calls_left += 1
        in_flight = self._in_flight[peer] - 1
        if in_flight:
            self._in_flight[peer] = in_flight
        else:
            del self._in_flight[peer]

    def slot_now(self, account: "Account") -> bool:
        """Takes a slot for the message that a call is about to read, if one is free."""
        if not self._slots.take_now(self._message_bytes):
            return False
        self._begin(account)
        return True

    async def slot(self, account: "Account") -> None:
        """Takes a slot for the message that a call is about to read, once it is its turn.

        Raises:
            Overloaded: no turn came in time.
        """
        self._sweep_soon()
        if not await self._slots.take(self._message_bytes, account.peer):
            raise Overloaded("too many messages are on their way")
        self._begin(account)

    def slot_back(self, account: "Account") -> None:
        """Gives the slot back, if the call still has it."""
        if self.message_ended(account):
            self.slot_free()

    def message_ended(self, account: "Account") -> bool:
        """Takes note that a call reads no longer.

        Returns:
            Whether it still has its slot, which it may keep, and then gives back by `slot_free`.
        """
        return self._readers.pop(account, 0) is None

    def slot_free(self) -> None:
        """Gives a slot back."""
        self._slots.give_back(self._message_bytes)

    @property
    def has_room(self) -> bool:
        """Whether half of the slots are free, so that a message may keep its own for longer."""
        return 2 * self._slots.free >= self._slots.capacity

    def _begin(self, account: "Account") -> None:
        account.reading_since = time.monotonic()
        self._readers[account] = None

    def _sweep_soon(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(_SWEPT_EVERY, self._sweep)

    def _sweep(self) -> None:
        """Takes the slots from the calls whose messages take too long to come, while others wait for slots."""
        self._sweeping = False
        if not self._slots.is_wanted:
            return
        now = time.monotonic()
        slow = [reader for reader in self._readers if now - reader.reading_since > self._slow_message]
        for reader in slow:
            self.slot_back(reader)
            if reader.reading is not None:
                reader.evicted = True
                reader.reading.cancel()
        self._sweep_soon()


class Account:
    """What one call has taken, beyond its allowance, of the bytes that all calls share; or one part of it.

    Attributes:
        peer: who calls: the address of the connection.
        reading: the task to cancel when the slot of the message it reads is taken away; None if it may read on without.
        reading_since: when it began to, by the monotonic clock.
        evicted: whether it was cancelled for that.
        has_read: whether it has begun to read its first message.
    """

    __slots__ = ("_allowance", "_parts", "_pool", "_taken", "evicted", "has_read", "peer", "reading", "reading_since")

    def __init__(self, pool: _Pool, peer: str, allowance: int = ALLOWANCE) -> None:
        """Takes the pool, who calls, and the bytes that it may take beside the pool."""
        self._pool = pool
        self._allowance = allowance
        self._taken = 0
        self._parts: list[Account] = []
        self.peer = peer
        self.reading: asyncio.Task[Any] | None = None
        self.reading_since = 0.0
        self.evicted = False
        self.has_read = False

    @property
    def holds_bytes(self) -> bool:
        """Whether it has taken bytes that others may wait for."""
        return bool(self._taken or self._parts)

    def take_now(self, nbytes: int) -> bool:
        """Takes bytes if they are free."""
        if nbytes <= self._allowance:
            self._allowance -= nbytes
            return True
        if not self._pool.take_now(nbytes):
            return False
        self._taken += nbytes
        return True

    async def take(self, nbytes: int, field: str) -> None:
        """Takes bytes once they are free.

        Args:
            nbytes: that something is expected to take, until the account is released.
            field: of the request, which says how large that something is.

        Raises:
            InvalidField: it is more than all calls together may take.
            Overloaded: others have taken too much of it for too long.
        """
        if self.take_now(nbytes):
            return
        if nbytes > self._pool.capacity:
            raise InvalidField(
                field,
                f"must ask for less: the call would take about {nbytes} bytes of memory, and this server has "
                f"{self._pool.capacity} for that (HOPFIELD_MAX_BYTES_IN_FLIGHT)",
                limit=self._pool.capacity,
                size=nbytes,
            )
        if not await self._pool.take(nbytes, self.peer):
            raise Overloaded(_BYTES_TAKEN)
        self._taken += nbytes

    async def take_for_load(self, nbytes: int) -> None:
        """Takes the bytes of a load once they are free.

        What was stored must load. A load that takes more than all calls together may takes most of that, since those
        who wait for it may hold some themselves.

        Raises:
            Overloaded: others have taken too much of it for too long.
        """
        nbytes = min(nbytes, self._pool.capacity - self._pool.capacity // _SHARE_OF_OTHERS)
        if self.take_now(nbytes):
            return
        if not await self._pool.take(nbytes, self.peer):
            raise Overloaded(_BYTES_TAKEN)
        self._taken += nbytes

    def part(self, allowance: int = 0) -> "Account":
        """An account of its own for a part of the call, released before it or with it."""
        part = Account(self._pool, self.peer, allowance)
        self._parts.append(part)
        return part

    def release(self) -> None:
        """Gives back everything."""
        if self._taken:
            taken, self._taken = self._taken, 0
            self._pool.give_back(taken)
        if self._parts:
            for part in self._parts:
                part.release()
            self._parts.clear()

    def release_part(self, part: "Account") -> None:
        """Gives back what a part has taken."""
        if part in self._parts:
            self._parts.remove(part)
        part.release()


class Admission:
    """What the calls of one server may take together.

    Attributes:
        calls: the lane of all calls but those that tell how the server is.
        control: the lane of those, which get through whatever the others do.
        streams: has slots for the messages of streams after their first. No call enters it.
    """

    def __init__(self, bytes_in_flight: int, calls: int, message_bytes: int) -> None:
        """Takes the bytes of all calls together, how many may be in flight, and the size of the largest message."""
        slots = max(4, bytes_in_flight // 4 // message_bytes)
        control = max(2, slots // 8)
        streams = max(1, slots // 4)
        self.calls = Lane(calls, slots - control - streams, message_bytes)
        self.streams = Lane(0, streams, message_bytes, slow_message=_SLOW_IN_STREAM)
        self.control = Lane(max(16, calls // 4), control, message_bytes)
        self._pool = _Pool(max(0, bytes_in_flight - slots * message_bytes))

    def charge_while_used(self, thing: object, nbytes: int) -> None:
        """Charges for something that is used still, until nobody uses it any longer, whether or not so much is free.

        Args:
            thing: such as a network that is cached no longer, while recalls from it go on.
            nbytes: that it takes.
        """
        if nbytes > ALLOWANCE:
            self._pool.free -= nbytes
            # It may be on a thread of kernels that the last recall ends.
            loop = asyncio.get_running_loop()
            weakref.finalize(thing, _soon, loop, self._pool, nbytes).atexit = False

    def account(self, peer: str = _NOBODY) -> Account:
        """An account for a call of a peer, or of the service itself."""
        return Account(self._pool, peer)


def _soon(loop: asyncio.AbstractEventLoop, pool: _Pool, nbytes: int) -> None:
    with suppress(RuntimeError):  # the loop is closed, and the service with it
        loop.call_soon_threadsafe(pool.give_back, nbytes)


# Of what runs outside of any call, which nobody bounds.
_UNBOUNDED = Account(_Pool(1 << 62), _NOBODY)
_current: ContextVar[Account] = ContextVar("account", default=_UNBOUNDED)


def current() -> Account:
    """The account of the call that this is done for."""
    return _current.get()


def charge_to(account: Account) -> None:
    """Has what this task does from now on charged to an account."""
    _current.set(account)


@contextmanager
def charged_to(account: Account) -> Iterator[None]:
    """Has what is done within charged to an account."""
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)
