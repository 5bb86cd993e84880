"""AttractorService as a caller in any language meets it."""

from typing import Any

import grpc
import numpy as np
import pytest
from tests.replicas import refused
from tests.wire import Wire, made, pairwise, refusal

from hopfield.v1 import attractor_service_pb2, memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2

Turns = attractor_service_pb2.IntegrateHeadingRequest
Moves = attractor_service_pb2.IntegratePositionRequest


@pytest.fixture
def ring(wire: Wire, name: str) -> str:
    """The name of a ring of 52 neurons."""
    spec = memory_pb2.MemorySpec(ring=memory_pb2.RingSpec(neurons=52))
    wire.memory.CreateMemory(memory_service_pb2.CreateMemoryRequest(name=name, spec=spec))
    return name


@pytest.fixture
def sheet(wire: Wire, name: str) -> str:
    """The name of a sheet of 64 x 64 neurons."""
    spec = memory_pb2.MemorySpec(sheet=memory_pb2.SheetSpec(side=64))
    wire.memory.CreateMemory(memory_service_pb2.CreateMemoryRequest(name=f"{name}-sheet", spec=spec))
    return f"{name}-sheet"


def floats(values: Any, count: int = 1) -> patterns_pb2.Patterns:
    array = np.array(values, "<f4")
    return patterns_pb2.Patterns(count=count, neurons=array.size // count, floats=array.tobytes())


def refused_stream(call: Any, *requests: Any) -> Any:
    """What a stream that is refused says, after the answers before it."""
    with pytest.raises(grpc.RpcError) as caught:
        list(call(iter(requests)))
    return refusal(caught.value)


def test_defaults_are_filled_in(wire: Wire, name: str) -> None:
    for spec, sent in (
        (memory_pb2.MemorySpec(ring=memory_pb2.RingSpec()), memory_pb2.RingSpec(neurons=64, tau=0.01, concentration=8)),
        (memory_pb2.MemorySpec(sheet=memory_pb2.SheetSpec()), memory_pb2.SheetSpec(side=64, bump_rows=6, tau=0.01)),
    ):
        family = spec.WhichOneof("family")
        request = memory_service_pb2.CreateMemoryRequest(name=f"{name}-{family}", spec=spec)
        memory = wire.memory.CreateMemory(request).memory
        assert getattr(memory.spec, str(family)) == sent
        assert not memory.HasField("capacity")


def test_an_update_changes_what_the_mask_names(wire: Wire, ring: str) -> None:
    spec = memory_pb2.MemorySpec(ring=memory_pb2.RingSpec(tau=0.5, concentration=3))
    request = memory_service_pb2.UpdateMemoryRequest(name=ring, spec=spec)
    request.update_mask.paths.append("ring.tau")
    assert wire.memory.UpdateMemory(request).memory.spec.ring == memory_pb2.RingSpec(
        neurons=52, tau=0.5, concentration=8
    )
    request = memory_service_pb2.UpdateMemoryRequest(name=ring, spec=memory_pb2.MemorySpec(ring=memory_pb2.RingSpec()))
    request.update_mask.paths.append("ring.tau")
    assert wire.memory.UpdateMemory(request).memory.spec.ring.tau == 0.01
    request.update_mask.paths[:] = ["ring.kappa"]
    said = refused(wire.memory.UpdateMemory, request)
    assert (said.fields, "ring.neurons, ring.tau, ring.concentration" in said.message) == (["update_mask"], True)


def test_the_columns_of_an_answer_have_an_entry_a_move(wire: Wire, ring: str) -> None:
    requests = [
        Turns(name=ring, heading=-10, include_rates=True, angular_velocities=[0, 90, 90], durations=[0, 1, 1]),
        Turns(),
        Turns(angular_velocities=[-180], durations=[1]),
    ]
    first, nothing, last = wire.attractors.IntegrateHeading(iter(requests))
    np.testing.assert_allclose(first.headings, [350, 80, 170], atol=0.3)
    assert (first.rates.count, first.rates.neurons, len(first.rates.floats)) == (3, 52, 3 * 4 * 52)
    assert (len(nothing.headings), nothing.rates.count) == (0, 0)
    np.testing.assert_allclose(last.headings, [350], atol=0.3)
    assert last.uid == first.uid


def test_moves_in_one_message_are_those_of_many(wire: Wire, sheet: str) -> None:
    velocities = [(0.5, 0.0), (0.1, -0.3), (0.0, 0.9)]
    rates = floats(np.random.default_rng(0).uniform(0, 1, 4096))
    x, y = zip(*velocities, strict=True)
    together = Moves(name=sheet, rates=rates, velocities_x=x, velocities_y=y, durations=[0.01] * 3)
    [answer] = wire.attractors.IntegratePosition(iter([together]))
    one_by_one = [Moves(velocities_x=[x], velocities_y=[y], durations=[0.01]) for x, y in velocities]
    one_by_one[0].name = sheet
    one_by_one[0].rates.CopyFrom(rates)
    parts = list(wire.attractors.IntegratePosition(iter(one_by_one)))
    assert list(answer.phases) == [phase for part in parts for phase in part.phases]


def test_a_stream_without_a_message_has_no_answers(wire: Wire) -> None:
    assert list(wire.attractors.IntegrateHeading(iter([]))) == []
    assert list(wire.attractors.IntegratePosition(iter([]))) == []


@pytest.mark.parametrize(
    ("field", "later"),
    [
        ("name", Turns(name="another")),
        ("heading", Turns(heading=3)),
        ("rates", Turns(rates=floats([1.0] * 52))),
        ("include_rates", Turns(include_rates=True)),
        ("token", Turns(token=memory_pb2.FreshnessToken(uid="u"))),
    ],
)
def test_what_opens_a_stream_must_not_come_later(wire: Wire, ring: str, field: str, later: Turns) -> None:
    said = refused_stream(wire.attractors.IntegrateHeading, Turns(name=ring), later)
    assert (said.code, said.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


@pytest.mark.parametrize(
    ("field", "opening"),
    [
        ("durations", Turns(angular_velocities=[1, 2], durations=[1])),
        ("angular_velocities", Turns(angular_velocities=[0] * 1025, durations=[0] * 1025)),
        ("angular_velocities[1]", Turns(angular_velocities=[0, 1e6], durations=[1, 1])),
        ("angular_velocities[0]", Turns(angular_velocities=[float("nan")], durations=[1])),
        ("durations[0]", Turns(angular_velocities=[1], durations=[float("nan")])),
        ("durations", Turns(angular_velocities=[1, 1], durations=[400, 400])),
        ("heading", Turns(heading=float("inf"))),
        ("rates.count", Turns(rates=floats([1.0] * 64, count=2))),
        ("rates", Turns(rates=patterns_pb2.Patterns(count=1, neurons=52, bits=bytes(7)))),
        ("rates.floats", Turns(rates=patterns_pb2.Patterns(count=1, neurons=52, floats=bytes(4)))),
        ("rates.floats", Turns(rates=floats([-1.0] * 52))),
        ("rates.neurons", Turns(rates=floats([1.0] * 31))),
    ],
)
def test_what_a_track_cannot_follow_is_refused_by_name(wire: Wire, ring: str, field: str, opening: Turns) -> None:
    opening.name = ring
    said = refused_stream(wire.attractors.IntegrateHeading, opening)
    assert (said.code, said.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


@pytest.mark.parametrize(
    ("field", "opening"),
    [
        ("velocities_y", Moves(velocities_x=[0.1], durations=[1])),
        ("durations", Moves(velocities_x=[0.1], velocities_y=[0.1])),
        ("velocities_x[0]", Moves(velocities_x=[0.8], velocities_y=[0.8], durations=[0])),
        (
            "velocities_x",
            Moves(include_rates=True, velocities_x=[0] * 600, velocities_y=[0] * 600, durations=[0] * 600),
        ),
        ("phase", Moves(phase=attractor_service_pb2.Phase(first=float("nan")))),
    ],
)
def test_so_is_what_a_sheet_cannot_follow(wire: Wire, sheet: str, field: str, opening: Moves) -> None:
    opening.name = sheet
    said = refused_stream(wire.attractors.IntegratePosition, opening)
    assert (said.code, said.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


def test_floats_are_no_pattern_of_two_values(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4))
    request = recall_service_pb2.RecallRequest(name=name, query=floats([1.0] * 4))
    said = refused(wire.recall.Recall, request)
    assert (said.code, said.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["query"])


def test_rates_are_of_no_other_coding(wire: Wire, ring: str) -> None:
    rates = floats([1.0] * 52)
    rates.coding = patterns_pb2.CODING_REAL
    request = attractor_service_pb2.RecallHeadingRequest(name=ring, rates=rates)
    assert wire.attractors.RecallHeading(request).rates.coding == patterns_pb2.CODING_REAL
    request.rates.coding = patterns_pb2.CODING_BIPOLAR
    said = refused(wire.attractors.RecallHeading, request)
    assert (said.code, said.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["rates.coding"])


def test_a_family_that_does_not_do_it_is_named(wire: Wire, ring: str) -> None:
    request = attractor_service_pb2.RecallPositionRequest(name=ring, rates=floats([1.0] * 52))
    said = refused(wire.attractors.RecallPosition, request)
    assert (said.code, said.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_FAMILY")
    assert said.metadata == {"name": ring, "family": "ring"}


def test_a_token_is_honoured(wire: Wire, ring: str) -> None:
    uid = wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=ring)).memory.uid
    ahead = memory_pb2.FreshnessToken(uid=uid, revision=5)
    request = attractor_service_pb2.RecallHeadingRequest(name=ring, rates=floats([1.0] * 52), token=ahead)
    assert refused(wire.attractors.RecallHeading, request).reason == "REVISION_AHEAD"
    assert refused_stream(wire.attractors.IntegrateHeading, Turns(name=ring, token=ahead)).reason == "REVISION_AHEAD"
