"""The symmetric perceptron rule: Gardner (1988), Krauth and Mezard (1987), Diederich and Opper (1987)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import oracle
from tests.core.samples import (
    Signs,
    after,
    memory,
    memory_of,
    off_diagonal,
    pattern_sets,
    random_signs,
    recall,
    signs,
    specs,
    store,
    weights_of,
)

from hopfield_service.core.interruption import never
from hopfield_service.core.learning import LearningOutcome
from hopfield_service.core.network import Forget
from hopfield_service.core.options import UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, PairwiseSpec, Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, unpack

codings = pytest.mark.parametrize("coding", TWO_VALUED)


def perceptron(patterns: Signs, thresholds: Any = (), **parameters: Any) -> PairwiseNetwork:
    return memory(Rule.PERCEPTRON, patterns, thresholds, **parameters)


def margins(network: PairwiseNetwork) -> Any:
    """`xi_i h_i` of every neuron of every stored pattern."""
    stored = unpack(network.stored.bits, network.spec.neurons)
    return np.array([xi * network.local_field.of(xi) for xi in stored])


def agrees_with_the_loop(network: PairwiseNetwork, patterns: Signs) -> None:
    spec = network.spec
    sums, converged, sweeps = oracle.perceptron(
        patterns.tolist(),
        spec.neurons,
        kappa=spec.kappa,
        max_sweeps=spec.max_sweeps,
        thresholds=spec.thresholds,
        binary=spec.coding is Coding.BINARY,
        diagonal=spec.self_coupling,
    )
    assert network.arrays()["weights"].values.tolist() == sums
    assert weights_of(network).tolist() == [[entry / spec.neurons for entry in row] for row in sums]
    assert network.outcome == LearningOutcome(converged, sweeps)


# The loop


@given(st.integers(1, 12), st.data())
def test_the_weights_are_exactly_those_of_the_loop(neurons: int, data: st.DataObject) -> None:
    patterns = data.draw(pattern_sets(neurons=neurons, max_count=8))
    spec = data.draw(specs(neurons, [Rule.PERCEPTRON]))
    agrees_with_the_loop(memory_of(spec, patterns), patterns)


@codings
@pytest.mark.parametrize(("neurons", "count"), [(1, 2), (30, 20), (60, 6)])
def test_the_weights_are_exactly_those_of_the_loop_until_it_ends(coding: Coding, neurons: int, count: int) -> None:
    patterns = random_signs(np.random.default_rng([neurons, count]), count, neurons)
    agrees_with_the_loop(perceptron(patterns, coding=coding, max_sweeps=30), patterns)


def test_one_pattern_of_four_neurons_takes_two_sweeps_worked_out_by_hand() -> None:
    # N J_ij = 2 off the diagonal after the first sweep: h_i = 3 * 2/4 = 1.5 > kappa = 1.
    network = perceptron(signs([[1, 1, 1, 1]]))
    assert network.arrays()["weights"].values.tolist() == (2 * (1 - np.eye(4))).tolist()
    assert network.outcome == LearningOutcome(converged=True, sweeps=2)
    # With kappa = 1.5 that is still within the margin.
    assert perceptron(signs([[1, 1, 1, 1]]), kappa=1.5).outcome == LearningOutcome(converged=True, sweeps=3)


def test_a_neuron_exactly_at_the_margin_is_within_it() -> None:
    xi = signs([[1, 1, 1, 1]])
    assert margins(perceptron(xi, kappa=1.4999)).min() == 1.5
    assert margins(perceptron(xi, kappa=1.5)).min() == 3.0


@given(pattern_sets(max_count=8), st.sampled_from(TWO_VALUED), st.booleans())
def test_the_weights_are_exactly_symmetric(patterns: Signs, coding: Coding, self_coupling: bool) -> None:
    found = weights_of(perceptron(patterns, coding=coding, max_sweeps=15, self_coupling=self_coupling))
    assert found.tobytes() == found.T.copy().tobytes()
    assert self_coupling or not found.diagonal().any()


@given(pattern_sets(max_count=8))
def test_the_diagonal_changes_nothing_else(patterns: Signs) -> None:
    without = perceptron(patterns, max_sweeps=15)
    coupled = perceptron(patterns, max_sweeps=15, self_coupling=True)
    assert off_diagonal(weights_of(coupled)).tolist() == weights_of(without).tolist()
    assert coupled.outcome == without.outcome
    # Each sum on the diagonal is 2 for every time the neuron was within the margin.
    diagonal = coupled.arrays()["weights"].values.diagonal()
    assert np.all(diagonal >= 0)
    assert np.all(diagonal % 2 == 0)


# Until no neuron is within the margin


@given(st.integers(1, 40), st.data())
def test_converged_means_that_every_neuron_of_every_pattern_is_beyond_the_margin(
    neurons: int, data: st.DataObject
) -> None:
    patterns = data.draw(pattern_sets(neurons=neurons, max_count=6))
    network = memory_of(data.draw(specs(neurons, [Rule.PERCEPTRON], max_sweeps=60)), patterns)
    assert network.outcome is not None
    if network.outcome.converged:
        assert np.all(margins(network) > network.spec.kappa)
        for xi in patterns:
            assert recall(network, xi, update=UpdateRule.SYNCHRONOUS, max_iterations=1).flips == 0
    else:
        assert network.outcome.sweeps == network.spec.max_sweeps


@codings
@pytest.mark.parametrize("count", [10, 30])
@pytest.mark.parametrize("self_coupling", [False, True])
@pytest.mark.parametrize("kappa", [0.0, 1.0, 3.0])
def test_random_patterns_with_thresholds_are_learnt_in_either_coding(
    coding: Coding, self_coupling: bool, kappa: float, count: int
) -> None:
    random = np.random.default_rng(8)
    patterns = random_signs(random, count, 100)
    thresholds = random.normal(size=100)
    network = perceptron(patterns, thresholds.tolist(), coding=coding, self_coupling=self_coupling, kappa=kappa)
    assert network.outcome is not None
    assert network.outcome.converged
    assert margins(network).min() > kappa


def test_learning_that_cannot_succeed_ends_after_max_sweeps() -> None:
    # The one weight would have to be positive for the first, and negative for the second.
    patterns = signs([[1, 1], [1, -1]])
    network = perceptron(patterns, max_sweeps=37)
    assert network.outcome == LearningOutcome(converged=False, sweeps=37)


@codings
def test_as_many_random_patterns_as_neurons_are_all_stable(coding: Coding) -> None:
    patterns = random_signs(np.random.default_rng(1988), 200, 200)
    network = perceptron(patterns, kappa=0.0, coding=coding)
    assert network.outcome is not None
    assert network.outcome.converged
    assert margins(network).min() > 0
    for k, xi in enumerate(patterns):
        answer = recall(network, xi)
        assert (answer.flips, answer.nearest, answer.overlap) == (0, k, 1.0)
    stability = network.diagnose(never).stability
    assert stability is not None
    assert (stability.stable_count, stability.marginal_count) == (200, 0)


def test_beyond_twice_as_many_it_says_that_it_did_not_converge() -> None:
    patterns = random_signs(np.random.default_rng(1987), 500, 200)
    network = perceptron(patterns, kappa=0.0, max_sweeps=200)
    assert network.outcome == LearningOutcome(converged=False, sweeps=200)


# Learnt anew at every change


def test_nothing_stored_is_learnt_at_once() -> None:
    nothing_yet = LearningOutcome(converged=True, sweeps=0)
    empty = PairwiseSpec(5, Rule.PERCEPTRON).empty()
    assert empty.outcome == nothing_yet
    emptied = after(empty, store(random_signs(np.random.default_rng(1), 2, 5)), Forget(("0", "1")))
    assert emptied.outcome == nothing_yet
    assert not weights_of(emptied).any()


def test_a_store_learns_all_patterns_from_no_weights_at_all() -> None:
    patterns = random_signs(np.random.default_rng(9), 20, 30)
    network = after(perceptron(patterns[:10]), store(patterns[10:], [str(k) for k in range(10, 20)]))
    agrees_with_the_loop(network, patterns)
    agrees_with_the_loop(
        after(network, Forget(tuple(str(k) for k in range(5, 15)))), patterns[[*range(5), *range(15, 20)]]
    )


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule is not Rule.PERCEPTRON])
def test_other_rules_have_no_outcome(rule: Rule) -> None:
    assert PairwiseSpec(3, rule).empty().outcome is None
