"""What is where in Redis, and how it is written: keys, codec, format version.

Keys of one memory share the hash tag `{name}`, so that a cluster keeps them together:

    <prefix>:names                                 sorted set, all scores 0: an index of names; may name dead ones
    <prefix>:{<name>}:head                         hash: uid, spec, revision, commit, ... (see `Head`)
    <prefix>:{<name>}:<uid>:log                    stream: entry `<revision>-0` is the commit that made that revision
    <prefix>:{<name>}:<uid>:chunk:<blob>:<i>       string: a piece of at most 1 MiB of a snapshot, a base or an import
    <prefix>:{<name>}:<uid>:writer                 string with a TTL: who is writing a snapshot or a base
    <prefix>:{<name>}:request:<request_id>         string with a TTL: what a request did, to answer its repeat
    <prefix>:{<name>}:<uid>:remains                the head of a deleted memory, with a TTL, to answer repeats

and changes are announced on the channel `<prefix>:commits`, as "<name> <id of the replica that made it>".

An array is written little-endian in row-major order; of a symmetric matrix only the upper triangle, row after row; integers in
the smallest type that holds them. Every payload, and every JSON text, has a BLAKE2b checksum.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.families import spec_from_parameters
from hopfield_service.core.interruption import Interruption
from hopfield_service.core.learning import LearningOutcome, StateArray
from hopfield_service.core.network import Configure, Forget, Import, Network, Operation, Spec, Store, StoredPatterns

FORMAT_VERSION = 1
CHUNK_BYTES = 1 << 20

_STORE, _FORGET, _IMPORT, _CONFIGURE = "STORE", "FORGET", "IMPORT", "CONFIGURE"
_BITS, _NUMBERS, _LABELS, _SPEC = "patterns.bits", "patterns.numbers", "patterns.labels", "spec"


class Corrupt(Exception):
    """Bytes from Redis are not what was written."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of all keys, under one prefix."""

    prefix: str

    @property
    def names(self) -> str:
        """The index of names."""
        return f"{self.prefix}:names"

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
class BlobArray:
    """Where one array stands in a blob, and how it is written.

    Attributes:
        name: of the array.
        dtype: as numpy writes it, with its byte order.
        shape: of the array as it is used.
        triangle: whether only the upper triangle is written.
        restored_dtype: the type the array is used in.
        nbytes: as written.
        checksum: BLAKE2b of the bytes as written.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    triangle: bool
    restored_dtype: str
    nbytes: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a blob holds: some arrays one after the other, cut into chunks.

    Attributes:
        blob: its id.
        revision: what the arrays are the state at.
        commit: id of the commit that made that revision.
        next_number: StoredPatterns.next_number at that revision.
        chunks: number of chunks.
        arrays: in the order of their bytes.
    """

    blob: str
    revision: int
    commit: str
    next_number: int
    chunks: int
    arrays: tuple[BlobArray, ...]

    def to_json(self) -> str:
        """As it stands in the head, or in a log entry."""
        return sealed(
            {
                "blob": self.blob,
                "revision": self.revision,
                "commit": self.commit,
                "next_number": self.next_number,
                "chunks": self.chunks,
                "arrays": [
                    {
                        "name": array.name,
                        "dtype": array.dtype,
                        "shape": array.shape,
                        "triangle": array.triangle,
                        "restored_dtype": array.restored_dtype,
                        "nbytes": array.nbytes,
                        "checksum": array.checksum,
                    }
                    for array in self.arrays
                ],
            }
        )

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """Reads what `to_json` wrote.

        Raises:
            Corrupt: it is not that.
        """
        try:
            value = unsealed(text)
            arrays = tuple(BlobArray(**{**array, "shape": tuple(array["shape"])}) for array in value.pop("arrays"))
            manifest = cls(**value, arrays=arrays)
            chunks = -(-sum(array.nbytes for array in arrays) // CHUNK_BYTES)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Corrupt("a manifest does not parse") from error
        if manifest.chunks != chunks:
            raise Corrupt("a manifest has not the chunks of its arrays")
        return manifest


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
    snapshot: Manifest | None = None
    generation: int = 0
    base: Manifest | None = None
    log_bytes: int = 0
    imported: Manifest | None = None

    def fields(self, *, with_spec: bool = True) -> dict[str, str]:
        """As a hash in Redis, perhaps without the spec; without what is set by steps of its own, from the snapshot on."""
        spec = {"spec": written_spec(self.spec)} if with_spec else {}
        return {
            "format": str(FORMAT_VERSION),
            "uid": self.uid,
            **spec,
            "revision": str(self.revision),
            "commit": self.commit,
            "pattern_count": str(self.pattern_count),
            "created": str(self.created),
            "updated": str(self.updated),
            "outcome": json.dumps(asdict(self.outcome)) if self.outcome else "",
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
            spec = read_spec(fields[b"spec"])
            outcome = fields.get(b"outcome")
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
                generation=int(fields.get(b"generation", 0)),
                log_bytes=int(fields.get(b"log_bytes", 0)),
                **manifests,
            )
        except (ValueError, TypeError, KeyError) as error:
            raise Corrupt("a head does not parse") from error


def sealed(value: Any) -> str:
    """A JSON value behind the checksum of its text."""
    text = json.dumps(value)
    return f"{checksum(text.encode())} {text}"


def unsealed(text: bytes) -> Any:
    """Reads what `sealed` wrote.

    Raises:
        Corrupt: it is not that.
    """
    expected, _, payload = text.partition(b" ")
    if checksum(payload).encode() != expected:
        raise Corrupt("the checksum of a text is wrong")
    return json.loads(payload)


def written_spec(spec: Spec) -> str:
    """A spec as it stands in a head, an operation or a snapshot."""
    return sealed({"family": spec.family, **spec.parameters()})


def read_spec(text: bytes) -> Spec:
    """Reads what `written_spec` wrote.

    Raises:
        Corrupt: it is not one.
    """
    try:
        parameters = unsealed(text)
        return spec_from_parameters(parameters.pop("family"), parameters)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt("a spec does not parse") from error


def announcement(name: str, replica: str) -> str:
    """What a replica says when it has changed a memory."""
    return f"{name} {replica}"


def read_announcement(text: bytes) -> tuple[str, str]:
    """The name and the replica; of what somebody else published there, whatever is in those places."""
    name, _, replica = text.decode("utf-8", "replace").partition(" ")
    return name, replica


def checksum(payload: bytes | memoryview) -> str:
    """BLAKE2b of some bytes, 128 bits in hexadecimal."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


def operation_payload(operation: Operation, manifest: Manifest | None) -> bytes:
    """An operation as it stands in a log entry: a line of JSON, then bytes.

    Args:
        operation: what to write.
        manifest: of the blob that holds the arrays of an Import, which are too large for an entry; None otherwise.
    """
    match operation:
        case Store(bits, labels, replace):
            header: dict[str, Any] = {"kind": _STORE, "labels": labels, "replace": replace}
            return json.dumps(header).encode() + b"\n" + bits.tobytes()
        case Forget(labels):
            return json.dumps({"kind": _FORGET, "labels": labels}).encode() + b"\n"
        case Import():
            if manifest is None:
                raise TypeError("an import is written with the manifest of its arrays")
            return json.dumps({"kind": _IMPORT}).encode() + b"\n" + manifest.to_json().encode()
        case Configure(spec):
            return json.dumps({"kind": _CONFIGURE}).encode() + b"\n" + written_spec(spec).encode()


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
            return Configure(read_spec(rest))
        labels = tuple(header["labels"])
        if header["kind"] == _FORGET:
            return Forget(labels)
        bits = np.frombuffer(rest, np.uint8).reshape(len(labels), row_bytes)
        return Store(bits, labels, header["replace"])
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("a log entry does not parse") from error


def snapshot_arrays(network: Network) -> dict[str, StateArray]:
    """All arrays of a snapshot: those of the network's family, the stored patterns, and the spec, which may change after it."""
    return {**network.arrays(), **_stored_arrays(network)}


def base_arrays(network: Network) -> dict[str, StateArray]:
    """All arrays of a base: what the network is a function of."""
    return {**network.given(), **_stored_arrays(network)}


def _stored_arrays(network: Network) -> dict[str, StateArray]:
    stored = network.stored
    labels = np.frombuffer(json.dumps(stored.labels).encode(), np.uint8)
    spec = np.frombuffer(written_spec(network.spec).encode(), np.uint8)
    return {
        _BITS: StateArray(stored.bits),
        _NUMBERS: StateArray(stored.numbers),
        _LABELS: StateArray(labels),
        _SPEC: StateArray(spec),
    }


def restored_network(manifest: Manifest, arrays: dict[str, NDArray[Any]]) -> Network:
    """The network that `snapshot_arrays` came from.

    Raises:
        Corrupt: the arrays are not those.
    """
    try:
        spec, stored = _stored(manifest, arrays)
        return spec.restored(stored, arrays)
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
    labels = tuple(json.loads(arrays.pop(_LABELS).tobytes()))
    stored = StoredPatterns(arrays.pop(_BITS), labels, arrays.pop(_NUMBERS), manifest.next_number)
    return read_spec(arrays.pop(_SPEC).tobytes()), stored


def write_blob(
    arrays: Mapping[str, StateArray], blob: str, revision: int, commit: str, next_number: int
) -> tuple[Manifest, list[memoryview]]:
    """Writes arrays as a blob.

    Returns:
        Its manifest, and its chunks.
    """
    described: list[BlobArray] = []
    # Each byte once: they may be as many as fit into memory.
    whole = memoryview(bytearray(blob_nbytes(arrays)))
    start = 0
    for name, array in arrays.items():
        dtype = _written_dtype(array.values)
        payload = whole[start : start + _written_entries(array) * dtype.itemsize]
        start += len(payload)
        _write_array(array, dtype, payload)
        described.append(
            BlobArray(
                name=name,
                dtype=dtype.str,
                shape=array.values.shape,
                triangle=array.symmetric,
                restored_dtype=array.values.dtype.str,
                nbytes=len(payload),
                checksum=checksum(payload),
            )
        )
    chunks = [whole[start : start + CHUNK_BYTES] for start in range(0, len(whole), CHUNK_BYTES)]
    return Manifest(blob, revision, commit, next_number, len(chunks), tuple(described)), chunks


def blob_nbytes(arrays: Mapping[str, StateArray]) -> int:
    """How many bytes `write_blob` writes."""
    return sum(_written_entries(array) * _written_dtype(array.values).itemsize for array in arrays.values())


def _written_entries(array: StateArray) -> int:
    size = len(array.values)
    return size * (size + 1) // 2 if array.symmetric else array.values.size


def read_blob(manifest: Manifest, chunks: Sequence[bytes | memoryview]) -> dict[str, NDArray[Any]]:
    """Reads the arrays of a blob.

    Raises:
        Corrupt: they are not what was written.
    """
    whole = memoryview(b"".join(chunks))
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for array in manifest.arrays:
        payload = whole[start : start + array.nbytes]
        start += array.nbytes
        if len(payload) != array.nbytes or checksum(payload) != array.checksum:
            raise Corrupt(f"the checksum of {array.name} is wrong")
        try:
            arrays[array.name] = _read_array(array, payload)
        except (ValueError, TypeError) as error:
            raise Corrupt(f"{array.name} is not what the manifest says") from error
    return arrays


def _write_array(array: StateArray, dtype: np.dtype[Any], into: memoryview) -> None:
    entries = np.frombuffer(into, dtype)
    if not array.symmetric:
        entries[:] = array.values.ravel()
        return
    start = 0
    for i, row in enumerate(array.values):
        entries[start : start + len(row) - i] = row[i:]
        start += len(row) - i


def _written_dtype(values: NDArray[Any]) -> np.dtype[Any]:
    dtype = _narrowest(values) if values.dtype.kind == "i" else values.dtype
    return dtype.newbyteorder("<")


def _narrowest(values: NDArray[Any]) -> np.dtype[Any]:
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    return np.promote_types(np.min_scalar_type(min(low, -1)), np.min_scalar_type(min(-high - 1, -1)))


def _read_array(array: BlobArray, payload: memoryview) -> NDArray[Any]:
    values = np.frombuffer(payload, np.dtype(array.dtype))
    if not array.triangle:
        return values.reshape(array.shape).astype(array.restored_dtype)
    matrix = np.empty(array.shape, array.restored_dtype)
    for i, row in _triangle_rows(values, array.shape[0]):
        matrix[i, i:] = row
        matrix[i:, i] = row
    return matrix


def _triangle_rows(values: NDArray[Any], size: int) -> Iterator[tuple[int, NDArray[Any]]]:
    if len(values) != size * (size + 1) // 2:
        raise Corrupt("a triangle has not the length of its matrix")
    start = 0
    for i in range(size):
        yield i, values[start : start + size - i]
        start += size - i
