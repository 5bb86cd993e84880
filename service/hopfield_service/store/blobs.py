"""Blobs in Redis: arrays in chunks, staged under a TTL until a script makes a memory refer to them."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

from numpy.typing import NDArray

from hopfield_service.core.learning import StateArray
from hopfield_service.errors import StorageFull
from hopfield_service.store import blob_codec, scripts
from hopfield_service.store.blob_codec import Manifest
from hopfield_service.store.codec import Corrupt
from hopfield_service.store.layout import Head, Keys
from hopfield_service.store.redis_client import BoundedRedis, expecting
from hopfield_service.store.redis_errors import errors_of, errors_translated

# Staged chunks that nothing came to refer to live so long.
_STAGED_TTL = 600


class Blobs:
    """The blobs of all memories."""

    def __init__(self, client: BoundedRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._unstage = client.register_script(scripts.UNSTAGE)

    async def stage(self, head: Head, arrays: Mapping[str, StateArray], next_number: int) -> Manifest:
        """Writes the chunks of a blob, the state of a memory at the revision of `head`."""
        blob = secrets.token_hex(8)
        manifest, chunks = await asyncio.to_thread(
            blob_codec.write_blob, arrays, blob, head.revision, head.commit, next_number
        )
        try:
            with errors_of(head.name):
                for key, chunk in zip(self.keys(head, manifest), chunks, strict=True):
                    await self._redis.set(key, bytes(chunk), ex=_STAGED_TTL)
        except StorageFull:
            # What fitted would keep others from storing.
            await self.unstage(head, manifest)
            raise
        return manifest

    async def read(self, head: Head, manifest: Manifest) -> dict[str, NDArray[Any]]:
        """The arrays of a blob.

        Raises:
            Corrupt: a chunk is missing, or they are not what was written.
        """
        chunks: list[bytes] = []
        for key in self.keys(head, manifest):
            with errors_translated(), expecting(blob_codec.CHUNK_BYTES):
                chunk = cast("bytes | None", await self._redis.get(key))
            if chunk is None:
                raise Corrupt(f"chunk {len(chunks)} of {manifest.chunks} is missing")
            chunks.append(chunk)
        return await asyncio.to_thread(blob_codec.read_blob, manifest, chunks)

    async def unstage(self, head: Head, manifest: Manifest | None) -> None:
        """Deletes the chunks of a blob, unless a memory came to refer to it."""
        chunks = self.keys(head, manifest)
        if chunks:
            with errors_of(head.name):
                await self._unstage(chunks)

    def keys(self, head: Head, *manifests: Manifest | None) -> list[str]:
        """Those of the chunks of some blobs."""
        return [
            self._keys.chunk(head.name, head.uid, manifest.blob, i)
            for manifest in _present(manifests)
            for i in range(manifest.chunks)
        ]


def _present(manifests: Sequence[Manifest | None]) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest is not None]
