"""The form of the weights a recall is computed with: chosen by the network alone, and never seen in an answer."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.samples import (
    Signs,
    energies,
    facts,
    flipped,
    imported,
    memory,
    memory_of,
    of_integers,
    queries,
    random_signs,
    recall,
    recall_options,
    signs,
    specs,
)

from hopfield_service.core import forms
from hopfield_service.core.dynamics import Dynamics
from hopfield_service.core.interruption import never
from hopfield_service.core.kernels.couplings import Basis, Matrix, Patterns
from hopfield_service.core.network import Forget
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, Queries
from hopfield_service.core.pseudo_inverse import PseudoInverse
from hopfield_service.core.results import Match, StopReason

# The rule


@pytest.mark.parametrize(
    ("rule", "count", "thresholds", "form"),
    [
        (Rule.HEBBIAN, 0, [], Patterns),
        (Rule.HEBBIAN, 10, [], Patterns),
        (Rule.HEBBIAN, 11, [], Matrix),
        (Rule.HEBBIAN, 10, [0.5] * 40, Matrix),
        (Rule.PSEUDO_INVERSE, 0, [], Basis),
        (Rule.PSEUDO_INVERSE, 13, [], Basis),
        (Rule.PSEUDO_INVERSE, 10, [0.5] * 40, Basis),
        (Rule.PSEUDO_INVERSE, 14, [], Matrix),
        (Rule.STORKEY, 5, [], Matrix),
        (Rule.STORKEY_SECOND_ORDER, 5, [], Matrix),
        (Rule.PERCEPTRON, 5, [], Matrix),
    ],
)
def test_few_patterns_are_recalled_with_as_such_and_many_as_a_matrix(
    rule: Rule, count: int, thresholds: list[float], form: type
) -> None:
    network = memory(rule, random_signs(np.random.default_rng(1), count, 40), thresholds)
    assert isinstance(network.dynamics.form, form)


def test_a_basis_of_patterns_that_nearly_depend_on_one_another_is_not_recalled_with() -> None:
    couplings = memory(Rule.PSEUDO_INVERSE, random_signs(np.random.default_rng(1), 2, 64))._couplings
    assert isinstance(couplings, PseudoInverse)
    assert couplings.kept_as_factors
    # Squared lengths outside the span of those before, of 64: a ten-thousandth is the least.
    for squared, suits in ((0.0065, True), (0.0063, False)):
        lower = np.array([[8.0, 0.0], [7.9, math.sqrt(squared)]])
        assert replace(couplings, lower=lower).suits_recall is suits


def test_patterns_that_differ_in_one_neuron_are_far_enough_apart() -> None:
    patterns = np.ones((2, 5000), np.int8)
    patterns[1, 17] = -1
    network = memory(Rule.PSEUDO_INVERSE, patterns)
    assert isinstance(network.dynamics.form, Basis)
    for k, xi in enumerate(patterns):
        assert recall(network, flipped(xi, np.arange(100, 900))).nearest == k


def test_forgetting_brings_the_factors_back() -> None:
    patterns = random_signs(np.random.default_rng(2), 11, 40)
    for rule, form in ((Rule.HEBBIAN, Patterns), (Rule.PSEUDO_INVERSE, Basis)):
        fewer = memory(rule, patterns).apply(Forget(("10",)), never)
        assert isinstance(fewer.dynamics.form, form)
        assert facts(recall(fewer, -patterns[10])) == facts(recall(memory(rule, patterns[:10]), -patterns[10]))


# Every form gives the same answers


@st.composite
def of_few_patterns(draw: st.DrawFn, rule: Rule) -> PairwiseNetwork:
    neurons = draw(st.integers(1, 200))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    patterns = random_signs(random, int(random.integers(0, neurons // 4 + 1)), neurons)
    if len(patterns) > 1 and draw(st.booleans()):
        # As correlated as can be.
        patterns[1:] = np.where(random.random(patterns[1:].shape) < 0.1, -patterns[0], patterns[0])
    return memory_of(draw(specs(neurons, [rule])), patterns)


def rounded_dynamics(network: PairwiseNetwork) -> Dynamics:
    """What recalls need, as larger networks have it."""
    rounded = forms.rounded_form(network.local_field)
    return Dynamics(rounded, rounded, rounded.totals.dtype, network.stored.words)


def answered(dynamics: Dynamics, query: Signs, options: RecallOptions) -> tuple[object, ...]:
    return facts(dynamics.recall(Queries.of(query), options, never))


@settings(max_examples=200)
@given(of_few_patterns(Rule.HEBBIAN), st.data())
def test_patterns_narrow_or_wide_and_matrices_rounded_or_not_give_the_same_bits(
    network: PairwiseNetwork, data: st.DataObject
) -> None:
    query = data.draw(queries(network.spec.neurons))
    options = data.draw(recall_options(network.spec.neurons))
    answer = facts(network.recall(Queries.of(query), options, never))
    words, local_field = network.stored.words, network.local_field
    matrix, exact = forms.matrix_form(local_field), forms.exact_form(local_field)
    assert answered(Dynamics(matrix, matrix, matrix.totals.dtype, words), query, options) == answer
    assert answered(Dynamics(exact, exact, np.float64, words), query, options) == answer
    if isinstance(network.dynamics.form, Patterns):
        assert answered(network.dynamics.wide(), query, options) == answer


@settings(max_examples=200)
@given(of_few_patterns(Rule.PSEUDO_INVERSE), st.data())
def test_a_basis_and_its_matrix_lead_to_the_same_states(network: PairwiseNetwork, data: st.DataObject) -> None:
    query = data.draw(queries(network.spec.neurons))
    options = data.draw(recall_options(network.spec.neurons, ways=["asynchronous", "synchronous"]))
    answer = network.recall(Queries.of(query), options, never)
    matrix = forms.matrix_form(network.local_field)
    dynamics = Dynamics(matrix, matrix, matrix.totals.dtype, network.stored.words)
    expected = dynamics.recall(Queries.of(query), options, never)
    assert facts(answer)[:1] + facts(answer)[3:] == facts(expected)[:1] + facts(expected)[3:]
    size = 1 + np.abs(network.local_field.weights).sum() + np.abs(network.thresholds).sum()
    assert answer.energy == pytest.approx(expected.energy, rel=1e-10, abs=1e-12 * size)
    assert answer.initial_energy == pytest.approx(expected.initial_energy, rel=1e-10, abs=1e-12 * size)


@settings(max_examples=100)
@given(st.integers(1, 120), st.sampled_from([1e-250, 1e-9, 1.0, 3e4, 1e290]), st.sampled_from(TWO_VALUED), st.data())
def test_rounded_weights_of_any_size_lead_to_the_states_of_the_exact_ones(
    neurons: int, size: float, coding: Coding, data: st.DataObject
) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    spread = random.normal(size=(neurons, neurons)) * random.choice([1.0, 1e-5], (neurons, neurons)) * size
    network = imported(np.tril(spread) + np.tril(spread, -1).T, coding=coding)
    query = data.draw(queries(neurons))
    options = data.draw(recall_options(neurons, ways=["asynchronous", "synchronous"]))
    exact = forms.exact_form(network.local_field)
    expected = Dynamics(exact, exact, np.float64, network.stored.words).recall(Queries.of(query), options, never)
    answer = rounded_dynamics(network).recall(Queries.of(query), options, never)
    assert facts(answer)[:1] + facts(answer)[3:] == facts(expected)[:1] + facts(expected)[3:]
    # What is not known of each weight.
    rest = 2.0**-37 * float(np.abs(network.local_field.weights).max())
    assert answer.energy == pytest.approx(expected.energy, rel=1e-9, abs=neurons**2 * rest)


@pytest.mark.parametrize("coding", TWO_VALUED)
def test_the_energy_of_rounded_weights_is_near_enough_for_many_neurons(coding: Coding) -> None:
    random = np.random.default_rng(11)
    spread = random.normal(size=(700, 700))
    network = imported(np.tril(spread) + np.tril(spread, -1).T, coding=coding)
    form = network.dynamics.form
    assert isinstance(form, Matrix)
    assert form.weights.dtype == np.int16
    query = random_signs(random, 700)
    query[::7] = 0
    answer = recall(network, query)
    ends = np.stack([query, answer.state])
    assert [answer.initial_energy, answer.energy] == pytest.approx(
        energies(network, ends).tolist(), rel=1e-12, abs=1e-7
    )


@pytest.mark.parametrize("update", [UpdateRule.ASYNCHRONOUS, UpdateRule.SYNCHRONOUS])
def test_what_rounding_hides_decides_all_the_same(update: UpdateRule) -> None:
    # 1 - 1 + 2^-20: sixteen bits say zero.
    for last, s in ((2.0**-20, 1), (-(2.0**-20), -1)):
        network = imported([[0, 1, -1 + last], [1, 0, 0], [-1 + last, 0, 0]])
        options = RecallOptions(0, update, Order.SEQUENTIAL, max_iterations=1)
        answer = rounded_dynamics(network).recall(Queries.of(signs([-s, 1, 1])), options, never)
        assert answer.state[0] == s


# Room


@pytest.mark.parametrize("coding", TWO_VALUED)
@pytest.mark.parametrize("wide", [False, True])
def test_patterns_that_are_all_the_same_overflow_nothing(coding: Coding, wide: bool) -> None:
    neurons = (32767 // (1 + coding)) + (1 if wide else 0)
    xi = random_signs(np.random.default_rng(3), neurons)
    network = memory(Rule.HEBBIAN, np.broadcast_to(xi, (40, neurons)), coding=coding)
    assert network.dynamics.plan.course().kept.values.dtype == (np.int64 if wide else np.int16)
    answer = recall(network, flipped(xi, np.arange(neurons // 3)))
    assert answer.state.tolist() == xi.tolist()
    assert answer.match is Match.PATTERN
    values = xi.astype(np.int64) if coding is Coding.BIPOLAR else (1 + xi.astype(np.int64)) // 2
    coupling = 40 * (int(xi.astype(np.int64) @ values) ** 2 - int((values**2).sum()))
    assert answer.energy == -0.5 * (coupling / neurons)


@pytest.mark.parametrize("coding", TWO_VALUED)
def test_the_largest_sums_of_rounded_weights_overflow_nothing(coding: Coding) -> None:
    # Rows of equal weights: every one of them would be 32767 in sixteen bits, and 70000 of them more than an int32 holds.
    neurons = 3000
    matrix = np.full((neurons, neurons), 2**15 - 1, np.int32)
    np.fill_diagonal(matrix, 0)
    network = of_integers(matrix, neurons, coding=coding)
    form = network.dynamics.form
    assert isinstance(form, Matrix)
    assert float(np.abs(form.weights.astype(np.float64)).sum(axis=1).max()) * (1 + coding) < 2**31
    assert recall(network, flipped(np.ones(neurons, np.int8), np.arange(900))).state.tolist() == [1] * neurons


def test_the_step_of_rounding_leaves_room_for_the_sums_of_very_many_neurons() -> None:
    form = forms.step_of(largest=1.0, largest_row_sum=131072.0, neurons=131072, coding=Coding.BINARY)
    assert 2 * (form * 131072.0 + 131072 / 2) < 2**31
    assert form >= 2**12


# What is known to rest


@pytest.mark.parametrize("rule", [Rule.HEBBIAN, Rule.PSEUDO_INVERSE, Rule.STORKEY])
def test_what_recalls_found_out_about_patterns_changes_no_answer(rule: Rule) -> None:
    random = np.random.default_rng(5)
    # Of few neurons and an even number of patterns: full of ties, so that tie rules matter.
    patterns = random_signs(random, 4, 24)
    seasoned = memory(rule, patterns)
    for k in range(300):
        query = flipped(random.choice([1, -1]) * patterns[k % 4], random.permutation(24)[: k % 6])
        query = np.where(random.random(24) < 0.1 * (k % 3), 0, query).astype(np.int8)
        options = RecallOptions(
            seed=k, tie=list(TieRule)[k % 3], clamp=k % 7 == 0, max_iterations=1 + k % 5, update=UpdateRule.ASYNCHRONOUS
        )
        assert facts(seasoned.recall(Queries.of(query), options, never)) == facts(
            memory(rule, patterns).recall(Queries.of(query), options, never)
        )


def test_a_pattern_known_to_rest_still_takes_the_iteration_that_proves_it() -> None:
    patterns = random_signs(np.random.default_rng(6), 3, 200)
    network = memory(Rule.HEBBIAN, patterns)
    query = flipped(patterns[1], np.arange(10))
    for _ in range(3):
        answer = recall(network, query)
        assert (answer.iterations, answer.stop_reason) == (2, StopReason.CONVERGED)
        stopped = recall(network, query, max_iterations=1)
        assert (stopped.iterations, stopped.stop_reason) == (1, StopReason.ITERATION_LIMIT)
        assert stopped.match is Match.PATTERN
