"""Patterns as bits, and which stored pattern a state is nearest to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.samples import (
    LEARNT,
    Signs,
    flipped,
    imported,
    memory,
    pattern_sets,
    queries,
    random_signs,
    recall,
    signs,
)

from hopfield_service.core.learning import Imported
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import Queries, Words, nearest, pack, padding_is_clear, row_bytes, unpack, words
from hopfield_service.core.results import Match


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


def stored(patterns: Signs) -> Words:
    return words(pack(patterns))


@given(pattern_sets())
def test_words_hold_the_bits_and_zeros_behind_them(patterns: Signs) -> None:
    count, neurons = patterns.shape
    packed = stored(patterns)
    assert packed.dtype == np.uint64
    assert packed.shape == (count, -(-neurons // 64))
    assert np.array_equal(packed.view(np.uint8)[:, : row_bytes(neurons)], pack(patterns))
    assert not packed.view(np.uint8)[:, row_bytes(neurons) :].any()


@given(pattern_sets(), st.integers(1, 30), st.data())
def test_the_nearest_are_those_of_the_largest_overlaps_the_oldest_first_of_equals(
    patterns: Signs, count: int, data: st.DataObject
) -> None:
    neurons = patterns.shape[1]
    query = data.draw(queries(neurons))
    products = [sum(int(x) * int(s) for x, s in zip(xi, query, strict=True)) for xi in patterns]
    expected = sorted(range(len(patterns)), key=lambda k: (-abs(products[k]), k))[:count]
    found = nearest(stored(patterns), Queries.of(query), neurons, count)
    assert found.positions.tolist() == expected
    assert found.overlaps.tolist() == [products[k] / neurons for k in expected]


@pytest.mark.parametrize("neurons", [63, 64, 65, 127, 1000, 5000])
def test_the_nearest_of_many_long_patterns(neurons: int) -> None:
    random = np.random.default_rng(neurons)
    patterns = random_signs(random, 300, neurons)
    query = flipped(-patterns[217], random.permutation(neurons)[: neurons // 5])
    products = patterns.astype(np.int64) @ query
    expected = np.lexsort((np.arange(300), -np.abs(products)))
    for count in (1, 2, 10, 299, 300, 301):
        found = nearest(stored(patterns), Queries.of(query), neurons, count)
        assert found.positions.tolist() == expected[:count].tolist()
        assert found.overlaps.tolist() == (products[expected[:count]] / neurons).tolist()
    assert expected[0] == 217


@pytest.mark.parametrize("rule", LEARNT)
def test_a_network_of_any_rule_says_which_patterns_are_nearest(rule: Rule) -> None:
    patterns = random_signs(np.random.default_rng(5), 6, 90)
    network = memory(rule, patterns)
    for k in range(6):
        found = network.nearest(Queries.of(-patterns[k]), 2)
        assert (found.positions[0], found.overlaps[0], len(found.positions)) == (k, -1.0, 2)
    assert network.nearest(Queries.of(np.zeros(90, np.int8)), 9).positions.tolist() == list(range(6))
    assert not len(memory(rule, patterns[:0]).nearest(Queries.of(patterns[0]), 3).positions)


def match(patterns: Signs, state: Signs) -> tuple[int | None, float | None, Match]:
    """What a recall that ends at once, where every state is at rest, says of a state."""
    still = imported(np.zeros((len(state), len(state))))
    network = PairwiseNetwork(still.spec, memory(Rule.HEBBIAN, patterns).stored, Imported(np.zeros((len(state),) * 2)))
    answer = recall(network, state)
    return answer.nearest, answer.overlap, answer.match


@given(pattern_sets(neurons=5, min_count=1, max_count=12), st.integers(0, 31))
def test_the_nearest_pattern_has_the_largest_overlap_in_size_and_is_the_oldest_of_equals(
    patterns: Signs, number: int
) -> None:
    state = signs([1 if number >> i & 1 else -1 for i in range(5)])
    products = [sum(int(x) * int(s) for x, s in zip(xi, state, strict=True)) for xi in patterns]
    largest = max(abs(product) for product in products)
    oldest = [abs(product) for product in products].index(largest)
    what = {5: Match.PATTERN, -5: Match.INVERSE}.get(products[oldest], Match.SPURIOUS)
    assert match(patterns, state) == (oldest, products[oldest] / 5, what)


def test_where_nothing_is_stored_nothing_is_nearest() -> None:
    assert match(np.empty((0, 9), np.int8), np.ones(9, np.int8)) == (None, None, Match.NONE)


def test_a_pattern_and_its_inverse_are_recognised_and_what_is_one_neuron_away_is_not() -> None:
    xi = random_signs(np.random.default_rng(1), 1, 300)
    almost = flipped(xi[0], np.array([17]))
    assert match(xi, xi[0]) == (0, 1.0, Match.PATTERN)
    assert match(xi, -xi[0]) == (0, -1.0, Match.INVERSE)
    assert match(xi, almost) == (0, 298 / 300, Match.SPURIOUS)
    assert match(xi, -almost) == (0, -298 / 300, Match.SPURIOUS)


def test_an_older_inverse_wins_over_a_younger_equal() -> None:
    xi = random_signs(np.random.default_rng(2), 11)
    assert match(np.stack([-xi, xi]), xi) == (0, -1.0, Match.INVERSE)
    assert match(np.stack([xi, -xi]), xi) == (0, 1.0, Match.PATTERN)


def test_one_neuron_is_a_pattern_or_its_inverse() -> None:
    assert match(signs([[1]]), signs([1])) == (0, 1.0, Match.PATTERN)
    assert match(signs([[1]]), signs([-1])) == (0, -1.0, Match.INVERSE)
