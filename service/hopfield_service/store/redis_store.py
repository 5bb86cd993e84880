"""Memories in Redis: heads, logs, snapshots, and the commit that changes them atomically.

A commit is one short Lua script. It checks that the memory is still where the caller found it, appends one entry to the
log, moves the head, and notes what the request did, or does nothing at all. A request that was carried out already is recognised by
its id in the same step, so that sending a command again, as the Redis client does when a reply is lost, changes nothing.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, cast

from redis.commands.core import AsyncScript
from redis.exceptions import NoPermissionError, RedisError

from hopfield_service.core.network import Configure, Import, Network, Operation, Spec, Store
from hopfield_service.errors import CorruptMemory, MemoryNotFound, NotReplicated, StorageUnavailable
from hopfield_service.store import layout, scripts
from hopfield_service.store.announcements import announced_names
from hopfield_service.store.blob_codec import Manifest
from hopfield_service.store.blobs import Blobs
from hopfield_service.store.codec import Corrupt, bulk_nbytes, checksum, written_spec
from hopfield_service.store.layout import LISTED_FIELDS, Head, Keys
from hopfield_service.store.log import LARGE_BYTES, Log
from hopfield_service.store.notes import Note, Request, read_note, written_note
from hopfield_service.store.probe import Probe
from hopfield_service.store.redis_client import BoundedRedis, expecting
from hopfield_service.store.redis_errors import errors_of, errors_translated
from hopfield_service.store.snapshots import SnapshotStore

_log = logging.getLogger(__name__)

# A repeat is recognised so long after the request.
_REQUEST_TTL = 900
# Changes that wait for replicas of Redis at once, each on a connection; at most a quarter of all connections.
_WAITING_FOR_REPLICAS = 16
# Names that are read at once to count them.
_PAGE_OF_NAMES = 1000
# What an entry of a log takes beside its payload, about.
_ENTRY_BYTES = 256
# A label and its length, about.
_LABEL_BYTES = 16
# What a memory in a list takes beside its spec, about.
_LISTED_BYTES = 256
# Heads that are read at once for a list, so that the event loop is not kept by parsing them.
_LISTED_AT_ONCE = 100
# A spec of more bytes does not outlive its memory.
_REMAINING_SPEC_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Position:
    """Where a memory stands, as far as it takes to know whether what is loaded is still right.

    Attributes:
        uid: of the memory.
        revision: number of its commits.
        commit: id of the last of them.
        blob: id of its snapshot; "" where there is none.
        generation: of its log.
    """

    uid: str
    revision: int
    commit: str
    blob: str
    generation: int


class Outcome(Enum):
    """What became of a change."""

    DONE = "done"
    EXISTS = "exists"
    MOVED = "moved"
    REPEATED = "repeated"


class RedisStore:
    """Memories in one Redis.

    Every method may raise StorageUnavailable when Redis does not answer, StorageFull when it takes no more, and
    CorruptMemory when what it holds cannot be read.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        timeout: float,
        wait_replicas: int,
        connections: int,
        password_file: Path | None = None,
    ) -> None:
        """Connects when first used.

        Args:
            url: redis://, rediss:// or unix://.
            prefix: what every key begins with.
            timeout: seconds in which a command must be answered, sending it again included.
            wait_replicas: replicas of Redis that must have a change before it counts as made.
            connections: to Redis at once, at most.
            password_file: holds the password, which is read for each new connection; None for that of the URL.
        """
        # It may send commands again: every change is recognised by the id of its request.
        self._redis = BoundedRedis(url, timeout, connections, password_file)
        self._keys = Keys(prefix)
        self.probe = Probe(self._redis, self._keys)
        self._blobs = Blobs(self._redis, self._keys)
        # Tells what is announced here from what others announce.
        self._id = secrets.token_hex(8)
        self._timeout = timeout
        self._wait_replicas = wait_replicas
        self._waiting_for_replicas = asyncio.Semaphore(min(_WAITING_FOR_REPLICAS, max(1, connections // 4)))
        self.log = Log(self._redis, self._keys, self._blobs)
        self.snapshots = SnapshotStore(self._redis, self._keys, self._blobs)
        register = self._redis.register_script
        self._create, self._commit, self._delete, self._note, self._discard = map(
            register, (scripts.CREATE, scripts.COMMIT, scripts.DELETE, scripts.NOTE, scripts.DISCARD)
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    # Redis itself

    @property
    def away(self) -> bool:
        """Whether Redis is known to be away: then everything that needs it is refused at once."""
        return self._redis.away

    @away.setter
    def away(self, away: bool) -> None:
        self._redis.away = away

    async def risks(self) -> list[str]:
        """What in the way Redis is run may lose memories, in plain words."""
        with errors_translated():
            try:
                persistence = await self._redis.info("persistence")
                memory = await self._redis.info("memory")
            except NoPermissionError:
                return ["its user may not run INFO, so that it cannot be asked how it keeps data"]
        found = []
        if not persistence.get("aof_enabled"):
            found.append(
                "it keeps no append-only file, so that what was stored since its last dump is lost when it ends "
                "(mend: appendonly yes, appendfsync always)"
            )
        policy = memory.get("maxmemory_policy", "noeviction")
        if memory.get("maxmemory") and policy != "noeviction":
            found.append(f"it drops keys when it is full (maxmemory-policy {policy}; mend: noeviction)")
        return found

    async def announcements(self) -> AsyncIterator[str]:
        """Names of memories as others change them; some may be missed."""
        try:
            async for name in announced_names(self._redis, self._keys, but_of=self._id):
                yield name
        except RedisError as error:
            # Not logged here: whoever listens tries again and again, and does without meanwhile.
            raise StorageUnavailable from error

    # Heads

    async def position(self, name: str) -> Position | None:
        """Where a memory stands, or None."""
        with errors_of(name):
            return _position(await self._redis.hmget(self._keys.head(name), _POSITION))

    async def positions(self, names: Sequence[str]) -> list[Position | None]:
        """Where some memories stand, asked at once; None also where a head cannot be read."""
        with errors_translated():
            async with self._redis.bounded(), self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hmget(self._keys.head(name), _POSITION)
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
        found: list[Position | None] = []
        for name, answer in zip(names, answers, strict=True):
            position = None
            with suppress(CorruptMemory), errors_of(name):
                if isinstance(answer, Exception):
                    raise answer
                position = _position(answer)
            found.append(position)
        return found

    async def head(self, name: str) -> Head | None:
        """Where a memory stands and what it is, or None."""
        with errors_of(name):
            fields = cast("dict[bytes, bytes]", await self._redis.hgetall(self._keys.head(name)))
            return Head.from_fields(name, fields) if fields else None

    async def heads(self, names: Sequence[str], nbytes: int) -> tuple[list[Head], int]:
        """Where those of some memories stand that exist and can be read, as many of them as take about so many bytes.

        Their snapshots and bases are not read.

        Args:
            names: of the memories.
            nbytes: of heads; exceeded only by a first head that is larger.

        Returns:
            The heads, and how many of the names were looked at.
        """
        found: list[Head] = []
        size = looked = 0
        for start in range(0, len(names), _LISTED_AT_ONCE):
            page = names[start : start + _LISTED_AT_ONCE]
            listed: list[tuple[str, dict[bytes, bytes]]] = []
            sizes: list[int] = []
            for name, answer in zip(page, await self._listed(page, LISTED_FIELDS), strict=True):
                with suppress(CorruptMemory), errors_of(name):
                    if isinstance(answer, Exception):
                        raise answer
                    if not answer:
                        # Of a memory that then was not made, or whose deletion was cut off.
                        await self._unindex(name)
                    else:
                        text = answer.get(b"spec", b"")
                        sizes.append(bulk_nbytes(text))
                        listed.append((name, answer))
                        size += _LISTED_BYTES + len(text) + sizes[-1]
                if size > nbytes and (found or len(listed) > 1):
                    listed, sizes = listed[:-1], sizes[:-1]
                    break
                looked += 1
            found += await self._with_bulk(listed, sizes)
            if size > nbytes:
                break
        return found, looked

    async def _with_bulk(self, listed: list[tuple[str, dict[bytes, bytes]]], sizes: Sequence[int]) -> list[Head]:
        """The heads of a list, those whose specs have a bulk read once more with it."""
        heavy = [name for (name, _), nbytes in zip(listed, sizes, strict=True) if nbytes]
        with expecting(sum(sizes)):
            again = dict(zip(heavy, await self._listed(heavy, (*LISTED_FIELDS, "bulk")), strict=True))
        found = []
        for name, answer in listed:
            # One that cannot be read is logged, and keeps nobody from seeing the others.
            with suppress(CorruptMemory), errors_of(name):
                fields = again.get(name, answer)
                if isinstance(fields, Exception):
                    raise fields
                if fields:
                    found.append(Head.from_fields(name, fields))
        return found

    async def _listed(self, names: Sequence[str], fields: Sequence[str]) -> list[dict[bytes, bytes] | Exception]:
        """Some fields of the heads of some memories, asked at once; none of those of a memory that is not there."""
        if not names:
            return []
        with errors_translated():
            async with self._redis.bounded(), self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hmget(self._keys.head(name), list(fields))
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
        keys = [field.encode() for field in fields]
        return [
            answer
            if isinstance(answer, Exception)
            else {key: value for key, value in zip(keys, answer, strict=True) if value is not None}
            for answer in answers
        ]

    async def names(self, prefix: str, after: str, count: int) -> list[str]:
        """At most `count` names that begin with a prefix and come after a name; some may be of memories that are gone."""
        low = f"({after}" if after else f"[{prefix}"
        # \\xff is in no name, and above all that is.
        high = b"[" + prefix.encode() + b"\xff" if prefix else b"+"
        with errors_translated():
            names = await self._redis.zrangebylex(self._keys.names, low, high, 0, count)
        return [name.decode() for name in cast("list[bytes]", names)]

    async def count(self) -> int:
        """How many memories the index lists."""
        count, after = 0, ""
        while page := await self.names("", after, _PAGE_OF_NAMES):
            count, after = count + len(page), page[-1]
        return count

    # Changes

    async def noted(self, name: str, request: Request, made: Spec | None = None) -> Note | None:
        """What this request did before, or None if it was not carried out yet.

        Args:
            name: of the memory.
            request: that may be a repeat.
            made: the parameters that it asks a memory to be made with, where it does.

        Raises:
            RequestIdReused: a request with this id had another content.
            MemoryNotFound: the memory was deleted since, and its parameters were too large to be kept.
            NotReplicated: it was carried out, and too few replicas have it.
        """
        with errors_of(name):
            written = cast("bytes | None", await self._redis.get(self._keys.request(name, request.id)))
            if written is None:
                return None
            fields, labels = read_note(written, request)
            await self._replicated(name, request)
            return Note(None if fields is None else await self._noted_head(name, fields, made), labels)

    async def _noted_head(self, name: str, fields: dict[str, str], made: Spec | None) -> Head:
        """A head as noted, with the spec of the request, of the note, or of where the memory is, or was."""
        noted = {key.encode(): value.encode() for key, value in fields.items()}
        if made is not None:
            return Head.from_fields(name, noted | _encoded(made))
        for key in (self._keys.head(name), self._keys.remains(name, fields["uid"])):
            uid, spec, bulk = cast("list[bytes | None]", await self._redis.hmget(key, ["uid", "spec", "bulk"]))
            if uid != fields["uid"].encode() or spec is None:
                continue
            # The note has no bulk. If the present one belongs to a later update, the present parameters are told.
            for text in (noted.get(b"spec", spec), spec):
                with suppress(Corrupt):
                    return Head.from_fields(name, noted | {b"spec": text, b"bulk": bulk or b""})
        if b"spec" in noted and not bulk_nbytes(noted[b"spec"]):
            return Head.from_fields(name, noted)
        raise MemoryNotFound(name)

    async def note(self, name: str, head: Head | None, request: Request) -> Outcome:
        """Notes that a request found nothing left to do: the memory it makes is there, the one it deletes is not.

        Args:
            name: of the memory.
            head: where it stands; None where there is none.
            request: to recognise a repeat.

        Returns:
            DONE, MOVED (look again), or REPEATED (see `noted`).

        Raises:
            NotReplicated: it is noted, and too few replicas have that.
        """
        keys = [self._keys.head(name), self._keys.request(name, request.id)]
        arguments: list[str | bytes | int] = [written_note(request, head), _REQUEST_TTL, head.uid if head else ""]
        return await self._carried_out(name, request, self._note, keys, arguments)

    async def _carried_out(
        self, name: str, request: Request, script: AsyncScript, keys: list[str], arguments: Sequence[str | bytes | int]
    ) -> Outcome:
        """Runs a script that carries out a request.

        Raises:
            NotReplicated: it was carried out, and too few replicas have it.
        """
        with errors_of(name):
            reply = cast("list[bytes]", await script(keys, arguments))
            outcome = Outcome(reply[0].decode())
            if outcome is Outcome.DONE:
                await self._replicated(name, request)
        return outcome

    async def _replicated(self, name: str, request: Request) -> None:
        """Waits until as many replicas as the settings ask for have what a request did.

        WAIT is about what its own connection wrote, so that something must be written on it: the note, once more. Replicas get
        everything in order: they then have all that was written before, on whatever connection, for a repeat as for the first.

        Raises:
            NotReplicated: too few have it after the time that a command may take, or it was lost in a failover meanwhile.
        """
        if not self._wait_replicas:
            return
        noted, acknowledged = True, 0
        # Those that wait for a replica that is gone leave connections to everybody else.
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(2 * self._timeout),
                self._waiting_for_replicas,
                self._redis.bounded(2 * self._timeout),
                self._redis.pipeline(transaction=False) as pipeline,
            ):
                pipeline.expire(self._keys.request(name, request.id), _REQUEST_TTL)
                pipeline.wait(self._wait_replicas, max(1, round(1000 * self._timeout)))
                noted, acknowledged = await pipeline.execute()
        if not noted or acknowledged < self._wait_replicas:
            raise NotReplicated(name, acknowledged, self._wait_replicas)

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

        Raises:
            NotReplicated: it was made, and too few replicas have it.
        """
        now = _now()
        head = Head(name, secrets.token_hex(8), spec, 0, "", 0, now, now, capacity=spec.capacity)
        manifest: Manifest | None = None
        entry: list[str | bytes] = []
        if first is not None:
            head = replace(head, revision=1, commit=secrets.token_hex(16))
            manifest = await self._blobs.stage(head, first.arrays, 0)
            head = replace(head, imported=manifest)
            entry = _entry_parts(*await _written(first, manifest), "", head)
        imported = {"imported": manifest.to_json()} if manifest else {}
        fields = [part for item in {**head.fields(), **head.spec_fields(), **imported}.items() for part in item]
        keys = [*self._names(head, request), *self._blobs.keys(head, manifest)]
        note = written_note(request, head)
        # Indexed first: an entry of a memory that then is not made is passed over, a memory that is not indexed is lost.
        await self.index(name)
        outcome = await self._carried_out(
            name,
            request,
            self._create,
            keys,
            [note, _REQUEST_TTL, *self._announcement(head), len(fields), *fields, *entry],
        )
        # And again: one that deletes a predecessor may have taken it out of the index meanwhile.
        await self.index(name)
        if outcome in {Outcome.EXISTS, Outcome.MOVED}:
            await self._blobs.unstage(head, manifest)
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

        Raises:
            NotReplicated: it was appended, and too few replicas have it.
        """
        payload, payload_checksum = await _written(operation, None)
        log_bytes = len(payload) + _ENTRY_BYTES
        after = replace(
            head,
            revision=head.revision + 1,
            commit=secrets.token_hex(16),
            spec=network.spec,
            pattern_count=len(network.stored),
            outcome=network.outcome,
            capacity=network.capacity,
            updated=max(_now(), head.updated),
            log_bytes=head.log_bytes + log_bytes,
        )
        with_spec = isinstance(operation, Configure)
        note = written_note(request, after, labels, with_spec=with_spec)
        spec_fields = after.spec_fields() if with_spec else {}
        fields = [part for item in {**after.fields(), **spec_fields}.items() for part in item]
        where: list[str | int] = [*self._announcement(after), head.uid, head.revision, head.commit]
        arguments: list[str | bytes | int] = [
            note,
            _REQUEST_TTL,
            *where,
            log_bytes,
            len(fields),
            *fields,
            *_entry_parts(payload, payload_checksum, head.commit, after),
        ]
        outcome = await self._carried_out(head.name, request, self._commit, self._names(head, request), arguments)
        return outcome, after

    async def delete(self, head: Head, request: Request) -> Outcome:
        """Deletes a memory, if it is still where `head` says.

        Returns:
            DONE, MOVED (nothing was changed: look again), or REPEATED (see `noted`).

        Raises:
            NotReplicated: it was deleted, and too few replicas know.
        """
        name, log = head.name, self._keys.log(head.name, head.uid)
        chunks = self._blobs.keys(head, head.snapshot, head.base, head.imported)
        keys = [self._keys.head(name), self._keys.request(name, request.id), self._keys.remains(name, head.uid)]
        blob = head.snapshot.blob if head.snapshot else ""
        where: list[str | int] = [head.uid, head.revision, head.commit, blob, head.generation, _REMAINING_SPEC_BYTES]
        arguments: list[str | int] = [written_note(request, None), _REQUEST_TTL, *self._announcement(head), *where]
        outcome = await self._carried_out(name, request, self._delete, [*keys, log, *chunks], arguments)
        if outcome is not Outcome.MOVED:
            await self._unindex(name)
        return outcome

    async def discard(self, name: str, request: Request) -> None:
        """Deletes all there is of a memory whose head cannot be read."""
        with errors_of(name):
            head = self._keys.head(name)
            async for key in self._redis.scan_iter(match=self._keys.all_of(name), count=1000):
                if key != head.encode():
                    await self._redis.unlink(key)
            # Last, so that what remains after a crash is still found under its name.
            await self._discard(
                [head, self._keys.request(name, request.id)], [written_note(request, None), _REQUEST_TTL]
            )
            await self._unindex(name)

    async def index(self, name: str) -> None:
        """Sees to it that a memory is listed."""
        with errors_translated():
            await self._redis.zadd(self._keys.names, {name: 0})

    async def _unindex(self, name: str) -> None:
        with errors_translated():
            await self._redis.zrem(self._keys.names, name)
            # Made anew meanwhile, perhaps after its maker had indexed it: then the index must have it.
            if await self._redis.exists(self._keys.head(name)):
                await self._redis.zadd(self._keys.names, {name: 0})

    def _names(self, head: Head, request: Request) -> list[str]:
        keys = self._keys
        return [keys.head(head.name), keys.request(head.name, request.id), keys.log(head.name, head.uid)]

    def _announcement(self, head: Head) -> list[str]:
        """What scripts announce, and where."""
        return [self._keys.commits, layout.announcement(head.name, self._id)]


def _encoded(spec: Spec) -> dict[bytes, bytes]:
    text, bulk = written_spec(spec)
    return {b"spec": text.encode(), b"bulk": bulk}


_POSITION = ["uid", "revision", "commit", "blob", "generation"]


def _position(fields: Any) -> Position | None:
    uid, revision, commit, blob, generation = cast("list[bytes | None]", fields)
    if uid is None:
        return None
    if revision is None or commit is None or not revision.isdigit():
        raise Corrupt("a head has no revision")
    return Position(uid.decode(), int(revision), commit.decode(), (blob or b"").decode(), int(generation or 0))


def _now() -> int:
    return time.time_ns() // 1000


async def _written(operation: Operation, manifest: Manifest | None) -> tuple[bytes, str]:
    """An operation as it stands in a log entry, and its checksum."""

    def write() -> tuple[bytes, str]:
        payload = layout.operation_payload(operation, manifest)
        return payload, checksum(payload)

    large = isinstance(operation, Store) and operation.bits.nbytes + _LABEL_BYTES * len(operation.labels) > LARGE_BYTES
    return await asyncio.to_thread(write) if large else write()


def _entry_parts(payload: bytes, payload_checksum: str, previous: str, head: Head) -> list[str | bytes]:
    """The fields of the log entry that makes the revision of `head`."""
    parts: dict[str, str | bytes] = {
        "commit": head.commit,
        "previous": previous,
        "time": str(head.updated),
        "payload": payload,
        "checksum": payload_checksum,
    }
    return [part for item in parts.items() for part in item]
