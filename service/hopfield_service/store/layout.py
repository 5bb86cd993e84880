"""What is where in Redis, and how it is written: keys, codec, format version.

Keys of one memory share the hash tag `{name}`, so that a cluster keeps them together:

    <prefix>:names                                 sorted set, all scores 0: an index of names; may name dead ones
    <prefix>:{<name>}:head                         hash: uid, spec, revision, commit, ... (see `Head`)
    <prefix>:{<name>}:<uid>:log                    stream: entry `<revision>-0` is the commit that made that revision
    <prefix>:{<name>}:<uid>:chunk:<blob>:<i>       string: a piece of at most 1 MiB of a snapshot, a base or an import
    <prefix>:{<name>}:<uid>:writer                 string with a TTL: who is writing a snapshot or a base
    <prefix>:{<name>}:request:<request_id>         string with a TTL: what a request did, to answer its repeat
    <prefix>:{}:store                              string: the id of the store, made with the first key
    <prefix>:{<name>}:<uid>:remains                hash with a TTL: the spec of a deleted memory, if short, to answer repeats

and changes are announced on the channel `<prefix>:commits`, as "<name> <id of the replica that made it>". See codec.py for
texts, specs and labels, and blob_codec.py for arrays.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, never
from hopfield_service.core.learning import LearningOutcome, StateArray
from hopfield_service.core.network import Configure, Forget, Import, Network, Operation, Spec, Store, StoredPatterns
from hopfield_service.store.blob_codec import Manifest
from hopfield_service.store.codec import (
    Corrupt,
    checksum,
    label_bytes,
    read_label_bytes,
    read_spec,
    read_spec_bytes,
    spec_bytes,
    written_spec,
)

FORMAT_VERSION = 1
LISTED_FIELDS = (
    *("format", "uid", "spec", "revision", "commit", "pattern_count", "created", "updated", "outcome", "capacity"),
)
"""What a list of memories reads of a head, and the bulk of its spec, where there is some."""

_STORE, _FORGET, _IMPORT, _CONFIGURE = "STORE", "FORGET", "IMPORT", "CONFIGURE"
_BITS, _NUMBERS, _LABELS, _SPEC = "patterns.bits", "patterns.numbers", "patterns.label_bytes", "spec"
# Labels as JSON, as the first versions wrote them.
_JSON_LABELS = "patterns.labels"


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of all keys, under one prefix."""

    prefix: str

    @property
    def names(self) -> str:
        """The index of names."""
        return f"{self.prefix}:names"

    @property
    def store(self) -> str:
        """The id of the store: no memory has an empty name."""
        return f"{self.prefix}:{{}}:store"

    @property
    def commits(self) -> str:
        """The channel on which commits are announced."""
        return f"{self.prefix}:commits"

    def head(self, name: str) -> str:
        """What a memory is and where it stands."""
        return f"{self.prefix}:{{{name}}}:head"

    def log(self, name: str, uid: str) -> str:
        """The operations of a memory."""
        return f"{self.prefix}:{{{name}}}:{uid}:log"

    def chunk(self, name: str, uid: str, blob: str, number: int) -> str:
        """One piece of a blob."""
        return f"{self.prefix}:{{{name}}}:{uid}:chunk:{blob}:{number}"

    def writer(self, name: str, uid: str) -> str:
        """Who is writing a snapshot or a base."""
        return f"{self.prefix}:{{{name}}}:{uid}:writer"

    def remains(self, name: str, uid: str) -> str:
        """What a deleted memory was."""
        return f"{self.prefix}:{{{name}}}:{uid}:remains"

    def all_of(self, name: str) -> str:
        """A pattern, as SCAN takes it, that every key of a memory matches."""
        return re.sub(r"([*?\[\]\\])", r"\\\1", self.prefix) + f":{{{name}}}:*"

    def request(self, name: str, request_id: str) -> str:
        """What a request did."""
        return f"{self.prefix}:{{{name}}}:request:{request_id}"


@dataclass(frozen=True, slots=True)
class Head:
    """What a memory is and where it stands.

    Attributes:
        name: chosen by the caller.
        uid: chosen by the server, another one each time a memory of this name is made.
        spec: the parameters at that revision.
        revision: how many commits there were.
        commit: id of the last commit; "" before the first.
        pattern_count: P at that revision.
        created: microseconds since 1970, UTC.
        updated: the same, of the last commit.
        outcome: how learning ended at that revision, where the rule iterates; None before the first time.
        capacity: load up to which it holds random patterns at that revision, which may depend on
            the weights; None where no load tells.
        snapshot: where the state at some revision can be read without the operations before it; None before the first.
        generation: how often the log was compacted.
        base: what the operations before the present log added up to; None in generation 0, whose log begins at the first.
        log_bytes: about how many bytes the entries of the present log take.
        imported: the weights that the first entry of the present log takes from outside, where it does.
    """

    name: str
    uid: str
    spec: Spec
    revision: int
    commit: str
    pattern_count: int
    created: int
    updated: int
    outcome: LearningOutcome | None = None
    capacity: float | None = None
    snapshot: Manifest | None = None
    generation: int = 0
    base: Manifest | None = None
    log_bytes: int = 0
    imported: Manifest | None = None

    def spec_fields(self) -> dict[str, str | bytes]:
        """The spec as it stands in a hash in Redis."""
        text, bulk = written_spec(self.spec)
        return {"spec": text, "bulk": bulk}

    def fields(self) -> dict[str, str]:
        """The rest, but for what is set by steps of its own, from the snapshot on."""
        return {
            "format": str(FORMAT_VERSION),
            "uid": self.uid,
            "revision": str(self.revision),
            "commit": self.commit,
            "pattern_count": str(self.pattern_count),
            "created": str(self.created),
            "updated": str(self.updated),
            "outcome": json.dumps(asdict(self.outcome)) if self.outcome else "",
            "capacity": "" if self.capacity is None else repr(float(self.capacity)),
        }

    @classmethod
    def from_fields(cls, name: str, fields: Mapping[bytes, bytes]) -> "Head":
        """Reads a hash from Redis.

        Raises:
            Corrupt: it is no head, or one of a format this version does not know.
        """
        try:
            if int(fields[b"format"]) != FORMAT_VERSION:
                raise Corrupt(f"format {fields[b'format']!r} is not {FORMAT_VERSION}")
            spec = read_spec(fields[b"spec"], fields.get(b"bulk", b""))
            outcome, capacity = fields.get(b"outcome"), fields.get(b"capacity")
            manifests = {
                field: Manifest.from_json(text)
                for field in ("snapshot", "base", "imported")
                if (text := fields.get(field.encode()))
            }
            return cls(
                name=name,
                uid=fields[b"uid"].decode(),
                spec=spec,
                revision=int(fields[b"revision"]),
                commit=fields[b"commit"].decode(),
                pattern_count=int(fields[b"pattern_count"]),
                created=int(fields[b"created"]),
                updated=int(fields[b"updated"]),
                outcome=LearningOutcome(**json.loads(outcome)) if outcome else None,
                capacity=float(capacity) if capacity else None,
                generation=int(fields.get(b"generation", 0)),
                log_bytes=int(fields.get(b"log_bytes", 0)),
                **manifests,
            )
        except (ValueError, TypeError, KeyError) as error:
            raise Corrupt("a head does not parse") from error


def announcement(name: str, replica: str) -> str:
    """What a replica says when it has changed a memory."""
    return f"{name} {replica}"


def read_announcement(text: bytes) -> tuple[str, str]:
    """The name and the replica; of what somebody else published there, whatever is in those places."""
    name, _, replica = text.decode("utf-8", "replace").partition(" ")
    return name, replica


def operation_payload(operation: Operation, manifest: Manifest | None) -> bytes:
    """An operation as it stands in a log entry: a line of JSON, then bytes.

    Args:
        operation: what to write.
        manifest: of the blob that holds the arrays of an Import, which are too large for an entry; None otherwise.
    """
    match operation:
        case Store(bits, labels, replace):
            header: dict[str, Any] = {"kind": _STORE, "labels": len(labels), "replace": replace}
            return json.dumps(header).encode() + b"\n" + label_bytes(labels) + bits.tobytes()
        case Forget(labels):
            return json.dumps({"kind": _FORGET, "labels": len(labels)}).encode() + b"\n" + label_bytes(labels)
        case Import():
            if manifest is None:
                raise TypeError("an import is written with the manifest of its arrays")
            return json.dumps({"kind": _IMPORT}).encode() + b"\n" + manifest.to_json().encode()
        case Configure(spec):
            return json.dumps({"kind": _CONFIGURE}).encode() + b"\n" + spec_bytes(spec)


def read_operation(payload: bytes, expected_checksum: str, row_bytes: int) -> Operation | Manifest:
    """Reads what `operation_payload` wrote; of an Import only the manifest of its arrays.

    Raises:
        Corrupt: it is not that.
    """
    if checksum(payload) != expected_checksum:
        raise Corrupt("the checksum of a log entry is wrong")
    try:
        line, _, rest = payload.partition(b"\n")
        header = json.loads(line)
        if header["kind"] == _IMPORT:
            return Manifest.from_json(rest)
        if header["kind"] == _CONFIGURE:
            return Configure(read_spec_bytes(rest))
        labels, bytes_after = _labels_of(header["labels"], rest)
        if header["kind"] == _FORGET:
            return Forget(labels)
        bits = np.frombuffer(bytes_after, np.uint8).reshape(len(labels), row_bytes)
        return Store(bits, labels, header["replace"])
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("a log entry does not parse") from error


def _labels_of(labels: int | list[str], rest: bytes) -> tuple[tuple[str, ...], memoryview]:
    """The labels of an operation, and the bytes after them. The first versions wrote them into the JSON."""
    return read_label_bytes(rest, labels) if isinstance(labels, int) else (tuple(labels), memoryview(rest))


def snapshot_arrays(network: Network, interruption: Interruption = never) -> dict[str, StateArray]:
    """All arrays of a snapshot: those of the network's family, the stored patterns, and the spec, which may change after it.

    Raises:
        Interrupted: `interruption` said so.
    """
    return {**network.arrays(interruption), **_stored_arrays(network)}


def base_arrays(network: Network) -> dict[str, StateArray]:
    """All arrays of a base: what the network is a function of."""
    return {**network.given(), **_stored_arrays(network)}


def _stored_arrays(network: Network) -> dict[str, StateArray]:
    stored = network.stored
    labels = np.frombuffer(label_bytes(stored.labels), np.uint8)
    spec = np.frombuffer(spec_bytes(network.spec), np.uint8)
    return {
        _BITS: StateArray(stored.bits),
        _NUMBERS: StateArray(stored.numbers),
        _LABELS: StateArray(labels),
        _SPEC: StateArray(spec),
    }


def restored_network(
    manifest: Manifest, arrays: dict[str, NDArray[Any]], interruption: Interruption = never
) -> Network:
    """The network that `snapshot_arrays` came from.

    Raises:
        Corrupt: the arrays are not those.
        Interrupted: `interruption` said so.
    """
    try:
        spec, stored = _stored(manifest, arrays)
        return spec.restored(stored, arrays, interruption)
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("a snapshot does not parse") from error


def relearnt_network(manifest: Manifest, arrays: dict[str, NDArray[Any]], interruption: Interruption) -> Network:
    """The network that `base_arrays` came from.

    Raises:
        Corrupt: the arrays are not those.
        Interrupted: `interruption` said so.
    """
    try:
        spec, stored = _stored(manifest, arrays)
        return spec.relearnt(stored, arrays, interruption)
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("a base does not parse") from error


def _stored(manifest: Manifest, arrays: dict[str, NDArray[Any]]) -> tuple[Spec, StoredPatterns]:
    """What `_stored_arrays` wrote, taken out of the arrays."""
    numbers = arrays.pop(_NUMBERS)
    labels: tuple[str, ...]
    if _JSON_LABELS in arrays:
        labels = tuple(json.loads(arrays.pop(_JSON_LABELS).tobytes()))
    else:
        labels, _ = read_label_bytes(arrays.pop(_LABELS).tobytes(), len(numbers))
    stored = StoredPatterns(arrays.pop(_BITS), labels, numbers, manifest.next_number)
    return read_spec_bytes(arrays.pop(_SPEC).tobytes()), stored
