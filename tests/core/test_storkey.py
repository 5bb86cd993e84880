"""Storkey's rules against loops that say their formulas: Storkey (1997), Storkey and Valabregue (1999)."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core import oracle
from tests.core.samples import (
    Signs,
    memory,
    off_diagonal,
    pattern_sets,
    random_signs,
    recall,
    signs,
    sizes,
    weights_of,
)

from hopfield_service.core.pairwise import Rule
from hopfield_service.core.results import Match, StopReason

Formula = Callable[..., list[list[float]]]

FORMULAS: list[tuple[Rule, Formula]] = [
    (Rule.STORKEY, oracle.storkey),
    (Rule.STORKEY_SECOND_ORDER, oracle.storkey_second_order),
]
RULES = [rule for rule, _ in FORMULAS]

rules = st.sampled_from(RULES)


def fields_without_diagonal(weights: NDArray[np.float64], state: Signs) -> NDArray[np.float64]:
    return np.asarray(off_diagonal(weights) @ state.astype(np.float64))


# The formulas


@pytest.mark.parametrize(("rule", "formula"), FORMULAS)
@given(patterns=pattern_sets(max_count=8), self_coupling=st.booleans())
def test_the_weights_are_those_of_the_formula(
    rule: Rule, formula: Formula, patterns: Signs, self_coupling: bool
) -> None:
    patterns = patterns[:, :16]
    found = weights_of(memory(rule, patterns, self_coupling=self_coupling))
    expected = np.array(formula(patterns.tolist(), patterns.shape[1], diagonal=self_coupling))
    # Far beyond capacity the weights grow with every pattern.
    assert np.abs(found - expected).max() < 1e-10 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(("rule", "formula"), FORMULAS)
@pytest.mark.parametrize(("neurons", "count"), [(1, 4), (2, 3), (25, 30), (70, 4)])
def test_the_weights_are_those_of_the_formula_at_any_load(
    rule: Rule, formula: Formula, neurons: int, count: int
) -> None:
    patterns = random_signs(np.random.default_rng([neurons, count]), count, neurons)
    found = weights_of(memory(rule, patterns))
    assert np.abs(found - np.array(formula(patterns.tolist(), neurons))).max() < 1e-10


@given(rules, sizes, st.integers(0, 1000))
def test_the_first_pattern_is_learnt_as_by_hebbs_rule(rule: Rule, neurons: int, seed: int) -> None:
    xi = random_signs(np.random.default_rng(seed), 1, neurons)
    for self_coupling in (False, True):
        found = weights_of(memory(rule, xi, self_coupling=self_coupling))
        assert found.tobytes() == weights_of(memory(Rule.HEBBIAN, xi, self_coupling=self_coupling)).tobytes()


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_patterns_matters(rule: Rule) -> None:
    patterns = random_signs(np.random.default_rng(5), 3, 20)
    learnt = [weights_of(memory(rule, patterns[list(order)])) for order in permutations(range(3))]
    # First order is symmetric in its first two patterns, so that only the last one counts: two orders at a time agree.
    different = [[np.abs(one - other).max() > 1e-3 for other in learnt] for one in learnt]
    assert [sum(row) for row in different] == ([4] * 6 if rule is Rule.STORKEY else [5] * 6)


@pytest.mark.parametrize("rule", RULES)
def test_orthogonal_patterns_are_learnt_almost_as_by_hebbs_rule(rule: Rule) -> None:
    # They have no field in one another but for what the excluded neurons would add: 1/N of a weight for each pair of patterns.
    orthogonal = signs([[1]])
    while len(orthogonal) < 256:
        orthogonal = np.block([[orthogonal, orthogonal], [orthogonal, -orthogonal]])
    patterns = orthogonal[:4]
    difference = weights_of(memory(rule, patterns)) - weights_of(memory(Rule.HEBBIAN, patterns))
    assert 0 < np.abs(difference).max() < 30 / 256**2


# Symmetry and the diagonal


@given(rules, sizes, st.integers(0, 20), st.integers(0, 1000))
def test_the_weights_are_exactly_symmetric_and_their_diagonal_changes_nothing_else(
    rule: Rule, neurons: int, count: int, seed: int
) -> None:
    patterns = random_signs(np.random.default_rng(seed), count, neurons)
    without, coupled = weights_of(memory(rule, patterns)), weights_of(memory(rule, patterns, self_coupling=True))
    for weights in (without, coupled):
        assert weights.tobytes() == weights.T.copy().tobytes()
    assert not without.diagonal().any()
    assert off_diagonal(coupled).tobytes() == off_diagonal(without).tobytes()


@given(rules, sizes, st.integers(1, 12), st.integers(0, 1000))
def test_the_diagonal_adds_up_what_the_formula_gives_there(rule: Rule, neurons: int, count: int, seed: int) -> None:
    patterns = random_signs(np.random.default_rng(seed), count, neurons)
    diagonal = np.zeros(neurons)
    for mu, x in enumerate(patterns):
        h = fields_without_diagonal(weights_of(memory(rule, patterns[:mu])), x)
        diagonal += (1 - 2 * x * h if rule is Rule.STORKEY else np.square(x - h)) / neurons
    found = weights_of(memory(rule, patterns, self_coupling=True)).diagonal()
    assert np.abs(found - diagonal).max() < 1e-12


@given(sizes, st.integers(1, 12), st.integers(0, 1000))
def test_the_diagonal_of_second_order_is_never_negative(neurons: int, count: int, seed: int) -> None:
    patterns = random_signs(np.random.default_rng(seed), count, neurons)
    assert weights_of(memory(Rule.STORKEY_SECOND_ORDER, patterns, self_coupling=True)).diagonal().min() >= 0


def test_the_diagonal_of_first_order_can_be_negative_and_then_a_recall_need_not_end() -> None:
    # Of two neurons there is no third to give h_01 a value: J_01 grows by 1/2 each time, and J_00 by (1 - 2 J_01)/2.
    network = memory(Rule.STORKEY, signs([[1, 1]] * 6), self_coupling=True)
    assert weights_of(network).tolist() == [[-4.5, 3.0], [3.0, -4.5]]
    answer = recall(network, [1, 1], max_iterations=50)
    assert (answer.stop_reason, answer.flips) == (StopReason.ITERATION_LIMIT, 100)


# What they do to patterns


@pytest.mark.parametrize("neurons", [2, 3, 10, 100])
def test_a_pattern_stored_twice_nearly_vanishes_by_the_formula_of_first_order(neurons: int) -> None:
    # Once stored, x_i h_ij = (N - 2)/N: the increment is (1/N)(1 - 2 (N - 2)/N) x_i x_j, and with the 1/N before it 4/N^2.
    xi = random_signs(np.random.default_rng(neurons), neurons)
    found = weights_of(memory(Rule.STORKEY, np.stack([xi, xi])))
    assert np.abs(found - off_diagonal(4 / neurons**2 * np.outer(xi, xi))).max() < 1e-15


@pytest.mark.parametrize("neurons", [2, 3, 10, 100])
def test_a_pattern_stored_twice_changes_next_to_nothing_by_the_rule_of_second_order(neurons: int) -> None:
    # x - h is x/N the second time.
    xi = random_signs(np.random.default_rng(neurons), neurons)
    found = weights_of(memory(Rule.STORKEY_SECOND_ORDER, np.stack([xi, xi])))
    assert np.abs(found - off_diagonal((1 / neurons + 1 / neurons**3) * np.outer(xi, xi))).max() < 1e-15


@pytest.mark.parametrize("rule", RULES)
def test_more_patterns_are_stable_than_by_hebbs_rule(rule: Rule) -> None:
    # At alpha = .25, where of Hebb's none is left.
    patterns = random_signs(np.random.default_rng(7), 50, 200)
    exact = [
        recall(memory(one, patterns), xi).match is Match.PATTERN for one in (rule, Rule.HEBBIAN) for xi in patterns
    ]
    assert sum(exact[:50]) >= 45
    assert sum(exact[50:]) <= 2
