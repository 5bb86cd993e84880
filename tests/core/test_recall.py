"""Recall: the dynamics, step by step as a plain loop in Python runs them, and what must hold of every recall."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import oracle
from tests.core.samples import (
    Case,
    cases,
    facts,
    flipped,
    imported,
    memory,
    of_couplings,
    of_integers,
    random_signs,
    recall,
    recall_options,
    seeds,
    signs,
    store,
)

from hopfield_service.core.dynamics import (
    Match,
    Order,
    RecallInterrupted,
    RecallOptions,
    StopReason,
    TieRule,
    Trajectory,
    UpdateRule,
)
from hopfield_service.core.learning import Hebbian
from hopfield_service.core.network import Forget
from hopfield_service.core.pairwise import PairwiseNetwork, Rule

SYNCHRONOUS = {"update": UpdateRule.SYNCHRONOUS}


def history_of(case: Case, options: RecallOptions) -> oracle.History:
    """What the oracle says of a recall."""
    how: dict[str, Any] = {
        "seed": options.seed,
        "tie": options.tie.name.lower(),
        "clamp": options.clamp,
        "max_iterations": options.max_iterations,
    }
    query = case.query.tolist()
    if options.update is UpdateRule.SYNCHRONOUS:
        return oracle.synchronous(case.weights, query, **how)
    order = options.order.value if isinstance(options.order, Order) else options.order.tolist()
    return oracle.asynchronous(case.weights, query, order=order, **how)


def where(trajectory: Trajectory) -> tuple[Any, ...]:
    """Where a trajectory is."""
    return (
        trajectory.state.tolist(),
        trajectory.iterations,
        trajectory.flips,
        trajectory.energy().hex(),
        trajectory.stop_reason,
    )


# Step by step


@settings(max_examples=250)
@given(cases(), st.data())
def test_every_iteration_is_that_of_a_plain_loop(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    expected = history_of(case, options)
    trajectory = case.network.trajectory(case.query, options)
    for k, (state, flips) in enumerate(zip(expected.states, expected.flips, strict=True)):
        energy = case.weights.energy(state)
        last = k == len(expected.states) - 1
        reason = StopReason(expected.stop_reason) if last and k else None
        assert where(trajectory) == (state, k, flips, energy.hex(), reason)
        if not last:
            trajectory.advance(1)


@settings(max_examples=150)
@given(cases(), st.data())
def test_the_answer_says_where_the_dynamics_ended_and_how(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    query = case.query.copy()
    answer = case.network.recall(query, options, lambda: False)
    expected = history_of(case, options)
    assert answer.state.tolist() == expected.states[-1]
    assert set(answer.state.tolist()) <= {1, -1}, "no neuron is left unknown"
    assert answer.energy == case.weights.energy(expected.states[-1])
    assert answer.initial_energy == case.weights.energy(case.query.tolist())
    assert answer.iterations == len(expected.states) - 1
    assert answer.flips == expected.flips[-1]
    assert answer.stop_reason == StopReason(expected.stop_reason)
    assert np.array_equal(query, case.query), "the query is left as it is"


@settings(max_examples=150)
@given(cases(), st.lists(st.integers(0, 4), max_size=12), st.data())
def test_a_trajectory_is_the_same_however_it_is_cut(case: Case, cuts: list[int], data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query), max_iterations=20))
    whole = case.network.trajectory(case.query, options)
    whole.settle(lambda: False)
    cut = case.network.trajectory(case.query, options)
    for iterations in [*cuts, 20]:
        before = where(cut)
        cut.advance(iterations)
        if before[-1] is not None or iterations == 0:
            assert where(cut) == before, "what has ended stays as it is"
    assert where(cut) == where(whole)


@given(cases(), st.data())
def test_the_same_seed_gives_the_same_answer(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    first = case.network.recall(case.query, options, lambda: False)
    assert facts(case.network.recall(case.query, options, lambda: False)) == facts(first)


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
    random = case.network.trajectory(case.query, RecallOptions(seed=4))
    explicit = case.query
    for order in orders:
        random.advance(1)
        one = case.network.trajectory(
            explicit, RecallOptions(seed=0, order=np.array(order, np.int64), max_iterations=1)
        )
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
            trajectory = network.trajectory(signs(query), RecallOptions(seed=0))
            energy = trajectory.energy()
            assert energy == sum(network.thresholds * query)
            assert energy.hex() != "-0x0.0p+0"


# Ties


def test_a_neuron_without_a_field_keeps_its_state_or_takes_the_one_the_tie_rule_says() -> None:
    network = memory(Rule.HEBBIAN, np.empty((0, 2), np.int8))
    for update in UpdateRule:
        kept = recall(network, [1, -1], update=update)
        assert (kept.state.tolist(), kept.iterations, kept.flips) == ([1, -1], 1, 0)
        plus = recall(network, [1, -1], tie=TieRule.PLUS, update=update)
        assert (plus.state.tolist(), plus.iterations, plus.flips) == ([1, 1], 2, 1)
        minus = recall(network, [1, -1], tie=TieRule.MINUS, update=update)
        assert (minus.state.tolist(), minus.iterations, minus.flips) == ([-1, -1], 2, 1)


def test_a_threshold_is_reached_where_the_sum_equals_it() -> None:
    # Its field is 1/3 * (1 + 1) - 2/3: zero, whatever a sum of thirds in floats may say.
    for rule_of_ties, expected in ((TieRule.KEEP, -1), (TieRule.PLUS, 1), (TieRule.MINUS, -1)):
        network = of_integers([[0, 1, 1], [1, 0, 0], [1, 0, 0]], 3.0, thresholds=(2 / 3, 0.0, 0.0))
        answer = recall(network, [-1, 1, 1], tie=rule_of_ties, order=Order.SEQUENTIAL, max_iterations=1)
        assert answer.state[0] == expected


@pytest.mark.parametrize("update", UpdateRule)
def test_the_smallest_field_of_integer_weights_is_a_field(update: UpdateRule) -> None:
    network = of_integers([[0, 1], [1, 0]], 1e15)
    assert recall(network, [1, -1], order=Order.SEQUENTIAL, update=update, max_iterations=1).state[0] == -1


@pytest.mark.parametrize("update", UpdateRule)
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
    network = of_integers([[0, 1], [1, 0]], 2.0, thresholds=(threshold, 0.0))
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
    for update in UpdateRule:
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
        for update in UpdateRule:
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
    options = RecallOptions(
        options.seed, options.update, options.order, options.max_iterations, options.tie, clamp=True
    )
    answer = case.network.recall(case.query, options, lambda: False)
    known = case.query != 0
    assert np.array_equal(answer.state[known], case.query[known])
    if known.all():
        assert (answer.iterations, answer.flips, answer.stop_reason) == (1, 0, StopReason.CONVERGED)


def test_only_unknown_neurons_settle_where_the_known_ones_are_clamped() -> None:
    xi = random_signs(np.random.default_rng(10), 40)
    network = memory(Rule.HEBBIAN, xi[np.newaxis])
    query = flipped(xi, np.arange(5))
    query[30:] = 0
    for update in UpdateRule:
        answer = recall(network, query, clamp=True, update=update)
        assert answer.state.tolist() == [*query[:30].tolist(), *xi[30:].tolist()]
        assert recall(network, query, update=update).state.tolist() == xi.tolist()


# Where recalls end


@settings(max_examples=150)
@given(cases(diagonal="not negative"), seeds, st.sampled_from(TieRule), st.booleans())
def test_one_at_a_time_the_energy_never_rises_and_the_recall_ends_in_a_fixed_point(
    case: Case, seed: int, tie: TieRule, random_order: bool
) -> None:
    order = Order.RANDOM if random_order else Order.SEQUENTIAL
    options = RecallOptions(seed, order=order, tie=tie, max_iterations=10_000)
    trajectory = case.network.trajectory(case.query, options)
    energies: list[float] = []
    while trajectory.stop_reason is None:
        trajectory.advance(1)
        energies.append(trajectory.energy())
        # What counts as a field of zero may raise it by that much each time, where a tie rule changes the state.
    assert oracle.rises(energies) <= 1e-12 + 2 * len(case.query) * case.weights.tolerance
    assert trajectory.stop_reason is StopReason.CONVERGED
    state = trajectory.state.tolist()
    for i, s in enumerate(state):
        h = case.weights.local_field(i, state)
        at_rest = {TieRule.KEEP: s, TieRule.PLUS: 1, TieRule.MINUS: -1}[tie]
        assert s == (at_rest if abs(h) <= case.weights.tolerance else np.sign(h))


@given(cases(kinds=("integers", "hebbian", "eighths"), diagonal="not negative"), seeds)
def test_an_iteration_that_flips_lowers_the_energy_where_ties_keep_the_state(case: Case, seed: int) -> None:
    query = np.where(case.query == 0, 1, case.query).astype(np.int8)
    trajectory = case.network.trajectory(query, RecallOptions(seed, max_iterations=10_000))
    while trajectory.stop_reason is None:
        energy, flips = trajectory.energy(), trajectory.flips
        trajectory.advance(1)
        assert (trajectory.energy() < energy) is (trajectory.flips > flips)


@settings(max_examples=150)
@given(cases(), seeds, st.sampled_from(TieRule))
def test_all_at_once_the_recall_ends_in_a_fixed_point_or_alternates_between_two_states(
    case: Case, seed: int, tie: TieRule
) -> None:
    options = RecallOptions(seed, UpdateRule.SYNCHRONOUS, tie=tie, max_iterations=10_000)
    answer = case.network.recall(case.query, options, lambda: False)
    again = recall(case.network, answer.state, tie=tie, max_iterations=1, **SYNCHRONOUS)
    if answer.stop_reason is StopReason.CONVERGED:
        assert again.state.tolist() == answer.state.tolist()
    else:
        assert answer.stop_reason is StopReason.CYCLE
        assert again.state.tolist() != answer.state.tolist()
        back = recall(case.network, again.state, tie=tie, max_iterations=1, **SYNCHRONOUS)
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


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_a_negative_diagonal_can_cycle_for_ever_and_the_limit_ends_it(limit: int) -> None:
    answer = recall(imported([[-1.0]]), [1], max_iterations=limit)
    assert (answer.iterations, answer.flips, answer.stop_reason) == (limit, limit, StopReason.ITERATION_LIMIT)
    assert answer.state.tolist() == [(-1) ** limit]
    network = imported(np.ones((5, 5)) - 9 * np.eye(5))
    many = recall(network, [1, 1, 1, -1, -1], max_iterations=limit)
    assert (many.iterations, many.flips, many.stop_reason) == (limit, 5 * limit, StopReason.ITERATION_LIMIT)


@settings(max_examples=100)
@given(cases(), st.data())
def test_without_thresholds_the_inverse_of_a_query_takes_the_inverse_course(case: Case, data: st.DataObject) -> None:
    options = data.draw(recall_options(len(case.query)))
    mirrored = {TieRule.KEEP: TieRule.KEEP, TieRule.PLUS: TieRule.MINUS, TieRule.MINUS: TieRule.PLUS}[options.tie]
    inverse = RecallOptions(
        options.seed, options.update, options.order, options.max_iterations, mirrored, options.clamp
    )
    network = PairwiseNetwork(
        type(case.network.spec)(len(case.query), case.network.spec.rule), case.network.stored, case.network._couplings
    )
    query = np.where(case.query == 0, 1, case.query).astype(np.int8)
    one, other = network.recall(query, options, lambda: False), network.recall(-query, inverse, lambda: False)
    assert other.state.tolist() == (-one.state).tolist()
    assert facts(other)[1:6] == facts(one)[1:6]
    assert other.overlap is None if one.overlap is None else other.overlap == -one.overlap


# Room for the largest sums


def extreme(neurons: int) -> PairwiseNetwork:
    """As if the same pattern had been stored 2^31 - 1 times."""
    sums = np.full((neurons, neurons), 2**31 - 1, np.int32)
    np.fill_diagonal(sums, 0)
    return of_couplings(Hebbian(sums, float(neurons)))


@pytest.mark.parametrize("update", UpdateRule)
@pytest.mark.parametrize("unknown", [False, True])
def test_the_largest_weights_there_can_be_overflow_nowhere(update: UpdateRule, unknown: bool) -> None:
    neurons, weight = 64, 2**31 - 1
    query = np.ones(neurons, np.int8)
    query[:9] = 0 if unknown else -1
    answer = recall(extreme(neurons), query, update=update)
    assert answer.state.tolist() == [1] * neurons
    assert answer.flips == (0 if unknown else 9)
    total = int(query.sum(dtype=np.int64))
    known = int(np.count_nonzero(query))
    assert answer.initial_energy == -0.5 * (weight * (total**2 - known) / neurons)
    assert answer.energy == -0.5 * (weight * neurons * (neurons - 1) / neurons)
    assert answer.stop_reason is StopReason.CONVERGED


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_weights_of_either_sign_do_what_a_plain_loop_does(sign: int) -> None:
    random = np.random.default_rng(21)
    matrix = np.triu(random.choice([-1, 1], (30, 30)), 1) * (2**31 - 1) * sign
    matrix = matrix + matrix.T
    case = Case(of_integers(matrix, 30.0), oracle.Weights(matrix.tolist(), 30.0), random_signs(random, 30))
    for update in UpdateRule:
        options = RecallOptions(3, update)
        answer = case.network.recall(case.query, options, lambda: False)
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


# Who else is asked


def test_a_recall_nobody_waits_for_any_longer_is_given_up() -> None:
    network = imported([[-1.0]])
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(RecallInterrupted):
        network.recall(signs([1]), RecallOptions(0, max_iterations=10**9), interrupted)
    assert asked == 4


def test_the_answer_names_the_nearest_pattern_that_is_still_stored() -> None:
    patterns = random_signs(np.random.default_rng(14), 4, 60)
    network = memory(Rule.PSEUDO_INVERSE, patterns)
    answer = recall(network, patterns[2])
    assert (answer.nearest, answer.overlap, answer.match) == (2, 1.0, Match.PATTERN)
    answer = recall(network, -patterns[2])
    assert (answer.nearest, answer.overlap, answer.match) == (2, -1.0, Match.INVERSE)
    answer = recall(network.apply(Forget(("0",))), patterns[2])
    assert (answer.nearest, answer.match) == (1, Match.PATTERN)
    replaced = network.apply(store(patterns[2:3], ["2"], replace=True))
    assert recall(replaced, patterns[2]).nearest == 3


def test_nothing_stored_matches_nothing() -> None:
    answer = recall(memory(Rule.HEBBIAN, np.empty((0, 5), np.int8)), [1, 1, -1, 1, 1])
    assert (answer.nearest, answer.overlap, answer.match) == (None, None, Match.NONE)


@pytest.mark.parametrize("query", [[1], [-1], [0]])
@pytest.mark.parametrize("update", UpdateRule)
def test_one_neuron_alone_has_no_field(query: list[int], update: UpdateRule) -> None:
    network = memory(Rule.HEBBIAN, signs([[1], [1], [-1]]))
    answer = recall(network, query, seed=1, update=update)
    assert answer.state.tolist() == (query if query != [0] else answer.state.tolist())
    assert (answer.energy, answer.initial_energy, answer.flips) == (0.0, 0.0, 0)
    assert answer.iterations == (2 if query == [0] else 1)
