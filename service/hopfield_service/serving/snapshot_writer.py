"""Snapshots written behind the commits, and logs compacted, when either is worth its cost."""

import asyncio
import logging
from dataclasses import replace
from functools import partial

from hopfield_service.errors import ServiceError
from hopfield_service.serving.cache import Loaded, NetworkCache
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.store.blob_codec import blob_nbytes
from hopfield_service.store.layout import base_arrays, snapshot_arrays
from hopfield_service.store.redis_store import RedisStore

_log = logging.getLogger(__name__)

# Passes over the weights that replaying operations may cost before a snapshot is due; loading one costs some ten.
_SNAPSHOT_AFTER = 32
# A log is compacted when it takes more bytes than this, and than so many times what it adds up to.
_SHORT_LOG, _LONG_LOG = 1 << 20, 2
# Seconds that closing waits for what is being written.
_SECONDS_TO_CLOSE = 2.0
# A label and a number, about.
_LABEL_BYTES = 32


class SnapshotWriter:
    """Writes snapshots and bases on tasks of its own, one for a memory at a time."""

    def __init__(
        self, store: RedisStore, cache: NetworkCache, executor: KernelExecutor, max_snapshot_bytes: int
    ) -> None:
        self._store = store
        self._cache = cache
        self._executor = executor
        self._max_snapshot_bytes = max_snapshot_bytes
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Finishes what is being written, if that takes a moment. What is given up is no loss: the log says all."""
        writing = list(self._tasks.values())
        if writing:
            _, unfinished = await asyncio.wait(writing, timeout=_SECONDS_TO_CLOSE)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def write_when_due(self, loaded: Loaded) -> None:
        """Has a snapshot written where replaying the log would cost more than loading one, and the log compacted where it is long.

        The first snapshot is waited for, whoever is writing it; later ones are written behind.
        """
        if _lacks_snapshot(loaded):
            running = self._tasks.get((loaded.head.name, loaded.head.uid))
            if running is not None:
                # It may leave the work to somebody else, who may have ended.
                await asyncio.shield(running)
            present = self._cached(loaded) or loaded
            if _lacks_snapshot(present):
                await asyncio.shield(self._begin(present, regardless=True))
        elif _is_due(loaded) or _is_long(loaded):
            self._begin(loaded)

    def begin_where_missing(self, loaded: Loaded) -> None:
        """Has the first snapshot written, which whoever stored first, or made what needs no storing, did not come to write."""
        if _lacks_snapshot(loaded) and (loaded.head.revision or not loaded.head.spec.holds_patterns):
            self._begin(loaded)

    def replace_unreadable(self, loaded: Loaded) -> None:
        """Has a snapshot written in place of the one that the head knows, which cannot be read."""
        self._begin(loaded, unreadable=True)

    def _begin(self, loaded: Loaded, *, regardless: bool = False, unreadable: bool = False) -> asyncio.Task[None]:
        key = (loaded.head.name, loaded.head.uid)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._write(loaded, regardless, unreadable))
            self._tasks[key].add_done_callback(lambda _: self._tasks.pop(key))
        return self._tasks[key]

    async def _write(self, loaded: Loaded, regardless: bool, unreadable: bool) -> None:
        head = loaded.head
        try:
            async with self._store.snapshots.writing(head) as alone:
                if not (alone or regardless):
                    return
                compacted = _is_long(loaded) and await self._compacted(loaded)
                if _is_due(loaded) or unreadable or (compacted and loaded.network.learns):
                    await self._snapshot(loaded, unreadable, head.generation + compacted)
        except ServiceError as error:
            # Nothing is lost: the log says all, and a later store tries again.
            _log.warning("no snapshot of memory %r at revision %d: %s", head.name, head.revision, error)
        except Exception:  # noqa: BLE001 - the outermost edge of a task of its own
            _log.exception("no snapshot of memory %r at revision %d", head.name, head.revision)

    async def _compacted(self, loaded: Loaded) -> bool:
        head, network = loaded.head, loaded.network
        arrays = await self._executor.load(lambda _: base_arrays(network))
        if blob_nbytes(arrays) > self._max_snapshot_bytes:
            return False
        base = await self._store.snapshots.compact(head, arrays, network.stored.next_number)
        if base is None:
            return False
        _log.info("memory %r: a log of %d bytes compacted at revision %d", head.name, head.log_bytes, head.revision)
        cached = self._cached(loaded)
        if cached is not None and cached.head.generation == head.generation:
            log_bytes = cached.head.log_bytes - head.log_bytes
            known = replace(cached.head, generation=head.generation + 1, base=base, log_bytes=log_bytes)
            self._cache.put(replace(cached, head=known))
        return True

    async def _snapshot(self, loaded: Loaded, unreadable: bool, generation: int) -> None:
        head, network = replace(loaded.head, generation=generation), loaded.network
        # Made once: the weights of some networks are not kept as they are written.
        arrays = await self._executor.load(partial(snapshot_arrays, network))
        if await self._executor.load(lambda _: blob_nbytes(arrays)) > self._max_snapshot_bytes:
            return
        manifest = await self._store.snapshots.write_snapshot(
            head, arrays, network.stored.next_number, unreadable=unreadable
        )
        cached = self._cached(loaded)
        if manifest is not None and cached is not None and cached.head.snapshot == head.snapshot:
            known = replace(cached.head, snapshot=manifest)
            self._cache.put(replace(cached, head=known, tail=cached.tail - loaded.tail))

    def _cached(self, loaded: Loaded) -> Loaded | None:
        """What is cached of the same memory, at the same revision or a later one."""
        cached = self._cache.peek(loaded.head.name)
        if cached is None or cached.head.uid != loaded.head.uid or cached.head.revision < loaded.head.revision:
            return None
        return cached


def _lacks_snapshot(loaded: Loaded) -> bool:
    """Whether there is none, and weights to write: those given from outside stand where they were put."""
    return loaded.head.snapshot is None and loaded.network.learns


def _is_due(loaded: Loaded) -> bool:
    """Whether loading a snapshot would cost less than replaying the log."""
    return _lacks_snapshot(loaded) or (loaded.network.learns and loaded.tail >= _SNAPSHOT_AFTER)


def _is_long(loaded: Loaded) -> bool:
    """Whether a log is so much longer than what it adds up to that it is worth compacting."""
    stored = loaded.network.stored
    given = sum(array.values.nbytes for array in loaded.network.given().values())
    live = stored.bits.nbytes + _LABEL_BYTES * len(stored) + given
    if loaded.head.log_bytes <= _SHORT_LOG + _LONG_LOG * live:
        return False
    # Counted only where it matters: there may be many labels.
    return loaded.head.log_bytes > _SHORT_LOG + _LONG_LOG * (live + sum(map(len, stored.labels)))
