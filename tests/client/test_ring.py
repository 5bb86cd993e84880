"""Rings as callers of either client meet them."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.client.conftest import Connect
from tests.processes import StartService

from hopfield_client import (
    AlreadyExists,
    ClientClosed,
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    HopfieldClient,
    InvalidArgument,
    NotFound,
    RetryConfig,
    Ring,
    RingMemory,
    Unavailable,
)

N = 64


@pytest.fixture
def ring(client: HopfieldClient, name: str) -> RingMemory:
    """A ring of 64 neurons."""
    return client.create_memory(name, model=Ring())


def bump(heading: float) -> NDArray[np.float64]:
    """Rates around a heading."""
    angles = np.radians(360 * np.arange(N) / N - heading)
    rates: NDArray[np.float64] = 1 + 39 * np.exp(8 * (np.cos(angles) - 1))
    return rates


def apart(heading: float, other: float) -> float:
    return abs((heading - other + 180) % 360 - 180)


# Life


def test_a_ring_is_a_memory_among_others(client: HopfieldClient, ring: RingMemory, name: str) -> None:
    info = ring.info()
    assert (info.name, info.family, info.neurons, info.model) == (
        name,
        "ring",
        64,
        Ring(neurons=64, tau=0.01, concentration=8.0),
    )
    assert (info.rule, info.coding, info.capacity, info.pattern_count, info.revision) == (None, "real", None, 0, 0)
    assert [other.model for other in client.list_memories(name)] == [info.model]
    client.delete_memory(name)
    with pytest.raises(NotFound):
        ring.recall(bump(0))


def test_a_memory_of_patterns_has_no_model(client: HopfieldClient, name: str) -> None:
    info = client.create_memory(name, 8).info()
    assert (info.family, info.model) == ("pairwise", None)


def test_the_same_ring_may_exist_and_another_may_not(client: HopfieldClient, ring: RingMemory, name: str) -> None:
    assert client.create_memory(name, model=Ring(), exist_ok=True).info().uid == ring.info().uid
    for model in (Ring(tau=0.02), Ring(concentration=7)):
        with pytest.raises(AlreadyExists):
            client.create_memory(name, model=model, exist_ok=True)


def test_an_update_makes_another_ring(client: HopfieldClient, ring: RingMemory, name: str) -> None:
    model = ring.info().model
    assert isinstance(model, Ring)
    wider = replace(model, concentration=4.0)
    settled = ring.recall(bump(90))
    assert ring.update(wider, expected_revision=0).revision == 1
    assert ring.info().model == client.ring(name).info().model == wider
    after = ring.recall(bump(90))
    assert after.revision == 1
    assert np.count_nonzero(after.rates > 10) > np.count_nonzero(settled.rates > 10)
    assert ring.update(wider).revision == 1
    with pytest.raises(Conflict):
        ring.update(model, expected_revision=0)
    with pytest.raises(InvalidArgument, match="neurons"):
        ring.update(replace(model, neurons=65))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("neurons", 31), ("tau", 0), ("concentration", float("nan")), ("neurons", 64.5), ("tau", "slow")],
)
def test_a_ring_that_cannot_be_is_refused(client: HopfieldClient, name: str, parameter: str, value: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        client.create_memory(name, model=Ring(**{parameter: value}))
    assert caught.value.field == parameter


def test_what_describes_patterns_is_refused_beside_a_model(client: HopfieldClient, name: str) -> None:
    for arguments in ({"rule": "storkey"}, {"thresholds": np.zeros(64)}, {"shape": (8, 8)}):
        with pytest.raises(InvalidArgument, match=f"{next(iter(arguments))} is given, which a memory of Ring"):
            client.create_memory(name, model=Ring(), **arguments)
    with pytest.raises(
        InvalidArgument, match=r"^neurons is given beside a Ring, .* give it as Ring\(neurons=\.\.\.\)$"
    ):
        client.create_memory(name, 64, model=Ring())  # type: ignore[call-overload]  # what is refused
    with pytest.raises(InvalidArgument, match="neurons must be given"):
        client.create_memory(name)  # type: ignore[call-overload]  # what is refused


def test_a_ring_holds_no_patterns_and_patterns_no_heading(client: HopfieldClient, ring: RingMemory, name: str) -> None:
    memory = client.memory(ring.name)
    pattern = np.ones(N, np.bool_)
    with pytest.raises(FailedPrecondition, match="family ring and holds no patterns") as caught:
        memory.store(pattern[np.newaxis])
    assert caught.value.reason == "WRONG_FAMILY"
    for call in (
        lambda: memory.forget("a"),
        lambda: list(memory.patterns()),
        lambda: memory.recall(pattern),
        lambda: memory.recall_batch([pattern]),
        lambda: memory.nearest(pattern),
        lambda: list(memory.trace(pattern)),
        memory.diagnose,
    ):
        with pytest.raises(FailedPrecondition, match="holds no patterns"):
            call()
    with pytest.raises(FailedPrecondition, match="family ring and has no weights to look at"):
        memory.weights()
    client.create_memory(f"{name}-patterns", 64)
    other = client.ring(f"{name}-patterns")
    with pytest.raises(FailedPrecondition, match="family pairwise and keeps no heading"):
        other.recall(bump(0))
    with pytest.raises(FailedPrecondition, match="keeps no heading"), other.track():
        pass


# Recall


def test_noisy_rates_settle_to_a_bump(ring: RingMemory) -> None:
    noisy = np.clip(bump(100) + np.random.default_rng(0).normal(0, 5, N), 0, None)
    answer = ring.recall(noisy)
    assert answer.converged
    assert apart(answer.heading, 100) < 10
    assert answer.rates.shape == (N,)
    assert answer.rates.dtype == np.float32
    assert 35 < answer.rates.max() < 37
    assert answer.energy < answer.initial_energy
    assert 0 < answer.time < 10
    assert answer.uid == ring.info().uid
    assert "RingRecall(heading=" in repr(answer)


def test_shifted_rates_settle_to_shifted_rates(ring: RingMemory) -> None:
    rates = np.random.default_rng(1).uniform(1, 20, N)
    here, there = ring.recall(rates), ring.recall(np.roll(rates, 5))
    np.testing.assert_array_equal(np.roll(here.rates, 5), there.rates)


def test_a_time_that_is_too_short_is_an_answer(ring: RingMemory) -> None:
    answer = ring.recall(np.random.default_rng(2).uniform(1, 20, N), max_time=0.01)
    assert not answer.converged
    assert answer.time == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        (np.ones(N - 1), "must be 64"),
        (np.full(N, -1.0), "must be 0 to 1000; neuron 0 has -1"),
        (np.full(N, np.nan), "must be finite"),
        ([1, 2, "x"], "rates"),
    ],
)
def test_rates_that_cannot_be_are_refused(ring: RingMemory, rates: NDArray[np.float64], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        ring.recall(rates)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 601.0, float("nan")])
def test_a_time_that_cannot_be_is_refused(ring: RingMemory, seconds: float) -> None:
    with pytest.raises(InvalidArgument, match="max_time"):
        ring.recall(bump(0), max_time=seconds)


# A track


def test_a_track_turns(ring: RingMemory) -> None:
    with ring.track(350) as track:
        assert apart(track.heading, 350) < 0.1
        assert apart(track.turn(90, seconds=1), 80) < 0.2
        assert apart(track.turn(-45.0, seconds=2.0), 350) < 0.2
        assert apart(track.turn(0, 1), 350) < 0.2
        assert track.heading == track.turn(720, 0)
        assert track.rates is None


def test_a_track_begins_at_rates_and_tells_rates(ring: RingMemory) -> None:
    settled = ring.recall(bump(210))
    with ring.track(settled.rates, include_rates=True) as track:
        assert apart(track.heading, settled.heading) < 1e-3
        assert track.rates is not None
        np.testing.assert_allclose(track.rates, settled.rates, rtol=1e-5)
        track.turn(360 / N, seconds=1)
        np.testing.assert_allclose(track.rates, np.roll(settled.rates, 1), atol=0.2)


def test_the_same_turns_lead_to_the_same_bits(ring: RingMemory) -> None:
    def followed() -> list[float]:
        with ring.track(12.5) as track:
            return [track.turn(speed, 0.3) for speed in (100, -20, 300, 7)]

    assert followed() == followed()


def test_many_turns_in_one_call_are_those_turns_one_after_the_other(ring: RingMemory) -> None:
    speeds, seconds = [100.0, -20.0, 300.0, 7.0], [0.3, 0.1, 0.0, 0.2]
    with ring.track(12.5, include_rates=True) as track:
        headings = track.turn(speeds, seconds)
        assert (headings.shape, track.heading) == ((4,), headings[-1])
        rates = track.rates
    assert rates is not None
    with ring.track(12.5, include_rates=True) as track:
        for speed, time, heading, fired in zip(speeds, seconds, headings, rates, strict=True):
            assert track.turn(speed, time) == heading
            np.testing.assert_array_equal(track.rates, fired)


def test_a_velocity_or_a_time_may_be_the_same_for_all_turns(ring: RingMemory) -> None:
    with ring.track() as track:
        swept = track.turn(90, np.full(4, 0.5))
        np.testing.assert_allclose(swept, [45, 90, 135, 180], atol=0.2)
        np.testing.assert_allclose(track.turn(np.array([90, -90]), 0.5), [225, 180], atol=0.2)
        assert track.turn([], 1.0).shape == (0,)


def test_turns_go_in_as_many_messages_as_they_take(ring: RingMemory) -> None:
    speeds = np.linspace(-50, 50, 2500)
    with ring.track() as track:
        in_one_call = track.turn(speeds, 0.01)
    with ring.track() as track:
        in_parts = np.concatenate([track.turn(part, 0.01) for part in np.split(speeds, 5)])
        np.testing.assert_array_equal(in_one_call, in_parts)
        # 600 seconds a message.
        assert apart(float(track.turn([1.0] * 3, 599.0)[-1]), track.heading) == 0


def test_a_wrong_turn_among_many_is_refused_by_its_number(ring: RingMemory) -> None:
    speeds = np.where(np.arange(1500) == 1200, 3000.0, 1.0)
    with ring.track() as track:
        with pytest.raises(
            InvalidArgument, match=r"^degrees_per_second\[1200\]: must be at most 2864\.79 fast"
        ) as refused:
            track.turn(speeds, 0.001)
        assert refused.value.field == "degrees_per_second[1200]"
    with ring.track() as track, pytest.raises(InvalidArgument, match=r"^seconds: must be at least 0"):
        track.turn([1.0, 2.0], -1.0)
    with ring.track() as track:
        refusals: list[tuple[Any, Any, str]] = [
            ([1.0, np.nan], 1.0, r"degrees_per_second\[1\] is nan; it must be finite"),
            ([1.0, 2.0], [1.0], r"seconds has the shape \(1,\), for moves of the shape \(2,\) in degrees_per_second"),
            ([[1.0, 2.0]], 1.0, r"seconds has the shape \(\), for moves of the shape \(1, 2\)"),
        ]
        for velocities, seconds, said in refusals:
            with pytest.raises(InvalidArgument, match=f"^{said}"):
                track.turn(velocities, seconds)
        # Nothing was sent.
        assert apart(track.turn(10, 1), 10) < 0.1


def test_a_track_stays_on_the_ring_it_began_on(client: HopfieldClient, ring: RingMemory, name: str) -> None:
    with ring.track() as track:
        client.delete_memory(name)
        assert apart(track.turn(30, 1), 30) < 0.1


def test_turns_that_the_bump_would_not_follow_are_refused(ring: RingMemory) -> None:
    for speed, seconds, said in (
        (2900.0, 1.0, "degrees_per_second: must be at most 2864.79 fast"),
        (10.0, -1.0, "seconds: must be at least 0"),
        (1.0, 601.0, "seconds: must be at most 600"),
    ):
        with ring.track() as track, pytest.raises(InvalidArgument, match=said):
            track.turn(speed, seconds)
    with ring.track() as track:
        with pytest.raises(InvalidArgument, match="finite"):
            track.turn(float("nan"), 1)
        # Nothing was sent.
        assert apart(track.turn(10, 1), 10) < 0.1


def test_a_start_that_cannot_be_is_refused(ring: RingMemory) -> None:
    for start, said in ((np.ones(N - 1), "neurons must be 64"), (np.full(N, -1.0), "must be 0 to 1000")):
        with pytest.raises(InvalidArgument, match=f"^start: {said}") as refused, ring.track(start):
            pass
        assert refused.value.field == "start"


def test_an_answer_that_is_late_says_what_to_raise(
    connect: Connect, start_service: StartService, tmp_path: Path
) -> None:
    service = start_service(data_dir=str(tmp_path / "data"))
    ring = connect(service.address).create_memory("compass", model=Ring())
    service.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(DeadlineExceeded, match=r"within 0\.1 s: raise timeout= if one needs longer$"):
            ring.track(timeout=0.1).__enter__()
    finally:
        service.process.send_signal(signal.SIGCONT)


def test_what_ended_a_track_is_raised_ever_after(connect: Connect, start_service: StartService, tmp_path: Path) -> None:
    service = start_service(data_dir=str(tmp_path / "data"))
    ring = connect(service.address, retry=RetryConfig(attempts=1)).create_memory("compass", model=Ring())
    with ring.track() as track:
        track.turn(10, 1)
        service.kill()
        for _ in range(3):
            with pytest.raises(Unavailable):
                track.turn(10, 1)


def test_a_track_is_open_inside_with(ring: RingMemory) -> None:
    track = ring.track()
    with pytest.raises(ClientClosed, match="inside"):
        track.turn(1, 1)
    assert np.isnan(track.heading)
    with track:
        track.turn(1, 1)
    with pytest.raises(ClientClosed):
        track.turn(1, 1)


def test_a_track_of_a_memory_that_is_not_there(client: HopfieldClient, name: str) -> None:
    with pytest.raises(NotFound), client.ring(name).track():
        pass
