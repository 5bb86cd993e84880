"""What can be done with memories.

A change is: load, check, fold, commit where the memory still is what was loaded, or look again. A recall is: load, run.
"""

import asyncio
import logging
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.diagnostics import Diagnosis
from hopfield_service.core.interruption import Interruption, never
from hopfield_service.core.learning import StateArray
from hopfield_service.core.network import (
    Configure,
    Forget,
    Import,
    InvalidParameter,
    Network,
    NothingToRelearn,
    Operation,
    Spec,
    Store,
    Weighted,
)
from hopfield_service.core.patterns import Bits
from hopfield_service.errors import (
    Contention,
    CorruptMemory,
    InvalidField,
    LabelExists,
    LabelNotFound,
    MemoryExists,
    MemoryNotFound,
    NoWeights,
    PatternLimit,
    RevisionMismatch,
    ServiceError,
    WeightsImported,
)
from hopfield_service.serving import admission, costs
from hopfield_service.serving.cache import Loaded
from hopfield_service.serving.checks import Block, check_labels, check_name, holding_patterns, make_symmetric
from hopfield_service.serving.conversion import PIECE, on_thread_if
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.serving.loader import NetworkLoader, Token
from hopfield_service.serving.spec_differences import differences
from hopfield_service.store.layout import Head
from hopfield_service.store.notes import Request
from hopfield_service.store.redis_store import Outcome, RedisStore

_log = logging.getLogger(__name__)

# A page of patterns or of memories holds at most about so much: a client that was told nothing takes four times as many.
_PAGE_BYTES = 1 << 20
# Bytes of patterns that it takes about a millisecond to work through.
_LARGE_BYTES = 1 << 18
# What a change is large by.
_LARGE_PART = {Store: "patterns", Forget: "labels", Configure: "spec"}
# A block of rows of weights takes about so much.
_ROWS_BYTES = 1 << 20
# How often a change looks again when others committed first. Each time one of them got through, so this is reached only
# by a writer with much worse luck than chance allows.
_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted at most. See Settings."""

    max_neurons: int
    max_patterns: int


@dataclass(frozen=True, slots=True, eq=False)
class PatternPage:
    """Some stored patterns.

    Attributes:
        head: where the memory stood.
        labels: one a pattern.
        bits: (count, ceil(N / 8)) uint8.
        next_number: number of the pattern that the next page begins at or after; None after the last.
    """

    head: Head
    labels: list[str]
    bits: Bits
    next_number: int | None


class NamedLocks:
    """A lock for each name, which lives as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def of(self, name: str) -> asyncio.Lock:
        """The lock of a name."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock


class Memories:
    """The use cases. Every method may raise what RedisStore raises."""

    def __init__(self, store: RedisStore, loader: NetworkLoader, executor: KernelExecutor, limits: Limits) -> None:
        self._store = store
        self._loader = loader
        self._executor = executor
        self._limits = limits
        # One change at a time of each memory: without it, all but one would have to look again.
        self._changing = NamedLocks()

    # Life

    async def create(self, name: str, spec: Spec, allow_existing: bool, request: Request) -> Head:
        """Makes an empty memory.

        Raises:
            InvalidField: the name is none, or a parameter is beyond what is allowed.
            MemoryExists: the name is taken, unless `allow_existing` and the spec is the same.
        """
        self._check_spec(name, spec)
        return await self._make(name, spec, None, request, allow_existing)

    async def import_weights(self, name: str, spec: Spec, weights: NDArray[np.float64], request: Request) -> Head:
        """Makes a memory of weights given from outside.

        Args:
            name: of the memory.
            spec: its parameters, whose rule says that the weights are given.
            weights: (N, N) float64, which are made symmetric in place.
            request: to recognise a repeat.

        Raises:
            InvalidField: the name is none, or the weights are not finite and symmetric.
            MemoryExists: the name is taken.
        """
        self._check_spec(name, spec)
        await self._executor.learn(partial(make_symmetric, weights))
        first = Import({"weights": StateArray(weights, symmetric=True)})
        return await self._make(name, spec, first, request, allow_existing=False)

    def _check_spec(self, name: str, spec: Spec) -> None:
        check_name(name)
        limit = self._limits.max_neurons
        if not 1 <= spec.neurons <= limit:
            rule = f"must be 1 to {limit}, is {spec.neurons}"
            if spec.size_parameter != "neurons":
                rule = f"must make at most {limit} neurons, makes {spec.neurons}"
            raise InvalidField(f"spec.{spec.family}.{spec.size_parameter}", rule)

    async def _make(self, name: str, spec: Spec, first: Import | None, request: Request, allow_existing: bool) -> Head:
        while True:
            noted = await self._store.noted(name, request, spec)
            if noted is not None and noted.head is not None:
                # The first may have been cut off after it was made.
                await self._store.index(name)
                return noted.head
            existing = await self._store.head(name)
            if existing is None:
                if not spec.holds_patterns:
                    await admission.current().take(
                        costs.made(spec.neurons), f"spec.{spec.family}.{spec.size_parameter}"
                    )
                # It may take a matrix on its way, which is why the name was looked for before.
                outcome, head = await self._store.create(name, spec, first, request)
                if outcome is Outcome.DONE:
                    # Its predecessor may still be loaded.
                    self._loader.forget(name)
                    _log.info("memory %r made: %s, %d neurons", name, spec.family, spec.neurons)
                    if not spec.holds_patterns:
                        await self._loader.made(head)
                    return head
            elif not allow_existing or existing.spec != spec:
                # It may be its own doing, carried out for a repeat a moment ago.
                if await self._store.noted(name, request, spec) is None:
                    raise MemoryExists(name, differences(existing.spec, spec) if allow_existing else {})
            elif await self._store.note(name, existing, request) is Outcome.DONE:
                return existing

    async def get(self, name: str) -> Head:
        """Where a memory stands.

        Raises:
            MemoryNotFound: there is none of that name.
        """
        check_name(name)
        head = await self._store.head(name)
        if head is None:
            raise MemoryNotFound(name)
        return head

    async def list(self, prefix: str, after: str, count: int) -> tuple[list[Head], str]:
        """The memories whose names begin with `prefix` and come after `after`: at most `count`, and at most 1 MiB of them.

        Returns:
            Where they stand, in order of their names, and the name to go on after ("" after the last).
        """
        if prefix:
            check_name(prefix, "prefix")
        names = await self._store.names(prefix, after, count + 1)
        heads, looked = await self._store.heads(names[:count], _PAGE_BYTES)
        return heads, names[looked - 1] if len(names) > looked else ""

    async def delete(self, name: str, allow_missing: bool, request: Request) -> None:
        """Deletes a memory.

        Raises:
            MemoryNotFound: there is none of that name, unless `allow_missing`.
        """
        check_name(name)
        async with self._changing.of(name):
            for _ in range(_ATTEMPTS):
                if await self._store.noted(name, request) is not None:
                    self._loader.forget(name)
                    return
                try:
                    head = await self._store.head(name)
                except CorruptMemory:
                    await self._store.discard(name, request)
                    self._loader.forget(name)
                    _log.warning("memory %r deleted, which could not be read", name)
                    return
                if head is None and not allow_missing:
                    if await self._store.noted(name, request) is None:
                        raise MemoryNotFound(name)
                    self._loader.forget(name)
                    return
                if head is None:
                    outcome = await self._store.note(name, None, request)
                else:
                    outcome = await self._store.delete(head, request)
                if outcome is Outcome.DONE:
                    self._loader.forget(name)
                    _log.info("memory %r deleted", name)
                    return
        raise Contention(name)

    # Learning

    async def store(
        self,
        name: str,
        patterns: Block,
        labels: Sequence[str],
        replace_stored: bool,
        expected_revision: int | None,
        request: Request,
    ) -> tuple[Head, Sequence[str]]:
        """Learns patterns: all of them in one commit, or none.

        Args:
            name: of the memory.
            patterns: at least one.
            labels: one a pattern, or none at all: then the patterns are numbered.
            replace_stored: whether a label that is stored takes the new pattern.
            expected_revision: the memory must be at; None for any.
            request: to recognise a repeat.

        Returns:
            Where the memory stands after it, and the labels of the patterns.

        Raises:
            InvalidField: patterns or labels break a rule.
            MemoryNotFound, LabelExists, RevisionMismatch, WeightsImported, WrongFamily, PatternLimit, Contention: as they say.
        """
        check_name(name)
        if len(patterns) == 0:
            raise InvalidField(patterns.field, "must hold at least one pattern")
        if labels and len(labels) != len(patterns):
            raise InvalidField("labels", f"must be one a pattern or none: {len(labels)} for {len(patterns)} patterns")
        if len(patterns) > self._limits.max_patterns:
            raise PatternLimit(name, len(patterns), self._limits.max_patterns)
        many = len(patterns) > PIECE or patterns.values.nbytes >= _LARGE_BYTES
        await on_thread_if(many, partial(check_labels, labels))
        given = tuple(labels)

        def operation(loaded: Loaded) -> Operation:
            network = holding_patterns(name, loaded.network)
            patterns.check(name, network)
            if not network.learns:
                raise WeightsImported(name)
            bits = patterns.stored(network.spec)
            positions = network.stored.positions
            taken = [label for label in given if label in positions]
            if taken and not replace_stored:
                raise LabelExists(name, taken[0])
            would_hold = len(network.stored) + len(bits) - len(taken)
            if would_hold > self._limits.max_patterns:
                raise PatternLimit(name, would_hold, self._limits.max_patterns)
            return Store(bits, given or network.stored.new_labels(len(bits)), replace_stored)

        head, noted = await self._change(name, operation, expected_revision, request, numbered=not given, many=many)
        return head, given or noted

    async def forget(self, name: str, labels: Sequence[str], expected_revision: int | None, request: Request) -> Head:
        """Unlearns the patterns of some labels: all of them in one commit, or none.

        Returns:
            Where the memory stands after it.

        Raises:
            InvalidField: the labels break a rule.
            MemoryNotFound, LabelNotFound, RevisionMismatch, WrongFamily, Contention: as they say.
        """
        check_name(name)
        if not labels:
            raise InvalidField("labels", "must name at least one pattern")
        if len(labels) > self._limits.max_patterns:
            raise InvalidField("labels", f"must be at most {self._limits.max_patterns}, are {len(labels)}")
        many = len(labels) > PIECE
        await on_thread_if(many, partial(check_labels, labels))

        def operation(loaded: Loaded) -> Operation:
            stored = holding_patterns(name, loaded.network).stored
            for label in labels:
                if label not in stored.positions:
                    raise LabelNotFound(name, label)
            return Forget(tuple(labels))

        head, _ = await self._change(name, operation, expected_revision, request, numbered=False, many=many)
        return head

    async def update(
        self, name: str, family: str, changes: Mapping[str, Any], expected_revision: int | None, request: Request
    ) -> Head:
        """Changes parameters of a memory and learns its patterns anew under them.

        Args:
            name: of the memory.
            family: the caller takes the memory to be of.
            changes: the new values of some of `Spec.parameters`.
            expected_revision: the memory must be at; None for any.
            request: to recognise a repeat.

        Returns:
            Where the memory stands after it.

        Raises:
            InvalidField: a parameter breaks a rule, or cannot be changed.
            MemoryNotFound, RevisionMismatch, WeightsImported, Contention: as they say.
        """
        check_name(name)

        def operation(loaded: Loaded) -> Operation | None:
            spec = loaded.network.spec
            if spec.family != family:
                raise InvalidField("spec.family", f"must be {spec.family}, as memory {name!r} is")
            try:
                changed = spec.changed(changes)
            except InvalidParameter as error:
                raise InvalidField(f"spec.{family}.{error.parameter}", error.rule) from error
            except NothingToRelearn as error:
                raise WeightsImported(name) from error
            return Configure(changed) if changed != spec else None

        head, _ = await self._change(name, operation, expected_revision, request, numbered=False)
        return head

    async def _change(
        self,
        name: str,
        operation_on: Callable[[Loaded], Operation | None],
        expected_revision: int | None,
        request: Request,
        *,
        numbered: bool,
        many: bool = False,
    ) -> tuple[Head, Sequence[str]]:
        """Commits an operation made from, and checked against, the network it is applied to; none where there is nothing to do.

        Args:
            name: of the memory.
            operation_on: makes and checks the operation.
            expected_revision: the memory must be at; None for any.
            request: to recognise a repeat.
            numbered: whether the operation numbers the patterns.
            many: whether `operation_on` takes long, for so many patterns or labels.

        Returns:
            Where the memory stands after it, and, where the labels were numbered, those.
        """
        async with self._changing.of(name):
            for _ in range(_ATTEMPTS):
                noted = await self._store.noted(name, request)
                if noted is not None and noted.head is not None:
                    await self._loader.catch_up_with(noted.head)
                    return noted.head, noted.labels
                loaded = await self._loader.present(name)
                try:
                    if expected_revision not in {None, loaded.head.revision}:
                        raise RevisionMismatch(name, expected_revision or 0, loaded.head.revision)
                    operation = await on_thread_if(many, lambda _: operation_on(loaded))  # noqa: B023 - called here alone
                except ServiceError:
                    # What stands in its way may be its own doing, carried out for a repeat by another replica just now.
                    if await self._store.noted(name, request) is None:
                        raise
                    continue
                if operation is None:
                    if await self._store.note(name, loaded.head, request) is Outcome.DONE:
                        return loaded.head, ()
                    continue
                labels = operation.labels if numbered and isinstance(operation, Store) else ()
                account = admission.current()
                attempt = account.part()
                await attempt.take(loaded.network.change_nbytes(operation), _LARGE_PART[type(operation)])
                network = await self._executor.learn(partial(_applied, loaded.network, operation))
                outcome, head = await self._store.commit(loaded.head, operation, network, request, labels)
                if outcome is Outcome.DONE:
                    await self._loader.committed(loaded, operation, head, network)
                    return head, labels
                account.release_part(attempt)
        raise Contention(name)

    # Reading

    async def patterns(
        self, name: str, labels: Sequence[str], from_number: int, count: int, token: Token | None
    ) -> PatternPage:
        """Stored patterns: of some labels, or at most `count`, the oldest whose number is at least `from_number`.

        Raises:
            InvalidField: the labels break a rule.
            MemoryNotFound, LabelNotFound, RevisionAhead, WrongFamily: as they say.
        """
        check_name(name)
        check_labels(labels, never)
        loaded = await self._loader.cached_or_loaded(name, token)
        stored = holding_patterns(name, loaded.network).stored
        if labels:
            for label in labels:
                if label not in stored.positions:
                    raise LabelNotFound(name, label)
            chosen = [stored.positions[label] for label in labels]
            large = len(chosen) * stored.bits.shape[1] >= _LARGE_BYTES
            bits = await on_thread_if(large, lambda _: stored.bits[chosen])
            return PatternPage(loaded.head, list(labels), bits, None)
        start = int(np.searchsorted(stored.numbers, from_number))
        end = min(start + min(count, max(1, _PAGE_BYTES // stored.bits.shape[1])), len(stored))
        following = int(stored.numbers[end]) if end < len(stored) else None
        return PatternPage(loaded.head, list(stored.labels[start:end]), stored.bits[start:end], following)

    async def weights(self, name: str, token: Token | None) -> tuple[Head, Weighted]:
        """The network whose weights are asked for, and where its memory stood. See `weight_rows`.

        Raises:
            MemoryNotFound, NoWeights, RevisionAhead: as they say.
        """
        check_name(name)
        loaded = await self._loader.cached_or_loaded(name, token)
        if not isinstance(loaded.network, Weighted):
            raise NoWeights(name, loaded.network.spec.family)
        await admission.current().take(costs.STREAMED, "name")
        return loaded.head, loaded.network

    async def weight_rows(self, network: Weighted) -> AsyncGenerator[NDArray[np.float64], None]:
        """J as recall uses it, in blocks of whole rows of about 1 MiB, made on a thread."""
        rows = max(1, _ROWS_BYTES // (8 * network.spec.neurons))
        async for blocks in self._executor.read(partial(network.weight_rows, rows), 1):
            for block in blocks:
                yield block

    async def diagnose(self, name: str, token: Token | None) -> tuple[Head, Diagnosis]:
        """How well a memory holds what is stored in it, and where it stood.

        Raises:
            MemoryNotFound, RevisionAhead, WrongFamily: as they say.
        """
        check_name(name)
        loaded = await self._loader.cached_or_loaded(name, token)
        network = holding_patterns(name, loaded.network)
        await admission.current().take(costs.diagnosis(network.spec.neurons, len(network.stored)), "name")
        # Not on the threads that recalls wait for: it may take long.
        return loaded.head, await self._executor.learn(network.diagnose)


def _applied(network: Network, operation: Operation, interruption: Interruption) -> Network:
    """The network after one more operation, ready to recall."""
    after = network.apply(operation, interruption)
    after.prepare(interruption)
    return after
