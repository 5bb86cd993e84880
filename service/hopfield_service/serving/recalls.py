"""The use cases of memories that hold patterns and recall them. A recall is: load, check, run."""

import math
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.network import InvalidParameter, PatternNetwork, StoredPatterns
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.patterns import Bits
from hopfield_service.core.results import RecallResult, RecallResults, TraceStep, joined
from hopfield_service.errors import InvalidField
from hopfield_service.serving import admission, costs
from hopfield_service.serving.cache import Loaded
from hopfield_service.serving.checks import Block, check_name, check_order, holding_patterns
from hopfield_service.serving.conversion import on_thread_if
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.serving.loader import NetworkLoader, Token
from hopfield_service.serving.turns import ThreadTime
from hopfield_service.store.layout import Head

MANY_ANSWERS = 1 << 11
"""Answers that it takes about a millisecond to put into words."""
# The states of a piece of a trace take at most about so much, a byte a neuron.
_TRACE_BYTES = 1 << 20
# And everything else of a step.
_STEP_BYTES = 256
# What an answer may hold of nearest patterns: for a query, for all queries of a request, and in neurons where the patterns come too.
_NEAREST_EACH = 1000
_NEAREST_ALL = 1 << 20
_NEAREST_NEURONS = 1 << 26
# Additions that take about as long as the way to a thread and back, or twice as long; and as long as everything in a recall but
# additions. And bytes of stored patterns that are compared in that time.
_SHORT_RECALL = 1 << 20
_RECALL_OVERHEAD = 1 << 14
_SHORT_COMPARISON = 1 << 19
# Additions that take some ten milliseconds.
_LONG_RECALL = 1 << 26


class Recalled(NamedTuple):
    """The answer of a recall.

    Attributes:
        head: where the memory stood.
        result: what it found.
        label: of the nearest stored pattern; None where nothing is stored.
        attention_labels: of the patterns with the largest softmax weights; none in memories that have none.
    """

    head: Head
    result: RecallResult
    label: str | None
    attention_labels: Sequence[str]


class RecalledBatch(NamedTuple):
    """The answers of some recalls, all at one revision.

    Attributes:
        head: where the memory stood.
        results: what they found.
        stored_labels: of all stored patterns, to which the positions in `results` point.
    """

    head: Head
    results: RecallResults
    stored_labels: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class TracePiece:
    """Some steps of a recall, and at the end its answer.

    Attributes:
        steps: in order.
        recalled: the answer; None but in the last piece.
    """

    head: Head
    steps: list[TraceStep]
    recalled: Recalled | None


@dataclass(frozen=True, slots=True, eq=False)
class NearestPatterns:
    """The stored patterns nearest to some queries: `count` of them for the first query, then as many for the next.

    Attributes:
        head: where the memory stood.
        count: how many a query.
        stored_labels: of all stored patterns.
        positions: (queries x count,) int64, where the patterns stand among those stored.
        overlaps: (queries x count,) float64, of each with its query.
        bits: (queries x count, ceil(N / 8)) uint8; None where they were not asked for.
    """

    head: Head
    count: int
    stored_labels: Sequence[str]
    positions: NDArray[np.int64]
    overlaps: NDArray[np.float64]
    bits: Bits | None


class Recalls:
    """The use cases. Every method may raise what RedisStore raises."""

    def __init__(self, loader: NetworkLoader, executor: KernelExecutor, max_iterations: int) -> None:
        """Takes what they need; no recall may run for more than `max_iterations`."""
        self._loader = loader
        self._executor = executor
        self._max_iterations = max_iterations

    async def recall(self, name: str, query: Block, options: RecallOptions, token: Token | None) -> Recalled:
        """Runs the dynamics from one query.

        Raises:
            InvalidField: the query, or the options, break a rule.
            MemoryNotFound, RevisionAhead, WrongFamily: as they say.
        """
        # The name of a memory that is loaded needs no check.
        loaded = self._loader.cached(name, token) or await self._loaded(name, token)
        network = self._to_recall(loaded, query, options)
        run = partial(network.recall, query.queries(network.spec.coding), options)
        short = _additions(network, options, 1) <= _SHORT_RECALL
        # Not by `run`, which would be a coroutine more for every recall.
        result = self._executor.at_once(run) if short else None
        if result is None:
            long = _additions(network, options, 1) > _LONG_RECALL
            result = await self._executor.recall(run, network, long=long)
        return _recalled(loaded.head, network.stored, result)

    async def recall_batch(
        self, name: str, queries: Block, options: RecallOptions, token: Token | None
    ) -> RecalledBatch:
        """Runs the dynamics from each query; query k with the seed plus k (mod 2^64). Errors: as `recall`."""
        loaded = await self._loaded(name, token)
        network = self._to_recall(loaded, queries, options)

        count, additions = len(queries), _additions(network, options, len(queries))
        row_bytes = queries.row_bytes
        costs.check_batch_answer(count, row_bytes)
        account, cost = admission.current(), costs.batch(network, count, row_bytes)
        if not account.take_now(cost):
            await account.take(cost, "queries.count")

        def results(start: int, end: int, interruption: Interruption) -> RecallResults:
            asked = queries.part(start, end).queries(network.spec.coding)
            of_part = options._replace(seed=(options.seed + start) % (1 << 64))
            return joined(list(network.recall_batch(asked, of_part, interruption)))

        short = additions <= _SHORT_RECALL
        found = self._executor.at_once(partial(results, 0, count)) if short else None
        if found is not None:
            return RecalledBatch(loaded.head, found, network.stored.labels)
        parts: list[RecallResults] = []
        share = ThreadTime.of(long=additions > _LONG_RECALL)
        for runs in _parts(results, count, additions, self._executor.idle_threads):
            parts += await self._executor.recall_all(runs, network, share)
        label_bytes = sum(costs.labels_of(network.stored, part) for part in parts)
        costs.check_batch_answer(count, row_bytes, label_bytes)
        return RecalledBatch(
            loaded.head, await on_thread_if(count > MANY_ANSWERS, lambda _: joined(parts)), network.stored.labels
        )

    async def trace(
        self, name: str, query: Block, options: RecallOptions, token: Token | None
    ) -> AsyncGenerator[TracePiece, None]:
        """Runs the dynamics from one query and shows every iteration. Errors: as `recall`.

        Yields:
            The steps, from the query on, some at a time; the last piece has the answer.
        """
        loaded = await self._loaded(name, token)
        network = self._to_recall(loaded, query, options)
        await admission.current().take(costs.STREAMED, "query")
        most = max(1, _TRACE_BYTES // (network.spec.neurons + _STEP_BYTES))
        async for items in self._executor.trace(
            partial(network.trace, query.queries(network.spec.coding), options), most
        ):
            steps = [item for item in items if isinstance(item, TraceStep)]
            results = [item for item in items if isinstance(item, RecallResult)]
            yield TracePiece(
                loaded.head, steps, _recalled(loaded.head, network.stored, results[0]) if results else None
            )

    async def _loaded(self, name: str, token: Token | None) -> Loaded:
        check_name(name)
        return await self._loader.cached_or_loaded(name, token)

    def _to_recall(self, loaded: Loaded, queries: Block, options: RecallOptions) -> PatternNetwork:
        """The network that queries are for, which they and the options fit."""
        name = loaded.head.name
        network = holding_patterns(name, loaded.network)
        queries.check(name, network)
        try:
            network.spec.check_options(options)
        except InvalidParameter as error:
            raise InvalidField(f"options.{error.parameter}", error.rule) from error
        check_order(options.order, network.spec.neurons)
        limit = self._max_iterations
        if not 1 <= options.max_iterations <= limit:
            raise InvalidField("options.max_iterations", f"must be 1 to {limit}, is {options.max_iterations}")
        if isinstance(options.beta, np.ndarray) and not 1 <= len(options.beta) <= limit:
            raise InvalidField("options.annealing.beta", f"must be 1 to {limit} numbers, are {len(options.beta)}")
        return network

    async def nearest(
        self, name: str, queries: Block, k: int, include_patterns: bool, token: Token | None
    ) -> NearestPatterns:
        """The k stored patterns of largest |overlap| with each query, or all where fewer are stored.

        Raises:
            InvalidField: the queries break a rule, or the answer would be too large.
            MemoryNotFound, RevisionAhead, WrongFamily: as they say.
        """
        if not 1 <= k <= _NEAREST_EACH:
            raise InvalidField("k", f"must be 1 to {_NEAREST_EACH}, is {k}")
        loaded = await self._loaded(name, token)
        network = holding_patterns(name, loaded.network)
        queries.check(name, network)
        stored, spec = network.stored, network.spec
        each = min(k, len(stored))
        total = each * len(queries)
        if total > _NEAREST_ALL:
            raise InvalidField(
                "k", f"must be at most {_NEAREST_ALL} for all queries together; {each} for {len(queries)} are {total}"
            )
        if include_patterns and total * spec.neurons > _NEAREST_NEURONS:
            most = _NEAREST_NEURONS // spec.neurons
            raise InvalidField(
                "include_patterns",
                f"must not be set for more than {most} patterns of {spec.neurons} neurons, are {total}",
            )

        row_bytes = queries.row_bytes if include_patterns else 0
        await admission.current().take(costs.nearest(network, len(queries), each, row_bytes), "k")

        def answers(interruption: Interruption) -> NearestPatterns:
            positions = np.empty((len(queries), each), np.int64)
            overlaps = np.empty((len(queries), each), np.float64)
            asked = queries.queries(spec.coding)
            for q in range(len(queries)):
                check(interruption)
                found = network.nearest(asked.part(q, q + 1), k)
                positions[q], overlaps[q] = found.positions, found.overlaps
            bits = stored.bits[positions.ravel()] if include_patterns else None
            return NearestPatterns(loaded.head, each, stored.labels, positions.ravel(), overlaps.ravel(), bits)

        short = len(queries) * len(stored) * stored.bits.shape[1] <= _SHORT_COMPARISON
        return await self._executor.run(answers, network, short=short)


def _additions(network: PatternNetwork, options: RecallOptions, count: int) -> int:
    """How many additions so many recalls are expected to take as long as."""
    # A sweep at a temperature takes about as many additions as a whole recall from near a stored pattern.
    if isinstance(options.beta, np.ndarray):
        heated = len(options.beta)
    else:
        heated = 0 if options.beta is None else options.max_iterations
    return count * (1 + heated) * (network.recall_size + _RECALL_OVERHEAD)


def _parts(
    run: Callable[[int, int, Interruption], RecallResults], count: int, additions: int, idle_threads: int
) -> Iterator[list[Callable[[Interruption], RecallResults]]]:
    """So many recalls in parts, some of them to be run at the same time, then the next.

    A part for each thread that has nothing else to do, and that is worth the way there; and none that keeps a thread for long, since others wait for
    their turn.
    """
    threads = max(1, min(idle_threads, count, additions // _SHORT_RECALL))
    size = math.ceil(count / max(threads, math.ceil(additions / _LONG_RECALL)))
    for first in range(0, count, threads * size):
        starts = range(first, min(first + threads * size, count), size)
        yield [partial(run, start, min(start + size, count)) for start in starts]


def _recalled(head: Head, stored: StoredPatterns, result: RecallResult) -> Recalled:
    label = None if result.nearest is None else stored.labels[result.nearest]
    return Recalled(
        head, result, label, () if result.attention is None else _labels(stored, result.attention.positions)
    )


def _labels(stored: StoredPatterns, positions: NDArray[np.int64]) -> list[str]:
    return list(map(stored.labels.__getitem__, positions.ravel().tolist()))
