"""The same tests drive both clients: the asynchronous one through an event loop of the test's own."""

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any, Self, cast

import pytest
from tests.client.letters import LABELS, PATTERNS, N
from tests.processes import ServiceProcess

from hopfield_client import (
    AsyncHeadingTrack,
    AsyncHopfieldClient,
    AsyncMemory,
    AsyncPositionTrack,
    AsyncRingMemory,
    AsyncSheetMemory,
    AsyncTrace,
    HopfieldClient,
    Memory,
    Recall,
    TraceStep,
)
from hopfield_client._client_calls import ClientCalls
from hopfield_client._memory_calls import MemoryCalls

Connect = Callable[..., HopfieldClient]


class Driven:
    """An AsyncHopfieldClient, or a handle or track of one, with the surface of its blocking twin."""

    def __init__(self, runner: asyncio.Runner, driven: Any) -> None:
        self._runner = runner
        self._driven = driven

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._driven, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = attribute(*args, **kwargs)
            if inspect.isasyncgen(answer):
                return self._iterate(answer)
            if inspect.isawaitable(answer):
                answer = self._runner.run(_awaited(answer))
            if isinstance(answer, AsyncTrace):
                return DrivenTrace(self._runner, answer)
            return Driven(self._runner, answer) if isinstance(answer, _HANDLES) else answer

        return call

    def __repr__(self) -> str:
        return repr(self._driven)

    def __enter__(self) -> Self:
        entered = self._runner.run(_awaited(self._driven.__aenter__()))
        return self if entered is self._driven else type(self)(self._runner, entered)

    def __exit__(self, *error: object) -> None:
        self._runner.run(_awaited(self._driven.__aexit__(*error)))

    def _iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        end = object()
        while (item := self._runner.run(_awaited(anext(items, end)))) is not end:
            yield item


_HANDLES = (
    AsyncMemory,
    AsyncRingMemory,
    AsyncHeadingTrack,
    AsyncSheetMemory,
    AsyncPositionTrack,
    AbstractAsyncContextManager,
)


class DrivenTrace:
    """An AsyncTrace with the surface of its blocking twin."""

    def __init__(self, runner: asyncio.Runner, driven: AsyncTrace) -> None:
        self._runner = runner
        self._driven = driven

    @property
    def recall(self) -> Recall | None:
        return self._driven.recall

    def __repr__(self) -> str:
        return repr(self._driven)

    def _repr_html_(self) -> str:
        return self._driven._repr_html_()

    def close(self) -> None:
        self._runner.run(self._driven.aclose())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TraceStep:
        try:
            return self._runner.run(self._driven.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


@pytest.fixture(params=["blocking", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients of either kind, closed at the end of the test."""
    with ExitStack() as stack:
        if request.param == "blocking":
            yield lambda *args, **kwargs: stack.enter_context(HopfieldClient(*args, **kwargs))
            return
        runner = stack.enter_context(asyncio.Runner())

        def make(*args: Any, **kwargs: Any) -> HopfieldClient:
            async def made() -> AsyncHopfieldClient:
                return AsyncHopfieldClient(*args, **kwargs)

            client = Driven(runner, runner.run(made()))
            stack.callback(client.close)
            return cast("HopfieldClient", client)

        yield make


@pytest.fixture
def client(connect: Connect, server: ServiceProcess) -> HopfieldClient:
    """A client of either kind, of the service that all tests share."""
    return connect(server.address, timeout=60.0)


@pytest.fixture
def other_client(server: ServiceProcess) -> Iterator[HopfieldClient]:
    """Another client of that service, which blocks, for what happens there while a call of `client` runs."""
    with HopfieldClient(server.address, timeout=60.0) as other:
        yield other


@pytest.fixture
def name() -> str:
    """The name of a memory that no other test has."""
    return f"client-{uuid.uuid4().hex}"


@pytest.fixture
def letters(client: HopfieldClient, name: str) -> Memory:
    """A memory of five random patterns of 64 neurons."""
    memory = client.create_memory(name, N, rule="pseudo_inverse")
    memory.store(PATTERNS, LABELS)
    return memory


@pytest.fixture
def calls() -> ClientCalls:
    """The calls of a client of which nothing is sent."""
    return ClientCalls("memories:50051", 10.0)


@pytest.fixture
def memory(calls: ClientCalls) -> MemoryCalls:
    """The calls of a handle that knows the shape of a pattern, and not the coding."""
    return calls.memory("digits", (2, 2))
