"""0/1 weights with a diagonal, which is linear there: quadratic unconstrained binary problems (QUBO), by enumeration."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.samples import (
    LEARNT,
    after,
    energies,
    energy,
    every_state,
    imported,
    memory,
    of_integers,
    random_signs,
    recall,
    seeds,
    signs,
    through_a_snapshot,
    trajectory_of,
    weights_of,
)

from hopfield_service.core import forms
from hopfield_service.core.dynamics import Dynamics
from hopfield_service.core.interruption import never
from hopfield_service.core.kernels.couplings import Basis, Matrix, Patterns
from hopfield_service.core.network import Configure
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import Coding, Queries, Signs
from hopfield_service.core.results import RecallResult, StopReason

BINARY = Coding.BINARY
GLAUBER = {"update": UpdateRule.GLAUBER}


def qubo(seed: int, neurons: int, *, whole: bool, thresholds: bool) -> PairwiseNetwork:
    """`min V'QV`, as T = -(Q + Q') whole, its diagonal included; perhaps with thresholds beside."""
    random = np.random.default_rng(seed)
    spread = random.integers(-4, 5, (neurons, neurons)) if whole else random.normal(size=(neurons, neurons))
    Q = spread.astype(np.float64)
    U = (random.integers(-9, 10, neurons) / 4).tolist() if thresholds else []
    return imported(-(Q + Q.T), U, BINARY)


qubos = st.builds(qubo, st.integers(0, 2**32), st.integers(1, 10), whole=st.booleans(), thresholds=st.booleans())


def neighbours(state: Signs) -> Signs:
    """The states that differ in one neuron, (N, N)."""
    return np.where(np.eye(len(state), dtype=np.bool_), -state, state).astype(np.int8)


def is_a_local_minimum(network: PairwiseNetwork, state: Signs) -> bool:
    """Whether no flip of one neuron lowers `-1/2 V'TV + U'V`, by numpy."""
    size = 1 + np.abs(weights_of(network)).sum() + np.abs(network.thresholds).sum()
    here = energies(network, state[np.newaxis])[0]
    return bool((energies(network, neighbours(state)) >= here - 1e-9 * size).all())


# Descent


def test_the_example_of_two_neurons_falls_to_its_ground_state_and_stays_there() -> None:
    # E = V_1 - 1.5 V_1 V_2 - 2 V_2: 0, 1, -2, -2.5 of 00, 10, 01, 11.
    network = imported([[-2, 1.5], [1.5, 4]], (), BINARY)
    assert [energy(network, state) for state in ([-1, -1], [1, -1], [-1, 1], [1, 1])] == [0, 1, -2, -2.5]
    for query in every_state(2):
        answer = recall(network, query)
        assert (answer.state.tolist(), answer.energy, answer.stop_reason) == ([1, 1], -2.5, StopReason.CONVERGED)


@settings(max_examples=200)
@given(qubos, seeds, st.data())
def test_descent_never_climbs_and_ends_in_a_local_minimum_of_the_energy(
    network: PairwiseNetwork, seed: int, data: st.DataObject
) -> None:
    neurons = network.spec.neurons
    query = signs(data.draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=neurons, max_size=neurons)))
    order = data.draw(st.sampled_from(Order))
    *steps, answer = network.trace(Queries.of(query), RecallOptions(seed, order=order, max_iterations=1000), never)
    assert isinstance(answer, RecallResult)
    assert answer.stop_reason is StopReason.CONVERGED
    assert is_a_local_minimum(network, answer.state)
    on_the_way = np.array([step.energy for step in steps])
    assert (np.diff(on_the_way) <= 1e-9 * (1 + np.abs(on_the_way).max())).all()


@given(qubos)
def test_the_fixed_points_are_the_local_minima(network: PairwiseNetwork) -> None:
    for state in every_state(network.spec.neurons)[:256]:
        one_step = recall(network, state, update=UpdateRule.SYNCHRONOUS, max_iterations=1)
        assert (one_step.flips == 0) == is_a_local_minimum(network, state)


@given(qubos, seeds)
def test_all_at_once_it_ends_in_a_fixed_point_or_a_cycle_of_two(network: PairwiseNetwork, seed: int) -> None:
    query = random_signs(np.random.default_rng(seed % 2**32), network.spec.neurons)
    answer = recall(network, query, update=UpdateRule.SYNCHRONOUS, max_iterations=10_000)
    assert answer.stop_reason in {StopReason.CONVERGED, StopReason.CYCLE}


def test_a_field_of_zero_is_left_to_the_tie_rule() -> None:
    # Alone, U_i = T_ii / 2: both values have the same energy.
    network = imported([[3.0]], [1.5], BINARY)
    for query in (-1, 1):
        assert recall(network, [query]).state.tolist() == [query]
        assert recall(network, [query], tie=TieRule.PLUS).state.tolist() == [1]
        assert recall(network, [query], tie=TieRule.MINUS).state.tolist() == [-1]


# Every way in which weights are kept


def kept_self_coupling(rule: Rule, count: int, neurons: int = 60) -> PairwiseNetwork:
    """Random patterns, learnt with the diagonal that the formula gives."""
    patterns = random_signs(np.random.default_rng([count, neurons]), count, neurons)
    return memory(rule, patterns, coding=BINARY, self_coupling=True)


@pytest.mark.parametrize(
    ("network", "form"),
    [
        (kept_self_coupling(Rule.HEBBIAN, 5), Patterns),
        (kept_self_coupling(Rule.HEBBIAN, 40), Matrix),
        (kept_self_coupling(Rule.PSEUDO_INVERSE, 5), Basis),
        (kept_self_coupling(Rule.PSEUDO_INVERSE, 40), Matrix),
        (kept_self_coupling(Rule.STORKEY, 12), Matrix),
        # Rounded to 16 bits, and whole numbers of 16 bits.
        (kept_self_coupling(Rule.STORKEY, 30, 600), Matrix),
        (kept_self_coupling(Rule.HEBBIAN, 200, 600), Matrix),
        (of_integers(np.full((5, 5), 3) - 5 * np.eye(5, dtype=np.int64), 5, (), BINARY), Matrix),
        (qubo(1, 600, whole=False, thresholds=True), Matrix),
    ],
)
def test_in_every_form_of_the_weights_it_descends_to_local_minima(network: PairwiseNetwork, form: type) -> None:
    assert isinstance(network.dynamics.form, form)
    assert weights_of(network).diagonal().any()
    random = np.random.default_rng(2)
    for seed in range(8):
        query = random.integers(-1, 2, network.spec.neurons).astype(np.int8)
        answer = recall(network, query, seed=seed, max_iterations=10_000)
        assert answer.stop_reason is StopReason.CONVERGED
        assert is_a_local_minimum(network, answer.state)
        ends = energies(network, np.stack([query, answer.state]))
        assert [answer.initial_energy, answer.energy] == pytest.approx(ends.tolist(), rel=1e-9, abs=1e-7)
        cooled = recall(network, query, seed=seed, beta=np.array([0.5, 2.0, 8.0]), max_iterations=10_000, **GLAUBER)
        assert is_a_local_minimum(network, cooled.state)


@pytest.mark.parametrize("count", [5, 40])
@pytest.mark.parametrize("rule", LEARNT)
def test_after_a_snapshot_or_an_update_it_recalls_the_same(rule: Rule, count: int) -> None:
    kept = kept_self_coupling(rule, count)
    without = after(kept, Configure(kept.spec.changed({"self_coupling": False})))
    again = after(without, Configure(kept.spec))
    for other in (through_a_snapshot(kept), again):
        for seed in range(5):
            query = random_signs(np.random.default_rng(seed), 60)
            assert recall(other, query, seed=seed).state.tolist() == recall(kept, query, seed=seed).state.tolist()


def test_rounded_weights_decide_as_the_exact_ones() -> None:
    network = qubo(3, 80, whole=False, thresholds=True)
    rounded = forms.rounded_form(network.local_field)
    assert len(rounded.exact)
    by_rounded = Dynamics(rounded, rounded, rounded.totals.dtype, network.stored.words)
    random = np.random.default_rng(4)
    for seed in range(50):
        query = random.integers(-1, 2, 80).astype(np.int8)
        one = by_rounded.recall(Queries.of(query), RecallOptions(seed), never)
        other = recall(network, query, seed=seed)
        assert one.state.tolist() == other.state.tolist()
        assert (one.iterations, one.flips) == (other.iterations, other.flips)
        assert one.initial_energy == pytest.approx(other.initial_energy, abs=1e-7)


# Temperature


@pytest.mark.parametrize(
    "network",
    [
        imported([[-2, 1.5], [1.5, 4]], (), BINARY),
        imported([[2, -1, 0.5], [-1, -3, 1], [0.5, 1, 1]], [0.5, -1, 0.25], BINARY),
        memory(Rule.HEBBIAN, signs([[1, -1, -1]]), coding=BINARY, self_coupling=True),
        memory(Rule.PSEUDO_INVERSE, signs([[1, -1, -1]]), coding=BINARY, self_coupling=True),
    ],
)
def test_glauber_dynamics_are_boltzmanns_law(network: PairwiseNetwork) -> None:
    neurons, sweeps = network.spec.neurons, 60_000
    states = every_state(neurons)
    trajectory = trajectory_of(network, states[0], RecallOptions(7, UpdateRule.GLAUBER, beta=1.0, max_iterations=10**9))
    trajectory.advance(100)
    met: Counter[bytes] = Counter()
    for _ in range(sweeps):
        trajectory.advance(1)
        met[trajectory.state.tobytes()] += 1
    law = np.exp(-energies(network, states))
    found = np.array([met[state.tobytes()] for state in states]) / sweeps
    assert np.abs(found - law / law.sum()).sum() / 2 < 0.01


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.booleans())
def test_annealing_finds_the_ground_state(seed: int, whole: bool) -> None:
    network = qubo(seed, 8, whole=whole, thresholds=False)
    schedule = np.geomspace(0.05, 20, 150)
    reached = [
        recall(network, random_signs(np.random.default_rng(k), 8), seed=k, beta=schedule, **GLAUBER).energy
        for k in range(6)
    ]
    assert min(reached) == pytest.approx(energies(network, every_state(8)).min(), abs=1e-9)


# What is said of it


def test_a_diagnosis_counts_local_minima() -> None:
    for rule in LEARNT:
        network = kept_self_coupling(rule, 20)
        found = network.diagnose(never).stability
        assert found is not None
        patterns = random_signs(np.random.default_rng([20, 60]), 20, 60)
        assert found.stable_count == sum(is_a_local_minimum(network, xi) for xi in patterns)
        # A margin is what the energy would rise by if the neuron flipped.
        rises = [energies(network, neighbours(xi)) - energies(network, xi[np.newaxis])[0] for xi in patterns]
        assert found.smallest_margin == pytest.approx(np.min(rises), abs=1e-9)


def test_the_perceptron_rule_judges_the_field_that_recall_uses() -> None:
    patterns = random_signs(np.random.default_rng(5), 30, 60)
    network = memory(Rule.PERCEPTRON, patterns, coding=BINARY, self_coupling=True, kappa=0.5)
    assert network.outcome is not None
    assert network.outcome.converged
    found = network.diagnose(never).stability
    assert found is not None
    assert found.smallest_margin > 0.5


def test_bipolar_neurons_count_their_own_weight_in_full() -> None:
    patterns = random_signs(np.random.default_rng(6), 1000, 50)
    stable = []
    for coding in (Coding.BIPOLAR, BINARY):
        found = memory(Rule.HEBBIAN, patterns, coding=coding, self_coupling=True).diagnose(never).stability
        assert found is not None
        stable.append(found.stable_count)
    assert stable == [1000, 0]
