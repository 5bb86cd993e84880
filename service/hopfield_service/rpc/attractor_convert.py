"""Messages to values, and values to messages, of AttractorService. Everything that a message alone can be wrong in is found here."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hopfield.v1 import attractor_service_pb2, patterns_pb2
from hopfield_service.core.attractor import Lattice, Rates, Settled
from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.patterns import Coding
from hopfield_service.errors import InvalidField
from hopfield_service.rpc.convert import block_in, numbers_in, reals_out
from hopfield_service.serving.attractors import Moves, Whereabouts
from hopfield_service.store.layout import Head

# No neuron fires faster, in the unit of any attractor.
_LARGEST_RATE = 1000.0
_DEFAULT_MAX_TIME = 10.0
# Moves of a message: their rates take as many rows.
_MOST_MOVES = 1024


def rates_in(message: patterns_pb2.Patterns) -> Rates:
    """The rates of one state, which stand in `rates`: (N,) float64, in the unit of the network."""
    if message.count != 1:
        raise InvalidField("rates.count", f"must be 1, is {message.count}")
    block = block_in(message, "rates")
    if block.encoding != "floats":
        raise InvalidField("rates", "must have its values in floats")
    if block.coding not in {None, Coding.REAL}:
        raise InvalidField("rates.coding", "must be CODING_REAL, as attractors have")
    rates: Rates = block.values[0].astype(np.float64)
    wrong = ~((rates >= 0) & (rates <= _LARGEST_RATE))
    if wrong.any():
        i = int(wrong.argmax())
        raise InvalidField("rates.floats", f"must be 0 to {_LARGEST_RATE:g}; neuron {i} has {rates[i]:g}")
    return rates


def max_time_in(
    message: attractor_service_pb2.RecallHeadingRequest | attractor_service_pb2.RecallPositionRequest,
) -> float:
    """How long a recall may take of the network's own time, in seconds."""
    return message.max_time if message.HasField("max_time") else _DEFAULT_MAX_TIME


def heading_start_in(message: attractor_service_pb2.IntegrateHeadingRequest) -> Rates | Sequence[float]:
    """Where a track begins: rates, or a heading."""
    if message.WhichOneof("start") == "rates":
        return rates_in(message.rates)
    if not math.isfinite(message.heading):
        raise InvalidField("heading", f"must be finite, is {message.heading}")
    return (message.heading,)


def phase_start_in(message: attractor_service_pb2.IntegratePositionRequest) -> Rates | Sequence[float]:
    """Where a track begins: rates, or a phase."""
    if message.WhichOneof("start") == "rates":
        return rates_in(message.rates)
    phase = (message.phase.first, message.phase.second)
    if not all(map(math.isfinite, phase)):
        raise InvalidField("phase", f"must be finite, is {phase[0]} and {phase[1]}")
    return phase


def moves_in(message: attractor_service_pb2.IntegratePositionRequest) -> Moves:
    """The moves of a message."""
    x, y = numbers_in(message.velocities_x, np.float64), numbers_in(message.velocities_y, np.float64)
    if len(x) != len(y):
        raise InvalidField("velocities_y", f"must be as many as velocities_x: {len(y)} for {len(x)}")
    durations = _durations_in(message.durations, len(x), "velocities_x")
    return Moves(np.stack([x, y], axis=1), durations, "velocities_x")


def turns_in(message: attractor_service_pb2.IntegrateHeadingRequest) -> Moves:
    """The moves of a message."""
    velocities = numbers_in(message.angular_velocities, np.float64)
    durations = _durations_in(message.durations, len(velocities), "angular_velocities")
    return Moves(velocities.reshape(-1, 1), durations, "angular_velocities")


def _durations_in(durations: Sequence[float], count: int, velocities: str) -> NDArray[np.float64]:
    if len(durations) != count:
        raise InvalidField("durations", f"must be as many as {velocities}: {len(durations)} for {count}")
    if count > _MOST_MOVES:
        raise InvalidField(velocities, f"must be at most {_MOST_MOVES} in one message, are {count}")
    return numbers_in(durations, np.float64)


def recalled_heading_out(head: Head, settled: Settled) -> attractor_service_pb2.RecallHeadingResponse:
    """Where the dynamics of a ring led."""
    return attractor_service_pb2.RecallHeadingResponse(
        rates=reals_out(settled.rates[np.newaxis]),
        heading=settled.position[0],
        energy=settled.energy,
        initial_energy=settled.initial_energy,
        time=settled.time,
        converged=settled.converged,
        uid=head.uid,
        revision=head.revision,
    )


def headings_out(
    whereabouts: Whereabouts, interruption: Interruption
) -> attractor_service_pb2.IntegrateHeadingResponse:
    """Where the bump is after some moves.

    Raises:
        Interrupted: `interruption` said so.
    """
    check(interruption)
    return attractor_service_pb2.IntegrateHeadingResponse(
        headings=whereabouts.positions[:, 0].tolist(),
        rates=None if whereabouts.rates is None else reals_out(whereabouts.rates),
        uid=whereabouts.head.uid,
        revision=whereabouts.head.revision,
    )


def recalled_position_out(head: Head, settled: Settled) -> attractor_service_pb2.RecallPositionResponse:
    """Where the dynamics of a sheet led."""
    return attractor_service_pb2.RecallPositionResponse(
        rates=reals_out(settled.rates[np.newaxis]),
        phase=_phase_out(settled.position),
        lattice=_lattice_out(settled.lattice),
        time=settled.time,
        converged=settled.converged,
        uid=head.uid,
        revision=head.revision,
    )


def positions_out(
    whereabouts: Whereabouts, interruption: Interruption
) -> attractor_service_pb2.IntegratePositionResponse:
    """Where the lattice is after some moves.

    Raises:
        Interrupted: `interruption` said so.
    """
    check(interruption)
    return attractor_service_pb2.IntegratePositionResponse(
        phases=[_phase_out(position) for position in whereabouts.positions.tolist()],
        lattice=_lattice_out(whereabouts.lattice) if whereabouts.lattice else None,
        rates=None if whereabouts.rates is None else reals_out(whereabouts.rates),
        uid=whereabouts.head.uid,
        revision=whereabouts.head.revision,
    )


def _phase_out(position: Sequence[float]) -> attractor_service_pb2.Phase:
    first, second = position
    return attractor_service_pb2.Phase(first=first, second=second)


def _lattice_out(lattice: Lattice) -> attractor_service_pb2.Lattice:
    (first_x, first_y), (second_x, second_y) = lattice
    return attractor_service_pb2.Lattice(first_x=first_x, first_y=first_y, second_x=second_x, second_y=second_y)
