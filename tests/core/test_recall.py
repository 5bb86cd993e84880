"""Recall: the dynamics, step by step as a plain loop in Python runs them."""

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core import oracle
from tests.core.samples import (
    Case,
    after,
    cases,
    energy,
    facts,
    history_of,
    imported,
    interruption_after,
    memory,
    networks,
    queries,
    random_signs,
    recall,
    recall_options,
    run_to_the_end,
    signs,
    store,
    trajectory_of,
    weights_of,
)

from hopfield_service.core.dynamics import Trajectory
from hopfield_service.core.interruption import Interrupted, never
from hopfield_service.core.network import Forget
from hopfield_service.core.options import Order, RecallOptions, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import Queries, unpack
from hopfield_service.core.results import Match, RecallResults, StopReason


def batch_facts(answers: Iterable[RecallResults], neurons: int) -> list[tuple[Any, ...]]:
    """Everything a batch says of each of its recalls, to the last bit."""
    return [
        (
            unpack(answer.bits[k : k + 1], neurons)[0].tolist(),
            float(answer.energies[k]).hex(),
            float(answer.initial_energies[k]).hex(),
            int(answer.iterations[k]),
            int(answer.flips[k]),
            answer.stop_reasons[k],
            int(answer.nearest[k]) if answer.nearest[k] >= 0 else None,
            float(answer.overlaps[k]) if answer.nearest[k] >= 0 else None,
            answer.matches[k],
        )
        for answer in answers
        for k in range(len(answer.bits))
    ]


def where(trajectory: Trajectory) -> tuple[Any, ...]:
    """Where a trajectory is."""
    return (
        trajectory.state.tolist(),
        trajectory.iterations,
        trajectory.flips,
        trajectory.energy,
        trajectory.stop_reason,
    )


# Step by step


@settings(max_examples=250)
@given(cases(), st.data())
def test_every_iteration_is_that_of_a_plain_loop(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    expected = history_of(case, options)
    trajectory = trajectory_of(case.network, case.query, options)
    for k, (state, flips) in enumerate(zip(expected.states, expected.flips, strict=True)):
        last = k == len(expected.states) - 1
        reason = StopReason[expected.stop_reason.upper()] if last and k else None
        assert where(trajectory) == (state, k, flips, case.energy(state), reason)
        if not last:
            trajectory.advance(1)


@settings(max_examples=150)
@given(cases(), st.data())
def test_the_answer_says_where_the_dynamics_ended_and_how(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    query = case.query.copy()
    answer = case.network.recall(Queries.of(query), options, never)
    expected = history_of(case, options)
    assert answer.state.tolist() == expected.states[-1]
    assert set(answer.state.tolist()) <= {1, -1}, "no neuron is left unknown"
    assert answer.energy == case.energy(expected.states[-1])
    assert answer.initial_energy == case.energy(case.query.tolist())
    assert answer.iterations == len(expected.states) - 1
    assert answer.flips == expected.flips[-1]
    assert answer.stop_reason == StopReason[expected.stop_reason.upper()]
    assert np.array_equal(query, case.query), "the query is left as it is"


@settings(max_examples=150)
@given(cases(), st.lists(st.integers(0, 4), max_size=12), st.data())
def test_a_trajectory_is_the_same_however_it_is_cut(case: Case, cuts: list[int], data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query), max_iterations=20))
    whole = trajectory_of(case.network, case.query, options)
    run_to_the_end(whole)
    cut = trajectory_of(case.network, case.query, options)
    for iterations in [*cuts, 20]:
        before = where(cut)
        cut.advance(iterations)
        if before[-1] is not None or iterations == 0:
            assert where(cut) == before, "what has ended stays as it is"
    assert where(cut) == where(whole)


@given(cases(), st.data())
def test_the_same_seed_gives_the_same_answer(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    first = case.network.recall(Queries.of(case.query), options, never)
    assert facts(case.network.recall(Queries.of(case.query), options, never)) == facts(first)


@settings(max_examples=120)
@given(networks(), st.integers(1, 5), st.data())
def test_a_batch_gives_each_query_the_bits_of_a_recall_of_its_own(
    network: PairwiseNetwork, count: int, data: st.DataObject
) -> None:
    neurons = network.spec.neurons
    options = data.draw(recall_options(neurons))
    batch = np.stack([data.draw(queries(neurons)) for _ in range(count)])
    before = batch.copy()
    answers = list(network.recall_batch(Queries.of(batch), options, never))
    assert np.array_equal(batch, before), "the queries are left as they are"
    assert batch_facts(answers, neurons) == [
        facts(network.recall(Queries.of(query), options._replace(seed=(options.seed + k) % 2**64), never))
        for k, query in enumerate(batch)
    ]


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("load", [0.05, 0.4])
def test_a_batch_of_any_size_gives_the_same_bits(rule: Rule, load: float) -> None:
    random = np.random.default_rng(31)
    patterns = random_signs(random, int(150 * load), 150)
    limited: dict[str, Any] = {"max_sweeps": 5} if rule is Rule.PERCEPTRON else {}
    network = (
        imported(weights_of(memory(Rule.STORKEY, patterns)))
        if rule is Rule.IMPORTED
        else memory(rule, patterns, **limited)
    )
    batch = random_signs(random, 200, 150)
    options = RecallOptions(seed=2**64 - 7)
    singly = [
        facts(network.recall(Queries.of(query), options._replace(seed=(options.seed + k) % 2**64), never))
        for k, query in enumerate(batch)
    ]
    assert batch_facts(network.recall_batch(Queries.of(batch), options, never), 150) == singly
    for size in (1, 7, 63, 65):
        found = [
            answer
            for first in range(0, 200, size)
            for answer in batch_facts(
                network.recall_batch(
                    Queries.of(batch[first : first + size]),
                    options._replace(seed=(options.seed + first) % 2**64),
                    never,
                ),
                150,
            )
        ]
        assert found == singly


def test_the_seeds_at_the_ends_of_their_range_are_seeds() -> None:
    network = memory(Rule.HEBBIAN, random_signs(np.random.default_rng(1), 3, 30))
    weights = oracle.Weights(
        oracle.hebbian_sums(random_signs(np.random.default_rng(1), 3, 30).tolist(), 30), divisor=30.0
    )
    for seed in (0, 1, 2**63 - 1, 2**63, 2**64 - 1):
        answer = recall(network, [0] * 30, seed=seed)
        assert answer.state.tolist() == oracle.asynchronous(weights, [0] * 30, seed=seed).states[-1]


def test_another_seed_visits_the_neurons_in_another_order() -> None:
    # Every neuron pulls at the others to be unlike them: whoever is visited first decides.
    neurons = 6
    network = imported(np.eye(neurons) - 1)
    answers = {tuple(recall(network, [1] * neurons, seed=seed).state.tolist()) for seed in range(20)}
    assert len(answers) > 5


def test_the_order_of_visits_is_drawn_anew_in_each_iteration() -> None:
    matrix = np.tril(np.random.default_rng(3).integers(-1, 2, (9, 9)), -1)
    case = Case(
        imported(matrix + matrix.T - 2 * np.eye(9)),
        oracle.Weights((matrix + matrix.T - 2 * np.eye(9)).tolist()),
        signs([1] * 9),
    )
    generator = oracle.SplitMix64(4)
    orders = [generator.permutation(9) for _ in range(3)]
    assert orders[0] != orders[1] != orders[2]
    random = trajectory_of(case.network, case.query, RecallOptions(seed=4))
    explicit = case.query
    for order in orders:
        random.advance(1)
        options = RecallOptions(seed=0, order=np.array(order, np.int64), max_iterations=1)
        one = trajectory_of(case.network, explicit, options)
        one.advance(1)
        explicit = one.state
        assert random.state.tolist() == explicit.tolist()


# The four neurons of the textbooks


def test_four_neurons_remember() -> None:
    network = memory(Rule.HEBBIAN, signs([[-1, -1, -1, 1]]))
    for order in (Order.RANDOM, Order.SEQUENTIAL, np.array([3, 1, 0, 2])):
        answer = recall(network, [-1, -1, -1, -1], order=order, seed=5)
        assert answer.state.tolist() == [-1, -1, -1, 1]
        # E = -1/2 s'Js with J = (1/4) xi xi' off the diagonal: before, three pairs agree and three do not.
        assert (answer.initial_energy, answer.energy) == (0.0, -1.5)
        assert (answer.flips, answer.stop_reason, answer.match) == (1, StopReason.CONVERGED, Match.PATTERN)
        assert answer.overlap == 1.0


def test_the_quiet_iteration_that_proves_convergence_counts() -> None:
    network = memory(Rule.HEBBIAN, signs([[-1, -1, -1, 1]]))
    assert recall(network, [-1, -1, -1, 1]).iterations == 1
    assert recall(network, [-1, -1, -1, -1], order=Order.SEQUENTIAL).iterations == 2
    stopped = recall(network, [-1, -1, -1, -1], order=Order.SEQUENTIAL, max_iterations=1)
    assert (stopped.state.tolist(), stopped.iterations) == ([-1, -1, -1, 1], 1)
    assert stopped.stop_reason is StopReason.ITERATION_LIMIT


def test_the_energy_of_no_field_at_all_is_zero_without_a_sign() -> None:
    for network in (
        memory(Rule.HEBBIAN, np.empty((0, 3), np.int8)),
        memory(Rule.PSEUDO_INVERSE, np.empty((0, 3), np.int8)),
        imported(-np.zeros((3, 3))),
        imported(np.zeros((3, 3)), thresholds=(1.0, 1.0, 0.0)),
    ):
        for query in product([-1, 1], repeat=3):
            of_query = energy(network, query)
            assert of_query == sum(network.thresholds * query)
            assert of_query.hex() != "-0x0.0p+0"


# Who else is asked


@pytest.mark.parametrize("beta", [None, 0.5, np.full(10**6, 0.5)], ids=["asynchronous", "glauber", "annealing"])
def test_a_recall_nobody_waits_for_any_longer_is_given_up(beta: float | NDArray[np.float64] | None) -> None:
    network = imported(-np.eye(300))
    update = UpdateRule.ASYNCHRONOUS if beta is None else UpdateRule.GLAUBER
    options = RecallOptions(0, update, max_iterations=10**6, beta=beta)
    with pytest.raises(Interrupted):
        network.recall(Queries.of(np.ones(300, np.int8)), options, interruption_after(3))
    steps = network.trace(Queries.of(np.ones(300, np.int8)), options, interruption_after(3))
    with pytest.raises(Interrupted):
        list(steps)


def test_so_are_many_recalls_each_of_which_ends_before_it_would_ask() -> None:
    patterns = random_signs(np.random.default_rng(13), 1, 16)
    queries = Queries.of(np.repeat(patterns, 5000, axis=0))
    answers = memory(Rule.HEBBIAN, patterns).recall_batch(queries, RecallOptions(0), interruption_after(2))
    assert len(next(answers).bits) < 5000
    with pytest.raises(Interrupted):
        list(answers)


def test_the_answer_names_the_nearest_pattern_that_is_still_stored() -> None:
    patterns = random_signs(np.random.default_rng(14), 4, 60)
    network = memory(Rule.PSEUDO_INVERSE, patterns)
    answer = recall(network, patterns[2])
    assert (answer.nearest, answer.overlap, answer.match) == (2, 1.0, Match.PATTERN)
    answer = recall(network, -patterns[2])
    assert (answer.nearest, answer.overlap, answer.match) == (2, -1.0, Match.INVERSE)
    answer = recall(after(network, Forget(("0",))), patterns[2])
    assert (answer.nearest, answer.match) == (1, Match.PATTERN)
    replaced = after(network, store(patterns[2:3], ["2"], replace=True))
    assert recall(replaced, patterns[2]).nearest == 3


def test_nothing_stored_matches_nothing() -> None:
    answer = recall(memory(Rule.HEBBIAN, np.empty((0, 5), np.int8)), [1, 1, -1, 1, 1])
    assert (answer.nearest, answer.overlap, answer.match) == (None, None, Match.NONE)
