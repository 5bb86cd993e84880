"""Memories in Redis: heads, logs, snapshots, and the commit that changes them atomically.

A commit is one short Lua script. It checks that the memory is still where the caller found it, appends one entry to the
log, moves the head, and notes what the request did, or does nothing at all. A request that was carried out already is recognised by
its id in the same step, so that sending a command again, as the Redis client does when a reply is lost, changes nothing.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, cast

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import Configure, Import, Network, Operation, Spec
from hopfield_service.errors import CorruptMemory
from hopfield_service.store import layout, scripts
from hopfield_service.store.layout import Corrupt, Head, Keys, Manifest
from hopfield_service.store.notes import Note, Request, read_note, written_note
from hopfield_service.store.redis_errors import errors_of, errors_translated

_log = logging.getLogger(__name__)

# A repeat is recognised so long after the request, and staged chunks that nothing came to refer to live so long.
_REQUEST_TTL = 3600
_STAGED_TTL = 600
# A reader that has begun on a snapshot which is then replaced has so long to finish.
_REPLACED_TTL = 60
# Commands that may be under way at once; more wait for one of these.
_CONNECTIONS = 64
# Entries of a log that are read at once: as many as are about so large together, since each may be as large as a message.
_LOG_PAGE = 100
_LOG_PAGE_BYTES = 4 << 20

_Entries = list[tuple[bytes, dict[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a memory stands, as far as it takes to know whether what is loaded is still right.

    Attributes:
        uid: of the memory.
        revision: number of its commits.
        commit: id of the last of them.
        blob: id of its snapshot; "" where there is none.
    """

    uid: str
    revision: int
    commit: str
    blob: str


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
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # Sending again is safe: every change is recognised by the id of its request.
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2),
            protocol=2,
        )
        self._redis = redis.Redis.from_pool(pool)
        self._keys = Keys(prefix)
        register = self._redis.register_script
        self._create, self._commit, self._delete = map(register, (scripts.CREATE, scripts.COMMIT, scripts.DELETE))
        self._note, self._swap = map(register, (scripts.NOTE, scripts.SWAP))

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    async def ping(self) -> None:
        """Asks Redis for a sign of life."""
        with errors_translated():
            await self._redis.ping()

    # Heads

    async def position(self, name: str) -> Position | None:
        """Where a memory stands, or None. What it costs to ask before each recall."""
        with errors_of(name):
            fields = await self._redis.hmget(self._keys.head(name), ["uid", "revision", "commit", "blob"])
            uid, revision, commit, blob = cast("list[bytes | None]", fields)
            if uid is None:
                return None
            if revision is None or commit is None or not revision.isdigit():
                raise Corrupt("a head has no revision")
            return Position(uid.decode(), int(revision), commit.decode(), (blob or b"").decode())

    async def head(self, name: str) -> Head | None:
        """Where a memory stands and what it is, or None."""
        with errors_of(name):
            fields = cast("dict[bytes, bytes]", await self._redis.hgetall(self._keys.head(name)))
            return Head.from_fields(name, fields) if fields else None

    async def heads(self, names: Sequence[str]) -> list[Head]:
        """Where those of some memories stand that exist and can be read."""
        with errors_translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hgetall(self._keys.head(name))
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
        found = []
        for name, answer in zip(names, answers, strict=True):
            # One that cannot be read is logged, and keeps nobody from seeing the others.
            with suppress(CorruptMemory), errors_of(name):
                if isinstance(answer, Exception):
                    raise answer
                if answer:
                    found.append(Head.from_fields(name, answer))
        return found

    async def names(self, prefix: str, after: str, count: int) -> list[str]:
        """At most `count` names that begin with a prefix and come after a name; some may be of memories that are gone."""
        low = f"({after}" if after else f"[{prefix}"
        # \\xff is in no name, and above all that is.
        high = b"[" + prefix.encode() + b"\xff" if prefix else b"+"
        with errors_translated():
            names = await self._redis.zrangebylex(self._keys.names, low, high, 0, count)
        return [name.decode() for name in cast("list[bytes]", names)]

    # Changes

    async def noted(self, name: str, request: Request) -> Note | None:
        """What this request did before, or None if it was not carried out yet.

        Raises:
            RequestIdReused: a request with this id had another content.
        """
        with errors_of(name):
            written = cast("bytes | None", await self._redis.get(self._keys.request(name, request.id)))
            if written is None:
                return None
            fields, labels = read_note(written, request)
            return Note(None if fields is None else await self._noted_head(name, fields), labels)

    async def _noted_head(self, name: str, fields: dict[str, str]) -> Head:
        """A head as noted, with the spec, where it is not noted since it may be large, from where the memory is, or was."""
        if "spec" in fields:
            return Head.from_fields(name, {key.encode(): value.encode() for key, value in fields.items()})
        for key in (self._keys.head(name), self._keys.remains(name, fields["uid"])):
            uid, spec = cast("list[bytes | None]", await self._redis.hmget(key, ["uid", "spec"]))
            if uid == fields["uid"].encode() and spec is not None:
                return Head.from_fields(name, {k.encode(): v.encode() for k, v in fields.items()} | {b"spec": spec})
        raise Corrupt("the memory that a note is about has left no spec")

    async def note(self, name: str, head: Head | None, request: Request) -> Outcome:
        """Notes that a request found nothing left to do: the memory it makes is there, the one it deletes is not.

        Args:
            name: of the memory.
            head: where it stands; None where there is none.
            request: to recognise a repeat.

        Returns:
            DONE, MOVED (look again), or REPEATED (see `noted`).
        """
        keys = [self._keys.head(name), self._keys.request(name, request.id)]
        with errors_of(name):
            reply = await self._note(keys, [written_note(request, head), _REQUEST_TTL, head.uid if head else ""])
        return _outcome(reply)

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
        chunks = self._chunk_keys(head, manifest)
        with errors_of(name):
            # Indexed first: an entry of a memory that then is not made is passed over, a memory that is not indexed is lost.
            await self._redis.zadd(self._keys.names, {name: 0})
            reply = await self._create(
                [*self._names(head, request), *chunks],
                [written_note(request, head), _REQUEST_TTL, len(fields), *fields, *entry],
            )
            outcome = _outcome(reply)
            # And again: one that deletes a predecessor may have taken it out of the index meanwhile.
            await self._redis.zadd(self._keys.names, {name: 0})
            if outcome is not Outcome.DONE:
                await self._unlink(chunks)
        return outcome, head

    async def commit(
        self,
        head: Head,
        operation: Operation,
        network: Network,
        request: Request,
        labels: Sequence[str] = (),
    ) -> tuple[Outcome, Head]:
        """Appends an operation, if the memory is still where `head` says.

        Args:
            head: where the memory was found.
            operation: what to append.
            network: after it.
            request: to recognise a repeat.
            labels: that the request does not name itself, to be noted.

        Returns:
            DONE, MOVED (nothing was changed: look again), or REPEATED (see `noted`), and the head after the commit.
        """
        after = replace(
            head,
            revision=head.revision + 1,
            commit=secrets.token_hex(16),
            spec=network.spec,
            pattern_count=len(network.stored),
            outcome=network.outcome,
            updated=max(_now(), head.updated),
        )
        with_spec = isinstance(operation, Configure)
        note = written_note(request, after, labels, with_spec=with_spec)
        fields = [part for item in after.fields(with_spec=with_spec).items() for part in item]
        entry = _entry_parts(operation, None, previous=head.commit, head=after)
        where: list[str | int] = [head.uid, head.revision, head.commit, len(fields)]
        with errors_of(head.name):
            reply = await self._commit(self._names(head, request), [note, _REQUEST_TTL, *where, *fields, *entry])
        return _outcome(reply), after

    async def delete(self, head: Head, request: Request) -> Outcome:
        """Deletes a memory, if it is still where `head` says.

        Returns:
            DONE, MOVED (nothing was changed: look again), or REPEATED (see `noted`).
        """
        name, log = head.name, self._keys.log(head.name, head.uid)
        chunks = [key for manifest in await self._blobs(head) for key in self._chunk_keys(head, manifest)]
        keys = [self._keys.head(name), self._keys.request(name, request.id), self._keys.remains(name, head.uid)]
        with errors_of(name):
            reply = await self._delete(
                [*keys, log, *chunks],
                [written_note(request, None), _REQUEST_TTL, head.uid, head.revision, head.commit, _blob(head)],
            )
            outcome = _outcome(reply)
            if outcome is not Outcome.MOVED:
                await self._unindex(name)
        return outcome

    async def discard(self, name: str, request: Request) -> None:
        """Deletes all there is of a memory whose head cannot be read."""
        with errors_of(name):
            async for key in self._redis.scan_iter(match=self._keys.all_of(name), count=1000):
                await self._redis.unlink(key)
            await self._unindex(name)
            await self._redis.set(self._keys.request(name, request.id), written_note(request, None), ex=_REQUEST_TTL)

    async def _unindex(self, name: str) -> None:
        await self._redis.zrem(self._keys.names, name)
        # Made anew meanwhile, perhaps after its maker had indexed it: then the index must have it.
        if await self._redis.exists(self._keys.head(name)):
            await self._redis.zadd(self._keys.names, {name: 0})

    async def _unlink(self, keys: Sequence[str]) -> None:
        if keys:
            await self._redis.unlink(*keys)

    async def _blobs(self, head: Head) -> list[Manifest]:
        """All blobs that a memory refers to: its snapshot, and what it was imported from."""
        blobs = [head.snapshot] if head.snapshot else []
        with errors_of(head.name):
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
        count = 1
        while True:
            with errors_of(head.name):
                page = cast("_Entries", await self._redis.xrange(key, f"{after + 1}-0", "+", count=count))
            for entry_id, fields in page:
                with errors_of(head.name):
                    entry = await self._read_entry(head, entry_id, fields)
                    if entry.revision != after + 1:
                        raise Corrupt(f"the log has no entry {after + 1}")
                yield entry
                after = entry.revision
            if len(page) < count:
                return
            largest = max(len(fields.get(b"payload", b"")) for _, fields in page)
            count = max(1, min(_LOG_PAGE, _LOG_PAGE_BYTES // (largest + 1)))

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
            return await asyncio.to_thread(layout.restored_network, head.snapshot, arrays)
        except Corrupt as error:
            _log.warning("snapshot of memory %r at revision %d: %s", head.name, head.snapshot.revision, error)
            return None

    async def _read(self, head: Head, manifest: Manifest) -> dict[str, Any]:
        chunks: list[bytes] = []
        for key in self._chunk_keys(head, manifest):
            with errors_translated():
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
        with errors_of(head.name):
            reply = await self._swap(
                [self._keys.head(head.name), *new, *old],
                [*where, manifest.blob, manifest.to_json(), len(new), _REPLACED_TTL],
            )
            if _outcome(reply) is Outcome.DONE:
                return manifest
            await self._unlink(new)
        return None

    async def _stage(self, head: Head, arrays: Mapping[str, StateArray], next_number: int) -> Manifest:
        blob = secrets.token_hex(8)
        manifest, chunks = await asyncio.to_thread(
            layout.write_blob, arrays, blob, head.revision, head.commit, next_number
        )
        with errors_of(head.name):
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


def _outcome(reply: list[bytes]) -> Outcome:
    return Outcome(reply[0].decode())
