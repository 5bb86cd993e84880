"""What can be done with continuous attractors: rates settle to a pattern, and velocities move it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.attractor import Activity, Attractor, Lattice, Rates, Settled
from hopfield_service.core.interruption import Interruption, check
from hopfield_service.errors import InvalidField, WrongFamily
from hopfield_service.serving.checks import check_name
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.serving.loader import NetworkLoader, Token
from hopfield_service.store.layout import Head

# Of the network's own time: that a recall, or one message of a track, may take at most. In seconds.
_LONGEST = 600.0
# Rates that an answer may hold.
_MOST_RATES = 1 << 21
# Multiplications that take about as long as the way to a thread and back.
_SHORT = 1 << 19
# Multiplications that take about a tenth of a second.
_LONG = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Velocities to follow one after the other.

    Attributes:
        velocities: (count, dimensions) float64, in the unit of the network.
        durations: (count,) float64, seconds of the network's own time.
        field: of the request that the velocities came in.
    """

    velocities: NDArray[np.float64]
    durations: NDArray[np.float64]
    field: str


@dataclass(frozen=True, slots=True, eq=False)
class Whereabouts:
    """Where a pattern is after each of some moves.

    Attributes:
        head: where the memory stood when the track began.
        positions: (count, dimensions) float64.
        lattice: what they are told modulo; () where there are none.
        rates: (count, N) float64, in Hz; None where they were not asked for.
    """

    head: Head
    positions: NDArray[np.float64]
    lattice: Lattice
    rates: NDArray[np.float64] | None


class Attractors:
    """The use cases. Every method may raise what RedisStore raises."""

    def __init__(self, loader: NetworkLoader, executor: KernelExecutor) -> None:
        self._loader = loader
        self._executor = executor

    async def recall(
        self, name: str, dimensions: int, rates: Rates, max_time: float, token: Token | None
    ) -> tuple[Head, Settled]:
        """Settles rates to a pattern.

        Args:
            name: of the memory.
            dimensions: of the position that is asked for.
            rates: (N,) float64, in Hz, finite and not negative.
            max_time: seconds of the network's own time after which it ends unsettled.
            token: what the caller has seen.

        Returns:
            Where the memory stood, and where its dynamics led.

        Raises:
            InvalidField: the rates, or the time, do not fit.
            MemoryNotFound, RevisionAhead, WrongFamily: as they say.
        """
        head, network = await self._network(name, dimensions, token)
        _check_length(name, network, rates, "rates.neurons")
        if not 0 < max_time <= _LONGEST:
            raise InvalidField("max_time", f"must be more than 0 and at most {_LONGEST:g} seconds, is {max_time:g}")
        long = network.multiplications(max_time) > _LONG
        return head, await self._executor.recall(partial(network.settle, rates, max_time), network, long=long)

    async def track(
        self,
        name: str,
        dimensions: int,
        start: Rates | Sequence[float],
        token: Token | None,
        moves: AsyncIterator[Moves],
        *,
        with_rates: bool,
    ) -> AsyncIterator[Whereabouts]:
        """Follows velocities from a start, on the network as it is when the track begins.

        Args:
            name: of the memory.
            dimensions: of its position.
            start: rates, (N,) float64, as for `recall`, which are taken as they are; or a position, at which the pattern is put.
            token: what the caller has seen.
            moves: some at a time.
            with_rates: whether rates are asked for.

        Yields:
            Where the pattern is, for each of `moves`.

        Raises:
            InvalidField: start, velocities or durations do not fit.
            MemoryNotFound, RevisionAhead, WrongFamily: as they say.
        """
        head, network = await self._network(name, dimensions, token)
        if isinstance(start, np.ndarray):
            _check_length(name, network, start, "rates.neurons")
            activity = network.activity_of(start)
        else:
            activity = await self._executor.recall(partial(network.activity_at, start), network)
        async for some in moves:
            _check_moves(network, some, with_rates)
            work = sum(map(network.multiplications, some.durations.tolist()))
            run = partial(_run, network, activity, some, with_rates)
            activity, positions, rates = await self._executor.run(run, network, short=work <= _SHORT, long=work > _LONG)
            yield Whereabouts(head, positions, network.lattice(activity) if len(positions) else (), rates)

    async def _network(self, name: str, dimensions: int, token: Token | None) -> tuple[Head, Attractor]:
        check_name(name)
        loaded = await self._loader.cached_or_loaded(name, token)
        network = loaded.network
        if not isinstance(network, Attractor) or network.dimensions != dimensions:
            kept = {1: "heading", 2: "position"}[dimensions]
            raise WrongFamily(name, network.spec.family, f"keeps no {kept}")
        return loaded.head, network


def _run(
    network: Attractor, activity: Activity, moves: Moves, with_rates: bool, interruption: Interruption
) -> tuple[Activity, NDArray[np.float64], NDArray[np.float64] | None]:
    """The activity after the last of the moves; positions and rates after each."""
    positions = np.empty((len(moves.durations), network.dimensions))
    rates = np.empty((len(moves.durations), network.spec.neurons)) if with_rates else None
    for k, (velocity, duration) in enumerate(zip(moves.velocities.tolist(), moves.durations.tolist(), strict=True)):
        check(interruption)
        activity = network.moved(activity, velocity, duration, interruption)
        positions[k] = network.position(activity)
        if rates is not None:
            rates[k] = network.rates(activity)
    return activity, positions, rates


def _check_length(name: str, network: Attractor, rates: Rates, field: str) -> None:
    if len(rates) != network.spec.neurons:
        raise InvalidField(field, f"must be {network.spec.neurons}, as memory {name!r} has; is {len(rates)}")


def _check_moves(network: Attractor, moves: Moves, with_rates: bool) -> None:
    most = _MOST_RATES // network.spec.neurons
    if with_rates and len(moves.durations) > most:
        raise InvalidField(
            moves.field, f"must be at most {most} in one message with include_rates, are {len(moves.durations)}"
        )
    speeds = np.sqrt((moves.velocities**2).sum(axis=1))
    # Negated, so that what is no number is refused.
    wrong = ~(speeds <= network.top_speed)
    if wrong.any():
        k = int(wrong.argmax())
        raise InvalidField(
            f"{moves.field}[{k}]",
            f"must be at most {network.top_speed:g} fast, is {speeds[k]:g}; the pattern would not follow",
        )
    wrong = ~(moves.durations >= 0)
    if wrong.any():
        k = int(wrong.argmax())
        raise InvalidField(f"durations[{k}]", f"must be at least 0 seconds, is {moves.durations[k]:g}")
    total = moves.durations.sum()
    if not total <= _LONGEST:
        raise InvalidField("durations", f"must be at most {_LONGEST:g} seconds in one message, are {total:g}")
