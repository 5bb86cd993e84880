"""Simulated annealing: a schedule of temperatures, then descent into a fixed point."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.samples import (
    Case,
    cases,
    energies,
    every_state,
    history_of,
    imported,
    memory,
    networks,
    queries,
    random_signs,
    recall,
    recall_options,
    run_to_the_end,
    trajectory_of,
)

from hopfield_service.core.interruption import never
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, Queries
from hopfield_service.core.results import Match, RecallResult, StopReason

GLAUBER = {"update": UpdateRule.GLAUBER}


# From a temperature at which every state is likely to one at which next to none but the lowest is.
SCHEDULE = np.linspace(0.1, 3.0, 200)
STATES = every_state(16)


def spin_glass(seed: int) -> NDArray[np.float64]:
    """The ±J model of Edwards and Anderson: sixteen spins on a torus of 4 x 4, each coupled to its neighbours by +1 or -1."""
    random = np.random.default_rng([16, seed])
    couplings = np.zeros((16, 16))
    for i, step in product(range(16), ((1, 0), (0, 1))):
        j = (i // 4 + step[0]) % 4 * 4 + (i + step[1]) % 4
        couplings[i, j] = couplings[j, i] = random.choice([-1, 1])
    return couplings


def fully_coupled_glass(seed: int) -> NDArray[np.float64]:
    """The ±J model of Sherrington and Kirkpatrick: sixteen spins, every two of them coupled by +1 or -1."""
    upper = np.triu(random_signs(np.random.default_rng([16, seed]), 16, 16), 1).astype(np.float64)
    return np.asarray(upper + upper.T)


# Ground states


@pytest.mark.parametrize("coding", TWO_VALUED)
def test_spin_glasses_end_in_their_ground_state(coding: Coding) -> None:
    found = 0
    for seed in range(20):
        couplings = spin_glass(seed)
        # In 0/1 coding the same glass: T = 4 J, U = 1/2 sum_j T_ij.
        network = (
            imported(couplings)
            if coding is Coding.BIPOLAR
            else imported(4 * couplings, (2 * couplings.sum(axis=1)).tolist(), coding)
        )
        lowest = energies(network, STATES).min()
        answer = recall(network, random_signs(np.random.default_rng(seed), 16), seed=seed, beta=SCHEDULE, **GLAUBER)
        assert answer.stop_reason is StopReason.CONVERGED
        assert answer.energy >= lowest
        found += int(answer.energy == lowest)
    assert found >= 19


def test_fully_coupled_glasses_end_in_their_ground_state_in_one_of_a_few_recalls() -> None:
    found = 0
    for seed in range(20):
        network = imported(fully_coupled_glass(seed))
        query = random_signs(np.random.default_rng(seed), 16)
        reached = min(recall(network, query, seed=again, beta=SCHEDULE, **GLAUBER).energy for again in range(4))
        found += int(reached == energies(network, STATES).min())
    assert found >= 19


def test_without_a_temperature_they_get_stuck() -> None:
    found = 0
    for seed in range(20):
        network = imported(spin_glass(seed))
        answer = recall(network, random_signs(np.random.default_rng(seed), 16), seed=seed)
        found += int(answer.energy == energies(network, STATES).min())
    assert found < 15


def test_a_mixture_melts_and_freezes_into_a_pattern() -> None:
    # Mixtures of three are stable without noise, and die above T = .46; the patterns do not.
    random = np.random.default_rng(1)
    for seed in range(5):
        patterns = random_signs(random, 3, 500)
        network = memory(Rule.HEBBIAN, patterns)
        mixture = np.sign(patterns.sum(axis=0)).astype(np.int8)
        assert recall(network, mixture).match is Match.SPURIOUS
        answer = recall(network, mixture, seed=seed, beta=1 / np.linspace(0.7, 0.1, 200), **GLAUBER)
        assert answer.match in {Match.PATTERN, Match.INVERSE}


# How it runs


@given(networks(diagonal="not negative"), st.data())
def test_it_ends_in_a_fixed_point_after_the_schedule_and_the_descent(
    network: PairwiseNetwork, data: st.DataObject
) -> None:
    query = data.draw(queries(network.spec.neurons))
    schedule = np.array(data.draw(st.lists(st.floats(0, 5), min_size=1, max_size=20)))
    clamp = data.draw(st.booleans())
    answer = recall(network, query, beta=schedule, max_iterations=10_000, clamp=clamp, seed=4, **GLAUBER)
    assert answer.stop_reason is StopReason.CONVERGED
    assert answer.iterations > len(schedule), "the quiet sweep that proves convergence is one of the descent"
    assert set(answer.state.tolist()) <= {1, -1}
    held = query != 0
    if clamp:
        assert np.array_equal(answer.state[held], query[held])
    else:
        assert recall(network, answer.state).flips == 0


@given(networks(), st.integers(1, 30), st.integers(1, 3), st.data())
def test_the_iteration_limit_is_one_of_the_descent_alone(
    network: PairwiseNetwork, sweeps: int, limit: int, data: st.DataObject
) -> None:
    query = data.draw(queries(network.spec.neurons))
    answer = recall(network, query, beta=np.full(sweeps, 0.3), max_iterations=limit, seed=5, **GLAUBER)
    assert sweeps < answer.iterations <= sweeps + limit
    if answer.stop_reason is StopReason.ITERATION_LIMIT:
        assert answer.iterations == sweeps + limit
    whole = recall(network, query, beta=np.full(sweeps, 0.3), max_iterations=10_000, seed=5, **GLAUBER)
    assert (answer.iterations, answer.stop_reason) == (
        (whole.iterations, whole.stop_reason)
        if whole.iterations <= sweeps + limit
        else (sweeps + limit, StopReason.ITERATION_LIMIT)
    )


def test_a_negative_diagonal_keeps_the_descent_going_to_the_limit() -> None:
    answer = recall(imported([[-1.0]]), [1], beta=np.array([1.0, 2.0]), max_iterations=7, **GLAUBER)
    assert (answer.iterations, answer.stop_reason) == (9, StopReason.ITERATION_LIMIT)


def test_the_schedule_is_glauber_dynamics_sweep_by_sweep_with_each_beta_in_turn() -> None:
    network = memory(Rule.HEBBIAN, random_signs(np.random.default_rng(2), 5, 60))
    query = random_signs(np.random.default_rng(3), 60)
    annealed = trajectory_of(network, query, RecallOptions(6, UpdateRule.GLAUBER, beta=np.full(12, 0.8)))
    constant = trajectory_of(network, query, RecallOptions(6, UpdateRule.GLAUBER, beta=0.8))
    for _ in range(12):
        annealed.advance(1)
        constant.advance(1)
        assert annealed.state.tolist() == constant.state.tolist()
    # Beyond it the temperature is zero.
    run_to_the_end(annealed)
    assert annealed.stop_reason is StopReason.CONVERGED
    # Another beta at the end changes nothing before.
    other = trajectory_of(network, query, RecallOptions(6, UpdateRule.GLAUBER, beta=np.append(np.full(11, 0.8), 0.0)))
    again = trajectory_of(network, query, RecallOptions(6, UpdateRule.GLAUBER, beta=0.8))
    other.advance(11)
    again.advance(11)
    assert other.state.tolist() == again.state.tolist()
    other.advance(1)
    again.advance(1)
    assert other.state.tolist() != again.state.tolist()


@given(cases(max_neurons=20), st.data())
def test_the_descent_goes_on_with_the_same_generator_order_and_tie_rule(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query), ways=["annealing"]))
    expected = history_of(case, options)
    *steps, answer = case.network.trace(Queries.of(case.query), options, never)
    assert [step.state.tolist() for step in steps] == expected.states
    assert isinstance(answer, RecallResult)
    assert (answer.flips, answer.stop_reason.name.lower()) == (expected.flips[-1], expected.stop_reason)


def test_ties_of_the_descent_are_those_of_the_tie_rule() -> None:
    empty = memory(Rule.HEBBIAN, np.empty((0, 30), np.int8))
    for tie, order in product(TieRule, Order):
        answer = recall(empty, np.ones(30, np.int8), beta=np.array([1.0]), tie=tie, order=order, **GLAUBER)
        if tie is TieRule.KEEP:
            assert -1 in answer.state.tolist()
        else:
            assert set(answer.state.tolist()) == {1 if tie is TieRule.PLUS else -1}
