"""The ring attractor of Zhang (1996): one bump, anywhere, that stays, and turns as told."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interrupted, never
from hopfield_service.core.network import Configure, Forget, InvalidParameter, StoredPatterns
from hopfield_service.core.ring import RingNetwork, RingSpec

N = 64
RING = RingSpec().empty()
HEADINGS = 2 * np.pi * np.arange(N) / N

Floats = NDArray[np.float64]


def sigma(u: Floats) -> Floats:
    rates: Floats = 6.34 * np.logaddexp(0, 10 * (u + 0.5)) ** 0.8
    return rates


def inverse_of_sigma(f: Floats) -> Floats:
    potentials: Floats = np.log(np.expm1((f / 6.34) ** 1.25)) / 10 - 0.5
    return potentials


def tuning(concentration: float = 8.0) -> Floats:
    curve: Floats = 1 + 39 * np.exp(concentration * (np.cos(HEADINGS) - 1))
    return curve


def expected_weights() -> tuple[Floats, Floats]:
    """By numpy's Fourier transform, from the formulas of the paper."""
    f, u = np.fft.fft(tuning()).real / N, np.fft.fft(inverse_of_sigma(tuning())).real / N
    w = u * f / (1e-3 * np.max(f**2) + f**2)
    derivative = 1j * np.fft.fftfreq(N, 1 / N) * w
    derivative[N // 2] = 0
    return np.fft.ifft(w).real, np.fft.ifft(derivative).real


def random_rates(seed: int) -> Floats:
    return np.random.default_rng(seed).uniform(1, 20, N)


def difference(degrees: float, other: float) -> float:
    """The way from one heading to another, -180 to 180."""
    return (degrees - other + 180) % 360 - 180


def centred(rates: Floats, heading: float) -> Floats:
    """The rates turned so that their heading is 0, between the neurons by Fourier interpolation."""
    frequencies = np.fft.fftfreq(N, 1 / N)
    turned = np.fft.fft(rates) * np.exp(1j * frequencies * math.radians(heading))
    return np.fft.ifft(turned).real


# What it is made of


def test_weights_are_those_of_the_paper() -> None:
    arrays = RING.arrays()
    weights, turning = expected_weights()
    np.testing.assert_allclose(arrays["weights"].values, weights, atol=1e-14)
    np.testing.assert_allclose(arrays["turning"].values, turning, atol=1e-13)


def test_weights_are_symmetric_bit_for_bit() -> None:
    weights = RING.arrays()["weights"].values
    np.testing.assert_array_equal(weights[1:], weights[:0:-1])


@given(st.floats(0.001, 500))
def test_the_rate_of_a_potential_of_a_rate_is_that_rate(rate: float) -> None:
    rates = np.full(N, rate)
    activity = RING.activity_of(rates)
    np.testing.assert_allclose(RING.rates(activity), rates, rtol=1e-9)
    np.testing.assert_allclose(RING.rates(activity), sigma(activity), rtol=1e-12)


def test_a_rate_of_zero_is_taken_for_the_lowest_there_is() -> None:
    np.testing.assert_array_equal(RING.activity_of(np.zeros(N)), RING.activity_of(np.full(N, 1e-3)))


# A bump


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_random_rates_settle_to_one_bump_of_one_shape(first: int) -> None:
    expected = RING.rates(RING.activity_at((0.0,), never))
    for seed in range(first, first + 10):
        settled = RING.settle(random_rates(seed), 10.0, never)
        assert settled.converged
        rises = np.count_nonzero((settled.rates > 20) & (np.roll(settled.rates, 1) <= 20))
        assert rises == 1
        np.testing.assert_allclose(centred(settled.rates, settled.position[0]), expected, atol=0.01)


def test_the_heading_is_the_angle_of_the_population_vector() -> None:
    settled = RING.settle(random_rates(3), 10.0, never)
    vector = np.sum(settled.rates * np.exp(1j * HEADINGS))
    assert settled.position[0] == pytest.approx(np.degrees(np.angle(vector)) % 360)
    assert 0 <= settled.position[0] < 360


def test_energy_never_rises_and_is_that_of_cohen_and_grossberg() -> None:
    rates = random_rates(7)
    energies = [RING.settle(rates, tau * 0.01, never).energy for tau in range(1, 60)]
    assert all(isinstance(energy, float) for energy in energies)
    assert np.diff(np.array(energies, float)).max() < 1e-6
    settled = RING.settle(rates, 10.0, never)
    for of, found in ((rates, settled.initial_energy), (settled.rates, settled.energy)):
        weights = RING.arrays()["weights"].values
        drive = np.array([np.sum(weights * np.roll(of[::-1], i + 1)) for i in range(N)])
        integral = 0.0
        for f in of:
            x = np.linspace(0, 1, 20001)[1:] ** 2 * f
            y = inverse_of_sigma(x)
            integral += float(np.sum((y[1:] + y[:-1]) / 2 * np.diff(x)))
        assert found == pytest.approx(-0.5 * of @ drive + integral, rel=1e-4)


@pytest.mark.parametrize("places", [1, 17, 63])
def test_rates_that_are_shifted_settle_to_what_is_shifted_bit_for_bit(places: int) -> None:
    rates = random_rates(11)
    here, there = RING.settle(rates, 10.0, never), RING.settle(np.roll(rates, places), 10.0, never)
    np.testing.assert_array_equal(np.roll(here.rates, places), there.rates)
    assert abs(difference(there.position[0], here.position[0] + 360 * places / N)) < 1e-9


def test_a_bump_stays_where_it_was_put() -> None:
    for heading in (0.0, 1.7, 123.4):
        activity = RING.activity_at((heading,), never)
        assert abs(difference(RING.position(activity)[0], heading)) < 0.01
        later = RING.moved(activity, (0.0,), 60.0, never)
        assert abs(difference(RING.position(later)[0], RING.position(activity)[0])) < 0.1


def test_too_little_time_is_an_answer() -> None:
    settled = RING.settle(random_rates(1), 0.05, never)
    assert not settled.converged
    assert settled.time == pytest.approx(0.05)


# Turning


def turned(ring: RingNetwork, gamma: float, seconds: float) -> float:
    """By how much, in radians, a bump that has begun to turn goes on turning."""
    velocity = (math.degrees(-gamma / ring.spec.tau),)
    before = ring.moved(ring.activity_at((10.0,), never), velocity, 10 * ring.spec.tau, never)
    after = ring.moved(before, velocity, seconds, never)
    return math.radians(difference(ring.position(after)[0], ring.position(before)[0]))


@pytest.mark.parametrize("gamma", [0.01, 0.063, 0.2, -0.2, 0.5])
def test_it_turns_at_minus_gamma_by_tau(gamma: float) -> None:
    assert turned(RING, gamma, 0.05) == pytest.approx(-gamma / 0.01 * 0.05, rel=1e-3)


@pytest.mark.parametrize("neurons", [52, 64, 100])
@pytest.mark.parametrize("concentration", [2.0, 5.0, 9.0])
def test_it_turns_so_at_any_spec(neurons: int, concentration: float) -> None:
    ring = RingSpec(neurons, 0.02, concentration).empty()
    assert turned(ring, 0.3, 0.05) == pytest.approx(-0.3 / 0.02 * 0.05, rel=2e-3)


def test_twice_the_tau_at_the_same_gamma_is_half_the_speed() -> None:
    slow = RingSpec(tau=0.02).empty()
    assert turned(slow, 0.2, 0.1) == pytest.approx(turned(RING, 0.2, 0.1) / 2, rel=1e-4)


def test_turning_leaves_the_shape() -> None:
    activity = RING.activity_at((0.0,), never)
    after = RING.moved(activity, (500.0,), 1.0, never)
    shape = centred(RING.rates(activity), RING.position(activity)[0])
    np.testing.assert_allclose(centred(RING.rates(after), RING.position(after)[0]), shape, atol=0.1)


def test_there_and_back_is_where_it_was() -> None:
    activity = RING.activity_at((200.0,), never)
    away = RING.moved(activity, (90.0,), 1.0, never)
    back = RING.moved(away, (-90.0,), 1.0, never)
    assert difference(RING.position(away)[0], 200) == pytest.approx(90, abs=0.1)
    assert difference(RING.position(back)[0], 200) == pytest.approx(0, abs=0.1)


def test_no_time_is_no_move_and_moves_leave_what_they_began_at() -> None:
    activity = RING.activity_at((40.0,), never)
    kept = activity.copy()
    np.testing.assert_array_equal(RING.moved(activity, (90.0,), 0.0, never), activity)
    RING.moved(activity, (90.0,), 0.1, never)
    np.testing.assert_array_equal(activity, kept)


# As a network


@settings(max_examples=10)
@given(st.integers(52, 128), st.floats(2, 9))
def test_a_snapshot_and_the_spec_give_the_same_network(neurons: int, concentration: float) -> None:
    spec = RingSpec(neurons, concentration=concentration)
    made = spec.empty()
    restored = spec.restored(StoredPatterns.none(8), {name: array.values for name, array in made.arrays().items()})
    again = spec.relearnt(StoredPatterns.none(8), {}, never)
    rates = np.random.default_rng(0).uniform(1, 20, neurons)
    for other in (restored, again):
        assert isinstance(other, RingNetwork)
        np.testing.assert_array_equal(made.settle(rates, 0.2, never).rates, other.settle(rates, 0.2, never).rates)


def test_another_spec_makes_another_ring() -> None:
    changed = RING.apply(Configure(replace(RING.spec, concentration=4.0)), never)
    expected = RingSpec(concentration=4.0).empty().arrays()["weights"].values
    np.testing.assert_array_equal(changed.arrays()["weights"].values, expected)
    assert changed.cost(Configure(changed.spec)) >= 32


def test_it_takes_no_other_operation() -> None:
    with pytest.raises(TypeError, match="does not take"):
        RING.apply(Forget(("a",)), never)


def test_a_spec_survives_being_written() -> None:
    spec = RingSpec(neurons=54, tau=0.1, concentration=3.3)
    assert RingSpec.from_parameters(spec.parameters()) == spec


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("neurons", 31),
        ("neurons", 1025),
        ("tau", 0.0),
        ("tau", math.nan),
        ("concentration", 9.5),
        ("concentration", math.inf),
    ],
)
def test_parameters_have_their_ranges(parameter: str, value: Any) -> None:
    with pytest.raises(InvalidParameter) as caught:
        RingSpec(**{parameter: value})
    assert caught.value.parameter == parameter


def test_neurons_cannot_be_changed() -> None:
    assert RingSpec().changed({"neurons": 64, "tau": 0.5}) == RingSpec(tau=0.5)
    with pytest.raises(InvalidParameter, match="cannot be changed"):
        RingSpec().changed({"neurons": 65})


def test_work_that_nobody_waits_for_stops() -> None:
    with pytest.raises(Interrupted):
        RING.settle(random_rates(0), 10.0, lambda: True)
    with pytest.raises(Interrupted):
        RING.moved(RING.activity_at((0.0,), never), (90.0,), 600.0, iter([False, True]).__next__)


@pytest.mark.parametrize("neurons", [52, 57, 64, 90])
@pytest.mark.parametrize("concentration", [2.0, 8.0, 9.0])
def test_whatever_the_spec_the_bump_stays_where_it_is_put(neurons: int, concentration: float) -> None:
    ring = RingSpec(neurons, concentration=concentration).empty()
    here = 0.3 * 360 / neurons
    activity = ring.activity_at((here,), never)
    assert abs(difference(ring.position(activity)[0], here)) < 0.1
    assert abs(difference(ring.position(ring.moved(activity, (0.0,), 60.0, never))[0], here)) < 0.12


@pytest.mark.parametrize("concentration", [2.0, 9.0])
def test_whatever_the_spec_there_is_a_bump_in_the_end(concentration: float) -> None:
    ring = RingSpec(concentration=concentration).empty()
    random = np.random.default_rng(12)
    for _ in range(20):
        rates = ring.settle(random.uniform(1, 20, N), 10.0, never).rates
        assert np.ptp(rates) > 10


@pytest.mark.parametrize("rates", [np.zeros(N), np.full(N, 7.0)])
def test_where_there_is_no_bump_there_is_no_heading(rates: NDArray[np.float64]) -> None:
    settled = RING.settle(rates, 1.0, never)
    assert np.ptp(settled.rates) < 1e-6
    assert math.isnan(settled.position[0])
