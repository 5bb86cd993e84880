"""Hebb's rule: integer sums, exact whatever the order, and the scale apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.oracle import hebbian_sums
from tests.core.samples import (
    Signs,
    after,
    facts,
    kept,
    memory,
    no_patterns,
    pattern_sets,
    random_signs,
    recall,
    recall_options,
    signs,
    store,
    through_a_snapshot,
    weights_of,
)

from hopfield_service.core.hebbian import Hebbian
from hopfield_service.core.interruption import never
from hopfield_service.core.learning import LearningParameters, Normalization
from hopfield_service.core.network import Forget, Store
from hopfield_service.core.options import UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import Queries, pack

normalizations = st.sampled_from(Normalization)


def divided_by(normalization: Normalization, patterns: Signs) -> int:
    count, neurons = patterns.shape
    divisors: dict[Normalization, int] = {
        Normalization.NEURONS: neurons,
        Normalization.PATTERNS: max(1, count),
        Normalization.NONE: 1,
    }
    return divisors[normalization]


# The sums


@given(pattern_sets(), st.booleans())
def test_the_weights_are_integer_sums_and_a_scale(patterns: Signs, self_coupling: bool) -> None:
    neurons = patterns.shape[1]
    network = memory(Rule.HEBBIAN, patterns, self_coupling=self_coupling)
    sums = hebbian_sums(patterns.tolist(), neurons, diagonal=self_coupling)
    kept_sums = network.arrays()["sums"].values
    assert kept_sums.dtype == np.int16
    assert kept_sums.tolist() == sums
    assert weights_of(network).tolist() == [[entry / neurons for entry in row] for row in sums]


def test_the_diagonal_is_zero_or_with_self_coupling_the_number_of_patterns() -> None:
    patterns = random_signs(np.random.default_rng(1), 7, 20)
    assert not memory(Rule.HEBBIAN, patterns).arrays()["sums"].values.diagonal().any()
    coupled = memory(Rule.HEBBIAN, patterns, self_coupling=True)
    assert coupled.arrays()["sums"].values.diagonal().tolist() == [7] * 20
    assert after(coupled, Forget(("3", "1"))).arrays()["sums"].values.diagonal().tolist() == [5] * 20
    again = after(through_a_snapshot(coupled), store(patterns[:2], ["a", "b"]))
    assert again.arrays()["sums"].values.diagonal().tolist() == [9] * 20


@given(pattern_sets(min_count=1), st.integers(0, 1000))
def test_the_order_of_patterns_does_not_matter(patterns: Signs, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(patterns)
    assert weights_of(memory(Rule.HEBBIAN, shuffled)).tobytes() == weights_of(memory(Rule.HEBBIAN, patterns)).tobytes()


def test_sums_have_the_parity_of_the_number_of_patterns() -> None:
    patterns = random_signs(np.random.default_rng(3), 7, 30)
    sums = memory(Rule.HEBBIAN, patterns).arrays()["sums"].values
    assert np.all(sums[~np.eye(30, dtype=np.bool_)] % 2 == 1)


def test_sums_of_many_neurons_are_whole() -> None:
    # So many that they are summed in more than one block of rows.
    patterns = random_signs(np.random.default_rng(30), 3, 4500)
    expected = np.zeros((4500, 4500), np.int32)
    for xi in patterns:
        expected += np.outer(xi, xi)
    np.fill_diagonal(expected, 0)
    bits = pack(patterns)
    learnt = Hebbian.nothing(LearningParameters(4500)).learn(bits, bits, never)
    assert np.array_equal(learnt.weights, expected)
    assert not learnt.forget(bits, no_patterns(4500), never).weights.any()


def test_many_equal_patterns_add_up_exactly_beyond_what_a_float32_can_count() -> None:
    count = 2**24 + 3
    bits = np.full((count, 1), 0b01, np.uint8)
    learnt = Hebbian.nothing(LearningParameters(2)).learn(bits, bits, never)
    assert learnt.weights.tolist() == [[0, -count], [-count, 0]]
    assert learnt.forget(bits[:-1], bits[-1:], never).weights.tolist() == [[0, -1], [-1, 0]]


@pytest.mark.parametrize("sign", [1, -1])
def test_learning_goes_on_to_the_largest_sum_an_int32_holds(sign: int) -> None:
    largest = sign * (2**31 - 1)
    many = np.broadcast_to(np.uint8(0), (2**31 - 1, 1))
    almost = Hebbian(
        LearningParameters(2), many[:-2], np.array([[0, largest - 2 * sign], [largest - 2 * sign, 0]], np.int32)
    )
    learnt = almost.learn(pack(signs([[1, sign], [-1, -sign]])), many, never)
    assert (learnt.weights[0, 1], learnt.weights[1, 0]) == (largest, largest)


# The scale


@given(pattern_sets(), normalizations, st.booleans())
def test_the_sums_are_divided_by_the_neurons_or_by_the_patterns_or_by_nothing(
    patterns: Signs, normalization: Normalization, self_coupling: bool
) -> None:
    neurons = patterns.shape[1]
    network = memory(Rule.HEBBIAN, patterns, normalization=normalization, self_coupling=self_coupling)
    divisor = divided_by(normalization, patterns)
    sums = hebbian_sums(patterns.tolist(), neurons, diagonal=self_coupling)
    assert network.arrays()["sums"].values.tolist() == sums, "the sums know of no scale"
    assert weights_of(network).tolist() == [[entry / divisor for entry in row] for row in sums]


def test_forgetting_changes_the_number_of_patterns_that_the_sums_are_divided_by() -> None:
    patterns = random_signs(np.random.default_rng(2), 5, 12)
    network = memory(Rule.HEBBIAN, patterns, normalization=Normalization.PATTERNS)
    assert set(np.abs(weights_of(network)[0, 1:] * 5).tolist()) <= {1.0, 3.0, 5.0}
    two = after(network, Forget(("0", "2", "4")))
    assert weights_of(two).tolist() == (np.array(hebbian_sums(patterns[[1, 3]].tolist(), 12)) / 2).tolist()
    assert set(weights_of(after(two, Forget(("1",))))[0, 1:].tolist()) <= {1.0, -1.0}
    none = after(two, Forget(("1", "3")))
    assert not weights_of(none).any()
    three = after(through_a_snapshot(none), store(patterns[:3], ["a", "b", "c"]))
    assert weights_of(three).tolist() == (np.array(hebbian_sums(patterns[:3].tolist(), 12)) / 3).tolist()


@given(pattern_sets(min_count=1), st.booleans(), st.data())
def test_without_thresholds_the_scale_changes_no_trajectory_and_scales_the_energy(
    patterns: Signs, self_coupling: bool, data: st.DataObject
) -> None:
    # At a temperature it would: there beta is in the unit of the energy.
    neurons = patterns.shape[1]
    how = data.draw(recall_options(neurons, ways=["asynchronous", "synchronous"]))
    query = random_signs(np.random.default_rng(data.draw(st.integers(0, 99))), neurons)
    plain = memory(Rule.HEBBIAN, patterns, normalization=Normalization.NONE, self_coupling=self_coupling)
    answer = plain.recall(Queries.of(query), how, never)
    for normalization in Normalization:
        network = memory(Rule.HEBBIAN, patterns, normalization=normalization, self_coupling=self_coupling)
        scaled = network.recall(Queries.of(query), how, never)
        assert scaled.state.tolist() == answer.state.tolist()
        assert facts(scaled)[3:] == facts(answer)[3:]
        divisor = divided_by(normalization, patterns)
        assert (scaled.energy, scaled.initial_energy) == (answer.energy / divisor, answer.initial_energy / divisor)


def test_the_scale_decides_what_a_threshold_means() -> None:
    xi = signs([[1, 1, 1, 1]])
    # The sum is 3: as N J / N it is 3/4, as P J / P it is 3.
    for normalization, state in ((Normalization.NEURONS, -1), (Normalization.PATTERNS, 1), (Normalization.NONE, 1)):
        network = memory(Rule.HEBBIAN, xi, [1.0] * 4, normalization=normalization)
        answer = recall(network, xi[0], update=UpdateRule.SYNCHRONOUS, max_iterations=1)
        assert answer.state.tolist() == [state] * 4


@pytest.mark.parametrize("some", [1, 10])
def test_sums_take_sixteen_bits_up_to_as_many_patterns_as_those_hold_and_more_beyond(some: int) -> None:
    most = 32767
    xi = signs([1, -1, 1, 1])

    def of(count: int) -> PairwiseNetwork:
        return memory(Rule.HEBBIAN, np.broadcast_to(xi, (count, 4)))

    few, many = of(most), of(most + some)
    assert few.arrays()["sums"].values.dtype == np.int16
    assert many.arrays()["sums"].values.dtype == np.int32
    assert int(many.arrays()["sums"].values[0, 2]) == most + some
    labels = tuple(str(k) for k in range(most, most + some))
    more = few.apply(Store(pack(np.broadcast_to(xi, (some, 4))), labels), never)
    assert kept(more) == kept(many)
    assert kept(more.apply(Forget(labels), never)) == kept(few)
