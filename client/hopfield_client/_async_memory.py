"""A handle of one memory, whose calls are awaited."""

# gRPC keeps the deadlines, on the server's side too; asyncio.timeout would do so on this side alone.
# ruff: noqa: ASYNC109

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hopfield_client._async_connection import AsyncConnection
from hopfield_client._diagnosis import Diagnosis
from hopfield_client._html import table
from hopfield_client._memory_calls import MemoryCalls
from hopfield_client._models import PatternModel
from hopfield_client._progress import Progress
from hopfield_client._recall_options import recall_options
from hopfield_client._results import NearestPattern, Recall, RecallBatch, StoredPattern
from hopfield_client._trace import AsyncTrace
from hopfield_client._types import Coding, LearningRule, MemoryInfo, Normalization, Stored, TieRule, UpdateRule


class AsyncMemory:
    """A handle of one memory, as Memory; calls are awaited."""

    def __init__(self, connection: AsyncConnection, calls: MemoryCalls) -> None:
        self._connection = connection
        self._calls = calls

    @property
    def name(self) -> str:
        """Name of the memory."""
        return self._calls.name

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of one pattern, in which stored ones are given back; None where `client.memory` was told none: (N,)."""
        return self._calls.shape

    @property
    def coding(self) -> Coding | None:
        """The values its neurons have: "bipolar" (-1 and 1), "binary" (0 and 1) or "real"; None where `client.memory` was not told."""
        return self._calls.coding

    async def info(self) -> MemoryInfo:
        """Describes the memory as it is now."""
        return await self._connection.run(self._connection.memories.GetMemory, self._calls.info())

    async def update(
        self,
        *,
        model: PatternModel | None = None,
        rule: LearningRule | None = None,
        normalization: Normalization | None = None,
        thresholds: ArrayLike | None = None,
        self_coupling: bool | None = None,
        kappa: float | None = None,
        max_sweeps: int | None = None,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> MemoryInfo:
        """Changes parameters and learns the patterns anew under them. Arguments, answer, warnings and errors: as Memory.update."""
        call = self._calls.update(
            model=model,
            rule=rule,
            normalization=normalization,
            thresholds=thresholds,
            self_coupling=self_coupling,
            kappa=kappa,
            max_sweeps=max_sweeps,
            expected_revision=expected_revision,
        )
        return await self._connection.run(self._connection.memories.UpdateMemory, call, timeout)

    async def store(
        self,
        patterns: ArrayLike,
        labels: str | Iterable[str] | None = None,
        *,
        replace: bool = False,
        expected_revision: int | None = None,
        timeout: float | None = None,
    ) -> Stored:
        """Learns patterns: all of them in one commit, or none. Arguments, answer, warnings and errors: as Memory.store."""
        call = self._calls.store(patterns, labels, replace=replace, expected_revision=expected_revision)
        return await self._connection.run(self._connection.memories.StorePatterns, call, timeout)

    async def forget(self, labels: str | Iterable[str], *, timeout: float | None = None) -> MemoryInfo:
        """Unlearns the patterns of these labels, all in one commit, or none. Arguments, answer and errors: as Memory.forget."""
        call = self._calls.forget(labels)
        return await self._connection.run(self._connection.memories.ForgetPatterns, call, timeout)

    async def patterns(self) -> AsyncIterator[StoredPattern]:
        """The stored patterns, oldest first, fetched as they are consumed. Each as Memory.patterns gives it."""
        call = self._calls.patterns()
        async for stored in self._connection.run_pages(self._connection.memories.ListPatterns, call):
            yield stored

    async def pattern(self, label: str) -> NDArray[Any]:
        """One stored pattern in the handle's shape. Answer and errors: as Memory.pattern."""
        return await self._connection.run(self._connection.memories.ListPatterns, self._calls.pattern(label))

    async def recall(
        self,
        query: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
    ) -> Recall:
        """Runs the dynamics from a query until they settle. Arguments and errors: as Memory.recall."""
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        call = self._calls.recall(query, options)
        return await self._connection.run(self._connection.recalls.Recall, call, timeout)

    async def recall_batch(
        self,
        queries: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
        progress: bool | Progress = False,
    ) -> RecallBatch:
        """Runs the dynamics from each of many queries. Arguments and errors: as Memory.recall_batch."""
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        batch = self._calls.recall_batch(queries, options, progress)
        return await self._connection.run_batch(batch, timeout)

    def recall_stream(
        self,
        queries: Iterable[ArrayLike] | AsyncIterable[ArrayLike],
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[Recall, None]:
        """Runs the dynamics from queries without end. Not awaited; its answers are. Arguments and errors: as Memory.recall_stream.

        The queries may come from an asynchronous iterable too.
        """
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        return self._connection.recalls_of(self._calls.recall_stream(options), queries, timeout)

    def trace(
        self,
        query: ArrayLike,
        *,
        update: UpdateRule = "asynchronous",
        order: Literal["random", "sequential"] | Sequence[int] = "random",
        seed: int | None = None,
        max_iterations: int = 100,
        tie: TieRule = "keep",
        clamp: bool = False,
        beta: float | Sequence[float] | NDArray[np.floating[Any]] | None = None,
        timeout: float | None = None,
    ) -> AsyncTrace:
        """Runs one recall and shows every iteration of it. Not awaited; its steps are. Arguments and errors: as Memory.trace."""
        options = recall_options(
            coding=self._calls.coding,
            update=update,
            order=order,
            seed=seed,
            max_iterations=max_iterations,
            tie=tie,
            clamp=clamp,
            beta=beta,
        )
        call = self._calls.trace(query, options)
        return AsyncTrace(self._connection.steps(call, timeout), call)

    async def nearest(
        self, query: ArrayLike, k: int = 1, *, include_patterns: bool = False, timeout: float | None = None
    ) -> list[NearestPattern]:
        """The stored patterns nearest to a query by |overlap|, without dynamics. Arguments and errors: as Memory.nearest."""
        call = self._calls.nearest(query, k, include_patterns=include_patterns)
        return await self._connection.run(self._connection.recalls.Nearest, call, timeout)

    async def diagnose(self, *, timeout: float | None = None) -> Diagnosis:
        """How well the memory holds what is stored in it. It may take `timeout` seconds; None: the client's timeout."""
        return await self._connection.run(self._connection.memories.DiagnoseMemory, self._calls.diagnose(), timeout)

    async def weights(self, *, timeout: float | None = None) -> NDArray[np.float64]:
        """The weights that recall uses, as Memory.weights. They may take `timeout` seconds; None: the client's timeout."""
        call = self._calls.weights()
        return await self._connection.run_stream(self._connection.memories.GetWeights, call, timeout)

    def __repr__(self) -> str:
        return f"AsyncMemory({', '.join([repr(self.name), *self._calls.known()])})"

    def _repr_html_(self) -> str:
        """What notebooks show. Asks no server: see `info`."""
        return table(f"AsyncMemory {self.name!r}", [("shape", self.shape), ("coding", self.coding)])
