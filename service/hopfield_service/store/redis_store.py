"""Memories in Redis: heads, logs, snapshots, and the commit that changes them atomically.

A commit is one short Lua script. It checks that the memory is still where the caller found it, appends one entry to the
log, moves the head, and notes what the request did, or does nothing at all. A request that was carried out already is recognised by
its id in the same step, so that sending a command again, as the Redis client does when a reply is lost, changes nothing.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, OutOfMemoryError, ReadOnlyError, ResponseError

from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import Import, Network, Operation, Spec
from hopfield_service.errors import CorruptMemory, RequestIdReused, StorageFull, StorageUnavailable
from hopfield_service.store import layout, scripts
from hopfield_service.store.layout import Corrupt, Head, Keys, Manifest

_log = logging.getLogger(__name__)

# A repeat is recognised so long after the request, and staged chunks that nothing came to refer to live so long.
_REQUEST_TTL = 3600
_STAGED_TTL = 600
# A reader that has begun on a snapshot which is then replaced has so long to finish.
_REPLACED_TTL = 60
_LOG_PAGE = 100

_Entries = list[tuple[bytes, dict[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a repeat recognisable.

    Attributes:
        id: chosen by the caller, or by the server where the caller chose none.
        digest: of the content.
    """

    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a request did, kept to answer its repeat.

    Attributes:
        head: where the memory stood after it.
        labels: that the request did not name itself.
    """

    head: Head
    labels: tuple[str, ...]


class Outcome(Enum):
    """What became of a change."""

    DONE = "done"
    EXISTS = "exists"
    MOVED = "moved"
    REPEATED = "repeated"


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


class RedisStore:
    """Memories in one Redis.

    Every method may raise StorageUnavailable when Redis does not answer, StorageFull when it takes no more, and
    CorruptMemory when what it holds cannot be read.
    """

    def __init__(self, url: str, prefix: str, timeout: float) -> None:
        """Connects when first used.

        Args:
            url: redis://, rediss:// or unix://.
            prefix: what every key begins with.
            timeout: seconds to wait for an answer before a command is sent again, and at most to connect.
        """
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # Sending again is safe: every change is recognised by the id of its request.
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2),
            protocol=2,
        )
        self._keys = Keys(prefix)
        self._create, self._commit, self._delete, self._swap = (
            self._redis.register_script(script)
            for script in (scripts.CREATE, scripts.COMMIT, scripts.DELETE, scripts.SWAP)
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    async def ping(self) -> None:
        """Asks Redis for a sign of life."""
        with _errors_translated():
            await self._redis.ping()

    # Heads

    async def head(self, name: str) -> Head | None:
        """Where a memory stands, or None."""
        (fields,) = await self._fields([name])
        with _named(name):
            return Head.from_fields(name, fields) if fields else None

    async def heads(self, names: Sequence[str]) -> list[Head]:
        """Where those of some memories stand that exist and can be read."""
        found = []
        for name, fields in zip(names, await self._fields(names), strict=True):
            if fields:
                # One that cannot be read is logged, and keeps nobody from seeing the others.
                with suppress(CorruptMemory), _named(name):
                    found.append(Head.from_fields(name, fields))
        return found

    async def _fields(self, names: Sequence[str]) -> list[dict[bytes, bytes]]:
        with _errors_translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hgetall(self._keys.head(name))
                return cast("list[dict[bytes, bytes]]", await pipeline.execute())

    async def names(self, prefix: str, after: str, count: int) -> list[str]:
        """At most `count` names that begin with a prefix and come after a name; some may be of memories that are gone."""
        low = f"({after}" if after else f"[{prefix}"
        # \\xff is in no name, and above all that is.
        high = b"[" + prefix.encode() + b"\xff" if prefix else b"+"
        with _errors_translated():
            names = await self._redis.zrangebylex(self._keys.names, low, high, 0, count)
        return [name.decode() for name in cast("list[bytes]", names)]

    # Changes

    async def noted(self, name: str, request: Request) -> Note | None:
        """What this request did before, or None if it was not carried out yet.

        Raises:
            RequestIdReused: a request with this id had another content.
        """
        with _errors_translated():
            written = cast("bytes | None", await self._redis.get(self._keys.request(name, request.id)))
        if written is None:
            return None
        with _named(name):
            return _read_note(name, written, request)

    async def create(
        self,
        name: str,
        spec: Spec,
        first: Import | None,
        request: Request,
    ) -> tuple[Outcome, Head]:
        """Makes a memory.

        Args:
            name: of the memory.
            spec: its parameters.
            first: its first operation, made with it; None for an empty memory.
            request: to recognise a repeat.

        Returns:
            DONE, EXISTS, or REPEATED (see `noted`), and the head that was to be made. MOVED where writing took so long that
            what was staged has expired.
        """
        now = _now()
        head = Head(name, secrets.token_hex(8), spec, 0, "", 0, now, now)
        manifest: Manifest | None = None
        entry: list[str | bytes] = []
        if first is not None:
            head = replace(head, revision=1, commit=secrets.token_hex(16))
            manifest = await self._stage(head, first.arrays, 0)
            entry = _entry_parts(first, manifest, previous="", head=head)
        fields = [part for item in head.fields().items() for part in item]
        with _errors_translated():
            # Indexed first: an entry of a memory that then is not made is passed over, a memory that is not indexed is lost.
            await self._redis.zadd(self._keys.names, {name: 0})
            reply = await self._create(
                [*self._names(head, request), *self._chunk_keys(head, manifest)],
                [_note(request, head), _REQUEST_TTL, len(fields), *fields, *entry],
            )
        return _outcome(reply), head

    async def commit(
        self,
        head: Head,
        operation: Operation,
        pattern_count: int,
        request: Request,
        labels: Sequence[str] = (),
    ) -> tuple[Outcome, Head]:
        """Appends an operation, if the memory is still where `head` says.

        Args:
            head: where the memory was found.
            operation: what to append.
            pattern_count: P after it.
            request: to recognise a repeat.
            labels: that the request does not name itself, to be noted.

        Returns:
            DONE, MOVED (nothing was changed: look again), or REPEATED (see `noted`), and the head after the commit.
        """
        after = replace(
            head,
            revision=head.revision + 1,
            commit=secrets.token_hex(16),
            pattern_count=pattern_count,
            updated=max(_now(), head.updated),
        )
        where: list[str | int] = [head.uid, head.revision, head.commit, after.commit, after.updated, pattern_count]
        entry = _entry_parts(operation, None, previous=head.commit, head=after)
        with _errors_translated():
            reply = await self._commit(
                self._names(head, request), [_note(request, after, labels), _REQUEST_TTL, *where, *entry]
            )
        return _outcome(reply), after

    async def delete(self, head: Head, request: Request) -> Outcome:
        """Deletes a memory, if it is still where `head` says.

        Returns:
            DONE, MOVED (nothing was changed: look again), or REPEATED (see `noted`).
        """
        chunks = [key for manifest in await self._blobs(head) for key in self._chunk_keys(head, manifest)]
        with _errors_translated():
            reply = await self._delete(
                [*self._names(head, request), *chunks],
                [_note(request, head), _REQUEST_TTL, head.uid, head.revision, head.commit, _blob(head)],
            )
            outcome = _outcome(reply)
            if outcome is Outcome.DONE:
                await self._redis.zrem(self._keys.names, head.name)
                # Made anew meanwhile, perhaps after its maker had indexed it: then the index must have it.
                if await self._redis.exists(self._keys.head(head.name)):
                    await self._redis.zadd(self._keys.names, {head.name: 0})
        return outcome

    async def _blobs(self, head: Head) -> list[Manifest]:
        """All blobs that a memory refers to: its snapshot, and what it was imported from."""
        blobs = [head.snapshot] if head.snapshot else []
        with _errors_translated():
            first = cast("_Entries", await self._redis.xrange(self._keys.log(head.name, head.uid), count=1))
        for _, fields in first:
            try:
                operation = layout.read_operation(fields[b"payload"], fields[b"checksum"].decode(), head.spec.neurons)
            except (Corrupt, KeyError):
                # A memory that cannot be read can still be deleted.
                continue
            if isinstance(operation, Manifest):
                blobs.append(operation)
        return blobs

    # Reading

    async def log(self, head: Head, after: int) -> AsyncIterator[LogEntry]:
        """The commits after a revision, in order."""
        key = self._keys.log(head.name, head.uid)
        while True:
            with _errors_translated():
                page = cast("_Entries", await self._redis.xrange(key, f"{after + 1}-0", "+", count=_LOG_PAGE))
            for entry_id, fields in page:
                with _named(head.name):
                    entry = await self._read_entry(head, entry_id, fields)
                    if entry.revision != after + 1:
                        raise Corrupt(f"the log has no entry {after + 1}")
                yield entry
                after = entry.revision
            if len(page) < _LOG_PAGE:
                return

    async def _read_entry(self, head: Head, entry_id: bytes, fields: Mapping[bytes, bytes]) -> LogEntry:
        try:
            revision = int(entry_id.partition(b"-")[0])
            operation = layout.read_operation(fields[b"payload"], fields[b"checksum"].decode(), head.spec.neurons)
            commit, previous = fields[b"commit"].decode(), fields[b"previous"].decode()
        except (ValueError, KeyError) as error:
            raise Corrupt("a log entry does not parse") from error
        if isinstance(operation, Manifest):
            # An import is not written anew when it is read, so that its arrays need no form for writing.
            arrays = await self._read(head, operation)
            operation = Import({name: StateArray(values, symmetric=True) for name, values in arrays.items()})
        return LogEntry(revision, commit, previous, operation)

    async def snapshot(self, head: Head) -> Network | None:
        """The network at the revision of the head's snapshot, or None when there is none, or none that can be read."""
        if head.snapshot is None:
            return None
        try:
            arrays = await self._read(head, head.snapshot)
            return await asyncio.to_thread(layout.restored_network, head.spec, head.snapshot, arrays)
        except Corrupt as error:
            _log.warning("snapshot of memory %r at revision %d: %s", head.name, head.snapshot.revision, error)
            return None

    async def _read(self, head: Head, manifest: Manifest) -> dict[str, Any]:
        chunks: list[bytes] = []
        for key in self._chunk_keys(head, manifest):
            with _errors_translated():
                chunk = cast("bytes | None", await self._redis.get(key))
            if chunk is None:
                raise Corrupt(f"chunk {len(chunks)} of {manifest.chunks} is missing")
            chunks.append(chunk)
        return await asyncio.to_thread(layout.read_blob, manifest, chunks)

    # Snapshots

    async def write_snapshot(self, head: Head, network: Network) -> Manifest | None:
        """Puts a snapshot of a network in place of the one that `head` knows, if that is still the present one.

        Args:
            head: where the memory stood when the network was made.
            network: at the revision of the head.

        Returns:
            Its manifest, or None where another came first.
        """
        arrays = await asyncio.to_thread(layout.snapshot_arrays, network)
        manifest = await self._stage(head, arrays, network.stored.next_number)
        new, old = self._chunk_keys(head, manifest), self._chunk_keys(head, head.snapshot)
        where = [head.uid, _blob(head)]
        with _errors_translated():
            reply = await self._swap(
                [self._keys.head(head.name), *new, *old],
                [*where, manifest.blob, manifest.to_json(), len(new), _REPLACED_TTL],
            )
        return manifest if reply[0] == b"done" else None

    async def _stage(self, head: Head, arrays: Mapping[str, StateArray], next_number: int) -> Manifest:
        blob = secrets.token_hex(8)
        manifest, chunks = await asyncio.to_thread(
            layout.write_blob, arrays, blob, head.revision, head.commit, next_number
        )
        with _errors_translated():
            for key, chunk in zip(self._chunk_keys(head, manifest), chunks, strict=True):
                await self._redis.set(key, chunk, ex=_STAGED_TTL)
        return manifest

    def _names(self, head: Head, request: Request) -> list[str]:
        keys = self._keys
        return [keys.head(head.name), keys.request(head.name, request.id), keys.log(head.name, head.uid)]

    def _chunk_keys(self, head: Head, manifest: Manifest | None) -> list[str]:
        if manifest is None:
            return []
        return [self._keys.chunk(head.name, head.uid, manifest.blob, i) for i in range(manifest.chunks)]


def _now() -> int:
    return time.time_ns() // 1000


def _blob(head: Head) -> str:
    return head.snapshot.blob if head.snapshot else ""


def _entry_parts(operation: Operation, manifest: Manifest | None, previous: str, head: Head) -> list[str | bytes]:
    """The fields of the log entry that makes the revision of `head`."""
    payload = layout.operation_payload(operation, manifest)
    parts: dict[str, str | bytes] = {
        "commit": head.commit,
        "previous": previous,
        "time": str(head.updated),
        "payload": payload,
        "checksum": layout.checksum(payload),
    }
    return [part for item in parts.items() for part in item]


def _note(request: Request, head: Head, labels: Sequence[str] = ()) -> str:
    return json.dumps({"digest": request.digest, "head": head.fields(), "labels": labels})


def _read_note(name: str, written: bytes, request: Request) -> Note:
    try:
        note = json.loads(written)
        if note["digest"] != request.digest:
            raise RequestIdReused(request.id)
        fields = {key.encode(): value.encode() for key, value in note["head"].items()}
        return Note(Head.from_fields(name, fields), tuple(note["labels"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt("the note of a request does not parse") from error


def _outcome(reply: list[bytes]) -> Outcome:
    return Outcome(reply[0].decode())


@contextmanager
def _errors_translated() -> Iterator[None]:
    """Says in our words what Redis says in its own, which go to the log and not to callers."""
    try:
        yield
    except OutOfMemoryError as error:
        _log.error("Redis is full: %s", error)
        raise StorageFull from error
    except (redis.ConnectionError, redis.TimeoutError, BusyLoadingError, ReadOnlyError) as error:
        _log.warning("Redis does not answer: %s", error)
        raise StorageUnavailable from error
    except ResponseError as error:
        # A script that Redis refuses for want of memory says so in an answer of the general kind.
        if "OOM" in str(error):
            _log.error("Redis is full: %s", error)
            raise StorageFull from error
        raise


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except Corrupt as error:
        _log.error("memory %r: %s", name, error)
        raise CorruptMemory(name) from error
