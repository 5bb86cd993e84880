"""Which values mean what in which memory: what the client reads, sends, refuses and gives back."""

from typing import Any

import numpy as np
import pytest
from tests.client.asking import creation, options, store
from tests.client.letters import LABELS, PATTERNS, N

from hopfield.v1 import memory_service_pb2, patterns_pb2
from hopfield.v1.patterns_pb2 import CODING_BINARY, CODING_BIPOLAR, CODING_UNSPECIFIED
from hopfield_client import HopfieldClient, InvalidArgument, Memory
from hopfield_client._client_calls import ClientCalls
from hopfield_client._patterns import pack_queries, pack_query, pack_stored, unpack

ZEROS_AND_ONES = (PATTERNS > 0).astype(np.int8).reshape(-1, 8, 8)
MASKED_ZEROS_AND_ONES = np.ma.masked_array([0, 1, 1], [False, False, True])


@pytest.mark.parametrize(
    ("values", "coding", "bits", "known"),
    [
        ([1, -1, 1], CODING_BIPOLAR, 0b101, b""),
        ([-1.0, -1.0, -1.0], CODING_BIPOLAR, 0b000, b""),
        ([1, 0, -1], CODING_BIPOLAR, 0b001, b"\x05"),
        ([0, 1, 1], CODING_BINARY, 0b110, b""),
        ([0.0, 0.0, 0.0], CODING_BINARY, 0b000, b""),
        ([1, 1, 1], CODING_UNSPECIFIED, 0b111, b""),
        ([True, False, True], CODING_UNSPECIFIED, 0b101, b""),
        (MASKED_ZEROS_AND_ONES, CODING_BINARY, 0b010, b"\x03"),
        (np.ma.masked_array([-1, 1, 0], [False, True, False]), CODING_BIPOLAR, 0b000, b"\x01"),
        (np.ma.masked_array([1, 0, 1], [False, True, False]), CODING_UNSPECIFIED, 0b101, b"\x05"),
        (np.ma.masked_array([True, False, True], [False, True, False]), CODING_UNSPECIFIED, 0b101, b"\x05"),
    ],
)
def test_the_values_tell_which_coding_a_query_is_in(values: Any, coding: int, bits: int, known: bytes) -> None:
    message = pack_query(values, argument="query").message
    assert (message.coding, message.bits, message.known) == (coding, bytes([bits]), known)
    assert message.WhichOneof("encoding") == "bits"


def test_a_mask_leaves_the_meaning_of_zero_to_the_memory() -> None:
    for coding, number, known in (("bipolar", CODING_BIPOLAR, b"\x02"), ("binary", CODING_BINARY, b"\x03")):
        message = pack_query(MASKED_ZEROS_AND_ONES, argument="query", coding=coding).message  # type: ignore[arg-type]
        assert (message.coding, message.bits, message.known) == (number, b"\x02", known)


def test_the_values_of_stored_patterns_tell_their_coding() -> None:
    for values, coding in (
        ([[1, -1], [1, 1]], CODING_BIPOLAR),
        ([[1, 0], [1, 1]], CODING_BINARY),
        ([[1, 1], [1, 1]], CODING_UNSPECIFIED),
        ([[True, False], [True, True]], CODING_UNSPECIFIED),
    ):
        message = pack_stored(values, argument="patterns").message
        assert (message.coding, message.count, message.known) == (coding, 2, b"")


@pytest.mark.parametrize("values", [[0, 1, 1], [0, 0, 0], [0.0, 1.0, 0.0], np.array([0, 1, 0], np.uint8)])
def test_zeros_and_ones_are_refused_where_neurons_are_minus_one_or_one(values: Any) -> None:
    with pytest.raises(
        InvalidArgument,
        match=r"^query holds only 0s and 1s, and the memory is of bipolar coding \(-1 and 1\): for 0/1 data pass booleans "
        r"\(array\.astype\(bool\)\); where 0 means unknown, a masked array \(np\.ma\.masked_equal\(query, 0\)\)$",
    ) as refused:
        pack_query(values, argument="query", coding="bipolar")
    assert refused.value.field == "query"
    with pytest.raises(
        InvalidArgument,
        match=r"^patterns holds only 0s and 1s, and the memory .* pass booleans \(array\.astype\(bool\)\)$",
    ) as refused:
        pack_stored(values, argument="patterns", coding="bipolar")
    assert refused.value.field == "patterns"


def test_minus_one_is_refused_where_neurons_are_zero_or_one() -> None:
    with pytest.raises(
        InvalidArgument,
        match=r"^query is in -1 and 1, and the memory is of binary coding \(0 and 1\): pass booleans \(array > 0\); where 0 "
        r"means unknown, a masked array \(np\.ma\.masked_array\(query > 0, query == 0\)\)$",
    ) as refused:
        pack_query([1, 0, -1], argument="query", coding="binary")
    assert refused.value.field == "query"
    with pytest.raises(InvalidArgument, match=r"^queries is in -1 and 1, and the memory .*masked_array\(queries > 0"):
        pack_queries([[1, 0], [1, -1]], argument="queries", coding="binary")
    with pytest.raises(
        InvalidArgument, match=r"^patterns is in -1 and 1, and the memory .* pass booleans \(array > 0\)$"
    ):
        pack_stored([[1, -1]], argument="patterns", coding="binary")


@pytest.mark.parametrize(
    "values", [[1, 1], [True, False], np.ma.masked_equal([0, 1], 0), np.ma.masked_array([True, False])]
)
def test_what_means_the_same_in_both_is_taken_in_both(values: Any) -> None:
    for coding in ("bipolar", "binary"):
        assert pack_query(values, argument="query", coding=coding).message.coding == CODING_UNSPECIFIED


def test_the_hints_do_what_they_say() -> None:
    query = np.array([1, 0, -1])
    hinted = pack_query(np.ma.masked_array(query > 0, query == 0), argument="query", coding="binary").message
    assert (hinted.bits, hinted.known) == (b"\x01", b"\x05")
    query = np.array([1, 0, 1])
    hinted = pack_query(np.ma.masked_equal(query, 0), argument="query", coding="bipolar").message
    assert (hinted.bits, hinted.known) == (b"\x05", b"\x05")


def test_a_value_of_neither_coding_is_refused_in_terms_of_the_memorys() -> None:
    for coding, values in (
        (None, "booleans, -1 and 1, or 0 and 1"),
        ("bipolar", "booleans, or -1 and 1"),
        ("binary", "booleans, or 0 and 1"),
    ):
        with pytest.raises(InvalidArgument, match=rf"^query\[1\] is 2: a pattern is {values}$"):
            pack_query([1, 2], argument="query", coding=coding)  # type: ignore[arg-type]


# Batches


def test_in_a_batch_to_a_bipolar_memory_each_query_is_checked() -> None:
    with pytest.raises(
        InvalidArgument, match=r"^queries\[1\] holds only 0s and 1s, .*masked_equal\(queries, 0\)"
    ) as refused:
        pack_queries([[1, 0, -1], [1, 0, 1]], argument="queries", coding="bipolar")
    assert refused.value.field == "queries"
    message = pack_queries([[1, 0, -1], [1, 1, 1]], argument="queries", coding="bipolar").message
    assert (message.coding, message.bits, message.known) == (CODING_BIPOLAR, b"\x01\x07", b"\x05\x07")


def test_where_the_coding_is_not_known_the_whole_batch_tells() -> None:
    message = pack_queries([[1, 0, -1], [1, 0, 1]], argument="queries").message
    assert (message.coding, message.bits, message.known) == (CODING_BIPOLAR, b"\x01\x05", b"\x05\x05")
    message = pack_queries([[1, 0, 1], [0, 0, 1]], argument="queries").message
    assert (message.coding, message.bits, message.known) == (CODING_BINARY, b"\x05\x04", b"")


# Answers


def test_an_answer_is_in_the_coding_it_names() -> None:
    for coding, low in ((CODING_BIPOLAR, -1), (CODING_BINARY, 0)):
        message = patterns_pb2.Patterns(count=1, neurons=3, bits=b"\x05", coding=coding)
        np.testing.assert_array_equal(unpack(message, (3,)), np.array([1, low, 1], np.int8), strict=True)
        np.testing.assert_array_equal(unpack(message, (3,), boolean=True), [True, False, True], strict=True)


def test_a_handle_knows_its_coding_if_it_was_made_or_told(calls: ClientCalls) -> None:
    made = creation(calls, coding="binary").read(memory_service_pb2.CreateMemoryResponse())
    imported = (
        calls.import_weights("w", [[0.0] * 4] * 4, None, "binary")
        .begin(1 << 16)
        .read(memory_service_pb2.ImportWeightsResponse())
    )
    told = calls.memory("digits", coding="binary")
    for memory in (made, imported, told):
        assert memory.coding == "binary"
        for refused in (
            lambda memory=memory: memory.recall([1, -1, 1, 1], options()),
            lambda memory=memory: memory.recall_batch([[1, -1, 1, 1]], options(), progress=False),
            lambda memory=memory: memory.trace([1, -1, 1, 1], options()),
            lambda memory=memory: store(memory, [1, -1, 1, 1]),
        ):
            with pytest.raises(InvalidArgument, match="the memory is of binary coding"):
                refused()
    assert calls.memory("digits").coding is None
    with pytest.raises(InvalidArgument, match=r"^coding is 'signed'; it must be one of"):
        calls.memory("digits", coding="signed")  # type: ignore[arg-type]


# With a real service


@pytest.fixture
def binary(client: HopfieldClient, name: str) -> Memory:
    """A memory of five patterns of 64 neurons that are 0 or 1."""
    memory = client.create_memory(name, N, rule="pseudo_inverse", coding="binary", shape=(8, 8))
    memory.store(ZEROS_AND_ONES, LABELS)
    return memory


def test_a_binary_memory_takes_and_gives_zeros_and_ones(binary: Memory) -> None:
    assert binary.info().coding == binary.coding == "binary"
    for kind in (np.int8, np.int64, np.float64):
        answer = binary.recall(ZEROS_AND_ONES[1].astype(kind))
        assert (answer.label, answer.match) == ("B", "pattern")
        np.testing.assert_array_equal(answer.pattern, ZEROS_AND_ONES[1], strict=True)
    np.testing.assert_array_equal(binary.recall_batch(ZEROS_AND_ONES).patterns, ZEROS_AND_ONES, strict=True)
    np.testing.assert_array_equal(binary.pattern("C"), ZEROS_AND_ONES[2], strict=True)
    np.testing.assert_array_equal([pattern for _, pattern in binary.patterns()], ZEROS_AND_ONES)
    *_, last = binary.trace(ZEROS_AND_ONES[3])
    np.testing.assert_array_equal(last.pattern, ZEROS_AND_ONES[3], strict=True)


def test_booleans_go_in_and_out_of_a_binary_memory(binary: Memory) -> None:
    images = ZEROS_AND_ONES.astype(bool)
    assert binary.store(images, LABELS, replace=True).pattern_count == 5
    np.testing.assert_array_equal(binary.recall(images[0]).pattern, images[0], strict=True)


def test_energies_and_weights_are_in_the_coding_of_the_memory(binary: Memory) -> None:
    weights, state = binary.weights(), ZEROS_AND_ONES[0].ravel()
    assert binary.recall(ZEROS_AND_ONES[0]).energy == pytest.approx(-0.5 * state @ weights @ state)


def test_what_is_masked_in_a_binary_query_is_filled_in(binary: Memory) -> None:
    unknown = np.arange(N).reshape(8, 8) < 20
    answer = binary.recall(np.ma.masked_array(ZEROS_AND_ONES[3], unknown), seed=1)
    np.testing.assert_array_equal(answer.pattern, ZEROS_AND_ONES[3], strict=True)
    first, *_ = binary.trace(np.ma.masked_array(ZEROS_AND_ONES[3], unknown), seed=1)
    np.testing.assert_array_equal(np.ma.getmaskarray(first.pattern), unknown)
    np.testing.assert_array_equal(first.pattern[~unknown], ZEROS_AND_ONES[3][~unknown])


def test_a_handle_made_without_asking_reads_the_values(client: HopfieldClient, binary: Memory) -> None:
    handle = client.memory(binary.name, shape=(8, 8))
    assert handle.recall(ZEROS_AND_ONES[1]).label == "B"
    np.testing.assert_array_equal(handle.recall(ZEROS_AND_ONES[1] > 0).pattern, ZEROS_AND_ONES[1] > 0, strict=True)
    np.testing.assert_array_equal(handle.pattern("C"), ZEROS_AND_ONES[2], strict=True)
    signs = ZEROS_AND_ONES * 2 - 1
    for argument, refused_call in (
        ("query", lambda: handle.recall(signs[0])),
        ("query", lambda: next(handle.trace(signs[0]))),
        ("queries", lambda: handle.recall_batch(signs)),
        ("patterns", lambda: handle.store(signs)),
    ):
        with pytest.raises(
            InvalidArgument, match=rf"^{argument} is in -1 and 1, and the memory is of binary coding .* pass booleans"
        ) as refused:
            refused_call()
        assert (refused.value.field, refused.value.reason) == (argument, "INVALID_FIELD")


def test_zeros_and_ones_are_refused_with_the_hint_whoever_finds_them(client: HopfieldClient, letters: Memory) -> None:
    flat = ZEROS_AND_ONES.reshape(5, N)
    for handle, reason in ((letters, None), (client.memory(letters.name), "INVALID_FIELD")):
        with pytest.raises(
            InvalidArgument, match=r"^query holds only 0s and 1s, .* pass booleans .*masked_eq"
        ) as query:
            handle.recall(flat[0])
        with pytest.raises(
            InvalidArgument, match=r"^query holds only 0s and 1s, .* pass booleans .*masked_eq"
        ) as trace:
            next(handle.trace(flat[0]))
        with pytest.raises(
            InvalidArgument, match=r"^queries(\[0\])? holds only 0s and 1s, .* pass booleans"
        ) as queries:
            handle.recall_batch(flat)
        with pytest.raises(InvalidArgument, match=r"^patterns holds only 0s and 1s, .* pass booleans") as patterns:
            handle.store(flat)
        fields = [refused.value.field for refused in (query, trace, queries, patterns)]
        assert fields == ["query", "query", "queries", "patterns"]
        assert {refused.value.reason for refused in (query, trace, queries, patterns)} == {reason}


def test_weights_are_imported_for_a_coding(client: HopfieldClient, name: str) -> None:
    """Neurons that excite each other, each at a threshold that one neighbour does not reach."""
    memory = client.import_weights(name, np.ones((3, 3)) - np.eye(3), thresholds=1.5, coding="binary")
    assert (memory.coding, memory.info().coding) == ("binary", "binary")
    assert memory.recall([1, 1, 0]).pattern.tolist() in ([1, 1, 1], [0, 0, 0])
    assert memory.recall([1, 0, 0]).pattern.tolist() == [0, 0, 0]
    assert memory.recall([1, 1, 1]).energy == -3 + 4.5
