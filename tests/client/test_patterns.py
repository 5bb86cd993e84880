"""How arrays of patterns travel: the wire's layout, what goes in, what comes out, what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from hopfield.v1.patterns_pb2 import CODING_BINARY, CODING_BIPOLAR, Patterns
from hopfield_client import DataLoss, InvalidArgument
from hopfield_client._patterns import pack_queries, pack_query, pack_stored, unpack, unpack_states

shapes = npst.array_shapes(min_dims=2, max_dims=4, max_side=9)
flags = npst.arrays(np.bool_, shapes)
trits = npst.arrays(np.int8, shapes, elements=st.sampled_from([-1, 0, 1]))
# At least one -1 in each, by which the client tells them from 0/1 data.
partly_known = trits.filter(lambda a: bool((a.reshape(len(a), -1) == -1).any(axis=1).all()))


def as_signs(array: NDArray[np.bool_]) -> NDArray[np.int8]:
    return np.where(array, 1, -1).astype(np.int8)


@settings(deadline=None)
@given(flags)
def test_bits_are_laid_out_as_the_protocol_says(patterns: NDArray[np.bool_]) -> None:
    message = pack_stored(patterns, argument="patterns").message
    rows = patterns.reshape(len(patterns), -1)
    count, neurons = rows.shape
    row_bytes = -(-neurons // 8)
    assert (message.count, message.neurons, len(message.bits)) == (count, neurons, count * row_bytes)
    for k in range(count):
        for i in range(row_bytes * 8):
            bit = message.bits[k * row_bytes + i // 8] >> i % 8 & 1
            assert bit == (rows[k, i] if i < neurons else 0)


@settings(deadline=None)
@given(flags)
def test_booleans_come_back_as_booleans_in_their_shape(queries: NDArray[np.bool_]) -> None:
    packed = pack_queries(queries, argument="queries")
    answer = unpack(packed.message, packed.shape, boolean=packed.boolean)
    assert answer.dtype == np.bool_
    np.testing.assert_array_equal(answer, queries, strict=True)


@settings(deadline=None)
@given(flags, st.sampled_from([np.int8, np.int64, np.float32, np.float64]))
def test_numbers_come_back_as_int8_in_their_shape(queries: NDArray[np.bool_], dtype: type[Any]) -> None:
    signs = as_signs(queries)
    packed = pack_queries(signs.astype(dtype), argument="queries")
    assert packed.message.known == b""
    np.testing.assert_array_equal(unpack(packed.message, packed.shape), signs, strict=True)


@settings(deadline=None)
@given(partly_known)
def test_unknown_neurons_are_clear_and_not_among_the_known(queries: NDArray[np.int8]) -> None:
    packed = pack_queries(queries, argument="queries")
    assert (packed.message.known == b"") == bool(queries.all())
    for state, query in zip(unpack_states(packed.message, packed.shape[1:]), queries, strict=True):
        np.testing.assert_array_equal(state, query, strict=True)
    unknown_as_minus_one = np.where(queries == 0, np.int8(-1), queries)
    np.testing.assert_array_equal(unpack(packed.message, packed.shape), unknown_as_minus_one, strict=True)


@settings(deadline=None)
@given(flags)
def test_one_query_of_any_shape_is_one_pattern(query: NDArray[np.bool_]) -> None:
    packed = pack_query(query, argument="query")
    assert (packed.message.count, packed.message.neurons) == (1, query.size)
    np.testing.assert_array_equal(unpack(packed.message, packed.shape, boolean=True), query, strict=True)


def test_answers_are_the_callers_to_change() -> None:
    for query in ([1, -1, 1], [1, -1, 0], [True, False]):
        packed = pack_query(query, argument="query")
        assert unpack(packed.message, packed.shape, boolean=packed.boolean).flags.writeable


def test_lists_are_arrays() -> None:
    assert pack_query([[1, -1], [-1, 1]], argument="query").message.neurons == 4


def test_a_query_of_ones_alone_is_a_pattern() -> None:
    assert pack_query([1, 1, 1], argument="query").message.bits == b"\x07"


def accepted(pack: Callable[[], object]) -> bool:
    try:
        pack()
    except InvalidArgument:
        return False
    return True


@settings(deadline=None)
@given(trits)
def test_a_batch_accepts_exactly_what_its_queries_are_accepted_as(queries: NDArray[np.int8]) -> None:
    for coding in ("bipolar", "binary"):
        one_by_one = [
            accepted(lambda query=query, coding=coding: pack_query(query, argument="query", coding=coding))  # type: ignore[misc]
            for query in queries
        ]
        together = accepted(lambda coding=coding: pack_queries(queries, argument="queries", coding=coding))  # type: ignore[misc]
        assert together == all(one_by_one)


def sent(query: Any, **known: Any) -> tuple[list[int], list[int] | None]:
    """The bits that are sent, and which of them are said to be known; None where all are."""
    message = pack_query(query, argument="query", **known).message

    def bits(data: bytes) -> list[int]:
        return np.unpackbits(np.frombuffer(data, np.uint8), count=message.neurons, bitorder="little").tolist()

    return bits(message.bits), bits(message.known) if message.known else None


def test_what_is_masked_in_a_query_is_unknown_whatever_is_known() -> None:
    assert sent(np.ma.masked_equal([0, 1, 1, 0], 0)) == ([0, 1, 1, 0], [0, 1, 1, 0])
    assert sent(np.ma.masked_array([True, False, True], [True, False, False])) == ([0, 0, 1], [0, 1, 1])
    assert sent(np.ma.masked_array([-1, 1, 1], [True, False, False])) == ([0, 1, 1], [0, 1, 1])
    assert sent(np.ma.masked_invalid([np.nan, 1.0, -1.0])) == ([0, 1, 0], [0, 1, 1])
    assert sent(np.ma.masked_array([1, -1, 0])) == ([1, 0, 0], [1, 1, 0])
    assert sent(np.ma.masked_array([True, True], [True, True])) == ([0, 0], [0, 0])
    assert sent(np.ma.masked_array([True, False])) == ([1, 0], None)
    assert sent(np.ma.masked_array([0, 1, 1], [False, True, False])) == ([0, 0, 1], [1, 0, 1])


def test_masks_count_in_batches_and_in_lists_of_queries_too() -> None:
    rows = np.ma.masked_equal([[0, 1], [1, 1]], 0)
    for queries in (rows, [rows[0], rows[1]]):
        message = pack_queries(queries, argument="queries").message
        assert (message.bits, message.known) == (b"\x02\x03", b"\x02\x03")


def test_the_answer_to_masked_booleans_is_boolean() -> None:
    packed = pack_query(np.ma.masked_array([[True, False]], [[True, False]]), argument="query")
    answer = unpack(Patterns(count=1, neurons=2, bits=b"\x01"), packed.shape, boolean=packed.boolean)
    np.testing.assert_array_equal(answer, [[True, False]], strict=True)


def test_what_is_not_masked_is_checked() -> None:
    with pytest.raises(InvalidArgument, match=r"query\[1\] is 2: a pattern is booleans, -1 and 1, or 0 and 1$"):
        pack_query(np.ma.masked_array([2, 2], [True, False]), argument="query")


def test_a_stored_pattern_has_nothing_masked() -> None:
    with pytest.raises(
        InvalidArgument, match=r"^patterns\[1, 0\] is masked: a stored pattern is known in every neuron$"
    ):
        pack_stored(np.ma.masked_equal([[1, 1], [-1, 1]], -1), argument="patterns")
    assert pack_stored(np.ma.masked_array([[1, 1], [-1, 1]]), argument="patterns").message.bits == b"\x03\x02"


def test_states_that_hold_unknown_neurons_show_them() -> None:
    def states(coding: Any, **kind: Any) -> list[Any]:
        message = Patterns(count=2, neurons=3, bits=b"\x04\x05", known=b"\x06\x07", coding=coding)
        return unpack_states(message, (3,), **kind)

    zero, none = states(CODING_BIPOLAR)
    np.testing.assert_array_equal(zero, np.array([0, -1, 1], np.int8), strict=True)
    np.testing.assert_array_equal(none, np.array([1, -1, 1], np.int8), strict=True)
    for (masked, whole), dtype in (
        (states(CODING_BINARY), np.int8),
        (states(CODING_BINARY, boolean=True), np.bool_),
        (states(CODING_BIPOLAR, boolean=True), np.bool_),
    ):
        assert (masked.mask.tolist(), masked.tolist(), masked.dtype) == ([True, False, False], [None, 0, 1], dtype)
        np.testing.assert_array_equal(whole, np.array([1, 0, 1], dtype), strict=True)
        assert type(whole) is np.ndarray


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ([1, -1, 3], r"patterns\[2\] is 3"),
        ([[1.0, 1.0], [float("nan"), 1.0]], r"patterns\[1, 0\] is nan"),
        (np.array([255, 1], np.uint8), r"patterns\[0\] is 255"),
        (np.array([-128, 1], np.int8), r"patterns\[0\] is -128"),
        (["+", "-"], "values of type <U1"),
        ([1j, 1], r"complex numbers: a pattern is .*; where every imaginary part is 0, pass patterns\.real"),
        ([None, 1], r"patterns\[0\] is None of type NoneType"),
        ([[1, -1], [1]], "rows differ in length"),
        ([], r"empty \(shape \(0,\)\)"),
        (np.ones((0, 8)), r"empty \(shape \(0, 8\)\)"),
    ],
)
def test_a_refusal_names_what_is_wrong(values: Any, named: str) -> None:
    with pytest.raises(InvalidArgument, match=named) as refused:
        pack_stored(values, argument="patterns")
    assert refused.value.field == "patterns"


def test_a_refusal_names_what_is_neither_of_two_values() -> None:
    with pytest.raises(InvalidArgument, match=r"patterns\[0, 1\] is 0\.5"):
        pack_stored([[1.0, 0.5], [1.0, 1.0]], argument="patterns", coding="bipolar")


def test_a_stored_pattern_knows_every_neuron() -> None:
    with pytest.raises(InvalidArgument, match=r"^patterns\[1, 0\] is 0: a stored pattern is -1 or 1 in every neuron$"):
        pack_stored([[1, -1], [0, -1]], argument="patterns")


@pytest.mark.parametrize(
    ("shape", "single", "neurons", "count"),
    [
        ((64,), False, None, 1),  # a row is one pattern
        ((64,), False, 64, 1),
        ((10, 64), False, None, 10),  # else the first axis counts
        ((10, 8, 8), False, 64, 10),
        ((8, 8), False, None, 8),  # of what size patterns are, nobody knows here
        ((8, 8), False, 64, 1),  # just N elements are one pattern
        ((8, 8), True, None, 1),  # and so is what has one label
        ((1, 8, 8), False, 64, 1),
        ((5, 1), False, 1, 5),
    ],
)
def test_how_many_patterns_an_array_is(shape: tuple[int, ...], single: bool, neurons: int | None, count: int) -> None:
    assert pack_stored(np.ones(shape), argument="patterns", single=single, neurons=neurons).message.count == count


def test_patterns_of_another_size_than_the_memory_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"\(3, 10\), which makes 10 neurons a pattern; the memory has 64"):
        pack_stored(np.ones((3, 10)), argument="patterns", neurons=64)
    with pytest.raises(InvalidArgument, match=r"\(10,\), which makes 10 neurons"):
        pack_query(np.ones(10), argument="query", neurons=64)


def test_a_batch_has_an_axis_that_counts() -> None:
    with pytest.raises(InvalidArgument, match="its first axis must count the queries; for one query use recall"):
        pack_queries(np.ones(64), argument="queries")


@pytest.mark.parametrize(
    "answer",
    [
        Patterns(count=1, neurons=9, bits=b"\x00"),
        Patterns(count=1, neurons=9, signs=bytes(9)),
        Patterns(count=2, neurons=9, bits=bytes(4)),
        Patterns(count=1, neurons=9),
        Patterns(),
    ],
)
def test_an_answer_that_is_not_what_it_says_is_data_loss(answer: Patterns) -> None:
    with pytest.raises(DataLoss):
        unpack(answer, (9,))


def test_a_part_of_a_trace_that_is_not_what_it_says_is_data_loss() -> None:
    for known in (b"\x01", bytes(3)):
        with pytest.raises(DataLoss):
            unpack_states(Patterns(count=1, neurons=9, bits=bytes(2), known=known), (9,))
    assert unpack_states(Patterns(), (9,)) == []
