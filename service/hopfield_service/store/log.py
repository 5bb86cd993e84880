"""The log of a memory: its commits, as they are read."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast

from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import Import, Operation
from hopfield_service.store import layout
from hopfield_service.store.blob_codec import Manifest
from hopfield_service.store.blobs import Blobs
from hopfield_service.store.codec import Corrupt
from hopfield_service.store.layout import Head, Keys
from hopfield_service.store.redis_client import BoundedRedis, expecting
from hopfield_service.store.redis_errors import errors_translated

_log = logging.getLogger(__name__)

# Entries that are read at once: as many as are about so large together, since each may be as large as a message.
_PAGE = 100
_PAGE_BYTES = 4 << 20

LARGE_BYTES = 256 << 10
"""Operations of more bytes are written and read on a thread."""

_Entries = list[tuple[bytes, dict[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One commit.

    Attributes:
        revision: that it made.
        commit: its id.
        previous: id of the commit before it.
        operation: what it did.
    """

    revision: int
    commit: str
    previous: str
    operation: Operation


class Log:
    """The logs of all memories. Every method may raise what RedisStore raises."""

    def __init__(self, client: BoundedRedis, keys: Keys, blobs: Blobs) -> None:
        self._redis = client
        self._keys = keys
        self._blobs = blobs

    async def entries(self, head: Head, after: int) -> AsyncIterator[LogEntry]:
        """The commits after a revision, in order, as far as there are any without a gap.

        Raises:
            Corrupt: one cannot be read, perhaps since the memory was deleted, or its log compacted, meanwhile.
        """
        key = self._keys.log(head.name, head.uid)
        count = 1
        while True:
            # However far the log is longer than what is read.
            with errors_translated(), expecting(head.log_bytes):
                page = cast("_Entries", await self._redis.xrange(key, f"{after + 1}-0", "+", count=count))
            for entry_id, fields in page:
                entry = await self._read_entry(head, entry_id, fields)
                if entry.revision != after + 1:
                    _log.info("memory %r: its log has no entry %d", head.name, after + 1)
                    return
                yield entry
                after = entry.revision
            if len(page) < count:
                return
            largest = max(len(fields.get(b"payload", b"")) for _, fields in page)
            count = max(1, min(_PAGE, _PAGE_BYTES // (largest + 1)))

    async def _read_entry(self, head: Head, entry_id: bytes, fields: Mapping[bytes, bytes]) -> LogEntry:
        try:
            revision = int(entry_id.partition(b"-")[0])
            payload = fields[b"payload"]
            read = partial(layout.read_operation, payload, fields[b"checksum"].decode(), head.spec.row_bytes)
            operation = await asyncio.to_thread(read) if len(payload) > LARGE_BYTES else read()
            commit, previous = fields[b"commit"].decode(), fields[b"previous"].decode()
        except (ValueError, KeyError) as error:
            raise Corrupt("a log entry does not parse") from error
        if isinstance(operation, Manifest):
            # An import is not written anew when it is read, so that its arrays need no form for writing.
            arrays = await self._blobs.read(head, operation)
            operation = Import({name: StateArray(values, symmetric=True) for name, values in arrays.items()})
        return LogEntry(revision, commit, previous, operation)
