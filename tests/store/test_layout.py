"""What is written is read back the same; what was not written is refused."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import Forget, Store
from hopfield_service.store import blob_codec, codec, layout
from hopfield_service.store.blob_codec import Manifest
from hopfield_service.store.codec import Corrupt
from hopfield_service.store.layout import Keys

INTEGERS = arrays(np.int32, array_shapes(min_dims=1, max_dims=2, max_side=8))
FLOATS = arrays(np.float64, array_shapes(min_dims=1, max_dims=2, max_side=8))


@given(INTEGERS | FLOATS)
def test_an_array_comes_back_with_its_type_its_shape_and_its_bits(values: np.ndarray[Any, Any]) -> None:
    manifest, chunks = blob_codec.write_blob({"a": StateArray(values)}, "blob", 1, "commit", 0)
    (back,) = blob_codec.read_blob(Manifest.from_json(manifest.to_json().encode()), chunks).values()
    assert (back.dtype, back.shape, back.tobytes()) == (values.dtype, values.shape, values.tobytes())


@given(arrays(np.int32, st.integers(1, 12).map(lambda n: (n, n))))
def test_a_symmetric_matrix_comes_back_from_one_triangle(values: np.ndarray[Any, Any]) -> None:
    symmetric = np.triu(values) + np.triu(values, 1).T
    manifest, chunks = blob_codec.write_blob({"a": StateArray(symmetric, symmetric=True)}, "blob", 1, "commit", 0)
    np.testing.assert_array_equal(blob_codec.read_blob(manifest, chunks)["a"], symmetric)
    assert sum(map(len, chunks)) == blob_codec.blob_nbytes({"a": StateArray(symmetric, symmetric=True)})


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 0, "|i1"), (-128, 127, "|i1"), (-129, 0, "<i2"), (0, 128, "<i2"), (0, 32768, "<i4"), (-32768, 32767, "<i2")],
)
def test_integers_are_written_in_the_smallest_type_that_holds_them(low: int, high: int, dtype: str) -> None:
    manifest, _ = blob_codec.write_blob({"a": StateArray(np.array([low, high], np.int32))}, "blob", 1, "commit", 0)
    assert manifest.arrays[0].dtype == dtype


@given(st.lists(st.text(min_size=1), unique=True, max_size=5), st.booleans())
def test_an_operation_comes_back(labels: list[str], replace: bool) -> None:
    bits = np.arange(2 * len(labels), dtype=np.uint8).reshape(len(labels), 2)
    payload = layout.operation_payload(Store(bits, tuple(labels), replace), None)
    back = layout.read_operation(payload, codec.checksum(payload), 2)
    assert isinstance(back, Store)
    assert (back.labels, back.replace, back.bits.tobytes()) == (tuple(labels), replace, bits.tobytes())
    payload = layout.operation_payload(Forget(tuple(labels)), None)
    assert layout.read_operation(payload, codec.checksum(payload), 2) == Forget(tuple(labels))


@given(st.binary(max_size=80), st.integers(0, 10_000), st.integers(1, 255))
def test_one_wrong_byte_is_noticed(more: bytes, position: int, change: int) -> None:
    values = np.frombuffer(more + b"at least", np.uint8)
    manifest, (chunk,) = blob_codec.write_blob({"a": StateArray(values)}, "blob", 1, "commit", 0)
    wrong = bytearray(chunk)
    wrong[position % len(wrong)] ^= change
    with pytest.raises(Corrupt):
        blob_codec.read_blob(manifest, [bytes(wrong)])
    text = bytearray(codec.sealed(list(more)).encode())
    text[position % len(text)] ^= change
    with pytest.raises(Corrupt):
        codec.unsealed(bytes(text))


@pytest.mark.parametrize(
    "text", [b"", b"5", b"[]", b'{"arrays": 5}', json.dumps({"arrays": [], "chunks": 9}).encode()], ids=repr
)
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    for each in (text, f"{codec.checksum(text)} ".encode() + text):
        with pytest.raises(Corrupt):
            Manifest.from_json(each)


def test_a_manifest_whose_chunks_are_not_those_of_its_arrays_is_refused() -> None:
    manifest, _ = blob_codec.write_blob({"a": StateArray(np.zeros(3))}, "blob", 1, "commit", 0)
    text = manifest.to_json().partition(" ")[2].replace('"chunks": 1', '"chunks": 20000000')
    with pytest.raises(Corrupt, match="chunks"):
        Manifest.from_json(f"{codec.checksum(text.encode())} {text}".encode())


def test_the_pattern_of_all_keys_of_a_memory_takes_the_prefix_as_it_is() -> None:
    assert Keys("a*b[c]").all_of("m") == r"a\*b\[c\]:{m}:*"
