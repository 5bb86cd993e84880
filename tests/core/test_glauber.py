"""Glauber dynamics: Boltzmann's law at a temperature, exactly as many sweeps as asked for, and plain arithmetic throughout."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core import oracle
from tests.core.samples import (
    Case,
    Signs,
    cases,
    energies,
    every_state,
    facts,
    history_of,
    imported,
    memory,
    networks,
    queries,
    random_signs,
    recall,
    recall_options,
    signs,
    trajectory_of,
)

from hopfield_service.core.interruption import never
from hopfield_service.core.kernels.updates import exponential, logistic
from hopfield_service.core.options import RecallOptions, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, Queries
from hopfield_service.core.results import RecallResult, StopReason

GLAUBER = {"update": UpdateRule.GLAUBER}
SAMPLES = 200_000

# Weights of at most 1 and some thresholds, so that at beta = 2 the sixteen states are still visited in turn.
WEIGHTS = np.array([[0, 0.9, -0.4, 0.3], [0.9, 0, 0.5, -0.7], [-0.4, 0.5, 0, 0.6], [0.3, -0.7, 0.6, 0]])
THRESHOLDS = [0.3, -0.2, 0.1, 0.25]


def boltzmann(network: PairwiseNetwork, states: Signs, beta: float) -> NDArray[np.float64]:
    """`exp(-beta E) / Z` of these states, Z their sum."""
    exponents = -beta * energies(network, states)
    weights = np.exp(exponents - exponents.max())
    return np.asarray(weights / weights.sum())


def sampled(network: PairwiseNetwork, query: Signs, options: RecallOptions, samples: int) -> NDArray[np.float64]:
    """How often each of all states is met, a sweep apart, once the query is forgotten."""
    trajectory = trajectory_of(network, query, options)
    trajectory.advance(100)
    counts: Counter[bytes] = Counter()
    for _ in range(samples):
        trajectory.advance(1)
        counts[trajectory.state.tobytes()] += 1
    return np.array([counts[state.tobytes()] for state in every_state(len(query))]) / samples


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    return float(np.abs(p - q).sum() / 2)


# Boltzmann's law


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("coding", TWO_VALUED)
def test_states_are_met_as_often_as_boltzmanns_law_says(beta: float, coding: Coding) -> None:
    # In 0/1 coding the same weights make other energies: of couplings a quarter as large.
    scale = 1 if coding is Coding.BIPOLAR else 3
    network = imported(scale * WEIGHTS, THRESHOLDS, coding)
    options = RecallOptions(seed=1963, update=UpdateRule.GLAUBER, beta=beta, max_iterations=10**9)
    states = every_state(4)
    found = sampled(network, states[0], options, SAMPLES)
    assert total_variation(found, boltzmann(network, states, beta)) < 0.01
    # With the 2 left out, or put in where it does not belong, it would be the law at half or twice the beta.
    mistaken = boltzmann(network, states, beta / 2 if coding is Coding.BIPOLAR else 2 * beta)
    assert total_variation(found, mistaken) > 0.05


@pytest.mark.parametrize("coding", TWO_VALUED)
def test_it_is_boltzmanns_law_whatever_the_diagonal(coding: Coding) -> None:
    # In ±1 coding self-couplings are a constant of the energy; in 0/1 coding each is a threshold of minus half its size.
    network = imported(WEIGHTS + np.diag([2.0, -1.5, 0.0, 1.0]), THRESHOLDS, coding)
    options = RecallOptions(seed=1925, update=UpdateRule.GLAUBER, beta=1.0, max_iterations=10**9)
    states = every_state(4)
    found = sampled(network, states[0], options, SAMPLES // 2)
    assert total_variation(found, boltzmann(network, states, 1.0)) < 0.01


def test_where_neurons_are_held_it_is_boltzmanns_law_of_the_others() -> None:
    network = imported(WEIGHTS, THRESHOLDS)
    options = RecallOptions(seed=8, update=UpdateRule.GLAUBER, beta=1.0, max_iterations=10**9, clamp=True)
    found = sampled(network, signs([1, 0, -1, 0]), options, SAMPLES // 2)
    states = every_state(4)
    possible = (states[:, 0] == 1) & (states[:, 2] == -1)
    assert not found[~possible].any()
    assert total_variation(found[possible], boltzmann(network, states[possible], 1.0)) < 0.01


@pytest.mark.parametrize(("temperature", "overlap"), [(0.2, 0.9999), (0.3, 0.9974), (0.4, 0.9856), (0.5, 0.9575)])
def test_one_pattern_alone_is_held_with_the_overlap_of_mean_field_theory(temperature: float, overlap: float) -> None:
    # m = tanh(m / T) as alpha goes to 0.
    m = 1.0
    for _ in range(1000):
        m = math.tanh(m / temperature)
    assert m == pytest.approx(overlap, abs=5e-5)
    xi = random_signs(np.random.default_rng(1), 1000)
    options = RecallOptions(seed=2, update=UpdateRule.GLAUBER, beta=1 / temperature, max_iterations=220)
    *steps, _ = memory(Rule.HEBBIAN, xi[np.newaxis]).trace(Queries.of(xi), options, never)
    overlaps = [float(xi.astype(np.float64) @ step.state) / 1000 for step in steps[20:]]
    assert np.mean(overlaps) == pytest.approx(m, abs=0.004)


def test_above_the_critical_temperature_nothing_is_held() -> None:
    xi = random_signs(np.random.default_rng(3), 1000)
    answer = recall(memory(Rule.HEBBIAN, xi[np.newaxis]), xi, beta=0.5, max_iterations=100, **GLAUBER)
    assert answer.overlap is not None
    assert abs(answer.overlap) < 0.15


def test_a_neuron_without_a_field_has_even_odds_at_any_temperature_and_with_one_none_at_zero() -> None:
    for beta in (0.0, 1.0, 1e308):
        answer = recall(
            imported(np.zeros((1000, 1000))), np.ones(1000, np.int8), beta=beta, max_iterations=20, **GLAUBER
        )
        assert abs(int(answer.state.sum(dtype=np.int64))) < 160
    xi = random_signs(np.random.default_rng(4), 1000)
    hot = recall(memory(Rule.HEBBIAN, xi[np.newaxis]), xi, beta=0.0, max_iterations=20, **GLAUBER)
    assert hot.overlap is not None
    assert abs(hot.overlap) < 0.16
    cold = recall(memory(Rule.HEBBIAN, xi[np.newaxis]), xi, beta=1e308, max_iterations=20, **GLAUBER)
    assert (cold.flips, cold.overlap) == (0, 1.0)


# How it runs


@settings(max_examples=100)
@given(networks(), st.integers(1, 30), st.data())
def test_it_runs_exactly_as_many_sweeps_as_asked_for_and_leaves_no_neuron_unknown(
    network: PairwiseNetwork, max_iterations: int, data: st.DataObject
) -> None:
    query = data.draw(queries(network.spec.neurons))
    options = data.draw(recall_options(network.spec.neurons, ways=["glauber"], max_iterations=max_iterations))
    answer = network.recall(Queries.of(query), options, never)
    assert (answer.iterations, answer.stop_reason) == (options.max_iterations, StopReason.ITERATION_LIMIT)
    assert set(answer.state.tolist()) <= {1, -1}
    if options.clamp:
        assert np.array_equal(answer.state[query != 0], query[query != 0])


def test_a_quiet_sweep_does_not_end_it() -> None:
    xi = random_signs(np.random.default_rng(5), 50)
    network = memory(Rule.HEBBIAN, xi[np.newaxis])
    answer = recall(network, xi, beta=1e6, max_iterations=40, **GLAUBER)
    assert (answer.iterations, answer.flips, answer.stop_reason) == (40, 0, StopReason.ITERATION_LIMIT)


def test_one_sweep_draws_with_replacement_and_the_rest_of_the_unknown_take_their_state_at_its_end() -> None:
    # About N/e neurons are never drawn in one sweep.
    xi = random_signs(np.random.default_rng(6), 400)
    query = np.where(np.arange(400) < 100, xi, 0).astype(np.int8)
    network = memory(Rule.HEBBIAN, xi[np.newaxis])
    first, last, answer = network.trace(
        Queries.of(query), RecallOptions(7, UpdateRule.GLAUBER, max_iterations=1, beta=50.0), never
    )
    assert isinstance(answer, RecallResult)
    assert answer.state.tolist() == last.state.tolist() == xi.tolist()
    assert answer.flips == 0, "taking a first state is no flip"
    two = trajectory_of(network, query, RecallOptions(7, UpdateRule.GLAUBER, max_iterations=2, beta=50.0))
    two.advance(1)
    assert np.count_nonzero(two.state == 0) == pytest.approx(300 / math.e, rel=0.2)
    assert first.state.tolist() == query.tolist()


def test_the_same_seed_gives_the_same_answer_and_another_one_another() -> None:
    network = imported(WEIGHTS, THRESHOLDS)
    answers = [
        recall(network, [1, 1, 1, 1], seed=seed, beta=0.7, max_iterations=9, **GLAUBER) for seed in (3, 3, *range(30))
    ]
    assert facts(answers[0]) == facts(answers[1])
    assert len({tuple(answer.state.tolist()) for answer in answers}) > 5


@settings(max_examples=150)
@given(cases(max_neurons=20), st.data())
def test_every_draw_is_that_of_a_plain_loop(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query), ways=["glauber"]))
    expected = history_of(case, options)
    *steps, answer = case.network.trace(Queries.of(case.query), options, never)
    assert [step.state.tolist() for step in steps] == expected.states
    assert isinstance(answer, RecallResult)
    assert answer.flips == expected.flips[-1]
    assert answer.energy == case.energy(expected.states[-1])


# Plain arithmetic

arguments = st.one_of(st.floats(-36.75, 0), st.floats(-1e-6, 0), st.integers(-53, 0).map(lambda k: k * math.log(2)))


@settings(max_examples=500)
@given(arguments)
def test_the_exponential_is_right_to_the_last_bit_or_so_and_its_bits_are_those_of_plain_floats(x: float) -> None:
    assert exponential(x) == oracle.exponential(x)
    assert exponential(x) == pytest.approx(math.exp(x), rel=1e-15)


def test_the_exponential_is_right_all_over_its_range() -> None:
    for x in np.linspace(-36.7, 0, 40_001):
        assert abs(exponential(float(x)) / math.exp(x) - 1) < 1e-15


@pytest.mark.parametrize("x", [-36.751, -40.0, -745.2, -1e308, -math.inf])
def test_what_no_draw_can_tell_from_zero_is_zero(x: float) -> None:
    assert exponential(x) == 0.0
    assert math.exp(x) < 2**-53
    assert (logistic(x), logistic(-x)) == (0.0, 1.0)


@settings(max_examples=500)
@given(st.one_of(arguments, st.floats(allow_nan=False)))
def test_the_odds_of_both_states_add_up_to_one(x: float) -> None:
    assert logistic(x) == oracle.logistic(x)
    assert abs(logistic(x) + logistic(-x) - 1) < 1e-15
    assert logistic(x) == pytest.approx(1 / (1 + math.exp(-x)) if x > -700 else 0.0, rel=2e-15, abs=1e-15)


def test_even_odds_are_even() -> None:
    assert logistic(0.0) == logistic(-0.0) == 0.5
    assert exponential(0.0) == exponential(-0.0) == 1.0
