"""Patterns as bits, and which stored pattern a state is nearest to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.samples import Signs, flipped, pattern_sets, random_signs, signs

from hopfield_service.core.dynamics import Match, nearest
from hopfield_service.core.patterns import nearest_patterns, overlaps, pack, padding_is_clear, row_bytes, unpack


@given(pattern_sets())
def test_bit_i_of_a_row_is_neuron_i_and_the_padding_is_zero(patterns: Signs) -> None:
    count, neurons = patterns.shape
    bits = pack(patterns)
    assert bits.dtype == np.uint8
    assert bits.shape == (count, row_bytes(neurons)) == (count, -(-neurons // 8))
    for k in range(count):
        as_one_number = int.from_bytes(bits[k].tobytes(), "little")
        assert as_one_number == sum(1 << i for i in range(neurons) if patterns[k, i] == 1)
    assert not count or padding_is_clear(bits, neurons)


@given(pattern_sets())
def test_unpacking_undoes_packing(patterns: Signs) -> None:
    unpacked = unpack(pack(patterns), patterns.shape[1])
    assert unpacked.dtype == np.int8
    assert unpacked.shape == patterns.shape
    assert np.array_equal(unpacked, patterns)


@pytest.mark.parametrize(("neurons", "clear"), [(1, False), (7, False), (8, True), (9, False), (15, False), (16, True)])
def test_a_bit_behind_the_last_neuron_is_seen(neurons: int, clear: bool) -> None:
    bits = np.zeros((3, row_bytes(neurons)), np.uint8)
    assert padding_is_clear(bits, neurons)
    bits[1, -1] = 0x80
    assert padding_is_clear(bits, neurons) is clear


def test_a_used_bit_is_no_padding() -> None:
    for neurons in range(1, 25):
        assert padding_is_clear(pack(np.ones((2, neurons), np.int8)), neurons)


@given(pattern_sets(min_count=1), st.data())
def test_the_overlap_is_the_mean_product_of_signs(patterns: Signs, data: st.DataObject) -> None:
    count, neurons = patterns.shape
    state = random_signs(np.random.default_rng(data.draw(st.integers(0, 1000))), neurons)
    found = overlaps(pack(patterns), pack(state[np.newaxis])[0], neurons)
    for k in range(count):
        assert found[k] == sum(int(x) * int(s) for x, s in zip(patterns[k], state, strict=True)) / neurons


@given(pattern_sets(neurons=5, min_count=1, max_count=12), st.integers(0, 31))
def test_the_nearest_pattern_has_the_largest_overlap_in_size_and_is_the_oldest_of_equals(
    patterns: Signs, number: int
) -> None:
    state = signs([1 if number >> i & 1 else -1 for i in range(5)])
    products = [sum(int(x) * int(s) for x, s in zip(xi, state, strict=True)) for xi in patterns]
    largest = max(abs(product) for product in products)
    oldest = [abs(product) for product in products].index(largest)
    match = {5: Match.PATTERN, -5: Match.INVERSE}.get(products[oldest], Match.SPURIOUS)
    assert nearest(pack(patterns), state) == (oldest, products[oldest] / 5, match)


def test_where_nothing_is_stored_nothing_is_nearest() -> None:
    assert nearest(np.empty((0, 2), np.uint8), np.ones(9, np.int8)) == (None, None, Match.NONE)


def test_a_pattern_and_its_inverse_are_recognised_and_what_is_one_neuron_away_is_not() -> None:
    xi = random_signs(np.random.default_rng(1), 1, 300)
    almost = flipped(xi[0], np.array([17]))
    assert nearest(pack(xi), xi[0]) == (0, 1.0, Match.PATTERN)
    assert nearest(pack(xi), -xi[0]) == (0, -1.0, Match.INVERSE)
    assert nearest(pack(xi), almost) == (0, 298 / 300, Match.SPURIOUS)
    assert nearest(pack(xi), -almost) == (0, -298 / 300, Match.SPURIOUS)


def test_an_older_inverse_wins_over_a_younger_equal() -> None:
    xi = random_signs(np.random.default_rng(2), 11)
    assert nearest(pack(np.stack([-xi, xi])), xi) == (0, -1.0, Match.INVERSE)
    assert nearest(pack(np.stack([xi, -xi])), xi) == (0, 1.0, Match.PATTERN)


def test_one_neuron_is_a_pattern_or_its_inverse() -> None:
    assert nearest(pack(signs([[1]])), signs([1])) == (0, 1.0, Match.PATTERN)
    assert nearest(pack(signs([[1]])), signs([-1])) == (0, -1.0, Match.INVERSE)


@given(pattern_sets(max_count=12), st.integers(1, 15), st.data())
def test_the_nearest_patterns_come_by_falling_overlap_in_size_the_oldest_of_equals_first(
    patterns: Signs, k: int, data: st.DataObject
) -> None:
    count, neurons = patterns.shape
    query = signs(data.draw(st.lists(st.integers(-1, 1), min_size=neurons, max_size=neurons)))
    positions, m = nearest_patterns(pack(patterns), query, k)
    products = [sum(int(x) * int(s) for x, s in zip(xi, query, strict=True)) for xi in patterns]
    expected = sorted(range(count), key=lambda p: (-abs(products[p]), p))[:k]
    assert positions.tolist() == expected
    assert m.tolist() == [products[p] / neurons for p in expected]
