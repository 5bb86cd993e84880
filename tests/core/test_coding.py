"""0/1 neurons: fields, energies and trajectories, and the bipolar network that each of them is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.samples import (
    energies,
    energy,
    every_state,
    imported,
    memory,
    networks,
    off_diagonal,
    queries,
    random_signs,
    recall,
    recall_options,
    signs,
    weights_of,
)

from hopfield_service.core.interruption import never
from hopfield_service.core.options import TieRule, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding, Queries
from hopfield_service.core.results import Match, RecallResult

# The four neurons of the textbooks: the pattern to be stored, and the query.
STORED = signs([[-1, -1, -1, 1]])
ALL_OFF = signs([-1, -1, -1, -1])


def symmetric(random: np.random.Generator, neurons: int) -> NDArray[np.int64]:
    spread = random.integers(-3, 4, (neurons, neurons))
    return np.asarray(np.tril(spread) + np.tril(spread, -1).T)


def the_same_in_both_codings(T: NDArray[np.float64], U: NDArray[np.float64]) -> tuple[PairwiseNetwork, PairwiseNetwork]:
    """The binary network, and the bipolar one: J = T/4 off the diagonal, U_s = U/2 - sum_j T_ij/4."""
    binary = imported(T, U.tolist(), Coding.BINARY)
    return binary, imported(off_diagonal(T) / 4, (U / 2 - T.sum(axis=1) / 4).tolist())


@st.composite
def pairs(draw: st.DrawFn) -> tuple[PairwiseNetwork, PairwiseNetwork]:
    """Whole weights and thresholds in eighths, so that every sum is exact in either coding, ties and all."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    neurons = draw(st.integers(1, 30))
    return the_same_in_both_codings(
        symmetric(random, neurons).astype(np.float64), random.integers(-20, 21, neurons) / 8
    )


# A binary network is a bipolar one


@settings(max_examples=250)
@given(pairs(), st.data())
def test_a_binary_network_takes_the_trajectories_of_its_bipolar_one(
    pair: tuple[PairwiseNetwork, PairwiseNetwork], data: st.DataObject
) -> None:
    binary, bipolar = pair
    query = data.draw(queries(binary.spec.neurons))
    options = data.draw(recall_options(binary.spec.neurons, max_iterations=30))
    courses = [list(network.trace(Queries.of(query), options, never)) for network in pair]
    states = [[step.state.tolist() for step in course] for course in courses]
    assert states[0] == states[1]
    one, other = (course[-1] for course in courses)
    assert isinstance(one, RecallResult)
    assert isinstance(other, RecallResult)
    assert (one.iterations, one.flips, one.stop_reason) == (other.iterations, other.flips, other.stop_reason)
    # The energies differ by one constant, an unknown neuron half-way between its values included.
    constant = energy(binary, query) - energy(bipolar, query)
    assert {a.energy - b.energy for a, b in zip(*courses, strict=True)} == {constant}


@given(pairs())
def test_fields_of_a_binary_network_are_twice_those_of_its_bipolar_one(
    pair: tuple[PairwiseNetwork, PairwiseNetwork],
) -> None:
    binary, bipolar = pair
    for state in random_signs(np.random.default_rng(1), 5, binary.spec.neurons):
        assert binary.local_field.of(state).tolist() == (2 * bipolar.local_field.of(state)).tolist()


@given(pairs())
def test_energies_of_every_state_differ_by_one_constant(pair: tuple[PairwiseNetwork, PairwiseNetwork]) -> None:
    binary, bipolar = pair
    states = random_signs(np.random.default_rng(2), 40, binary.spec.neurons)
    assert len({energy(binary, state) - energy(bipolar, state) for state in states}) == 1


# Fields and energies


@given(networks(codings=[Coding.BINARY]), st.data())
def test_the_field_is_tv_minus_u_and_the_energy_minus_half_vtv_plus_uv(
    network: PairwiseNetwork, data: st.DataObject
) -> None:
    state = data.draw(queries(network.spec.neurons))
    V, T, U = (1 + state) / 2, weights_of(network), network.thresholds
    size = max(1.0, float(np.abs(T).sum()))
    # Of 0 and 1, V_i^2 = V_i: a diagonal is a part of the linear term; of an unknown neuron, 1/2, too.
    others, own = off_diagonal(T), T.diagonal() / 2
    assert np.abs(network.local_field.of(state) - (others @ V - U + own)).max() <= 1e-12 * size
    expected = -0.5 * V @ others @ V + (U - own) @ V
    assert energy(network, state) == pytest.approx(expected, rel=1e-12, abs=1e-12 * size)
    if state.all():
        assert expected == pytest.approx(-0.5 * V @ T @ V + U @ V, rel=1e-12, abs=1e-12 * size)


def test_the_state_of_no_neuron_firing_has_energy_zero_and_one_neuron_its_threshold() -> None:
    random = np.random.default_rng(3)
    T, U = symmetric(random, 6).astype(np.float64), random.integers(-8, 9, 6) / 8
    network = imported(T, U.tolist(), Coding.BINARY)
    assert energy(network, -np.ones(6, np.int8)) == 0.0
    for i in range(6):
        one = np.where(np.arange(6) == i, 1, -1)
        assert energy(network, one) == U[i] - T[i, i] / 2


def test_energies_of_all_states_are_numpys() -> None:
    random = np.random.default_rng(4)
    for coding in TWO_VALUED:
        network = memory(Rule.STORKEY, random_signs(random, 4, 8), random.normal(size=8).tolist(), coding=coding)
        states = every_state(8)
        found = np.array([energy(network, state) for state in states])
        assert np.abs(found - energies(network, states)).max() < 1e-12


# The four neurons of the textbooks


def test_as_plus_and_minus_one_they_remember() -> None:
    answer = recall(memory(Rule.HEBBIAN, STORED), ALL_OFF)
    assert (answer.state.tolist(), answer.match) == (STORED[0].tolist(), Match.PATTERN)


def test_as_zeros_and_ones_without_thresholds_the_query_0000_has_no_field_at_all() -> None:
    network = memory(Rule.HEBBIAN, STORED, coding=Coding.BINARY)
    assert network.local_field.of(ALL_OFF).tolist() == [0.0] * 4
    answer = recall(network, ALL_OFF)
    assert (answer.state.tolist(), answer.iterations, answer.energy) == (ALL_OFF.tolist(), 1, 0.0)
    assert answer.match is Match.SPURIOUS
    # Only the tie rule moves it. All four fire at first where they are updated at once.
    plus = recall(network, ALL_OFF, tie=TieRule.PLUS, update=UpdateRule.SYNCHRONOUS, max_iterations=1)
    assert plus.state.tolist() == [1, 1, 1, 1]
    assert recall(network, ALL_OFF, tie=TieRule.MINUS).state.tolist() == ALL_OFF.tolist()
    # The stored pattern itself is stable: one neuron fires, and no other wants to.
    assert network.local_field.of(STORED[0]).tolist() == [-0.25, -0.25, -0.25, 0.0]
    assert recall(network, STORED[0]).flips == 0


def test_as_zeros_and_ones_with_half_of_the_sums_as_thresholds_they_remember() -> None:
    # U_i = 1/2 sum_j T_ij makes U_s zero: the network of plus and minus one.
    sums = weights_of(memory(Rule.HEBBIAN, STORED)).sum(axis=1)
    network = memory(Rule.HEBBIAN, STORED, (sums / 2).tolist(), coding=Coding.BINARY)
    answer = recall(network, ALL_OFF)
    assert (answer.state.tolist(), answer.match, answer.flips) == (STORED[0].tolist(), Match.PATTERN, 1)
    assert recall(network, -STORED[0]).match is Match.INVERSE


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule not in {Rule.IMPORTED, Rule.PERCEPTRON}])
def test_half_of_the_sums_as_thresholds_make_any_binary_network_one_of_plus_and_minus_one(rule: Rule) -> None:
    random = np.random.default_rng(5)
    patterns = random_signs(random, 6, 50)
    bipolar = memory(rule, patterns)
    binary = memory(rule, patterns, (weights_of(bipolar).sum(axis=1) / 2).tolist(), coding=Coding.BINARY)
    for seed in range(20):
        query = random_signs(random, 50)
        one, other = recall(bipolar, query, seed=seed), recall(binary, query, seed=seed)
        assert other.state.tolist() == one.state.tolist()
        assert (other.iterations, other.flips, other.match) == (one.iterations, one.flips, one.match)


def test_a_neuron_fires_when_its_sum_is_above_its_threshold() -> None:
    for sum_of_weights, fires in ((0.9, False), (1.1, True)):
        network = imported([[0, sum_of_weights], [sum_of_weights, 0]], [1.0, -1.0], Coding.BINARY)
        assert recall(network, [-1, 1]).state.tolist() == [1 if fires else -1, 1]
        # The other neuron is off: nothing comes from it, and not the opposite of what comes when it is on.
        quiet = imported([[0, sum_of_weights], [sum_of_weights, 0]], [-0.5, 9.0], Coding.BINARY)
        assert recall(quiet, [-1, -1]).state.tolist() == [1, -1]


def test_overlaps_are_of_signs_in_either_coding() -> None:
    patterns = random_signs(np.random.default_rng(6), 3, 40)
    network = memory(Rule.HEBBIAN, patterns, [-9.0] * 40, coding=Coding.BINARY)
    answer = recall(network, patterns[1])
    assert answer.state.tolist() == [1] * 40
    assert answer.overlap == max((patterns.sum(axis=1) / 40).tolist(), key=abs)
