"""The client whose calls are awaited."""

# gRPC keeps the deadlines, on the server's side too; asyncio.timeout would do so on this side alone.
# ruff: noqa: ASYNC109

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self, overload

from numpy.typing import ArrayLike

from hopfield_client._async_connection import AsyncConnection
from hopfield_client._async_memory import AsyncMemory
from hopfield_client._async_ring_memory import AsyncRingMemory
from hopfield_client._async_sheet_memory import AsyncSheetMemory
from hopfield_client._attractor_calls import RingCalls, SheetCalls
from hopfield_client._client_calls import ClientCalls, CreationCall, temporary_name
from hopfield_client._config import DEFAULT_RETRY, RetryConfig
from hopfield_client._errors import HopfieldError
from hopfield_client._memory_calls import MemoryCalls
from hopfield_client._models import Model, PatternModel, Ring, Sheet
from hopfield_client._types import Coding, LearningRule, MemoryInfo, Normalization, ServerInfo


class AsyncHopfieldClient:
    """HopfieldClient for asyncio: the same names; calls that reach the server are awaited. `async with` closes it.

    To be made where an event loop runs, and used in that loop; elsewhere it raises WrongEventLoop. A copy from a pickle
    belongs to the loop that it is first used in. Arguments: as HopfieldClient.
    """

    def __init__(
        self, address: str | Sequence[str], *, timeout: float = 10.0, retry: RetryConfig = DEFAULT_RETRY
    ) -> None:
        self._calls = ClientCalls(address, timeout, retry)
        self._connection = AsyncConnection(self._calls)

    @overload
    async def create_memory(self, name: str, *, model: Ring, exist_ok: bool = False) -> AsyncRingMemory: ...

    @overload
    async def create_memory(self, name: str, *, model: Sheet, exist_ok: bool = False) -> AsyncSheetMemory: ...

    @overload
    async def create_memory(
        self,
        name: str,
        neurons: int,
        *,
        model: PatternModel | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
        exist_ok: bool = False,
    ) -> AsyncMemory: ...

    async def create_memory(
        self,
        name: str,
        neurons: int | None = None,
        *,
        model: Model | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
        exist_ok: bool = False,
    ) -> AsyncMemory | AsyncRingMemory | AsyncSheetMemory:
        """Makes an empty memory, or an attractor. Arguments and errors: as HopfieldClient.create_memory."""
        call = self._calls.create_memory(
            name,
            neurons,
            model=model,
            rule=rule,
            normalization=normalization,
            thresholds=thresholds,
            self_coupling=self_coupling,
            coding=coding,
            kappa=kappa,
            max_sweeps=max_sweeps,
            shape=shape,
            exist_ok=exist_ok,
        )
        return self._handle(await self._connection.run(self._connection.memories.CreateMemory, call))

    @overload
    def temporary_memory(
        self, neurons: None = None, *, name: str | None = None, model: Ring
    ) -> AbstractAsyncContextManager[AsyncRingMemory]: ...

    @overload
    def temporary_memory(
        self, neurons: None = None, *, name: str | None = None, model: Sheet
    ) -> AbstractAsyncContextManager[AsyncSheetMemory]: ...

    @overload
    def temporary_memory(
        self,
        neurons: int,
        *,
        name: str | None = None,
        model: PatternModel | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
    ) -> AbstractAsyncContextManager[AsyncMemory]: ...

    def temporary_memory(
        self,
        neurons: int | None = None,
        *,
        name: str | None = None,
        model: Model | None = None,
        rule: LearningRule = "hebbian",
        normalization: Normalization = "neurons",
        thresholds: ArrayLike | None = None,
        self_coupling: bool = False,
        coding: Coding = "bipolar",
        kappa: float = 1.0,
        max_sweeps: int = 1000,
        shape: int | Sequence[int] | None = None,
    ) -> AbstractAsyncContextManager[AsyncMemory | AsyncRingMemory | AsyncSheetMemory]:
        """Make a memory for the time of an `async with` block. Not awaited. Arguments and errors: as HopfieldClient.temporary_memory."""
        call = self._calls.create_memory(
            temporary_name() if name is None else name,
            neurons,
            model=model,
            rule=rule,
            normalization=normalization,
            thresholds=thresholds,
            self_coupling=self_coupling,
            coding=coding,
            kappa=kappa,
            max_sweeps=max_sweeps,
            shape=shape,
            exist_ok=False,
        )
        return self._temporary(call)

    @asynccontextmanager
    async def _temporary(self, call: CreationCall) -> AsyncIterator[AsyncMemory | AsyncRingMemory | AsyncSheetMemory]:
        memory = self._handle(await self._connection.run(self._connection.memories.CreateMemory, call))
        try:
            yield memory
        except BaseException as error:
            # What failed inside `with` matters more than what is left behind.
            try:
                await self.delete_memory(memory.name, missing_ok=True)
            except HopfieldError as not_deleted:
                error.add_note(f"the temporary memory {memory.name!r} was not deleted: {not_deleted}")
            raise
        await self.delete_memory(memory.name, missing_ok=True)

    def _handle(self, calls: MemoryCalls | RingCalls | SheetCalls) -> AsyncMemory | AsyncRingMemory | AsyncSheetMemory:
        if isinstance(calls, RingCalls):
            return AsyncRingMemory(self._connection, calls)
        if isinstance(calls, SheetCalls):
            return AsyncSheetMemory(self._connection, calls)
        return AsyncMemory(self._connection, calls)

    def memory(
        self, name: str, *, shape: int | Sequence[int] | None = None, coding: Coding | None = None
    ) -> AsyncMemory:
        """A handle of a memory. Asks nobody, and is not awaited. Arguments: as HopfieldClient.memory."""
        return AsyncMemory(self._connection, self._calls.memory(name, shape, coding))

    def ring(self, name: str) -> AsyncRingMemory:
        """A handle of a ring attractor. Asks nobody, and is not awaited."""
        return AsyncRingMemory(self._connection, self._calls.ring(name))

    def sheet(self, name: str) -> AsyncSheetMemory:
        """A handle of a sheet attractor. Asks nobody, and is not awaited."""
        return AsyncSheetMemory(self._connection, self._calls.sheet(name))

    async def list_memories(self, prefix: str = "") -> AsyncIterator[MemoryInfo]:
        """Describes the memories whose names begin with `prefix`, in order of their names, fetched as they are consumed."""
        call = self._calls.list_memories(prefix)
        async for info in self._connection.run_pages(self._connection.memories.ListMemories, call):
            yield info

    async def delete_memory(self, name: str, *, missing_ok: bool = False) -> None:
        """Deletes a memory and everything in it. Errors: as HopfieldClient.delete_memory."""
        call = self._calls.delete_memory(name, missing_ok=missing_ok)
        await self._connection.run(self._connection.memories.DeleteMemory, call)

    async def import_weights(
        self,
        name: str,
        weights: ArrayLike,
        thresholds: ArrayLike | None = None,
        coding: Coding = "bipolar",
        *,
        timeout: float | None = None,
    ) -> AsyncMemory:
        """Makes a memory from weights given from outside. Arguments and errors: as HopfieldClient.import_weights."""
        call = self._calls.import_weights(name, weights, thresholds, coding)
        made = await self._connection.run_upload(self._connection.memories.ImportWeights, call, timeout)
        return AsyncMemory(self._connection, made)

    async def server_info(self) -> ServerInfo:
        """Version, limits and rules of the server."""
        return await self._connection.run(self._connection.server.GetServerInfo, self._calls.server_info())

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server serves. Arguments and errors: as HopfieldClient.wait_until_ready."""
        await self._connection.wait_until_ready(timeout)

    async def close(self) -> None:
        """Closes the connection. Calls that are running raise Cancelled."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncHopfieldClient({self._calls.addresses.text!r})"
