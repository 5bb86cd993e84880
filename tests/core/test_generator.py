"""The generator of orders and ties, which is part of the interface: the same seed gives the same answers for ever."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.oracle import SplitMix64
from tests.core.samples import seeds

from hopfield_service.core.kernels.generator import next_below, next_sign, next_uniform, next_word, shuffle


def generator(seed: int) -> NDArray[np.uint64]:
    return np.array([seed], np.uint64)


def chi_square(counts: list[int]) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 for count in counts) / expected


def test_words_are_the_published_ones_of_splitmix64() -> None:
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    compiled, plain = generator(1234567), SplitMix64(1234567)
    assert [int(next_word(compiled)) for _ in published] == published
    assert [plain.word() for _ in published] == published


@given(seeds)
def test_words_are_those_of_plain_integer_arithmetic(seed: int) -> None:
    compiled, plain = generator(seed), SplitMix64(seed)
    for _ in range(20):
        assert int(next_word(compiled)) == plain.word()
    assert int(compiled[0]) == plain.state


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1, 2**64 - 0x9E3779B97F4A7C15])
def test_the_extreme_seeds_wrap_round(seed: int) -> None:
    compiled, plain = generator(seed), SplitMix64(seed)
    assert [int(next_word(compiled)) for _ in range(5)] == [plain.word() for _ in range(5)]


bounds = st.one_of(
    st.integers(1, 100),
    st.integers(1, 2**32),
    st.sampled_from([1, 2**17, 2**31, 2**31 + 1, 3 * 2**30, 2**32 - 1, 2**32]),
)


@given(seeds, bounds)
def test_integers_below_a_bound_are_in_range_and_those_of_lemires_method(seed: int, bound: int) -> None:
    compiled, plain = generator(seed), SplitMix64(seed)
    for _ in range(20):
        drawn = next_below(compiled, bound)
        assert 0 <= drawn < bound
        assert drawn == plain.below(bound)
    assert int(compiled[0]) == plain.state, "as many words were used"


@pytest.mark.parametrize("bound", [2, 3, 5, 7, 10])
def test_integers_below_a_small_bound_are_uniform(bound: int) -> None:
    state = generator(bound)
    counts = Counter(next_below(state, bound) for _ in range(20_000))
    # Beyond 45 with at most 9 degrees of freedom: once in a million seeds.
    assert chi_square([counts[value] for value in range(bound)]) < 45


def test_integers_below_a_bound_that_does_not_divide_two_to_the_32_are_unbiased() -> None:
    # Of 3 * 2^30 values each third would come from two words, were none rejected: half of the draws would be multiples of 3.
    state = generator(99)
    counts = Counter(next_below(state, 3 * 2**30) % 3 for _ in range(20_000))
    assert chi_square([counts[value] for value in range(3)]) < 28


def test_signs_are_the_highest_bit_and_fair() -> None:
    compiled, plain = generator(7), SplitMix64(7)
    drawn = [next_sign(compiled) for _ in range(10_000)]
    assert drawn == [plain.sign() for _ in range(10_000)]
    assert abs(sum(drawn)) < 500


@given(seeds)
def test_uniform_numbers_are_the_highest_53_bits_behind_the_point(seed: int) -> None:
    compiled, plain = generator(seed), SplitMix64(seed)
    for _ in range(20):
        drawn = next_uniform(compiled)
        assert 0 <= drawn < 1
        assert drawn == plain.uniform()


def test_uniform_numbers_are_uniform() -> None:
    state = generator(53)
    counts = Counter(int(10 * next_uniform(state)) for _ in range(20_000))
    # Beyond 45 with 9 degrees of freedom: once in a million seeds.
    assert chi_square([counts[tenth] for tenth in range(10)]) < 45


@given(seeds, st.integers(1, 60))
def test_an_order_of_visits_is_a_permutation_drawn_from_the_identity_each_time(seed: int, count: int) -> None:
    compiled, plain = generator(seed), SplitMix64(seed)
    order = np.full(count, -1, np.int32)
    for _ in range(3):
        shuffle(compiled, order, np.empty_like(order))
        assert order.tolist() == plain.permutation(count)
        assert sorted(order.tolist()) == list(range(count))


def test_an_order_with_a_draw_that_is_rejected_goes_on_with_the_next_word() -> None:
    # Of so many orders one or two have a draw below the threshold of its bound.
    rejecting = 0
    for seed in range(3000):
        compiled, plain = generator(seed), SplitMix64(seed)
        order = np.empty(3000, np.int32)
        shuffle(compiled, order, np.empty_like(order))
        words = (int(compiled[0]) - seed) * pow(0x9E3779B97F4A7C15, -1, 2**64) % 2**64
        if words > 2999:
            rejecting += 1
            assert order.tolist() == plain.permutation(3000)
            assert int(compiled[0]) == plain.state
    assert rejecting > 0


def test_an_order_of_one_neuron_takes_no_word() -> None:
    state = generator(5)
    shuffle(state, np.zeros(1, np.int32), np.zeros(1, np.int32))
    assert int(state[0]) == 5


@pytest.mark.parametrize("consecutive_seeds", [False, True])
def test_all_permutations_are_equally_likely_within_a_recall_and_over_the_seeds_of_a_batch(
    consecutive_seeds: bool,
) -> None:
    counts: Counter[tuple[int, ...]] = Counter()
    state, order = generator(2026), np.empty(4, np.int32)
    for k in range(24_000):
        if consecutive_seeds:
            state[0] = k
        shuffle(state, order, np.empty_like(order))
        counts[tuple(order.tolist())] += 1
    # Beyond 75 with 23 degrees of freedom: less than once in four million seeds.
    assert chi_square([counts[permutation] for permutation in permutations(range(4))]) < 75


def test_every_neuron_is_equally_likely_at_every_place_of_a_longer_order() -> None:
    neurons, rounds = 20, 20_000
    counts = np.zeros((neurons, neurons), np.int64)
    state, order = generator(11), np.empty(neurons, np.int32)
    for _ in range(rounds):
        shuffle(state, order, np.empty_like(order))
        counts[np.arange(neurons), order] += 1
    # 361 degrees of freedom, a deviation of 27: 500 is more than five of them away.
    assert chi_square(counts.ravel().tolist()) < 500
