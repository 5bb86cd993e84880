"""Where recalls end: in fixed points and cycles of two, and what the energy does on the way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import oracle
from tests.core.samples import (
    Case,
    cases,
    energies,
    facts,
    imported,
    memory,
    networks,
    queries,
    random_signs,
    recall,
    recall_options,
    seeds,
    trajectory_of,
)

from hopfield_service.core.interruption import never
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import Coding, Queries
from hopfield_service.core.results import RecallResult, StopReason

SYNCHRONOUS = {"update": UpdateRule.SYNCHRONOUS}


# One neuron at a time


@settings(max_examples=300)
@given(networks(diagonal="not negative"), seeds, st.sampled_from(TieRule), st.booleans(), st.data())
def test_one_at_a_time_the_energy_never_rises_and_the_recall_ends_in_a_fixed_point(
    network: PairwiseNetwork, seed: int, tie: TieRule, random_order: bool, data: st.DataObject
) -> None:
    query = data.draw(queries(network.spec.neurons))
    order = Order.RANDOM if random_order else Order.SEQUENTIAL
    options = RecallOptions(seed, order=order, tie=tie, max_iterations=10_000)
    *steps, answer = network.trace(Queries.of(query), options, never)
    assert isinstance(answer, RecallResult)
    assert answer.stop_reason is StopReason.CONVERGED
    on_the_way = [step.energy for step in steps if not isinstance(step, RecallResult)]
    rounding = 1e-9 * max(1.0, float(np.abs(on_the_way).max()))
    if tie is not TieRule.KEEP or not query.all():
        # What counts as a field of zero may raise it by that much each time the tie rule changes a state, or draws one.
        rounding += 2 * network.local_field.tolerance * len(query)
    assert oracle.rises(on_the_way) <= rounding
    fields = network.local_field.of(answer.state)
    at_rest = answer.state if tie is TieRule.KEEP else np.full_like(answer.state, 1 if tie is TieRule.PLUS else -1)
    expected = np.where(np.abs(fields) <= network.local_field.tolerance, at_rest, np.sign(fields))
    assert answer.state.tolist() == expected.tolist()


@given(cases(kinds=("integers", "hebbian", "eighths"), diagonal="not negative"), seeds)
def test_an_iteration_that_flips_lowers_the_energy_where_ties_keep_the_state(case: Case, seed: int) -> None:
    query = np.where(case.query == 0, 1, case.query).astype(np.int8)
    trajectory = trajectory_of(case.network, query, RecallOptions(seed, max_iterations=10_000))
    while trajectory.stop_reason is None:
        energy, flips = trajectory.energy, trajectory.flips
        trajectory.advance(1)
        assert (trajectory.energy < energy) is (trajectory.flips > flips)


@settings(max_examples=150)
@given(cases(diagonal="not negative"), seeds, st.sampled_from(TieRule))
def test_a_fixed_point_is_one_by_sums_from_scratch(case: Case, seed: int, tie: TieRule) -> None:
    answer = recall(case.network, case.query, seed=seed, tie=tie, max_iterations=10_000)
    assert answer.stop_reason is StopReason.CONVERGED
    state = answer.state.tolist()
    for i, s in enumerate(state):
        h = case.weights.local_field(i, state)
        at_rest = {TieRule.KEEP: s, TieRule.PLUS: 1, TieRule.MINUS: -1}[tie]
        assert s == (at_rest if abs(h) <= case.weights.tolerance else np.sign(h))


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_a_negative_diagonal_can_cycle_for_ever_and_the_limit_ends_it(limit: int) -> None:
    answer = recall(imported([[-1.0]]), [1], max_iterations=limit)
    assert (answer.iterations, answer.flips, answer.stop_reason) == (limit, limit, StopReason.ITERATION_LIMIT)
    assert answer.state.tolist() == [(-1) ** limit]
    network = imported(np.ones((5, 5)) - 9 * np.eye(5))
    many = recall(network, [1, 1, 1, -1, -1], max_iterations=limit)
    assert (many.iterations, many.flips, many.stop_reason) == (limit, 5 * limit, StopReason.ITERATION_LIMIT)


# All at once


@settings(max_examples=300)
@given(networks(), seeds, st.sampled_from(TieRule), st.data())
def test_all_at_once_the_recall_ends_in_a_fixed_point_or_alternates_between_two_states(
    network: PairwiseNetwork, seed: int, tie: TieRule, data: st.DataObject
) -> None:
    query = data.draw(queries(network.spec.neurons))
    answer = recall(network, query, seed=seed, tie=tie, max_iterations=10_000, **SYNCHRONOUS)
    again = recall(network, answer.state, tie=tie, max_iterations=1, **SYNCHRONOUS)
    if answer.stop_reason is StopReason.CONVERGED:
        assert again.state.tolist() == answer.state.tolist()
    else:
        assert answer.stop_reason is StopReason.CYCLE
        assert again.state.tolist() != answer.state.tolist()
        back = recall(network, again.state, tie=tie, max_iterations=1, **SYNCHRONOUS)
        assert back.state.tolist() == answer.state.tolist()


def test_a_cycle_of_two_states_is_seen_when_it_closes_and_the_last_state_computed_is_the_answer() -> None:
    opposed = imported([[0, -1], [-1, 0]])
    answer = recall(opposed, [1, 1], **SYNCHRONOUS)
    assert (answer.state.tolist(), answer.iterations, answer.flips) == ([1, 1], 2, 4)
    assert answer.stop_reason is StopReason.CYCLE
    # Here two iterations lead into the cycle: the unknown neurons take a state first.
    answer = recall(imported([[0, 1], [1, 0]]), [1, 0], **SYNCHRONOUS)
    assert (answer.state.tolist(), answer.stop_reason) == ([1, 1], StopReason.CONVERGED)
    alternating = recall(opposed, [0, 0], tie=TieRule.PLUS, **SYNCHRONOUS)
    assert (alternating.state.tolist(), alternating.iterations) == ([1, 1], 3)
    assert alternating.stop_reason is StopReason.CYCLE
    assert recall(opposed, [1, 1], max_iterations=1, **SYNCHRONOUS).stop_reason is StopReason.ITERATION_LIMIT


def test_all_at_once_the_energy_can_rise() -> None:
    # Four neurons, each wanting to be unlike the others: the three that are +1 all give way.
    answer = recall(imported(np.eye(4) - 1), [1, 1, 1, -1], max_iterations=1, **SYNCHRONOUS)
    assert answer.state.tolist() == [-1, -1, -1, -1]
    assert (answer.initial_energy, answer.energy) == (0.0, 6.0)


# Energy and symmetry


@given(networks(), st.integers(0, 99))
def test_the_energy_is_minus_half_sjs_plus_us_and_in_binary_coding_minus_half_vtv_plus_uv(
    network: PairwiseNetwork, seed: int
) -> None:
    states = random_signs(np.random.default_rng(seed), 5, network.spec.neurons)
    for state, expected in zip(states, energies(network, states), strict=True):
        for answer in (
            recall(network, state, max_iterations=1),
            recall(network, state, max_iterations=1, **SYNCHRONOUS),
        ):
            assert answer.initial_energy == pytest.approx(expected, rel=1e-9, abs=1e-9)
            last = energies(network, answer.state[np.newaxis])[0]
            assert answer.energy == pytest.approx(last, rel=1e-9, abs=1e-9)


@settings(max_examples=150)
@given(networks(codings=[Coding.BIPOLAR], thresholds=False), st.data())
def test_without_thresholds_the_inverse_of_a_query_takes_the_inverse_course(
    network: PairwiseNetwork, data: st.DataObject
) -> None:
    neurons = network.spec.neurons
    options = data.draw(recall_options(neurons, ways=["asynchronous", "synchronous"]))
    mirrored = {TieRule.KEEP: TieRule.KEEP, TieRule.PLUS: TieRule.MINUS, TieRule.MINUS: TieRule.PLUS}[options.tie]
    query = random_signs(np.random.default_rng(data.draw(st.integers(0, 99))), neurons)
    one = network.recall(Queries.of(query), options, never)
    other = network.recall(Queries.of(-query), options._replace(tie=mirrored), never)
    assert other.state.tolist() == (-one.state).tolist()
    assert facts(other)[1:6] == facts(one)[1:6]
    assert other.overlap is None if one.overlap is None else other.overlap == -one.overlap


@pytest.mark.parametrize("rule", [Rule.HEBBIAN, Rule.PSEUDO_INVERSE])
def test_with_thresholds_it_does_not(rule: Rule) -> None:
    patterns = random_signs(np.random.default_rng(1), 3, 60)
    network = memory(rule, patterns, [2.0] * 60)
    assert recall(network, patterns[0]).state.tolist() == recall(network, -patterns[0]).state.tolist() == [-1] * 60
