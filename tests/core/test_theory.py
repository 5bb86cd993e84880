"""What the theory of Hopfield networks says must come out, on networks small enough for every run of the tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.samples import Signs, energy, flipped, memory, pattern_sets, random_signs, recall

from hopfield_service.core.options import UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork, Rule
from hopfield_service.core.results import Match, StopReason


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


def bit_error(count: int, networks: int) -> float:
    """The share of neurons of stored patterns of 1000 neurons that one step changes."""
    random = np.random.default_rng([4, count])
    wrong = 0
    for _ in range(networks):
        patterns = random_signs(random, count, 1000)
        network = memory(Rule.HEBBIAN, patterns)
        wrong += sum(one_step(network, xi) for xi in patterns)
    return wrong / (networks * count * 1000)


@pytest.mark.parametrize(("alpha", "expected"), [(0.1, 0.00078), (0.2, 0.0127), (0.3, 0.0339)])
@pytest.mark.parametrize("networks", [12, pytest.param(60, marks=pytest.mark.long)])
def test_the_error_of_one_step_is_that_of_gaussian_noise(alpha: float, expected: float, networks: int) -> None:
    # Of 1.2 to 18 million bits at least 900 are wrong: 3 in 100 by chance.
    error = math.erfc(math.sqrt(1 / (2 * alpha))) / 2
    assert error == pytest.approx(expected, rel=5e-3)
    assert bit_error(round(1000 * alpha) + 1, networks) == pytest.approx(error, rel=0.05)


def retrieval_overlap(count: int, networks: int) -> float:
    """Mean overlap with a stored pattern of 1000 neurons after recall from that very pattern."""
    random = np.random.default_rng([1985, count])
    overlaps = []
    for _ in range(networks):
        patterns = random_signs(random, count, 1000)
        network = memory(Rule.HEBBIAN, patterns)
        for k, xi in enumerate(patterns):
            answer = recall(network, xi, seed=k)
            assert answer.stop_reason is StopReason.CONVERGED
            overlaps.append(float(xi.astype(np.float64) @ answer.state) / 1000)
    return float(np.mean(overlaps))


NETWORKS = pytest.mark.parametrize("networks", [3, pytest.param(20, marks=pytest.mark.long)])


@NETWORKS
@pytest.mark.parametrize(("alpha", "theory"), [(0.05, 0.99999), (0.08, 0.99956), (0.10, 0.99800), (0.12, 0.99322)])
def test_hebb_retrieves_as_amit_gutfreund_and_sompolinsky_computed(alpha: float, theory: float, networks: int) -> None:
    assert retrieval_overlap(round(1000 * alpha), networks) == pytest.approx(theory, abs=0.004)


@NETWORKS
def test_far_above_its_capacity_hebb_retrieves_nothing(networks: int) -> None:
    assert retrieval_overlap(200, networks) < 0.5


RULES = (Rule.HEBBIAN, Rule.STORKEY, Rule.PSEUDO_INVERSE, Rule.PERCEPTRON)


def exactly_recalled(rule: Rule, count: int, networks: int) -> float:
    """The fraction of patterns of 200 neurons that are recalled exactly with 20 % of the neurons inverted."""
    random = np.random.default_rng(count)
    exact = []
    for _ in range(networks):
        patterns = random_signs(random, count, 200)
        network = memory(rule, patterns)
        for k, xi in enumerate(patterns):
            noisy = flipped(xi, random.choice(200, 40, replace=False))
            answer = recall(network, noisy, seed=k)
            exact.append(answer.match is Match.PATTERN and answer.nearest == k)
    return float(np.mean(exact))


@pytest.mark.parametrize("networks", [4, pytest.param(40, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (20, (0.88, 1.0, 1.0, 1.0)),
        (28, (0.41, 1.0, 1.0, 1.0)),
        (40, (0.0, 0.96, 1.0, 0.98)),
        (60, (0.0, 0.48, 0.80, 0.73)),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_fifth_of_the_neurons_wrong_each_rule_recalls_what_it_is_known_to(
    count: int, expected: tuple[float, ...], networks: int
) -> None:
    assert [exactly_recalled(rule, count, networks) for rule in RULES] == pytest.approx(expected, abs=0.1)
