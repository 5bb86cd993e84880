"""Blobs as they are written: arrays one after the other, cut into chunks, and the manifest that says where each is.

An array is written little-endian in row-major order; of a symmetric matrix only the upper triangle, row after row;
integers in the smallest type that holds them. Every array has a BLAKE2b checksum.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.learning import StateArray
from hopfield_service.store.codec import Corrupt, checksum, sealed, unsealed

CHUNK_BYTES = 1 << 20


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
