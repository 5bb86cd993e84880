"""Diagnoses: every figure as numpy finds it from the weights and the patterns, and verdicts that are true."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.samples import (
    LEARNT,
    imported,
    interruption_after,
    memory,
    memory_of,
    off_diagonal,
    pattern_sets,
    random_signs,
    signs,
    specs,
    weights_of,
)

from hopfield_service.core.interruption import Interrupted, never
from hopfield_service.core.options import RecallOptions, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, Queries, Signs


def margins(network: PairwiseNetwork, patterns: Signs) -> NDArray[np.float64]:
    """`xi_i h_i` of every neuron of every pattern, (P, N)."""
    values = patterns.astype(np.float64)
    T = weights_of(network)
    if network.spec.coding is Coding.BIPOLAR:
        fields = values @ T - network.thresholds
    else:
        fields = (1 + values) / 2 @ off_diagonal(T) + T.diagonal() / 2 - network.thresholds
    found: NDArray[np.float64] = values * fields
    return found


@settings(max_examples=150)
@given(st.integers(1, 60), st.data())
def test_the_figures_are_those_of_the_weights_and_the_patterns(neurons: int, data: st.DataObject) -> None:
    patterns = data.draw(pattern_sets(neurons=neurons, max_count=12))
    network = memory_of(data.draw(specs(neurons)), patterns)
    diagnosis = network.diagnose(never)
    count = len(patterns)
    assert (diagnosis.pattern_count, diagnosis.load) == (count, count / neurons)
    assert (diagnosis.capacity, diagnosis.outcome) == (network.capacity, network.outcome)

    if not count:
        assert diagnosis.stability is None
    else:
        assert diagnosis.stability is not None
        found, stability = margins(network, patterns), diagnosis.stability
        # Here fields are rounded, also where they are exact there.
        tolerance = max(network.local_field.tolerance, 1e-9)
        stable = (found >= -tolerance).all(axis=1)
        assert stability.stable_count == np.count_nonzero(stable)
        assert stability.marginal_count == np.count_nonzero(stable & (found <= tolerance).any(axis=1))
        assert stability.smallest_margin == pytest.approx(found.min(), rel=1e-9, abs=1e-9)
        assert stability.mean_margin == pytest.approx(found.mean(), rel=1e-9, abs=1e-9)

    if count < 2:
        assert diagnosis.similarity is None
    else:
        assert diagnosis.similarity is not None
        X = patterns.astype(np.float64)
        noise = [
            sum(X[mu, i] * (X[mu] @ X[nu] - X[mu, i] * X[nu, i]) for mu in range(count) if mu != nu) / neurons
            for nu in range(count)
            for i in range(neurons)
        ]
        assert diagnosis.similarity.crosstalk == pytest.approx(np.sqrt(np.mean(np.square(noise))), abs=1e-12)
        m = np.abs(X @ X.T / neurons)[~np.eye(count, dtype=np.bool_)]
        assert diagnosis.similarity.mean_overlap == pytest.approx(m.mean(), abs=1e-12)

    J, weights = weights_of(network), diagnosis.weights
    assert weights is not None
    others = J[~np.eye(neurons, dtype=np.bool_)]
    expected = (others.min(), others.max(), others.mean(), others.std()) if neurons > 1 else (0, 0, 0, 0)
    found_here = (weights.min, weights.max, weights.mean, weights.standard_deviation)
    assert found_here == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert weights.mean_diagonal == pytest.approx(J.diagonal().mean(), abs=1e-12)
    assert weights.asymmetry == np.abs(J - J.T).max() == 0


def test_random_patterns_have_the_crosstalk_and_the_overlap_of_the_books() -> None:
    patterns = random_signs(np.random.default_rng(11), 100, 1000)
    similarity = memory(Rule.HEBBIAN, patterns).diagnose(never).similarity
    assert similarity is not None
    assert similarity.crosstalk == pytest.approx(np.sqrt(99 / 1000), rel=0.02)
    assert similarity.mean_overlap == pytest.approx(np.sqrt(2 / (np.pi * 1000)), rel=0.03)


@pytest.mark.parametrize("coding", TWO_VALUED)
@pytest.mark.parametrize("rule", LEARNT)
def test_stable_patterns_are_those_that_a_recall_leaves_as_they_are(rule: Rule, coding: Coding) -> None:
    patterns = random_signs(np.random.default_rng(12), 12, 40)
    network = memory(rule, patterns, np.linspace(-0.5, 0.5, 40).tolist(), coding=coding)
    stability = network.diagnose(never).stability
    assert stability is not None
    one_step = RecallOptions(0, update=UpdateRule.SYNCHRONOUS, max_iterations=1)
    flips = [network.recall(Queries.of(xi), one_step, never).flips for xi in patterns]
    assert stability.stable_count == flips.count(0)


def test_a_verdict_that_recommends_a_rule_is_true_of_that_rule() -> None:
    # Each pattern is the first one with a tenth of its neurons inverted.
    random = np.random.default_rng(13)
    patterns = random_signs(random, 64) * random.choice(signs([1, -1]), (10, 64), p=[0.9, 0.1])
    network = memory(Rule.HEBBIAN, patterns)
    verdict = network.diagnose(never).verdict
    stability = network.diagnose(never).stability
    assert stability is not None
    stable = f"{stability.stable_count} of 10 are stable"
    assert verdict == f"Hebb with 10 correlated patterns: {stable}; pseudo_inverse would hold all 10"
    assert margins(memory(Rule.PSEUDO_INVERSE, patterns), patterns).min() > 0


def test_where_the_projection_fails_the_perceptron_is_tried() -> None:
    # More patterns than neurons: the projection is the identity, whose diagonal is taken out.
    patterns = random_signs(np.random.default_rng(14), 60, 50)
    verdict = memory(Rule.HEBBIAN, patterns).diagnose(never).verdict
    learnt = memory(Rule.PERCEPTRON, patterns, max_sweeps=100)
    held = np.count_nonzero((margins(learnt, patterns) > 1e-9).all(axis=1))
    assert 30 < held < 60
    assert (
        verdict == f"Hebb with 60 uncorrelated patterns: 0 of 60 are stable; perceptron in 100 sweeps would hold {held}"
    )


def test_where_no_rule_holds_more_the_verdict_says_so() -> None:
    contradictory = signs([[1, 1], [1, -1]])
    verdict = memory(Rule.HEBBIAN, contradictory).diagnose(never).verdict
    assert verdict.endswith("no more are held by pseudo_inverse or perceptron in 100 sweeps")


def test_what_holds_fewer_than_today_is_not_recommended() -> None:
    # Hebb's rule leaves both as they are, by fields of zero; the perceptron rule would hold one, and not the other.
    contradictory = signs([[1, 1, 1], [1, 1, -1]])
    network = memory(Rule.HEBBIAN, contradictory)
    stability = network.diagnose(never).stability
    assert stability is not None
    assert (stability.stable_count, stability.held_count) == (2, 0)
    assert network.diagnose(never).verdict.endswith("no more are held by pseudo_inverse or perceptron in 100 sweeps")


@settings(max_examples=100)
@given(st.integers(1, 20), st.data())
def test_a_verdict_never_recommends_what_leaves_fewer_as_they_are(neurons: int, data: st.DataObject) -> None:
    patterns = data.draw(pattern_sets(neurons=neurons, min_count=1, max_count=9))
    network = memory_of(data.draw(specs(neurons)), patterns)
    diagnosis = network.diagnose(never)
    assert diagnosis.stability is not None
    recommended = re.search(r"would hold (?:all )?(\d+)", diagnosis.verdict)
    if recommended:
        assert int(recommended[1]) >= diagnosis.stability.stable_count
        assert int(recommended[1]) > diagnosis.stability.held_count


def test_in_0_1_coding_the_verdict_names_the_thresholds_that_would_do() -> None:
    patterns = random_signs(np.random.default_rng(17), 25, 500)
    network = memory(Rule.HEBBIAN, patterns, coding=Coding.BINARY)
    verdict = network.diagnose(never).verdict
    assert verdict.endswith("hebbian with thresholds of half the row sums would hold all 25")
    balanced = memory(Rule.HEBBIAN, patterns, (weights_of(network).sum(axis=1) / 2).tolist(), coding=Coding.BINARY)
    assert margins(balanced, patterns).min() > 0
    assert "smallest margin" in balanced.diagnose(never).verdict


def test_imported_weights_have_no_patterns_to_judge_by() -> None:
    diagnosis = imported([[0, -1], [-1, 0]]).diagnose(never)
    assert (diagnosis.stability, diagnosis.similarity, diagnosis.capacity) == (None, None, None)
    assert diagnosis.verdict == "imported weights: no patterns to judge by"
    assert diagnosis.weights is not None
    assert (diagnosis.weights.min, diagnosis.weights.max, diagnosis.weights.mean) == (-1, -1, -1)


def test_weights_that_differ_little_beside_their_mean_have_the_standard_deviation_they_have() -> None:
    J = 1e8 + np.random.default_rng(16).normal(size=(30, 30))
    J = (J + J.T) / 2
    others = J[~np.eye(30, dtype=np.bool_)]
    found = imported(J).diagnose(never).weights
    assert found is not None
    assert found.standard_deviation == pytest.approx(others.std(), rel=1e-6)


def test_a_diagnosis_nobody_waits_for_any_longer_is_found_hereup() -> None:
    network = memory(Rule.HEBBIAN, random_signs(np.random.default_rng(15), 5, 30))
    for questions in range(3):
        with pytest.raises(Interrupted):
            network.diagnose(interruption_after(questions))
