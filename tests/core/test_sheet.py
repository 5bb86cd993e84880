"""The sheet attractor of Burak and Fiete (2009): a lattice of bumps that forms, stays, and flows as told."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.core.grid_score import grid_score

from hopfield_service.core.interruption import Interrupted, never
from hopfield_service.core.network import Configure, InvalidParameter, StoredPatterns
from hopfield_service.core.sheet import SheetNetwork, SheetSpec

SIDE = 64
SHEET = SheetSpec().empty()

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def resting() -> Floats:
    """The activity at phase (0, 0)."""
    return SHEET.activity_at((0.0, 0.0), never)


def flow(sheet: SheetNetwork, activity: Floats, velocities: list[tuple[float, float]], seconds: float) -> Floats:
    """Where the pattern has moved after each velocity, in neurons: (count + 1, 2), from (0, 0)."""
    phases = [sheet.position(activity)]
    for velocity in velocities:
        activity = sheet.moved(activity, velocity, seconds, never)
        phases.append(sheet.position(activity))
    unwrapped = np.unwrap(np.array(phases), axis=0, period=1)
    moved: Floats = (unwrapped - unwrapped[0]) @ np.array(sheet.lattice(activity))
    return moved


def one_step(state: Floats, narrow: Floats, wide: Floats, velocity: tuple[float, float], step: float) -> Floats:
    """A step of Euler's formula as the paper writes it, with numpy's Fourier transform."""
    distances = np.minimum(np.arange(SIDE), SIDE - np.arange(SIDE))
    kernel = np.outer(narrow[distances], narrow[distances]) - np.outer(wide[distances], wide[distances])
    rows, columns = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    drive, external = np.zeros((SIDE, SIDE)), np.ones((SIDE, SIDE))
    for row, column, direction in ((0, 0, (1, 0)), (0, 1, (0, 1)), (1, 0, (0, -1)), (1, 1, (-1, 0))):
        preferring = (rows % 2 == row) & (columns % 2 == column)
        shifted = np.roll(state * preferring, (2 * direction[0], 2 * direction[1]), (0, 1))
        drive += np.fft.ifft2(np.fft.fft2(shifted) * np.fft.fft2(kernel)).real
        external += 0.10315 * preferring * np.dot(direction, velocity)
    result: Floats = state + step * (np.maximum(drive + external, 0) - state)
    return result


# What it is made of


def test_a_step_is_that_of_the_paper() -> None:
    arrays = {name: array.values for name, array in SHEET.arrays().items()}
    state = np.random.default_rng(0).uniform(0, 1, (SIDE, SIDE))
    velocity = (0.3, -0.7)
    expected = one_step(state, arrays["narrow"], arrays["wide"], velocity, 0.05)
    moved = SHEET.moved(state.ravel(), velocity, 0.05 * 0.01, never)
    np.testing.assert_allclose(moved.reshape(SIDE, SIDE), expected, atol=1e-12)


@pytest.mark.parametrize(
    "spec", [SheetSpec(), SheetSpec(side=66), SheetSpec(side=86, bump_rows=8), SheetSpec(side=128, bump_rows=8)]
)
def test_its_waves_grow_twofold_and_about_as_much_as_any(spec: SheetSpec) -> None:
    narrow, wide = (array.values for array in spec.empty().arrays().values())
    n = spec.side
    distances = np.minimum(np.arange(n), n - np.arange(n))
    of_narrow, of_wide = (np.fft.fft(curve[distances]).real for curve in (narrow, wide))
    k = np.cos(2 * np.pi * np.arange(n) * 2 / n)
    growth = (np.outer(of_narrow, of_narrow) - np.outer(of_wide, of_wide)) * (k[:, np.newaxis] + k) / 2
    of_waves = [growth[int(x), int(y)] for x, y in spec.waves.tolist()]
    assert np.mean(of_waves) == pytest.approx(2)
    assert growth.max() < 1.05 * min(of_waves)
    # The two curves differ by the factor of the paper.
    assert np.log(narrow[3] / narrow[0]) / np.log(wide[3] / wide[0]) == pytest.approx(1.05)


# A lattice


def test_the_lattice_is_hexagonal(resting: Floats) -> None:
    assert grid_score(resting.reshape(SIDE, SIDE)) > 1
    assert 0.3 < np.mean(resting > 0) < 0.5


def test_a_grid_score_tells_squares_and_noise_from_hexagons() -> None:
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    squares = np.cos(2 * np.pi * 5 * x / SIDE) + np.cos(2 * np.pi * 5 * y / SIDE)
    assert grid_score(squares) < 0
    assert grid_score(np.random.default_rng(0).normal(size=(SIDE, SIDE))) < 0.5


def test_noise_settles_to_hexagons() -> None:
    settled = SHEET.settle(np.random.default_rng(0).uniform(0, 1, SIDE**2), 5.0, never)
    assert settled.converged
    assert settled.energy is None
    assert grid_score(settled.rates.reshape(SIDE, SIDE)) > 1
    # It is the same where it is moved by a vector of its lattice.
    vector = np.array(settled.lattice[0])
    spacing = math.hypot(*vector)
    assert spacing == pytest.approx(SIDE / 5.89 * 2 / math.sqrt(3), rel=0.03)


def test_a_noisy_lattice_settles_to_where_it_was(resting: Floats) -> None:
    noisy = np.clip(resting + np.random.default_rng(1).normal(0, 0.1, resting.shape), 0, None)
    settled = SHEET.settle(noisy, 5.0, never)
    apart = np.array(settled.position) - SHEET.position(resting)
    assert np.abs((apart + 0.5) % 1 - 0.5).max() < 0.02


def test_a_lattice_is_put_at_a_phase() -> None:
    for phase in ((0.3, 0.7), (1.25, -0.5)):
        found = np.array(SHEET.position(SHEET.activity_at(phase, never)))
        assert np.all((found >= 0) & (found < 1))
        assert np.abs((found - phase + 0.5) % 1 - 0.5).max() < 0.01


def test_rates_moved_by_whole_blocks_settle_to_what_is_moved_bit_for_bit() -> None:
    rates = np.random.default_rng(2).uniform(0, 1, (SIDE, SIDE))
    here = SHEET.settle(rates.ravel(), 0.1, never).rates.reshape(SIDE, SIDE)
    there = SHEET.settle(np.roll(rates, (6, -10), (0, 1)).ravel(), 0.1, never).rates.reshape(SIDE, SIDE)
    np.testing.assert_array_equal(np.roll(here, (6, -10), (0, 1)), there)


def test_the_phase_of_what_is_moved_by_neurons_is_moved_by_as_many(resting: Floats) -> None:
    moved = np.roll(resting.reshape(SIDE, SIDE), (3, 2), (0, 1)).ravel()
    change = np.array(SHEET.position(moved)) - SHEET.position(resting)
    assert np.round(((change + 0.5) % 1 - 0.5) @ np.array(SHEET.lattice(resting)), 6).tolist() == [3, 2]


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_the_phase_is_told_along_whichever_lattice_has_formed(seed: int) -> None:
    settled = SHEET.settle(np.random.default_rng(seed).uniform(0, 1, SIDE**2), 2.0, never)
    moved = np.roll(settled.rates.reshape(SIDE, SIDE), (2, 1), (0, 1)).ravel()
    change = np.array(SHEET.position(moved)) - settled.position
    assert np.round(((change + 0.5) % 1 - 0.5) @ np.array(settled.lattice), 6).tolist() == [2, 1]
    path = flow(SHEET, settled.rates, [(0.5, 0.3)] * 4, 0.05)
    np.testing.assert_allclose((path[-1] - path[1]) / 0.15, (30.4, 18.2), atol=2)


# Flow


@pytest.mark.parametrize("degrees", range(0, 360, 45))
def test_the_flow_is_proportional_to_speed(resting: Floats, degrees: int) -> None:
    direction = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
    speeds = np.array([0.1, 0.25, 0.5, 0.75, 1.0])
    flows = []
    for speed in speeds:
        x, y = (speed * direction).tolist()
        path = flow(SHEET, resting, [(x, y)] * 5, 0.03)
        flows.append((path[-1] - path[2]) / 0.09)
    along = np.array(flows) @ direction
    across = np.array(flows) @ np.array([-direction[1], direction[0]])
    slope = (speeds @ along) / (speeds @ speeds)
    residual = 1 - np.sum((along - slope * speeds) ** 2) / np.sum((along - along.mean()) ** 2)
    assert residual > 0.98
    assert slope == pytest.approx(61, rel=0.03)
    assert np.abs(across).max() < 0.02 * slope


def test_there_and_back_is_where_it_was(resting: Floats) -> None:
    path = flow(SHEET, resting, [(0.5, 0.2)] * 5 + [(-0.5, -0.2)] * 5, 0.05)
    assert np.hypot(*path[5]) > 7
    assert np.hypot(*path[-1]) < 0.5


def test_twice_the_tau_is_half_the_flow(resting: Floats) -> None:
    slow = replace(SHEET.spec, tau=0.02).empty()
    here, there = (flow(sheet, resting, [(0.5, 0.0)] * 4, 0.04) for sheet in (SHEET, slow))
    # Without the first move, in which it only begins to flow.
    assert (there[4] - there[2])[0] == pytest.approx((here[4] - here[2])[0] / 2, rel=0.02)


@pytest.mark.long
def test_a_random_walk_of_a_minute_drifts_by_less_than_a_bump() -> None:
    rng = np.random.default_rng(0)
    velocities = np.zeros((1200, 2))
    for k in range(1, len(velocities)):
        velocity = 0.95 * velocities[k - 1] + rng.normal(0, 0.1, 2)
        velocities[k] = velocity * min(1, 0.8 / np.hypot(*velocity))
    walked = np.concatenate([np.zeros((1, 2)), np.cumsum(velocities * 0.05, axis=0)])
    activity = SHEET.activity_at((0.0, 0.0), never)
    moved = flow(SHEET, activity, [(x, y) for x, y in velocities.tolist()], 0.05)
    gain = np.sum(moved * walked) / np.sum(walked**2)
    print(
        f"gain {gain:.2f} neurons, drift {np.hypot(*(moved - gain * walked).T).max():.2f} of {np.hypot(*moved.T).max():.0f}"
    )
    assert np.hypot(*(moved - gain * walked).T).max() < 5


# As a network


def test_a_snapshot_and_the_spec_give_the_same_network() -> None:
    restored = SHEET.spec.restored(
        StoredPatterns.none(512), {name: array.values for name, array in SHEET.arrays().items()}
    )
    again = SHEET.spec.relearnt(StoredPatterns.none(512), {}, never)
    rates = np.random.default_rng(3).uniform(0, 1, SIDE**2)
    for other in (restored, again):
        assert isinstance(other, SheetNetwork)
        np.testing.assert_array_equal(SHEET.settle(rates, 0.05, never).rates, other.settle(rates, 0.05, never).rates)


def test_another_spec_makes_another_sheet() -> None:
    changed = SHEET.apply(Configure(SheetSpec(tau=0.5)), never)
    assert changed.spec == SheetSpec(tau=0.5)
    assert changed.cost(Configure(changed.spec)) >= 32


def test_a_spec_survives_being_written() -> None:
    spec = SheetSpec(side=100, bump_rows=8, tau=0.3)
    assert SheetSpec.from_parameters(spec.parameters()) == spec
    assert spec.neurons == 10_000


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({"side": 58}, "side"),
        ({"side": 65}, "side"),
        ({"side": 130}, "side"),
        ({"bump_rows": 7}, "bump_rows"),
        ({"side": 78, "bump_rows": 8}, "bump_rows"),
        ({"tau": 0.0}, "tau"),
        ({"tau": math.nan}, "tau"),
    ],
)
def test_parameters_have_their_ranges(parameters: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        SheetSpec(**parameters)
    assert caught.value.parameter == wrong


def test_the_side_cannot_be_changed() -> None:
    assert SheetSpec().changed({"side": 64, "tau": 0.5}) == SheetSpec(tau=0.5)
    with pytest.raises(InvalidParameter, match="cannot be changed"):
        SheetSpec().changed({"side": 66})


def test_work_that_nobody_waits_for_stops(resting: Floats) -> None:
    with pytest.raises(Interrupted):
        SHEET.moved(resting, (0.1, 0.1), 600.0, iter([False, True]).__next__)


@pytest.mark.parametrize("rates", [0.0, 1.0])
def test_where_there_is_no_lattice_there_is_no_phase(rates: float) -> None:
    assert np.isnan(SHEET.position(np.full(SHEET.spec.neurons, rates))).all()
