"""What the theory of Hopfield networks says must come out, on networks small enough for every run of the tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.samples import Signs, flipped, memory, pattern_sets, random_signs, recall

from hopfield_service.core.dynamics import Match, RecallOptions, StopReason, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule


def energy(network: PairwiseNetwork, state: Signs) -> float:
    return network.trajectory(state, RecallOptions(seed=0)).energy()


def one_step(network: PairwiseNetwork, state: Signs) -> int:
    """How many neurons change when all are updated at once: 0 exactly for a fixed point."""
    return recall(network, state, update=UpdateRule.SYNCHRONOUS, max_iterations=1).flips


# Energy


@given(pattern_sets(min_count=1), st.integers(0, 1000))
def test_the_energy_of_hebbs_weights_is_said_by_the_overlaps_alone(patterns: Signs, seed: int) -> None:
    # E = -(N/2) sum_mu m_mu^2 + P/2, here with whole numbers N m_mu.
    count, neurons = patterns.shape
    network = memory(Rule.HEBBIAN, patterns)
    for state in (patterns[0], random_signs(np.random.default_rng(seed), neurons)):
        squares = sum(sum(int(x) * int(s) for x, s in zip(xi, state, strict=True)) ** 2 for xi in patterns)
        assert energy(network, state) == -0.5 * ((squares - neurons * count) / neurons)


def test_the_energy_of_a_stored_random_pattern_is_minus_half_n_minus_one_and_spreads_as_it_must() -> None:
    neurons, count, networks = 60, 7, 400
    random = np.random.default_rng(1985)
    energies = []
    for _ in range(networks):
        patterns = random_signs(random, count, neurons)
        network = memory(Rule.HEBBIAN, patterns)
        energies += [energy(network, xi) for xi in patterns]
    deviation = math.sqrt((count - 1) * (1 - 1 / neurons) / 2)
    # 2800 energies, those of one network correlated: the mean is sure to about 0.06, the deviation to 2 in 100.
    assert np.mean(energies) == pytest.approx(-(neurons - 1) / 2, abs=0.2)
    assert np.std(energies) == pytest.approx(deviation, rel=0.1)


def test_one_pattern_alone_lies_at_minus_half_n_minus_one_exactly() -> None:
    for neurons in (1, 2, 3, 64, 1000):
        xi = random_signs(np.random.default_rng(neurons), 1, neurons)
        assert energy(memory(Rule.HEBBIAN, xi), xi[0]) == -(neurons - 1) / 2


# What is stable


def test_patterns_and_their_inverses_are_fixed_points_at_a_small_load() -> None:
    for rule in (Rule.HEBBIAN, Rule.PSEUDO_INVERSE):
        patterns = random_signs(np.random.default_rng(2), 10, 400)
        network = memory(rule, patterns)
        for k, xi in enumerate(patterns):
            for sign, match in ((1, Match.PATTERN), (-1, Match.INVERSE)):
                answer = recall(network, sign * xi)
                assert (answer.nearest, answer.overlap, answer.match) == (k, sign, match)
                assert (answer.iterations, answer.flips) == (1, 0)
            assert energy(network, xi) == energy(network, -xi)


def test_every_pattern_of_a_projection_is_a_fixed_point_at_every_load() -> None:
    for count in (10, 50, 90, 99, 100, 130):
        patterns = random_signs(np.random.default_rng(count), count, 100)
        network = memory(Rule.PSEUDO_INVERSE, patterns)
        for xi in patterns:
            assert one_step(network, xi) == 0
            assert recall(network, xi).state.tolist() == xi.tolist()


def test_mixtures_of_three_are_stable_with_overlap_one_half_at_a_small_load() -> None:
    random = np.random.default_rng(3)
    overlaps = []
    for _ in range(10):
        patterns = random_signs(random, 5, 1000)
        network = memory(Rule.HEBBIAN, patterns)
        signs_of_the_three = random_signs(random, 3)
        mixture = np.sign(signs_of_the_three @ patterns[:3]).astype(np.int8)
        answer = recall(network, mixture)
        assert (answer.flips, answer.stop_reason, answer.match) == (0, StopReason.CONVERGED, Match.SPURIOUS)
        overlaps += (signs_of_the_three * (patterns[:3] @ mixture.astype(np.float64)) / 1000).tolist()
    assert np.mean(overlaps) == pytest.approx(0.5, abs=0.02)
    assert np.abs(np.array(overlaps) - 0.5).max() < 0.1


@pytest.mark.parametrize(("mixed", "undecided"), [(2, 1 / 2), (4, 3 / 8)])
def test_mixtures_of_an_even_number_are_not_stable(mixed: int, undecided: float) -> None:
    random = np.random.default_rng(mixed)
    for _ in range(5):
        patterns = random_signs(random, 5, 1000)
        network = memory(Rule.HEBBIAN, patterns)
        total = patterns[:mixed].sum(axis=0)
        mixture = np.where(total == 0, random_signs(random, 1000), np.sign(total)).astype(np.int8)
        # Where the patterns cancel, chance decided, and about half of these neurons are wrong.
        assert one_step(network, mixture) == pytest.approx(1000 * undecided / 2, rel=0.3)


# How much can be stored


def test_the_error_of_one_step_is_that_of_gaussian_noise() -> None:
    # 1/2 erfc(sqrt(1 / (2 alpha))), alpha = (P - 1) / N: a million bits, 13 thousand of them wrong.
    neurons, count = 1000, 201
    random = np.random.default_rng(4)
    wrong = 0
    for _ in range(5):
        patterns = random_signs(random, count, neurons)
        network = memory(Rule.HEBBIAN, patterns)
        wrong += sum(one_step(network, xi) for xi in patterns)
    expected = math.erfc(math.sqrt(1 / (2 * 0.2))) / 2
    assert expected == pytest.approx(0.0127, abs=5e-5)
    assert wrong / (5 * count * neurons) == pytest.approx(expected, rel=0.05)


def retrieval_overlaps(neurons: int, count: int, tries: int) -> list[float]:
    """Overlap with a stored pattern after recall from that very pattern."""
    patterns = random_signs(np.random.default_rng([neurons, count]), count, neurons)
    network = memory(Rule.HEBBIAN, patterns)
    found = []
    for k in range(tries):
        answer = recall(network, patterns[k], seed=k)
        assert answer.stop_reason is StopReason.CONVERGED
        found.append(float(patterns[k].astype(np.float64) @ answer.state) / neurons)
    return found


def test_below_capacity_hebb_retrieves_nearly_every_bit_and_above_it_collapses() -> None:
    # Amit, Gutfreund and Sompolinsky: m = .998 at alpha = .10; beyond alpha = .138 nothing is retrieved.
    assert np.mean(retrieval_overlaps(1000, 50, 50)) > 0.9995
    assert np.mean(retrieval_overlaps(1000, 100, 100)) == pytest.approx(0.998, abs=0.003)
    assert np.mean(retrieval_overlaps(1000, 200, 100)) < 0.6


def exactly_recalled(rule: Rule, count: int) -> float:
    """The fraction of patterns of 200 neurons that are recalled exactly with 20 % of the neurons inverted."""
    random = np.random.default_rng(count)
    exact = []
    for _ in range(20):
        patterns = random_signs(random, count, 200)
        network = memory(rule, patterns)
        for k, xi in enumerate(patterns):
            noisy = flipped(xi, random.choice(200, 40, replace=False))
            answer = recall(network, noisy, seed=k)
            exact.append(answer.match is Match.PATTERN and answer.nearest == k)
    return float(np.mean(exact))


@pytest.mark.parametrize(("count", "by_hebb"), [(20, 0.88), (28, 0.41)])
def test_a_fifth_of_the_neurons_wrong_the_projection_recalls_exactly_where_hebb_begins_to_fail(
    count: int, by_hebb: float
) -> None:
    assert exactly_recalled(Rule.PSEUDO_INVERSE, count) == pytest.approx(1.0, abs=0.005)
    assert exactly_recalled(Rule.HEBBIAN, count) == pytest.approx(by_hebb, abs=0.1)
