"""Sheets as callers of either client meet them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from tests.client.asking import creation
from tests.core.grid_score import grid_score

from hopfield_client import (
    AlreadyExists,
    ClientClosed,
    FailedPrecondition,
    HopfieldClient,
    InvalidArgument,
    Ring,
    Sheet,
    SheetMemory,
)
from hopfield_client._client_calls import ClientCalls

SIDE = 64


@pytest.fixture
def sheet(client: HopfieldClient, name: str) -> SheetMemory:
    """A sheet of 64 x 64 neurons."""
    return client.create_memory(name, model=Sheet())


def test_a_sheet_is_a_memory_among_others(client: HopfieldClient, sheet: SheetMemory, name: str) -> None:
    info = sheet.info()
    assert (info.name, info.family, info.neurons, info.model) == (
        name,
        "sheet",
        SIDE**2,
        Sheet(side=SIDE, bump_rows=6, tau=0.01),
    )
    assert client.create_memory(name, model=Sheet(), exist_ok=True).info().uid == info.uid
    for other in (Sheet(tau=0.02), Ring()):
        with pytest.raises(AlreadyExists):
            client.create_memory(name, model=other, exist_ok=True)
    assert [one.model for one in client.list_memories(name)] == [Sheet()]
    client.delete_memory(name)
    assert not list(client.list_memories(name))


def test_an_update_makes_another_sheet(sheet: SheetMemory) -> None:
    assert sheet.update(Sheet(tau=0.05), expected_revision=0).model == Sheet(tau=0.05)
    assert sheet.info().revision == 1
    with pytest.raises(InvalidArgument, match="side: cannot be changed"):
        sheet.update(replace(Sheet(), side=66))
    with pytest.raises(InvalidArgument, match=r"^model: family must be sheet, as memory"):
        sheet.update(Ring())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "model", [Sheet(side=63), Sheet(side=200), Sheet(bump_rows=5), Sheet(bump_rows=8), Sheet(tau=0)]
)
def test_a_sheet_that_cannot_be_is_refused(client: HopfieldClient, name: str, model: Sheet) -> None:
    with pytest.raises(InvalidArgument) as caught:
        client.create_memory(name, model=model)
    assert caught.value.field in {"side", "bump_rows", "tau"}


def test_a_sheet_keeps_no_heading_and_a_ring_no_position(client: HopfieldClient, sheet: SheetMemory, name: str) -> None:
    with pytest.raises(FailedPrecondition, match="family sheet and keeps no heading"):
        client.ring(sheet.name).recall(np.ones(SIDE**2))
    with pytest.raises(FailedPrecondition, match="holds no patterns"):
        client.memory(sheet.name).recall(np.ones(SIDE**2, np.bool_))
    client.create_memory(f"{name}-ring", model=Ring())
    with pytest.raises(FailedPrecondition, match="family ring and keeps no position"):
        client.sheet(f"{name}-ring").recall(np.ones(64))
    with pytest.raises(FailedPrecondition, match="keeps no position"), client.sheet(f"{name}-ring").track():
        pass


def test_noise_settles_to_hexagons(sheet: SheetMemory) -> None:
    answer = sheet.recall(np.random.default_rng(0).uniform(0, 1, (SIDE, SIDE)), timeout=60)
    assert answer.converged
    assert answer.rates.shape == (SIDE, SIDE)
    assert answer.rates.dtype == np.float32
    assert grid_score(answer.rates.astype(np.float64)) > 1
    assert np.all((answer.phase >= 0) & (answer.phase < 1))
    lengths = np.hypot(*answer.lattice.T)
    assert np.all((lengths > 10) & (lengths < 14))
    assert "SheetRecall(phase=(" in repr(answer)
    # A move by whole vectors changes nothing; both vectors and their sum are as long as each other, nearly.
    assert np.hypot(*(answer.lattice[0] + answer.lattice[1])) == pytest.approx(lengths[0], rel=0.06)


def test_a_track_moves(sheet: SheetMemory) -> None:
    with sheet.track((0.25, 0.5), timeout=60) as track:
        start = track.phase
        np.testing.assert_allclose(start, (0.25, 0.5), atol=0.02)
        moved = track.move((0.5, 0.0), seconds=0.1)
        np.testing.assert_array_equal(moved, track.phase)
        change = ((moved - start + 0.5) % 1 - 0.5) @ track.lattice
        # 60 neurons a second at a velocity of 1.
        np.testing.assert_allclose(change, (3, 0), atol=0.6)
        assert track.rates is None
        np.testing.assert_array_equal(track.move((0.5, 0.5), 0), moved)


def test_many_moves_in_one_call_are_those_moves_one_after_the_other(sheet: SheetMemory) -> None:
    velocities, seconds = np.array([(0.5, 0.0), (0.0, -0.5), (0.3, 0.3)]), [0.01, 0.02, 0.03]
    with sheet.track(include_rates=True, timeout=60) as track:
        phases = track.move(velocities, seconds)
        assert phases.shape == (3, 2)
        np.testing.assert_array_equal(track.phase, phases[-1])
        rates = track.rates
        assert rates is not None
        assert rates.shape == (3, SIDE, SIDE)
    with sheet.track(include_rates=True, timeout=60) as track:
        for k in range(3):
            np.testing.assert_array_equal(track.move(velocities[k], seconds[k]), phases[k])
            np.testing.assert_array_equal(track.rates, rates[k])
        assert track.move((0.1, 0.1), [0.01, 0.01]).shape == (2, 2)
        assert track.move(np.empty((0, 2)), 1.0).shape == (0, 2)


def test_rates_of_more_moves_than_one_answer_holds_come_in_several(sheet: SheetMemory) -> None:
    with sheet.track(include_rates=True, timeout=60) as track:
        phases = track.move((0.0, 0.0), np.zeros(600))
        assert track.rates is not None
        assert (phases.shape, track.rates.shape) == ((600, 2), (600, SIDE, SIDE))


def test_a_wrong_move_among_many_is_refused_by_its_number(sheet: SheetMemory) -> None:
    with sheet.track(timeout=60) as track:
        for velocities, seconds, said in (
            ([(0.0, 0.0), (np.inf, 0.0)], 1, r"velocity\[1, 0\] is inf; it must be finite"),
            (np.zeros((2, 3)), 1, "velocity is array"),
            (np.zeros((2, 2)), [1, 1, 1], r"seconds has the shape \(3,\), for moves of the shape \(2,\) in velocity"),
        ):
            with pytest.raises(InvalidArgument, match=f"^{said}"):
                track.move(velocities, seconds)
        with pytest.raises(InvalidArgument, match=r"^velocity\[1\]: must be at most 1 fast"):
            track.move([(0.1, 0.1), (0.8, 0.8)], 0.001)


def test_a_track_begins_at_rates_and_tells_rates(sheet: SheetMemory) -> None:
    with sheet.track(include_rates=True, timeout=60) as track:
        rates, phase = track.rates, track.phase
    assert rates is not None
    assert rates.shape == (SIDE, SIDE)
    moved = np.roll(rates, (2, 4), (0, 1))
    with sheet.track(moved, include_rates=True) as track:
        assert track.rates is not None
        np.testing.assert_array_equal(track.rates, moved)
        change = ((track.phase - phase + 0.5) % 1 - 0.5) @ track.lattice
        np.testing.assert_allclose(change, (2, 4), atol=1e-3)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (0.5, "start is 0.5; it must be a phase, two numbers, or rates"),
        (np.ones(3), "start: neurons must be 4096"),
        (np.full((SIDE, SIDE), -1.0), "start: must be 0 to 1000; neuron 0 has -1"),
    ],
    ids=["a number", "too few rates", "negative rates"],
)
def test_a_start_that_cannot_be_is_refused(sheet: SheetMemory, start: ArrayLike, said: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{said}") as refused, sheet.track(start):
        pass
    assert refused.value.field == "start"


def test_a_sheet_says_its_number_of_neurons_itself(calls: ClientCalls) -> None:
    with pytest.raises(InvalidArgument, match=r"give it as Sheet\(side=\.\.\.\)$"):
        creation(calls, 4096, model=Sheet())


def test_moves_that_the_lattice_would_not_follow_are_refused(sheet: SheetMemory) -> None:
    with sheet.track(timeout=60) as track:
        for velocity in ((1.0,), (1.0, 2.0, 3.0), (np.nan, 0.0), "north"):
            with pytest.raises(InvalidArgument, match="velocity"):
                track.move(velocity, 1)
        with pytest.raises(InvalidArgument, match="velocity: must be at most 1 fast"):
            track.move((0.8, 0.8), 1)
    with pytest.raises(ClientClosed):
        track.move((0, 0), 1)
