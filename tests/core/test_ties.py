"""Where the local field says nothing: ties, unknown neurons, neurons held fixed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import oracle
from tests.core.samples import (
    Case,
    cases,
    flipped,
    imported,
    memory,
    of_integers,
    random_signs,
    recall,
    recall_options,
    signs,
    weights_of,
)

from hopfield_service.core.interruption import never
from hopfield_service.core.options import Order, TieRule, UpdateRule
from hopfield_service.core.pairwise import Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, Queries
from hopfield_service.core.results import Match, StopReason

DETERMINISTIC = [UpdateRule.ASYNCHRONOUS, UpdateRule.SYNCHRONOUS]


# Ties


def test_a_neuron_without_a_field_keeps_its_state_or_takes_the_one_the_tie_rule_says() -> None:
    network = memory(Rule.HEBBIAN, np.empty((0, 2), np.int8))
    for update in DETERMINISTIC:
        kept = recall(network, [1, -1], update=update)
        assert (kept.state.tolist(), kept.iterations, kept.flips) == ([1, -1], 1, 0)
        plus = recall(network, [1, -1], tie=TieRule.PLUS, update=update)
        assert (plus.state.tolist(), plus.iterations, plus.flips) == ([1, 1], 2, 1)
        minus = recall(network, [1, -1], tie=TieRule.MINUS, update=update)
        assert (minus.state.tolist(), minus.iterations, minus.flips) == ([-1, -1], 2, 1)


def test_a_threshold_is_reached_where_the_sum_equals_it() -> None:
    # Its field is 1/3 * (1 + 1) - 2/3: zero, whatever a sum of thirds in floats may say.
    for rule_of_ties, expected in ((TieRule.KEEP, -1), (TieRule.PLUS, 1), (TieRule.MINUS, -1)):
        network = of_integers([[0, 1, 1], [1, 0, 0], [1, 0, 0]], 3, thresholds=(2 / 3, 0.0, 0.0))
        answer = recall(network, [-1, 1, 1], tie=rule_of_ties, order=Order.SEQUENTIAL, max_iterations=1)
        assert answer.state[0] == expected


@pytest.mark.parametrize("update", DETERMINISTIC)
def test_the_smallest_field_of_integer_weights_is_a_field(update: UpdateRule) -> None:
    network = of_integers([[0, 1], [1, 0]], 10**15)
    assert recall(network, [1, -1], order=Order.SEQUENTIAL, update=update, max_iterations=1).state[0] == -1


@pytest.mark.parametrize("update", DETERMINISTIC)
@pytest.mark.parametrize("coding", TWO_VALUED)
def test_the_smallest_field_of_given_integers_is_a_field_however_large_others_are(
    update: UpdateRule, coding: Coding
) -> None:
    large = 2**31 - 1
    network = imported([[0, large, 1], [large, 0, 0], [1, 0, 0]], coding=coding)
    answer = recall(network, [1, 1, -1], order=Order.SEQUENTIAL, update=update, max_iterations=1)
    assert answer.state.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(weights_of(network)[0], [0, large, 1])


@pytest.mark.parametrize("update", DETERMINISTIC)
@pytest.mark.parametrize(
    ("weight", "others", "is_a_field"),
    [
        (0.99e-9, 0.0, False),
        (1e-9, 0.0, False),
        (1.01e-9, 0.0, True),
        # The largest row sum decides, wherever that row is: 1e-9 * 1e6.
        (0.99e-3, 1e6, False),
        (1.01e-3, 1e6, True),
        (0.99e-3, -1e6, False),
        # A sum of absolute values below 1 counts as 1.
        (1.01e-9, 0.01, True),
        (0.99e-9, 0.01, False),
    ],
)
def test_a_field_of_floats_is_zero_up_to_a_billionth_of_the_largest_row_sum(
    update: UpdateRule, weight: float, others: float, is_a_field: bool
) -> None:
    matrix = np.zeros((4, 4))
    matrix[0, 1] = matrix[1, 0] = weight
    matrix[2, 3] = matrix[3, 2] = others
    for sign in (1, -1):
        answer = recall(imported(matrix), [sign, -sign, 1, 1], order=Order.SEQUENTIAL, update=update, max_iterations=1)
        assert int(answer.state[0]) == (-sign if is_a_field else sign)


@pytest.mark.parametrize(("threshold", "is_a_field"), [(0.5 - 0.99e-9, False), (0.5 - 1.01e-9, True)])
def test_with_thresholds_a_field_of_integer_weights_is_zero_up_to_a_billionth(
    threshold: float, is_a_field: bool
) -> None:
    network = of_integers([[0, 1], [1, 0]], 2, thresholds=(threshold, 0.0))
    answer = recall(network, [-1, 1], order=Order.SEQUENTIAL, max_iterations=1)
    assert int(answer.state[0]) == (1 if is_a_field else -1)


def test_rounding_does_not_keep_a_projection_from_settling() -> None:
    # With P = N every field is zero but for rounding; with half of that, many neurons of a state off the span are close to it.
    random = np.random.default_rng(12)
    for count in (20, 40):
        network = memory(Rule.PSEUDO_INVERSE, random_signs(random, count, 40))
        for seed in range(20):
            answer = recall(network, random_signs(random, 40), seed=seed, max_iterations=1000)
            assert answer.stop_reason is StopReason.CONVERGED


# Unknown neurons


def test_an_unknown_neuron_takes_the_sign_of_its_field_and_that_is_no_flip() -> None:
    xi = random_signs(np.random.default_rng(9), 50)
    network = memory(Rule.HEBBIAN, xi[np.newaxis])
    for update in DETERMINISTIC:
        answer = recall(network, np.where(np.arange(50) < 20, xi, 0), update=update)
        assert (answer.state.tolist(), answer.flips, answer.match) == (xi.tolist(), 0, Match.PATTERN)
        # 20 neurons known: 20 * 19 / 2 pairs, each of energy -1/50.
        assert answer.initial_energy == -0.5 * (20 * 19 / 50)
        assert answer.energy == -0.5 * (50 * 49 / 50)


def test_an_unknown_neuron_contributes_nothing_before_it_is_visited() -> None:
    # Neuron 0 hears 1, and 2 twice as loud: while 2 is unknown, 0 follows 1, and then 2 follows 0.
    network = imported([[0, 1, 2], [1, 0, 0], [2, 0, 0]])
    for s in (1, -1):
        answer = recall(network, [-s, s, 0], order=Order.SEQUENTIAL)
        assert (answer.state.tolist(), answer.flips) == ([s, s, s], 1)
        assert recall(network, [-s, s, -s], order=Order.SEQUENTIAL).state.tolist() == [-s, -s, -s]


def test_an_unknown_neuron_without_a_field_is_drawn_from_the_seed() -> None:
    network = memory(Rule.HEBBIAN, np.empty((0, 3), np.int8))
    for seed in range(40):
        for update in DETERMINISTIC:
            generator = oracle.SplitMix64(seed)
            drawn = [generator.sign() for _ in range(3)]
            answer = recall(network, [0, 0, 0], seed=seed, order=Order.SEQUENTIAL, update=update)
            assert (answer.state.tolist(), answer.flips, answer.iterations) == (drawn, 0, 2)
        generator = oracle.SplitMix64(seed)
        order = generator.permutation(3)
        in_order_of_visits = {i: generator.sign() for i in order}
        assert recall(network, [0, 0, 0], seed=seed).state.tolist() == [in_order_of_visits[i] for i in range(3)]
        assert recall(network, [0, 0, 0], seed=seed, tie=TieRule.PLUS).state.tolist() == [1, 1, 1]
        assert recall(network, [0, 0, 0], seed=seed, tie=TieRule.MINUS).state.tolist() == [-1, -1, -1]


@given(cases(), st.data())
def test_known_neurons_are_held_where_they_are_clamped(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    options = options._replace(clamp=True)
    answer = case.network.recall(Queries.of(case.query), options, never)
    known = case.query != 0
    assert np.array_equal(answer.state[known], case.query[known])
    if known.all():
        assert answer.flips == 0
        if options.beta is None:
            assert (answer.iterations, answer.stop_reason) == (1, StopReason.CONVERGED)


def test_only_unknown_neurons_settle_where_the_known_ones_are_clamped() -> None:
    xi = random_signs(np.random.default_rng(10), 40)
    network = memory(Rule.HEBBIAN, xi[np.newaxis])
    query = flipped(xi, np.arange(5))
    query[30:] = 0
    for update in DETERMINISTIC:
        answer = recall(network, query, clamp=True, update=update)
        assert answer.state.tolist() == [*query[:30].tolist(), *xi[30:].tolist()]
        assert recall(network, query, update=update).state.tolist() == xi.tolist()


@pytest.mark.parametrize("query", [[1], [-1], [0]])
@pytest.mark.parametrize("update", DETERMINISTIC)
def test_one_neuron_alone_has_no_field(query: list[int], update: UpdateRule) -> None:
    network = memory(Rule.HEBBIAN, signs([[1], [1], [-1]]))
    answer = recall(network, query, seed=1, update=update)
    assert answer.state.tolist() == (query if query != [0] else answer.state.tolist())
    assert (answer.energy, answer.initial_energy, answer.flips) == (0.0, 0.0, 0)
    assert answer.iterations == (2 if query == [0] else 1)
