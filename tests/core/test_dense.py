"""Dense memories: an interaction function of the overlaps in place of weights."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import oracle
from tests.core.samples import (
    after,
    every_state,
    facts,
    flipped,
    history_from,
    interruption_after,
    memory,
    pattern_sets,
    queries,
    random_signs,
    recall,
    recall_options,
    seeds,
    store,
    through_a_snapshot,
)

from hopfield_service.core.dense import MAX_DEGREE, DenseNetwork, DenseSpec
from hopfield_service.core.interruption import Interrupted, never
from hopfield_service.core.kernels.interactions import Interactions
from hopfield_service.core.learning import Normalization
from hopfield_service.core.network import Configure, Forget, Import, InvalidParameter
from hopfield_service.core.options import RecallOptions, TieRule, UpdateRule
from hopfield_service.core.pairwise import Rule
from hopfield_service.core.patterns import Queries, Signs
from hopfield_service.core.results import Match, RecallResult, StopReason, TraceStep

EXPONENTIAL: dict[str, Any] = {"exponential": True}


def dense(patterns: Signs, degree: int = 0, *, exponential: bool = False) -> DenseNetwork:
    """A dense memory of these patterns, under the labels "0", "1", ..."""
    network = DenseSpec(patterns.shape[1], degree, exponential).empty()
    return after(network, store(patterns)) if len(patterns) else network


def form(network: DenseNetwork) -> Interactions:
    found = network.dynamics.form
    assert isinstance(found, Interactions)
    return found


@dataclass
class DenseCase:
    """A dense memory, the same for the oracle, and a query."""

    network: DenseNetwork
    interactions: oracle.Interactions
    query: Signs


@st.composite
def dense_cases(draw: st.DrawFn, max_neurons: int = 40) -> DenseCase:
    """Degrees in whole numbers and beyond, and the exponential; few patterns and many, some equal or inverse to others."""
    neurons = draw(st.integers(1, max_neurons))
    patterns = draw(pattern_sets(neurons))
    degree = draw(st.sampled_from([2, 3, 4, 5, 9, 20, MAX_DEGREE, None]))
    network = dense(patterns, degree or 0, exponential=degree is None)
    whole = form(network).tolerance == 0
    return DenseCase(network, oracle.Interactions(patterns.tolist(), degree, whole), draw(queries(neurons)))


# The same as a plain loop


@settings(max_examples=300)
@given(dense_cases(), st.data())
def test_every_way_to_recall_does_what_a_plain_loop_does(case: DenseCase, data: st.DataObject) -> None:
    options = data.draw(recall_options(case.network.spec.neurons))
    if options.beta is not None and case.network.spec.degree > 5:
        # Where energies have dozens of digits, the last of a float decide nothing but at temperatures as high.
        options = options._replace(beta=np.minimum(options.beta, 0.0) if np.ndim(options.beta) else 0.0)
    expected = history_from(case.interactions, case.query, options)
    *steps, answer = case.network.trace(Queries.of(case.query), options, never)
    assert isinstance(answer, RecallResult)
    seen = [step.state.tolist() for step in steps if isinstance(step, TraceStep)]
    assert seen[:-1] == expected.states[:-1]
    assert answer.state.tolist() == expected.states[-1]
    assert (answer.iterations, answer.flips) == (len(expected.states) - 1, expected.flips[-1])
    assert answer.stop_reason.name.lower() == expected.stop_reason
    for energy, state in ((answer.energy, answer.state), (answer.initial_energy, case.query)):
        wanted = case.interactions.energy(state.tolist())
        assert energy == (wanted if form(case.network).tolerance == 0 else pytest.approx(wanted, rel=1e-12, abs=1e-12))


@settings(max_examples=100)
@given(dense_cases(), st.data())
def test_batches_traces_and_snapshots_give_the_same_bits(case: DenseCase, data: st.DataObject) -> None:
    options = data.draw(recall_options(case.network.spec.neurons))
    one = case.network.recall(Queries.of(case.query), options, never)
    *_, traced = case.network.trace(Queries.of(case.query), options, never)
    assert isinstance(traced, RecallResult)
    others = random_signs(np.random.default_rng(1), 3, case.network.spec.neurons)
    before = options._replace(seed=(options.seed - 3) % 2**64)
    (batch,) = case.network.recall_batch(Queries.of(np.vstack([others, case.query])), before, never)
    restored = through_a_snapshot(case.network).recall(Queries.of(case.query), options, never)
    assert facts(one) == facts(traced) == facts(restored)
    assert batch.energies[3].hex() == one.energy.hex()
    assert (batch.iterations[3], batch.flips[3], batch.matches[3]) == (one.iterations, one.flips, one.match)


@settings(max_examples=150)
@given(pattern_sets(min_count=1, max_count=9), st.data())
def test_degree_2_is_hebbs_rule_trajectory_for_trajectory(patterns: Signs, data: st.DataObject) -> None:
    neurons = patterns.shape[1]
    options = data.draw(recall_options(neurons))
    if options.beta is not None:
        # Its energy is twice Hebb's, and a constant.
        options = options._replace(beta=options.beta / 2)
    query = data.draw(queries(neurons))
    hebb = memory(Rule.HEBBIAN, patterns, normalization=Normalization.NONE)
    halved = options if options.beta is None else options._replace(beta=options.beta * 2)
    *steps, answer = dense(patterns, 2).trace(Queries.of(query), options, never)
    *hebbian_steps, hebbian = hebb.trace(Queries.of(query), halved, never)
    assert [step.state.tolist() for step in steps] == [step.state.tolist() for step in hebbian_steps]
    assert isinstance(answer, RecallResult)
    assert isinstance(hebbian, RecallResult)
    assert facts(answer)[3:] == facts(hebbian)[3:]
    assert answer.energy == 2 * hebbian.energy - len(patterns) * neurons


# Energy


@settings(max_examples=150)
@given(dense_cases(), seeds, st.sampled_from(TieRule))
def test_one_at_a_time_the_energy_never_rises_and_the_recall_ends_in_a_fixed_point(
    case: DenseCase, seed: int, tie: TieRule
) -> None:
    query = np.where(case.query == 0, 1, case.query).astype(np.int8)
    options = RecallOptions(seed, tie=tie, max_iterations=10_000)
    *steps, answer = case.network.trace(Queries.of(query), options, never)
    assert isinstance(answer, RecallResult)
    assert answer.stop_reason is StopReason.CONVERGED
    energies = [step.energy for step in steps]
    assert oracle.rises(energies) <= 1e-8 * max(1.0, *map(abs, energies))
    assert recall(case.network, answer.state, tie=tie).flips == 0


@pytest.mark.parametrize("parameters", [{"degree": 2}, {"degree": 3}, EXPONENTIAL], ids=str)
def test_heated_it_visits_states_by_their_boltzmann_weights(parameters: dict[str, Any]) -> None:
    network = dense(np.array([[1, 1, 1, -1], [1, -1, -1, -1]], np.int8), **parameters)
    states = every_state(4)
    beta = {2: 0.05, 3: 0.02, 0: 0.4}[network.spec.degree]
    weights = np.exp([-beta * recall(network, state).initial_energy for state in states])
    draws = 20_000
    answers = network.recall_batch(
        Queries.of(np.tile(states[5], (draws, 1))),
        RecallOptions(7, update=UpdateRule.GLAUBER, beta=beta, max_iterations=12),
        never,
    )
    numbers = np.concatenate([answer.bits[:, 0] for answer in answers])
    shares = np.bincount(numbers, minlength=16) / draws
    assert np.abs(shares - weights / weights.sum()).sum() / 2 < 0.03


@pytest.mark.parametrize("parameters", [{"degree": 3}, {"exponential": True}], ids=str)
def test_the_bytes_of_a_network_are_those_of_all_its_arrays_and_known_before_it_recalls(
    parameters: dict[str, Any],
) -> None:
    network = dense(random_signs(np.random.default_rng(3), 70, 80), **parameters)
    nbytes = network.nbytes
    assert "form" not in vars(network), "telling them makes nothing"
    network.prepare()
    arrays = [part for part in network.form if isinstance(part, np.ndarray)]
    assert nbytes == network.stored.bits.nbytes + sum(array.nbytes for array in arrays)


def test_energies_of_the_largest_networks_are_finite() -> None:
    pattern = np.ones((1, 2**17), np.int8)
    assert recall(dense(pattern, MAX_DEGREE), pattern[0]).energy == -float(2 ** (17 * MAX_DEGREE))
    assert recall(dense(pattern, exponential=True), pattern[0]).energy == -(2**17)


# What it holds


def stable_share(patterns: Signs, **parameters: Any) -> float:
    stability = dense(patterns, **parameters).stability(never)
    assert stability is not None
    return stability.stable_count / len(patterns)


def test_degree_3_holds_its_capacity_and_not_much_more() -> None:
    neurons, random = 60, np.random.default_rng(3)
    most = DenseSpec(neurons, 3).capacity * neurons
    assert most == pytest.approx(60**2 / (6 * math.log(60)))
    assert stable_share(random_signs(random, round(most / 2), neurons), degree=3) > 0.95
    assert stable_share(random_signs(random, round(4 * most), neurons), degree=3) < 0.05


def test_the_exponential_recovers_all_of_64_patterns_in_24_neurons() -> None:
    random = np.random.default_rng(1)
    patterns = random_signs(random, 64, 24)
    network = dense(patterns, exponential=True)
    for pattern in patterns:
        query = flipped(pattern, random.permutation(24)[:2])
        answer = recall(network, query)
        assert answer.state.tolist() == pattern.tolist()
        assert answer.match is Match.PATTERN


def test_an_odd_degree_tells_a_pattern_from_its_inverse() -> None:
    pattern = random_signs(np.random.default_rng(1), 1, 30)
    assert recall(dense(pattern, 3), -flipped(pattern[0], np.arange(3))).match is Match.PATTERN
    assert recall(dense(pattern, 4), -flipped(pattern[0], np.arange(3))).match is Match.INVERSE


@pytest.mark.parametrize("parameters", [{"degree": 3}, {"degree": MAX_DEGREE}, EXPONENTIAL], ids=str)
def test_nothing_stored_leaves_every_state_as_it_is(parameters: dict[str, Any]) -> None:
    network = DenseSpec(5, **parameters).empty()
    answer = recall(network, [1, -1, 1, 1, -1])
    assert (answer.state.tolist(), answer.energy, answer.match) == ([1, -1, 1, 1, -1], 0.0, Match.NONE)
    assert answer.stop_reason is StopReason.CONVERGED
    assert recall(network, [1, 0, 1, 1, -1], tie=TieRule.PLUS, clamp=True).state.tolist() == [1, 1, 1, 1, -1]
    heated = {"update": UpdateRule.GLAUBER, "beta": 1.0, "max_iterations": 3}
    assert recall(network, [1, 0, 1, 1, -1], **heated).iterations == 3


@pytest.mark.parametrize("parameters", [{"degree": 2}, {"degree": MAX_DEGREE}, EXPONENTIAL], ids=str)
def test_as_many_patterns_as_there_can_be_overflow_nothing(parameters: dict[str, Any]) -> None:
    patterns = np.ones((70_000, 6), np.int8)
    answer = recall(dense(patterns, **parameters), [1, 1, -1, 1, 1, 1])
    assert (answer.state.tolist(), answer.flips) == ([1] * 6, 1)


# The fold


@given(pattern_sets(min_count=3), st.sampled_from([2, 3, 12, None]))
def test_what_was_forgotten_was_never_stored(patterns: Signs, degree: int | None) -> None:
    network = dense(patterns, degree or 0, exponential=degree is None)
    less = after(network, Forget(("1",)))
    anew = dense(np.delete(patterns, 1, axis=0), degree or 0, exponential=degree is None)
    query = random_signs(np.random.default_rng(1), patterns.shape[1])
    assert facts(recall(less, query)) == facts(recall(anew, query))
    assert less.stored.labels == tuple(str(k) for k in range(len(patterns)) if k != 1)


def test_a_pattern_that_replaces_another_is_the_youngest() -> None:
    patterns = random_signs(np.random.default_rng(1), 3, 20)
    network = after(dense(patterns[:2], 3), store(patterns[2:], ["0"], replace=True))
    assert network.stored.labels == ("1", "0")
    assert recall(network, patterns[2]).nearest == 1


def test_another_interaction_is_learnt_anew_in_one_operation() -> None:
    patterns = random_signs(np.random.default_rng(1), 9, 30)
    query = flipped(patterns[3], np.arange(4))
    changed = after(dense(patterns, 3), Configure(DenseSpec(30, exponential=True)))
    assert facts(recall(changed, query)) == facts(recall(dense(patterns, exponential=True), query))
    relearnt = changed.spec.relearnt(changed.stored, {}, never)
    assert facts(recall(relearnt, query)) == facts(recall(changed, query))


def test_it_takes_no_weights() -> None:
    with pytest.raises(TypeError, match="does not take"):
        after(DenseSpec(3, 3).empty(), Import({}))


# Its parameters


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({}, "degree"),
        ({"degree": 1}, "degree"),
        ({"degree": MAX_DEGREE + 1}, "degree"),
        ({"degree": 3, "exponential": True}, "degree"),
    ],
    ids=str,
)
def test_an_interaction_is_a_degree_or_the_exponential(parameters: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        DenseSpec(4, **parameters)
    assert refused.value.parameter == parameter


CUBIC, EXPONENTIALS = DenseSpec(4, 3), DenseSpec(4, exponential=True)


@pytest.mark.parametrize(
    ("before", "changed", "expected"),
    [
        (CUBIC, {"degree": 4}, DenseSpec(4, 4)),
        (CUBIC, {"exponential": True}, EXPONENTIALS),
        (EXPONENTIALS, {"degree": 3}, CUBIC),
        (EXPONENTIALS, {"degree": 3, "exponential": False}, CUBIC),
        (CUBIC, {"degree": 0, "exponential": True}, EXPONENTIALS),
        (CUBIC, {"neurons": 4}, CUBIC),
    ],
)
def test_one_interaction_gives_way_to_the_other(
    before: DenseSpec, changed: dict[str, Any], expected: DenseSpec
) -> None:
    assert before.changed(changed) == expected
    assert DenseSpec.from_parameters(expected.parameters()) == expected


def test_its_neurons_cannot_be_changed() -> None:
    with pytest.raises(InvalidParameter, match="neurons cannot be changed"):
        DenseSpec(4, 3).changed({"neurons": 5})


def test_more_patterns_than_it_holds_are_advised_against() -> None:
    degree_3 = DenseSpec(60, 3)
    assert degree_3.advice(146, degree_3.capacity) is None
    advice = degree_3.advice(147, degree_3.capacity)
    assert advice is not None
    assert "a dense memory of degree 3 holds random patterns up to 2.442 (146 of them)" in advice
    assert "a higher degree" in advice
    exponential = DenseSpec(8, exponential=True)
    advice = exponential.advice(17, exponential.capacity)
    assert advice is not None
    assert "an exponential dense memory holds random patterns up to at least 2.000 (16 of them)" in advice
    assert "higher" not in advice
    many = DenseSpec(2**17, exponential=True)
    assert many.advice(2**24, many.capacity) is None


# How well it holds


@given(dense_cases(max_neurons=20))
def test_the_margins_are_half_of_what_a_flip_would_cost(case: DenseCase) -> None:
    diagnosis = case.network.diagnose(never)
    patterns = case.interactions.patterns
    if not patterns:
        assert diagnosis.stability is None
        return
    assert diagnosis.stability is not None
    costs = []
    for xi in patterns:
        energy = case.interactions.energy(xi)
        costs += [case.interactions.energy([*xi[:i], -s, *xi[i + 1 :]]) - energy for i, s in enumerate(xi)]
    margins = np.array(costs) / 2
    rounding = 1e-9 * max(1.0, float(np.abs(margins).max()))
    assert diagnosis.stability.smallest_margin == pytest.approx(margins.min(), rel=1e-9, abs=rounding)
    assert diagnosis.stability.mean_margin == pytest.approx(margins.mean(), rel=1e-9, abs=rounding)
    assert diagnosis.weights is None
    stable = [recall(case.network, xi).flips == 0 for xi in patterns]
    assert diagnosis.stability.stable_count == sum(stable)


def test_a_verdict_says_which_interaction_holds_all() -> None:
    patterns = random_signs(np.random.default_rng(1), 60, 40)
    said = dense(patterns, 2).diagnose(never).verdict
    assert said.startswith("dense memory of degree 2 with 60 uncorrelated patterns: 0 of 60 are stable")
    assert said.endswith(("degree 3 would hold all 60", "exponential would hold all 60"))
    assert "the smallest margin is" in dense(patterns, exponential=True).diagnose(never).verdict
    equal = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.int8)
    assert "are held by their fields" in dense(equal, exponential=True).diagnose(never).verdict


def test_a_diagnosis_ends_when_nobody_waits_for_it() -> None:
    network = dense(random_signs(np.random.default_rng(1), 200, 30), 3)
    with pytest.raises(Interrupted):
        network.diagnose(interruption_after(2))
