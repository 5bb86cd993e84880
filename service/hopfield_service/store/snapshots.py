"""What stands in for the log of a memory: a snapshot for all of it, a base for the part that was compacted."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from hopfield_service.core.interruption import Interruption
from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import Network
from hopfield_service.store import layout, scripts
from hopfield_service.store.blob_codec import Manifest
from hopfield_service.store.blobs import Blobs
from hopfield_service.store.layout import Head, Keys
from hopfield_service.store.redis_client import BoundedRedis
from hopfield_service.store.redis_errors import errors_of

# A reader that has begun on a blob which is then replaced has so long to finish.
_REPLACED_TTL = 60
# Whoever is writing and has not ended after so long is gone, or slow: then another may.
_WRITER_TTL = 60


class SnapshotStore:
    """The snapshots and bases of all memories. Every method may raise what RedisStore raises."""

    def __init__(self, client: BoundedRedis, keys: Keys, blobs: Blobs) -> None:
        self._redis = client
        self._keys = keys
        self._blobs = blobs
        self._swap = client.register_script(scripts.SWAP)
        self._compact = client.register_script(scripts.COMPACT)
        self._release = client.register_script(scripts.RELEASE)

    async def snapshot(self, head: Head, manifest: Manifest) -> Callable[[Interruption], Network]:
        """What makes the network at the revision of a snapshot of the head.

        Raises:
            Corrupt: the snapshot cannot be read; also when what is returned is called.
        """
        return partial(layout.restored_network, manifest, await self._blobs.read(head, manifest))

    async def base(self, head: Head) -> Callable[[Interruption], Network]:
        """What makes the network before the first entry of the present log: learns anew what the base says.

        Raises:
            Corrupt: the base cannot be read; also when what is returned is called.
        """
        if head.base is None:
            return lambda _: head.spec.empty()
        return partial(layout.relearnt_network, head.base, await self._blobs.read(head, head.base))

    @asynccontextmanager
    async def writing(self, head: Head) -> AsyncIterator[bool]:
        """Whether this is the one who writes a snapshot or a base now.

        It spares the others the work: two that write at once do no harm. Who fails keeps the place until it expires, so that
        nobody tries the same again at once.
        """
        key, ours = self._keys.writer(head.name, head.uid), secrets.token_hex(8)
        with errors_of(head.name):
            alone = bool(await self._redis.set(key, ours, nx=True, ex=_WRITER_TTL))
            # It may have been sent twice.
            alone = alone or await self._redis.get(key) == ours.encode()
        yield alone
        if alone:
            with errors_of(head.name):
                await self._release([key], [ours])

    async def write_snapshot(
        self, head: Head, arrays: Mapping[str, StateArray], next_number: int, *, unreadable: bool
    ) -> Manifest | None:
        """Puts a snapshot in place of the one that `head` knows, if that is still the present one.

        Args:
            head: where the memory stood when the snapshot was made.
            arrays: `layout.snapshot_arrays` of the network at the revision of the head.
            next_number: StoredPatterns.next_number of it.
            unreadable: whether the one that `head` knows cannot be read, and gives way to an older one too.

        Returns:
            Its manifest, or None where another came first.
        """
        manifest = await self._blobs.stage(head, arrays, next_number)
        new, old = self._blobs.keys(head, manifest), self._blobs.keys(head, head.snapshot)
        lowest = 0 if head.snapshot is None or unreadable else head.snapshot.revision + 1
        where: list[str | int] = [head.uid, head.generation, head.snapshot.blob if head.snapshot else "", lowest]
        arguments = [*where, head.revision, manifest.blob, manifest.to_json(), len(new), _REPLACED_TTL]
        with errors_of(head.name):
            reply = cast("list[bytes]", await self._swap([self._keys.head(head.name), *new, *old], arguments))
        if reply == [b"done"]:
            return manifest
        await self._blobs.unstage(head, manifest)
        return None

    async def compact(self, head: Head, arrays: Mapping[str, StateArray], next_number: int) -> Manifest | None:
        """Puts a base in place of the log up to the revision of `head`, if it still is of the same generation.

        Args:
            head: where the memory stood when the base was made; it may have gone on since.
            arrays: `layout.base_arrays` of the network at the revision of the head.
            next_number: StoredPatterns.next_number of it.

        Returns:
            Its manifest, or None where another came first.
        """
        manifest = await self._blobs.stage(head, arrays, next_number)
        new = self._blobs.keys(head, manifest)
        old = self._blobs.keys(head, head.base, head.imported)
        where: list[str | int] = [head.uid, head.generation, head.revision, head.commit]
        arguments = [*where, manifest.to_json(), head.log_bytes, len(new), _REPLACED_TTL]
        keys = [self._keys.head(head.name), self._keys.log(head.name, head.uid), *new, *old]
        with errors_of(head.name):
            reply = cast("list[bytes]", await self._compact(keys, arguments))
        if reply == [b"done"]:
            return manifest
        await self._blobs.unstage(head, manifest)
        return None
