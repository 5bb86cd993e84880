"""Loaded networks kept in step with Redis: snapshot and tail in, snapshots out."""

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial

from hopfield_service.core.network import Network, Operation
from hopfield_service.errors import CorruptMemory, MemoryNotFound, RevisionAhead
from hopfield_service.serving.cache import Loaded, NetworkCache
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.store.layout import Head, blob_nbytes, snapshot_arrays
from hopfield_service.store.redis_store import Position, RedisStore

_log = logging.getLogger(__name__)

# Passes over the weights that replaying operations may cost before a snapshot is due; loading one costs some ten.
_SNAPSHOT_AFTER = 32


@dataclass(frozen=True, slots=True)
class Token:
    """What a caller has seen of a memory."""

    uid: str
    revision: int


class NetworkLoader:
    """The present network of each memory. Every method may raise what RedisStore raises."""

    def __init__(
        self, store: RedisStore, cache: NetworkCache, executor: KernelExecutor, max_snapshot_bytes: int
    ) -> None:
        self._store = store
        self._cache = cache
        self._executor = executor
        self._max_snapshot_bytes = max_snapshot_bytes
        # One load at a time of each memory, however many wait for it, and however many of them give up.
        self._loads: dict[str, asyncio.Task[Loaded]] = {}
        self._snapshots: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Finishes the snapshots that are being written, and gives up the loads."""
        for load in self._loads.values():
            load.cancel()
        await asyncio.gather(*self._loads.values(), *self._snapshots.values(), return_exceptions=True)

    def forget(self, name: str) -> None:
        """Keeps the network of a memory no longer, because it was deleted."""
        self._cache.drop(name)

    async def loaded(self, name: str, token: Token | None) -> Loaded:
        """The network of a memory, at its present revision.

        Raises:
            MemoryNotFound: there is no memory of that name.
            RevisionAhead: the token is of this memory and names a revision it has not reached.
        """
        while True:
            position = await self._store.position(name)
            if position is None:
                self._cache.drop(name)
                raise MemoryNotFound(name)
            if token is not None and token.uid == position.uid and token.revision > position.revision:
                raise RevisionAhead(name, token.revision, position.revision)
            cached = self._cache.get(name)
            if cached is not None and _is_at(cached, position):
                return cached
            loaded = await asyncio.shield(self._load_of(name))
            # A load that others had begun may have begun before what this caller has to see.
            if loaded.head.uid == position.uid and loaded.head.revision >= position.revision:
                return loaded

    def _load_of(self, name: str) -> asyncio.Task[Loaded]:
        load = self._loads.get(name)
        if load is None:
            load = self._loads[name] = asyncio.create_task(self._load(name))
            load.add_done_callback(lambda done: self._load_ended(name, done))
        return load

    def _load_ended(self, name: str, load: asyncio.Task[Loaded]) -> None:
        del self._loads[name]
        # Those who wait for it are told; where nobody does any more, it is said here.
        if not load.cancelled() and load.exception() is not None:
            _log.warning("memory %r was not loaded: %s", name, load.exception())

    async def _load(self, name: str) -> Loaded:
        """The present network, from the nearest of: what is cached, the snapshot, nothing; and the log after it.

        A base that the log does not continue (the storage was put back to an earlier state, or a snapshot cannot be
        read) gives way to the next. The memory may be deleted and made anew meanwhile: then it is looked for anew.
        """
        while True:
            head = await self._store.head(name)
            if head is None:
                raise MemoryNotFound(name)
            loaded = await self._continued(head, self._cache.get(name))
            if loaded is None:
                loaded = await self._continued(head, await self._snapshot_base(head))
            if loaded is None:
                loaded = await self._continued(head, Loaded(replace(head, revision=0, commit=""), head.spec.empty(), 0))
            if loaded is not None:
                self._cache.put(loaded)
                return loaded
            self._cache.drop(name)
            present = await self._store.position(name)
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
        if base is None or base.head.uid != head.uid or base.head.revision > head.revision:
            return None
        network, tail, at = base.network, base.tail, base.head
        async for entry in self._store.log(head, at.revision):
            if entry.previous != at.commit:
                return None
            network = await self._executor.learn(partial(network.apply, entry.operation))
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
                )
            head = newer
        if base.head.snapshot != head.snapshot and head.snapshot is not None:
            # Another replica has written one since: what it leaves to be replayed, at a pass an operation.
            tail = head.revision - head.snapshot.revision
        return Loaded(head, network, tail)

    # Snapshots

    async def committed(self, before: Loaded, operation: Operation, head: Head, network: Network) -> None:
        """Takes note of a commit made here: keeps the network, and has a snapshot written when one is due."""
        after = Loaded(head, network, before.tail + network.cost(operation))
        self._cache.put(after)
        await self._snapshot_when_due(after)

    async def _snapshot_when_due(self, loaded: Loaded) -> None:
        """Has a snapshot written where replaying the log would cost more than loading one.

        The first is waited for, so that after the first store the weights are in Redis; later ones are written behind.
        """
        head = loaded.head
        key = (head.name, head.uid)
        first = head.snapshot is None
        if not (first or loaded.tail >= _SNAPSHOT_AFTER) or key in self._snapshots:
            return
        task = self._snapshots[key] = asyncio.create_task(self._write_snapshot(loaded))
        task.add_done_callback(lambda _: self._snapshots.pop(key))
        if first:
            await asyncio.shield(task)

    async def _write_snapshot(self, loaded: Loaded) -> None:
        head, network = loaded.head, loaded.network
        try:
            if await self._executor.learn(lambda _: _snapshot_nbytes(network)) > self._max_snapshot_bytes:
                return
            manifest = await self._store.write_snapshot(head, network)
        except Exception:  # noqa: BLE001 - the outermost edge of a task of its own
            # Nothing is lost: the log says all, and the next store tries again.
            _log.exception("no snapshot of memory %r at revision %d", head.name, head.revision)
            return
        cached = self._cache.get(head.name)
        if manifest is not None and cached is not None and cached.head.uid == head.uid:
            since = cached.tail - loaded.tail
            self._cache.put(Loaded(replace(cached.head, snapshot=manifest), cached.network, since))


def _is_at(loaded: Loaded, position: Position) -> bool:
    """Whether a network is the present one, and its head knows the present snapshot."""
    head = loaded.head
    blob = head.snapshot.blob if head.snapshot else ""
    return (head.uid, head.commit, blob) == (position.uid, position.commit, position.blob)


def _snapshot_nbytes(network: Network) -> int:
    return blob_nbytes(snapshot_arrays(network))
