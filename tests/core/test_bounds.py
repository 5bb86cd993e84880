"""Room for the largest sums there can be."""

from fractions import Fraction

import numpy as np
import pytest
from tests.core import oracle
from tests.core.samples import Case, flipped, history_of, memory, of_integers, random_signs, recall

from hopfield_service.core.interruption import never
from hopfield_service.core.options import RecallOptions, UpdateRule
from hopfield_service.core.pairwise import Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, Queries
from hopfield_service.core.results import Match, StopReason

DETERMINISTIC = [UpdateRule.ASYNCHRONOUS, UpdateRule.SYNCHRONOUS]


@pytest.mark.parametrize("update", DETERMINISTIC)
@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("coding", TWO_VALUED)
def test_the_largest_weights_there_can_be_overflow_nowhere(update: UpdateRule, unknown: bool, coding: Coding) -> None:
    # As if the same pattern had been stored 2^31 - 1 times.
    neurons, weight = 64, 2**31 - 1
    network = of_integers(weight * (1 - np.eye(neurons, dtype=np.int64)), neurons, coding=coding)
    query = np.ones(neurons, np.int8)
    query[:9] = 0 if unknown else -1
    answer = recall(network, query, update=update)
    assert answer.state.tolist() == [1] * neurons
    assert answer.flips == (0 if unknown else 9)
    # In 0/1 coding twice the values: whole numbers again.
    values = [Fraction(int(s)) if coding is Coding.BIPOLAR else Fraction(1 + int(s), 2) for s in query]
    pairs = sum(values) ** 2 - sum(value**2 for value in values)
    assert answer.initial_energy == float(-pairs * weight / (2 * neurons))
    assert answer.energy == -0.5 * (weight * neurons * (neurons - 1) / neurons)
    assert answer.stop_reason is StopReason.CONVERGED


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("coding", TWO_VALUED)
def test_the_largest_weights_of_either_sign_do_what_a_plain_loop_does(sign: int, coding: Coding) -> None:
    random = np.random.default_rng(21)
    matrix = np.triu(random.choice([-1, 1], (30, 30)), 1) * (2**31 - 1) * sign
    matrix = matrix + matrix.T
    weights = oracle.Weights(matrix.tolist(), 30.0, binary=coding is Coding.BINARY)
    case = Case(of_integers(matrix, 30, coding=coding), weights, random_signs(random, 30))
    for update in UpdateRule:
        options = RecallOptions(3, update, beta=1e-9 if update is UpdateRule.GLAUBER else None)
        answer = case.network.recall(Queries.of(case.query), options, never)
        expected = history_of(case, options)
        assert answer.state.tolist() == expected.states[-1]
        assert answer.energy == case.weights.energy(expected.states[-1])


def test_a_large_network_of_equal_patterns_has_the_field_n_times_p() -> None:
    neurons, count = 1500, 4000
    xi = random_signs(np.random.default_rng(2), neurons)
    network = memory(Rule.HEBBIAN, np.broadcast_to(xi, (count, neurons)))
    answer = recall(network, flipped(xi, np.arange(700)))
    assert answer.state.tolist() == xi.tolist()
    assert answer.energy == -0.5 * (neurons * (neurons - 1) * count / neurons)
    assert (answer.nearest, answer.match) == (0, Match.PATTERN)
