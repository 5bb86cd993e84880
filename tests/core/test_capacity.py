"""Capacity told for a network as it is: coding and thresholds included, against theory and against recalls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.samples import (
    LEARNT,
    after,
    memory,
    off_diagonal,
    random_signs,
    recall,
    store,
    through_a_snapshot,
    weights_of,
)

from hopfield_service.core import capacity
from hopfield_service.core.capacity import NO_BIAS, Bias
from hopfield_service.core.learning import Normalization
from hopfield_service.core.network import Configure
from hopfield_service.core.pairwise import PairwiseNetwork, PairwiseSpec, Rule
from hopfield_service.core.patterns import Coding, Signs

BINARY = Coding.BINARY


def half_row_sums(network: PairwiseNetwork, share: float = 1.0) -> list[float]:
    halves: list[float] = (share * weights_of(network).sum(axis=1) / 2).tolist()
    return halves


def told(network: PairwiseNetwork) -> float:
    assert network.capacity is not None
    return network.capacity


def mean_overlap(network: PairwiseNetwork, patterns: Signs) -> float:
    """Of recalls from stored patterns with where they end."""
    ends = [recall(network, xi, seed=k, max_iterations=200).state for k, xi in enumerate(patterns[:30])]
    return float(np.mean([xi.astype(np.float64) @ end / len(xi) for xi, end in zip(patterns, ends, strict=False)]))


# Theory


def test_without_a_bias_it_is_that_of_the_books() -> None:
    assert (capacity.hebbian(NO_BIAS), capacity.projection(NO_BIAS)) == (0.138, 1.0)
    assert capacity.storkey(200, NO_BIAS) == pytest.approx(1 / np.sqrt(2 * np.log(200)))


def test_binary_coding_without_thresholds_halves_that_of_hebbs_rule() -> None:
    assert capacity.hebbian(Bias(1, 0)) == pytest.approx(0.069)
    assert capacity.projection(Bias(1, 0)) == pytest.approx(0.116, abs=5e-4)
    assert capacity.storkey(500, Bias(1, 0)) == capacity.projection(Bias(1, 0))


@given(st.floats(0, 2), st.floats(0, 1), st.floats(0, 1))
def test_the_more_bias_the_less_is_held(along: float, spread: float, more: float) -> None:
    for rule in (capacity.hebbian, capacity.projection):
        held = rule(Bias(along, spread))
        assert 0 <= held <= rule(NO_BIAS)
        assert rule(Bias(along + more, spread)) <= held + 1e-12
        assert rule(Bias(along, spread + more)) <= held + 1e-12


def test_nearly_no_bias_takes_next_to_nothing() -> None:
    assert capacity.projection(Bias(0.001, 0.0)) == pytest.approx(1, abs=1e-3)
    assert capacity.projection(Bias(0.0, 1e-7)) == pytest.approx(1, abs=0.02)


# Of a network


@pytest.mark.parametrize("rule", [rule for rule in LEARNT if rule is not Rule.PERCEPTRON])
def test_thresholds_of_half_the_row_sums_bring_that_of_plus_and_minus_one_back(rule: Rule) -> None:
    patterns = random_signs(np.random.default_rng(1), 20, 300)
    bare = memory(rule, patterns, coding=BINARY)
    assert told(bare) < told(memory(rule, patterns))
    balanced = after(bare, Configure(bare.spec.changed({"thresholds": half_row_sums(bare)})))
    assert told(balanced) == pytest.approx(told(memory(rule, patterns)), rel=1e-6)
    assert told(through_a_snapshot(balanced)) == pytest.approx(told(balanced))
    # In between it is in between; and thresholds that were right for fewer patterns are not right for more.
    halfway = after(bare, Configure(bare.spec.changed({"thresholds": half_row_sums(bare, 0.5)})))
    assert told(bare) < told(halfway)
    more = after(balanced, store(random_signs(np.random.default_rng(2), 40, 300), [f"b{k}" for k in range(40)]))
    assert told(more) < told(balanced)


def test_halfway_it_is_that_of_theory() -> None:
    patterns = random_signs(np.random.default_rng(3), 50, 500)
    thresholds = half_row_sums(memory(Rule.HEBBIAN, patterns, coding=BINARY), 0.5)
    assert told(memory(Rule.HEBBIAN, patterns, thresholds, coding=BINARY)) == pytest.approx(0.138 / 1.25, rel=1e-6)


def test_thresholds_of_plus_and_minus_one_cost_capacity_too() -> None:
    patterns = random_signs(np.random.default_rng(4), 20, 400)
    small, large, huge = (told(memory(Rule.HEBBIAN, patterns, [size] * 400)) for size in (0.1, 0.5, 3.0))
    assert 0.12 < small < 0.138
    assert 0.01 < large < 0.05
    assert huge == 0
    # A single neuron that its threshold decides is one neuron lost.
    assert told(memory(Rule.HEBBIAN, patterns, [100.0] + [0.0] * 399)) == pytest.approx(0.138, abs=0.002)


@pytest.mark.parametrize("normalization", Normalization)
@pytest.mark.parametrize("count", [10, 80])
def test_it_does_not_depend_on_the_unit_of_the_field(normalization: Normalization, count: int) -> None:
    patterns = random_signs(np.random.default_rng(5), count, 200)
    bare = memory(Rule.HEBBIAN, patterns, coding=BINARY, normalization=normalization)
    halfway = after(bare, Configure(bare.spec.changed({"thresholds": half_row_sums(bare, 0.5)})))
    assert (told(bare), told(halfway)) == pytest.approx((0.069, 0.1104), rel=1e-6)


@pytest.mark.parametrize("self_coupling", [False, True])
@pytest.mark.parametrize("count", [5, 60])
@pytest.mark.parametrize("rule", LEARNT)
def test_row_sums_are_those_of_the_weights_however_they_are_kept(rule: Rule, count: int, self_coupling: bool) -> None:
    network = memory(rule, random_signs(np.random.default_rng(6), count, 100), self_coupling=self_coupling)
    couplings = network._couplings
    sums, diagonal = couplings.row_sums
    expected = off_diagonal(weights_of(network)).sum(axis=1)
    assert sums / couplings.divisor == pytest.approx(expected, abs=1e-9)
    assert diagonal / couplings.divisor == pytest.approx(weights_of(network).diagonal(), abs=1e-9)


def test_the_perceptron_rule_learns_with_thresholds_and_coding() -> None:
    patterns = random_signs(np.random.default_rng(7), 5, 60)
    assert told(memory(Rule.PERCEPTRON, patterns, [0.5] * 60, coding=BINARY)) == 1.5


def test_what_has_lowered_it_is_said() -> None:
    advice = PairwiseSpec(1000, coding=BINARY).advice(100, 0.069)
    assert advice is not None
    assert "hebbian in 0/1 coding without thresholds holds random patterns up to 0.069 (69 of them)" in advice
    assert advice.endswith("with thresholds of half the row sums it holds up to 138")
    advice = PairwiseSpec(1000, coding=BINARY).advice(200, 0.069)
    assert advice is not None
    assert advice.endswith("with thresholds of half the row sums pseudo_inverse holds up to 1000")
    advice = PairwiseSpec(4, thresholds=(1.0,) * 4).advice(1, 0.0)
    assert advice is not None
    assert "hebbian with these thresholds holds random patterns up to 0.000" in advice
    assert advice.endswith("without thresholds pseudo_inverse holds up to 4")


# Of recalls


@pytest.mark.parametrize(
    ("rule", "neurons", "held", "lost", "balanced"),
    [
        (Rule.HEBBIAN, 1000, 0.05, 0.11, 0.11),
        (Rule.PSEUDO_INVERSE, 500, 0.08, 0.2, 0.6),
        (Rule.STORKEY, 500, 0.08, 0.2, 0.2),
    ],
)
def test_below_it_patterns_stay_and_beyond_it_they_do_not(
    rule: Rule, neurons: int, held: float, lost: float, balanced: float
) -> None:
    random = np.random.default_rng(8)
    for load, stays in ((held, True), (lost, False)):
        patterns = random_signs(random, round(load * neurons), neurons)
        network = memory(rule, patterns, coding=BINARY)
        assert (load < told(network)) is stays
        overlap = mean_overlap(network, patterns)
        assert overlap > 0.97 if stays else overlap < 0.5
    patterns = random_signs(random, round(balanced * neurons), neurons)
    network = memory(rule, patterns, half_row_sums(memory(rule, patterns)), coding=BINARY)
    assert balanced < told(network)
    assert mean_overlap(network, patterns) > 0.97
