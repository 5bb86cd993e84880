"""Loaded networks kept in step with Redis: snapshot and tail in, snapshots out."""

import asyncio
import logging
import weakref
from dataclasses import dataclass, replace

from hopfield_service.core.network import Import, Network, Operation
from hopfield_service.errors import CorruptMemory, MemoryNotFound, RevisionAhead, ServiceError
from hopfield_service.serving.cache import Loaded, NetworkCache
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.store.layout import Head, blob_nbytes, snapshot_arrays
from hopfield_service.store.redis_store import LogEntry, RedisStore

_log = logging.getLogger(__name__)

# Replaying an operation passes once over the weights, as loading a snapshot does some ten times; patterns are cheaper.
_SNAPSHOT_AFTER = 32
_PATTERNS_PER_PASS = 32


@dataclass(frozen=True, slots=True)
class Token:
    """What a caller has seen of a memory."""

    uid: str
    revision: int


class NamedLocks:
    """A lock for each name, which lives as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def of(self, name: str) -> asyncio.Lock:
        """The lock of a name."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock


class NetworkLoader:
    """The present network of each memory. Every method may raise what RedisStore raises."""

    def __init__(
        self, store: RedisStore, cache: NetworkCache, executor: KernelExecutor, max_snapshot_bytes: int
    ) -> None:
        self._store = store
        self._cache = cache
        self._executor = executor
        self._max_snapshot_bytes = max_snapshot_bytes
        # One load at a time of each memory, however many wait for it.
        self._loading = NamedLocks()
        self._snapshots: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Finishes the snapshots that are being written."""
        await asyncio.gather(*self._snapshots.values())

    def forget(self, name: str) -> None:
        """Keeps the network of a memory no longer, because it was deleted."""
        self._cache.drop(name)

    async def loaded(self, name: str, token: Token | None) -> Loaded:
        """The network of a memory, at its present revision.

        Raises:
            MemoryNotFound: there is no memory of that name.
            RevisionAhead: the token is of this memory and names a revision it has not reached.
        """
        head = await self._head(name)
        if token is not None and token.uid == head.uid and token.revision > head.revision:
            raise RevisionAhead(name, token.revision, head.revision)
        cached = self._cache.get(name)
        if cached is not None and cached.head.commit == head.commit and cached.head.uid == head.uid:
            return cached
        async with self._loading.of(name):
            return await self._load(name)

    async def _head(self, name: str) -> Head:
        head = await self._store.head(name)
        if head is None:
            self._cache.drop(name)
            raise MemoryNotFound(name)
        return head

    async def _load(self, name: str) -> Loaded:
        """The present network, from the nearest of: what is cached, the snapshot, nothing; and the log after it.

        A base that the log does not continue (the storage was put back to an earlier state, or a snapshot cannot be
        read) gives way to the next. The memory may be deleted and made anew meanwhile: then it is looked for anew.
        """
        while True:
            head = await self._head(name)
            cached = self._cache.get(name)
            loaded = None
            if cached is not None and cached.head.uid == head.uid:
                loaded = await self._continued(head, cached)
            if loaded is None:
                loaded = await self._continued(head, await self._snapshot_base(head))
            if loaded is None:
                loaded = await self._continued(head, Loaded(replace(head, revision=0, commit=""), head.spec.empty(), 0))
            if loaded is not None:
                self._cache.put(loaded)
                return loaded
            self._cache.drop(name)
            present = await self._store.head(name)
            if present is not None and (present.uid, present.commit) == (head.uid, head.commit):
                _log.error("memory %r: its log does not lead to revision %d", name, head.revision)
                raise CorruptMemory(name)

    async def _snapshot_base(self, head: Head) -> Loaded | None:
        network = await self._store.snapshot(head)
        if network is None or head.snapshot is None:
            return None
        at = replace(head, revision=head.snapshot.revision, commit=head.snapshot.commit)
        return Loaded(at, network, 0)

    async def _continued(self, head: Head, base: Loaded | None) -> Loaded | None:
        """A network brought to `head`, or to a later commit; None where the log does not lead from one to the other."""
        if base is None or base.head.revision > head.revision:
            return None
        network, tail, at = base.network, base.tail, base.head
        entries: list[LogEntry] = [entry async for entry in self._store.log(head, at.revision)]
        for entry in entries:
            if entry.previous != at.commit:
                return None
            network = await self._executor.call(network.apply, entry.operation)
            tail += _cost(entry.operation)
            at = replace(at, revision=entry.revision, commit=entry.commit)
        if at.revision < head.revision or (at.revision == head.revision and at.commit != head.commit):
            return None
        if at.revision > head.revision:
            newer = await self._store.head(head.name)
            if newer is None or newer.commit != at.commit:
                # Its times and counts are of another revision: what is known here has to do with the revision loaded.
                newer = replace(head, revision=at.revision, commit=at.commit, pattern_count=len(network.stored))
            head = newer
        return Loaded(head, network, tail)

    # Snapshots

    async def committed(self, before: Loaded, operation: Operation, head: Head, network: Network) -> None:
        """Takes note of a commit made here: keeps the network, and has a snapshot written when one is due."""
        after = Loaded(head, network, before.tail + _cost(operation))
        self._cache.put(after)
        await self._snapshot_when_due(after)

    async def _snapshot_when_due(self, loaded: Loaded) -> None:
        """Has a snapshot written where replaying the log would cost more than loading one.

        The first is waited for, so that after the first store the weights are in Redis; later ones are written behind.
        """
        head, network = loaded.head, loaded.network
        first = head.snapshot is None
        if not (first or loaded.tail >= _SNAPSHOT_AFTER) or head.name in self._snapshots:
            return
        if blob_nbytes(snapshot_arrays(network)) > self._max_snapshot_bytes:
            return
        task = asyncio.create_task(self._write_snapshot(loaded))
        self._snapshots[head.name] = task
        task.add_done_callback(lambda _: self._snapshots.pop(head.name, None))
        if first:
            await asyncio.shield(task)

    async def _write_snapshot(self, loaded: Loaded) -> None:
        head = loaded.head
        try:
            manifest = await self._store.write_snapshot(head, loaded.network)
        except ServiceError as error:
            # Nothing is lost: the log says all, and the next store tries again.
            _log.warning("no snapshot of memory %r at revision %d: %s", head.name, head.revision, error)
            return
        cached = self._cache.get(head.name)
        if manifest is not None and cached is not None and cached.head.uid == head.uid:
            since = cached.tail - loaded.tail
            self._cache.put(Loaded(replace(cached.head, snapshot=manifest), cached.network, since))


def _cost(operation: Operation) -> int:
    """Of replaying an operation, in passes over the weights."""
    patterns = 0 if isinstance(operation, Import) else len(operation.labels)
    return 1 + patterns // _PATTERNS_PER_PASS
