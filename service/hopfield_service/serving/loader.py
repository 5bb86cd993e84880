"""Loaded networks kept in step with Redis: the present one of each memory, from the nearest of what is at hand."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from hopfield_service.core.network import Network, Operation
from hopfield_service.errors import CorruptMemory, MemoryNotFound, RevisionAhead, StorageUnavailable
from hopfield_service.serving import costs
from hopfield_service.serving.admission import Account, charged_to, current
from hopfield_service.serving.cache import Loaded, NetworkCache
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.serving.snapshot_writer import SnapshotWriter
from hopfield_service.store.codec import Corrupt
from hopfield_service.store.layout import Head
from hopfield_service.store.redis_errors import errors_of
from hopfield_service.store.redis_store import Position, RedisStore

_log = logging.getLogger(__name__)

# Memories that are caught up with in the background at once: those that somebody waits for must not queue behind all the others.
_CATCHING_UP = 16


@dataclass(frozen=True, slots=True)
class Token:
    """What a caller has seen of a memory."""

    uid: str
    revision: int


class NetworkLoader:
    """The network of each memory, at least as new as who asks must see. Every method may raise what RedisStore raises."""

    def __init__(
        self,
        store: RedisStore,
        cache: NetworkCache,
        executor: KernelExecutor,
        max_snapshot_bytes: int,
        account: Callable[[], Account],
    ) -> None:
        """Takes what it needs; each load is charged to an account of its own."""
        self._account = account
        self._store = store
        self._cache = cache
        self._executor = executor
        self._writer = SnapshotWriter(store, cache, executor, max_snapshot_bytes)
        # One load at a time of each memory, however many wait for it, and however many of them give up.
        self._loads: dict[str, asyncio.Task[Loaded]] = {}
        # Those, and others whose memory was deleted since they began.
        self._running: set[asyncio.Task[Loaded]] = set()
        # Memories to be caught up with, in order, and how many of them are being.
        self._behind: dict[str, None] = {}
        self._catching_up = 0

    async def close(self) -> None:
        """Finishes the snapshots that are being written, and gives up the loads."""
        self._behind.clear()
        for load in self._running:
            load.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._writer.close()

    def forget(self, name: str) -> None:
        """Keeps the network of a memory no longer, because it was deleted, nor that of a load which began before."""
        self._cache.drop(name)
        self._loads.pop(name, None)

    def cached(self, name: str, token: Token | None) -> Loaded | None:
        """The network of a memory, where it is at hand and not older than a token. See `cached_or_loaded`."""
        cached = self._cache.get(name)
        return cached if cached is not None and (token is None or _has_seen(cached.head, token)) else None

    async def cached_or_loaded(self, name: str, token: Token | None) -> Loaded:
        """The network of a memory, which may be older than what Redis has by what a replica may lag behind, but is not older than a token.

        Raises:
            MemoryNotFound: there is no memory of that name.
            RevisionAhead: the token is of this memory and names a revision it has not reached.
        """
        return self.cached(name, token) or await self.present(name, token)

    async def present(self, name: str, token: Token | None = None) -> Loaded:
        """The network of a memory at its present revision, as Redis has it now. Errors: as `cached_or_loaded`."""
        while True:
            position = await self._store.position(name)
            if position is None:
                self.forget(name)
                raise MemoryNotFound(name)
            if token is not None and token.uid == position.uid and token.revision > position.revision:
                raise RevisionAhead(name, token.revision, position.revision)
            cached = self._cache.get(name)
            if cached is not None and _is_at(cached, position):
                return cached
            begun_by_others = name in self._loads
            loaded = await asyncio.shield(self._load_of(name))
            # A load that others had begun may have begun before what this caller has to see.
            seen = Token(position.uid, position.revision)
            if not begun_by_others or _has_seen(loaded.head, seen):
                return loaded

    def cached_names(self) -> list[str]:
        """The memories whose networks are loaded."""
        return self._cache.names()

    def found_at(self, name: str, position: Position | None) -> None:
        """Takes note of where a memory stands, and catches up in the background where its network is loaded and stands elsewhere."""
        cached = self._cache.peek(name)
        if cached is None:
            return
        if position is None:
            self.forget(name)
        elif not _is_at(cached, position):
            self._catch_up(name)

    def changed(self, name: str) -> None:
        """Catches up in the background with a memory that was changed, if its network is loaded."""
        if self._cache.peek(name) is not None:
            self._catch_up(name)

    async def committed(self, before: Loaded, operation: Operation, head: Head, network: Network) -> None:
        """Takes note of a commit made here: keeps the network, and has a snapshot written when one is due.

        The first snapshot is waited for, so that after the first store the weights are in Redis.
        """
        after = Loaded(head, network, before.tail + network.cost(operation))
        self._cache.put(after)
        await self._writer.write_when_due(after)

    async def made(self, head: Head) -> None:
        """Takes note of a memory made here that is whole without any operation, and waits until its weights are in Redis."""
        network = await self._executor.load(lambda _: head.spec.empty())
        made = Loaded(head, network, 0)
        self._cache.put(made)
        await self._writer.write_when_due(made)

    async def catch_up_with(self, head: Head) -> None:
        """Sees to it that the network is not older than a commit made here that at first was not known to be made."""
        cached = self._cache.peek(head.name)
        if cached is not None and not _has_seen(cached.head, Token(head.uid, head.revision)):
            with suppress(MemoryNotFound):
                await self.present(head.name)

    # Loading

    def _catch_up(self, name: str) -> None:
        self._behind[name] = None
        self._catch_up_with_more()

    def _catch_up_with_more(self) -> None:
        while self._behind and self._catching_up < _CATCHING_UP:
            name = next(iter(self._behind))
            del self._behind[name]
            self._catching_up += 1
            self._load_of(name).add_done_callback(self._caught_up)

    def _caught_up(self, _: asyncio.Task[Loaded]) -> None:
        self._catching_up -= 1
        self._catch_up_with_more()

    def _load_of(self, name: str) -> asyncio.Task[Loaded]:
        load = self._loads.get(name)
        if load is None:
            load = self._loads[name] = asyncio.create_task(self._charged_load(name))
            self._running.add(load)
            load.add_done_callback(lambda done: self._load_ended(name, done))
        return load

    def _load_ended(self, name: str, load: asyncio.Task[Loaded]) -> None:
        self._running.discard(load)
        if self._loads.get(name) is load:
            del self._loads[name]
        if load.cancelled():
            return
        error = load.exception()
        if isinstance(error, MemoryNotFound | CorruptMemory):
            self._cache.drop(name)
        # Those who wait for it are told; where nobody does any more, it is said here. That Redis is away is said elsewhere.
        if error is not None and not isinstance(error, MemoryNotFound | StorageUnavailable):
            _log.warning("memory %r was not loaded: %s", name, error)

    async def _charged_load(self, name: str) -> Loaded:
        """Loads for all who wait for it, and not on the account of one of them."""
        account = self._account()
        with charged_to(account):
            try:
                return await self._load(name)
            finally:
                account.release()

    async def _load(self, name: str) -> Loaded:
        """The present network, from the nearest of: what is cached, the snapshot, the base; and the log after it.

        A base that the log does not continue (the storage was put back to an earlier state, or a snapshot cannot be
        read) gives way to the next.

        Raises:
            MemoryNotFound: there is no memory of that name.
            CorruptMemory: it cannot be read, though it was neither deleted nor compacted meanwhile.
        """
        this = asyncio.current_task()
        while True:
            head = await self._store.head(name)
            if head is None:
                raise MemoryNotFound(name)
            await current().take_for_load(_cost(head, self._cache.peek(name)))
            try:
                loaded = await self._loaded_at(head)
            except Corrupt:
                # What is missing was deleted or replaced between two reads.
                if await self._was_replaced(head):
                    continue
                with errors_of(name):
                    raise
            if loaded is not None:
                await self._executor.load(loaded.network.prepare)
                # Not where it was deleted here since: what began before that may have read what was there before.
                if self._loads.get(name) is this:
                    self._cache.put(loaded)
                    self._writer.begin_where_missing(loaded)
                return loaded
            position = await self._store.position(name)
            if position is not None and _place(head) == position:
                _log.error("memory %r: its log does not lead to revision %d", name, head.revision)
                raise CorruptMemory(name)

    async def _loaded_at(self, head: Head) -> Loaded | None:
        """The network at a head, or at a later commit; None where the log does not lead there.

        Raises:
            Corrupt: something cannot be read without which there is no network.
        """
        loaded = await self._continued(head, self._cache.peek(head.name))
        if loaded is None:
            self._cache.drop(head.name)
            loaded = await self._continued(head, await self._snapshot_base(head))
        if loaded is None:
            loaded = await self._continued(head, await self._log_base(head))
            if loaded is not None and head.snapshot is not None:
                _log.warning("memory %r was folded from its log, since its snapshot does not lead to it", head.name)
                self._writer.replace_unreadable(loaded)
        return loaded

    async def _was_replaced(self, head: Head) -> bool:
        """Whether the memory was deleted, or its snapshot or the beginning of its log replaced, since its head was read."""
        position = await self._store.position(head.name)
        then = _place(head)
        return position is None or (position.uid, position.blob, position.generation) != (
            then.uid,
            then.blob,
            then.generation,
        )

    async def _snapshot_base(self, head: Head) -> Loaded | None:
        if head.snapshot is None:
            return None
        try:
            network = await self._executor.load(await self._store.snapshots.snapshot(head, head.snapshot))
        except Corrupt as error:
            if await self._was_replaced(head):
                raise
            _log.warning("snapshot of memory %r at revision %d: %s", head.name, head.snapshot.revision, error)
            return None
        at = replace(head, revision=head.snapshot.revision, commit=head.snapshot.commit)
        return Loaded(at, network, 0)

    async def _log_base(self, head: Head) -> Loaded:
        network = await self._executor.load(await self._store.snapshots.base(head))
        revision, commit = (head.base.revision, head.base.commit) if head.base else (0, "")
        return Loaded(replace(head, revision=revision, commit=commit), network, 0)

    async def _continued(self, head: Head, base: Loaded | None) -> Loaded | None:
        """A network brought to `head`, or to a later commit; None where the log does not lead from one to the other."""
        if base is None or base.head.uid != head.uid or base.head.revision > head.revision:
            return None
        network, tail, at = base.network, base.tail, base.head
        async for entry in self._store.log.entries(head, at.revision):
            if entry.previous != at.commit:
                return None
            network = await self._executor.load(partial(network.apply, entry.operation))
            tail += network.cost(entry.operation)
            at = replace(at, revision=entry.revision, commit=entry.commit)
        if at.revision < head.revision or (at.revision == head.revision and at.commit != head.commit):
            return None
        if at.revision > head.revision:
            newer = await self._store.head(head.name)
            if newer is None or newer.commit != at.commit:
                # Its times and counts are of another revision: what is known here has to do with the revision loaded.
                newer = replace(
                    head,
                    revision=at.revision,
                    commit=at.commit,
                    spec=network.spec,
                    pattern_count=len(network.stored),
                    outcome=network.outcome,
                    capacity=network.capacity,
                )
            head = newer
        if base.head.snapshot != head.snapshot and head.snapshot is not None:
            # Another replica has written one since: what it leaves to be replayed, at a pass an operation.
            tail = max(0, head.revision - head.snapshot.revision)
        return Loaded(head, network, tail)


def _cost(head: Head, cached: Loaded | None) -> int:
    """Bytes that it takes to load a memory, or to catch up with it."""
    if cached is not None:
        return 2 * cached.network.nbytes
    written = sum(
        array.nbytes for manifest in (head.snapshot, head.imported, head.base) if manifest for array in manifest.arrays
    )
    return costs.load(head.spec.neurons, head.pattern_count, written + head.log_bytes)


def _has_seen(head: Head, token: Token) -> bool:
    """Whether a network at this head is not older than what a caller has seen."""
    return head.uid == token.uid and head.revision >= token.revision


def _is_at(loaded: Loaded, position: Position) -> bool:
    """Whether a network is the present one, and its head knows the present snapshot and generation."""
    return _place(loaded.head) == position


def _place(head: Head) -> Position:
    """Where a memory stood when its head was read."""
    blob = head.snapshot.blob if head.snapshot else ""
    return Position(head.uid, head.revision, head.commit, blob, head.generation)
