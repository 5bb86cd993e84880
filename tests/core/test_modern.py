"""Modern Hopfield networks: real patterns, and attention."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core import oracle
from tests.core.samples import after, interruption_after, through_a_snapshot

from hopfield_service.core.interruption import Interrupted, never
from hopfield_service.core.kernels import products
from hopfield_service.core.modern import ModernNetwork, ModernSpec
from hopfield_service.core.network import Configure, Forget, Import, InvalidParameter, Store
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.patterns import Queries
from hopfield_service.core.results import Match, RecallResult, StopReason

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


def store(network: ModernNetwork, patterns: Singles) -> ModernNetwork:
    labels = tuple(map(str, range(len(patterns))))
    return after(network, Store(network.spec.packed(patterns), labels))


def modern(patterns: Singles, beta: float, tolerance: float = 1e-6) -> ModernNetwork:
    """A modern memory of these patterns, under the labels "0", "1", ..."""
    return store(ModernSpec(patterns.shape[1], beta, tolerance).empty(), patterns)


def recall(network: ModernNetwork, query: Singles, max_iterations: int = 100) -> RecallResult:
    return network.recall(Queries.of(query), RecallOptions(seed=0, max_iterations=max_iterations), never)


def softmax(patterns: Singles, beta: float, state: Floats) -> Floats:
    scores = beta * (patterns.astype(np.float64) @ state)
    weights = np.exp(scores - scores.max())
    result: Floats = weights / weights.sum()
    return result


def energy(patterns: Singles, beta: float, state: Floats) -> float:
    scores = beta * (patterns.astype(np.float64) @ state)
    log_sum = scores.max() + math.log(np.exp(scores - scores.max()).sum())
    longest = np.square(patterns.astype(np.float64)).sum(axis=1).max()
    return float((math.log(len(patterns)) - log_sum) / beta + state @ state / 2 + longest / 2)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Singles, float, Singles]:
    """Patterns, some of them equal, beta, and a query."""
    neurons, count = draw(st.integers(1, 90)), draw(st.integers(1, 140))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([0.1, 1.0, 30.0]))
    patterns = (scale * random.normal(size=(count, neurons))).astype(np.float32)
    patterns[count // 2] = patterns[0]
    query = (scale * random.normal(size=neurons)).astype(np.float32)
    return patterns, draw(st.sampled_from([1e-3, 0.1, 1.0, 8.0])), query


def on_the_sphere(count: int, random: np.random.Generator) -> Floats:
    """Random patterns of 64 numbers and the length sqrt(63)."""
    patterns = random.normal(size=(count, 64))
    result: Floats = math.sqrt(63) * patterns / np.linalg.norm(patterns, axis=1, keepdims=True)
    return result


# The same as plain numpy


@settings(max_examples=150)
@given(cases(), st.integers(1, 5))
def test_iterations_are_those_of_plain_numpy(case: tuple[Singles, float, Singles], iterations: int) -> None:
    patterns, beta, query = case
    answer = recall(modern(patterns, beta, tolerance=0), query, iterations)
    state = query.astype(np.float64)
    for _ in range(answer.iterations):
        state = patterns.T.astype(np.float64) @ softmax(patterns, beta, state)
    size = float(np.abs(patterns).max())
    np.testing.assert_allclose(answer.state, state, rtol=1e-6, atol=1e-6 * size)
    assert answer.energy == pytest.approx(energy(patterns, beta, state), rel=1e-9, abs=1e-9 * size**2 * len(query))
    weights = softmax(patterns, beta, state)
    assert answer.attention is not None
    np.testing.assert_allclose(answer.attention.weights, np.sort(weights)[::-1][:8], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(weights[answer.attention.positions], answer.attention.weights, rtol=1e-6, atol=1e-12)


@settings(max_examples=150)
@given(cases())
def test_the_energy_never_rises_and_is_0_to_2_m_squared(case: tuple[Singles, float, Singles]) -> None:
    patterns, beta, query = case
    network = modern(patterns, beta)
    *steps, answer = network.trace(Queries.of(query), RecallOptions(0, max_iterations=1000), never)
    assert isinstance(answer, RecallResult)
    energies = [step.energy for step in steps]
    largest = 2 * float(np.square(patterns.astype(np.float64)).sum(axis=1).max())
    rounding = 1e-12 * max(largest, energies[0], math.log(len(patterns)) / beta)
    assert oracle.rises(energies) <= rounding
    # From the first iteration on the state is a mean of patterns.
    assert all(-rounding <= energy <= largest + rounding for energy in energies[1:])
    assert (answer.initial_energy, answer.energy) == (energies[0], energies[-1])


def test_one_step_retrieves_from_a_distance_of_4_with_an_error_below_2_percent() -> None:
    random = np.random.default_rng(5)
    patterns = on_the_sphere(1000, random)
    network = modern(patterns.astype(np.float32), beta=0.25)
    directions = random.normal(size=patterns.shape)
    queries = patterns + 4 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    answers = [recall(network, query.astype(np.float32), 1).state for query in queries[:200]]
    errors = np.linalg.norm(np.array(answers) - patterns[:200], axis=1)
    assert np.median(errors) < 0.02


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 140), st.integers(1, 140), st.integers(0, 2**32))
def test_products_are_sums_in_order_each_term_rounded_once(states: int, rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    factors = random.normal(size=(states + 1, rows)) * 10.0 ** random.integers(-9, 9, (states + 1, rows))
    matrix = random.normal(size=(rows, columns)).astype(np.float32)
    found = np.full((states + 1, columns), np.nan)
    products.multiply(factors, matrix, np.arange(1, states + 1), found)
    assert np.isnan(found[0]).all()
    for k, c in ((1, 0), (states, columns - 1), (states, columns // 2)):
        total = 0.0
        for r in range(rows):
            total = float(Fraction(float(factors[k, r])) * Fraction(float(matrix[r, c])) + Fraction(total))
        assert found[k, c] == total
    pairs = np.empty(states)
    products.multiply_pairs(factors[1:], np.ascontiguousarray(matrix.T), np.full(states, columns - 1), pairs)
    assert pairs.tobytes() == found[1:, -1].tobytes()


# The answer


def test_a_recall_of_one_pattern_tells_it_and_one_of_a_mixture_does_not() -> None:
    patterns = np.eye(12, dtype=np.float32)
    sharp = recall(modern(patterns, beta=20), (0.8 * patterns[3]).astype(np.float32))
    assert (sharp.nearest, sharp.match, sharp.stop_reason) == (3, Match.PATTERN, StopReason.CONVERGED)
    assert sharp.overlap == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(sharp.state, patterns[3], atol=1e-6)
    blurred = recall(modern(patterns, beta=0.1), patterns[3])
    assert blurred.match is Match.SPURIOUS
    np.testing.assert_allclose(blurred.state, 1 / 12, atol=1e-2)
    assert blurred.attention is not None
    assert len(blurred.attention.positions) == 8


def test_equal_patterns_share_the_weight_and_the_oldest_is_named() -> None:
    patterns = np.array([[0, 1], [1, 0], [1, 0]], np.float32)
    answer = recall(modern(patterns, beta=50), patterns[1])
    assert (answer.nearest, answer.match) == (1, Match.SPURIOUS)
    assert answer.attention is not None
    assert answer.attention.positions.tolist() == [1, 2, 0]
    assert answer.attention.weights[:2] == pytest.approx([0.5, 0.5])


def test_a_number_of_steps_can_be_asked_for() -> None:
    patterns = np.random.default_rng(1).normal(size=(9, 5)).astype(np.float32)
    network = modern(patterns, beta=0.3, tolerance=0)
    answer = recall(network, patterns[0], 3)
    assert (answer.iterations, answer.flips, answer.stop_reason) == (3, 0, StopReason.ITERATION_LIMIT)


def test_nothing_stored_leaves_a_state_as_it_is() -> None:
    query = np.array([0.5, -2], np.float32)
    answer = recall(ModernSpec(2, 1.0).empty(), query)
    assert answer.state.tolist() == query.tolist()
    assert (answer.match, answer.nearest, answer.attention, answer.energy) == (Match.NONE, None, None, 0)
    assert answer.stop_reason is StopReason.CONVERGED
    assert ModernSpec(2, 1.0).empty().nearest(Queries.of(query), 3).positions.tolist() == []


def test_the_nearest_patterns_are_those_of_the_largest_cosine() -> None:
    random = np.random.default_rng(3)
    patterns = random.normal(size=(20, 6)).astype(np.float32)
    patterns[4] = 0
    query = random.normal(size=6).astype(np.float32)
    lengths = np.linalg.norm(patterns, axis=1)
    cosines = patterns @ query / np.where(lengths == 0, 1, lengths) / np.linalg.norm(query)
    found = modern(patterns, 1.0).nearest(Queries.of(query), 5)
    assert found.positions.tolist() == np.argsort(-cosines)[:5].tolist()
    np.testing.assert_allclose(found.overlaps, np.sort(cosines)[::-1][:5], rtol=1e-5)


# Every path


@settings(max_examples=60)
@given(cases())
def test_batches_traces_snapshots_and_forgetting_give_the_same_bits(case: tuple[Singles, float, Singles]) -> None:
    patterns, beta, query = case
    network = modern(patterns, beta)
    one = recall(network, query)
    *_, traced = network.trace(Queries.of(query), RecallOptions(0), never)
    assert isinstance(traced, RecallResult)
    (batch,) = network.recall_batch(Queries.of(np.stack([patterns[0], query, patterns[-1]])), RecallOptions(0), never)
    less = after(network, Forget(("0",)))
    anew = ModernSpec(patterns.shape[1], beta).empty()
    kept = after(anew, Store(anew.spec.packed(patterns[1:]), tuple(map(str, range(1, len(patterns))))))
    for same in (traced, recall(through_a_snapshot(network), query)):
        assert (same.state.tobytes(), same.energy, same.overlap) == (one.state.tobytes(), one.energy, one.overlap)
    assert batch.bits[1].tobytes() == one.state.tobytes()
    assert (batch.energies[1], batch.nearest[1], batch.matches[1]) == (one.energy, one.nearest, one.match)
    assert recall(less, query).state.tobytes() == recall(kept, query).state.tobytes()


def test_a_long_recall_ends_when_nobody_waits_for_it() -> None:
    # Each iteration leaves about a tenth of the distance to where they end.
    patterns = (0.02 * np.random.default_rng(1).normal(size=(2000, 1000))).astype(np.float32)
    network = modern(patterns, beta=100, tolerance=0)
    with pytest.raises(Interrupted):
        network.recall(
            Queries.of(np.zeros(1000, np.float32)), RecallOptions(0, max_iterations=10**6), interruption_after(1)
        )


def test_the_bytes_of_a_network_are_those_of_all_its_arrays_and_known_before_it_recalls() -> None:
    network = modern(np.random.default_rng(1).normal(size=(50, 20)).astype(np.float32), 1.0)
    nbytes = network.nbytes
    assert "rows" not in vars(network), "telling them makes nothing"
    network.prepare()
    arrays = (network.stored.bits, network.rows, network.columns, network.lengths)
    assert nbytes == sum(array.nbytes for array in arrays)


# Its parameters


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"beta": 0.0}, "beta"),
        ({"beta": -1.0}, "beta"),
        ({"beta": math.nan}, "beta"),
        ({"beta": math.inf}, "beta"),
        ({"beta": 1.0, "tolerance": -1.0}, "tolerance"),
        ({"beta": 1.0, "tolerance": math.nan}, "tolerance"),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        ModernSpec(4, **parameters)
    assert refused.value.parameter == parameter


def test_beta_and_tolerance_can_be_changed_and_nothing_else() -> None:
    spec = ModernSpec(4, 1.0).changed({"beta": 2.0, "tolerance": 0.5})
    assert spec == ModernSpec(4, 2.0, 0.5) == ModernSpec.from_parameters(spec.parameters())
    with pytest.raises(InvalidParameter, match="neurons cannot be changed"):
        spec.changed({"neurons": 5})
    patterns = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    changed = after(modern(patterns, 1.0), Configure(ModernSpec(4, 9.0)))
    assert recall(changed, patterns[1]).energy == recall(modern(patterns, 9.0), patterns[1]).energy
    with pytest.raises(TypeError, match="does not take"):
        after(changed, Import({}))


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"update": UpdateRule.SYNCHRONOUS}, "update"),
        ({"order": Order.SEQUENTIAL}, "order"),
        ({"order": np.arange(4)}, "order"),
        ({"tie": TieRule.PLUS}, "tie"),
        ({"clamp": True}, "clamp"),
    ],
    ids=str,
)
def test_options_that_mean_nothing_to_it_are_refused(options: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        ModernSpec(4, 1.0).check_options(RecallOptions(0, **options))
    assert refused.value.parameter == parameter


def test_a_diagnosis_tells_which_patterns_come_back_and_how_far_apart_they_are() -> None:
    patterns = np.eye(6, dtype=np.float32) * 2
    diagnosis = modern(patterns, beta=4).diagnose(never)
    assert diagnosis.stability is not None
    assert (diagnosis.stability.stable_count, diagnosis.stability.smallest_margin) == (6, 4)
    assert "6 of 6 are stable at beta 4; the smallest separation is 4" in diagnosis.verdict
    assert ModernSpec(6, 1.0).empty().diagnose(never).stability is None
