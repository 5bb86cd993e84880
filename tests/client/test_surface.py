"""The public surface: what is exported, that both clients are alike, and what importing them costs."""

import inspect
import re
import subprocess
import sys
import types
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, get_args, get_origin

import pytest

import hopfield_client
from hopfield_client import (
    AsyncHeadingTrack,
    AsyncHopfieldClient,
    AsyncMemory,
    AsyncPositionTrack,
    AsyncRingMemory,
    AsyncSheetMemory,
    AsyncTrace,
    Diagnosis,
    HeadingTrack,
    HopfieldClient,
    Memory,
    MemoryInfo,
    PositionTrack,
    Recall,
    RingMemory,
    SheetMemory,
    Stored,
    Trace,
)

DOCUMENTED = {
    "clients": {
        "HopfieldClient",
        "Memory",
        "RingMemory",
        "SheetMemory",
        "AsyncHopfieldClient",
        "AsyncMemory",
        "AsyncRingMemory",
        "AsyncSheetMemory",
        "RetryConfig",
    },
    "models": {"Dense", "Modern", "Ring", "Sheet"},
    "iterators": {"Trace", "AsyncTrace"},
    "tracks": {"HeadingTrack", "PositionTrack", "AsyncHeadingTrack", "AsyncPositionTrack"},
    "answers": {
        "Diagnosis",
        "LearningOutcome",
        "MemoryInfo",
        "NearestPattern",
        "Recall",
        "RecallBatch",
        "RingRecall",
        "ServerInfo",
        "SheetRecall",
        "Stored",
        "StoredPattern",
        "TraceStep",
        "WeightStatistics",
    },
    "words": {
        "Coding",
        "LearningRule",
        "Match",
        "Model",
        "Normalization",
        "PatternArray",
        "StopReason",
        "TieRule",
        "UpdateRule",
    },
    "warnings": {"HopfieldWarning", "CapacityWarning", "ConvergenceWarning"},
    "errors": {
        "HopfieldError",
        "InvalidArgument",
        "NotFound",
        "AlreadyExists",
        "Conflict",
        "FailedPrecondition",
        "Unauthenticated",
        "PermissionDenied",
        "ResourceExhausted",
        "Overloaded",
        "Unavailable",
        "DeadlineExceeded",
        "Cancelled",
        "ClientClosed",
        "WrongEventLoop",
        "DataLoss",
        "Unimplemented",
        "InternalError",
    },
}

PAIRS = [
    (HopfieldClient, AsyncHopfieldClient),
    (Memory, AsyncMemory),
    (RingMemory, AsyncRingMemory),
    (HeadingTrack, AsyncHeadingTrack),
    (SheetMemory, AsyncSheetMemory),
    (PositionTrack, AsyncPositionTrack),
]
TWINS: dict[Any, Any] = {
    **dict(PAIRS),
    Trace: AsyncTrace,
    Memory | RingMemory | SheetMemory: AsyncMemory | AsyncRingMemory | AsyncSheetMemory,
    AbstractContextManager[Memory | RingMemory | SheetMemory]: AbstractAsyncContextManager[
        AsyncMemory | AsyncRingMemory | AsyncSheetMemory
    ],
}
# Calls that ask no server yet, and properties.
NOT_AWAITED = {
    "memory",
    "temporary_memory",
    "name",
    "shape",
    "coding",
    "trace",
    "recall_stream",
    "ring",
    "sheet",
    "track",
    "heading",
    "phase",
    "lattice",
    "rates",
}
LISTS = {"list_memories", "patterns"}


def public(cls: type) -> dict[str, Callable[..., object]]:
    return {name: value for name, value in vars(cls).items() if not name.startswith("_")}


def test_the_exported_names_are_those_documented() -> None:
    present = {
        name
        for name, value in vars(hopfield_client).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert set(hopfield_client.__all__) == present == set().union(*DOCUMENTED.values())
    assert hopfield_client.__all__ == sorted(set(hopfield_client.__all__))


@pytest.mark.parametrize("name", sorted(set().union(*DOCUMENTED.values()) - DOCUMENTED["words"]))
def test_everything_exported_is_documented(name: str) -> None:
    exported = getattr(hopfield_client, name)
    for documented in (exported, *public(exported).values()):
        if inspect.isclass(documented) or inspect.isfunction(documented) or isinstance(documented, property):
            assert documented.__doc__


@pytest.mark.parametrize(
    "name", sorted(DOCUMENTED["answers"] | DOCUMENTED["models"] | {"RetryConfig", "HopfieldError"})
)
def test_attributes_are_documented_where_help_shows_them(name: str) -> None:
    exported = getattr(hopfield_client, name)
    _, _, section = (inspect.getdoc(exported) or "").partition("Attributes:\n")
    documented = re.findall(r"^    (\w+): ", section.partition("\n\n")[0], re.MULTILINE)
    assert documented == list(inspect.get_annotations(exported))


@pytest.mark.parametrize("name", sorted(DOCUMENTED["answers"]))
def test_every_answer_can_be_json(name: str) -> None:
    assert callable(getattr(hopfield_client, name).to_dict)


@pytest.mark.parametrize(
    "cls",
    [
        *(cls for pair in PAIRS for cls in pair if cls.__name__.endswith("Memory")),
        *(Trace, AsyncTrace, Diagnosis, MemoryInfo, Recall, Stored),
    ],
)
def test_notebooks_show_handles_traces_and_answers(cls: Any) -> None:
    assert callable(cls._repr_html_)


def test_calls_that_can_take_long_have_a_timeout_of_their_own() -> None:
    patient = {
        name
        for cls in (HopfieldClient, Memory, RingMemory, SheetMemory)
        for name, call in public(cls).items()
        if not isinstance(call, property) and "timeout" in inspect.signature(call).parameters
    }
    assert patient == {
        "store",
        "forget",
        "recall",
        "recall_batch",
        "recall_stream",
        "nearest",
        "weights",
        "import_weights",
        "update",
        "trace",
        "track",
        "diagnose",
        "wait_until_ready",
    }


@pytest.mark.parametrize(("blocking", "awaited"), PAIRS)
def test_both_clients_have_the_same_names(blocking: type, awaited: type) -> None:
    assert list(public(blocking)) == list(public(awaited))


@pytest.mark.parametrize(
    ("blocking", "awaited", "name"),
    [
        (blocking, awaited, name)
        for blocking, awaited in PAIRS
        for name, value in public(blocking).items()
        if not isinstance(value, property)
    ],
)
def test_both_clients_have_the_same_signatures(blocking: type, awaited: type, name: str) -> None:
    one = inspect.signature(getattr(blocking, name))
    other = inspect.signature(getattr(awaited, name))
    for argument, of_other in zip(one.parameters.values(), other.parameters.values(), strict=True):
        # What the one takes from an iterable, the other may take from an asynchronous one too.
        items = get_args(argument.annotation) if get_origin(argument.annotation) is Iterable else ()
        either = argument.annotation | types.GenericAlias(AsyncIterable, items) if items else argument.annotation
        assert of_other in {argument, argument.replace(annotation=either)}
    expected = str(TWINS.get(one.return_annotation, one.return_annotation))
    for iterator in ("Iterator", "Generator"):
        expected = expected.replace(f"collections.abc.{iterator}", f"collections.abc.Async{iterator}")
    assert expected.replace(", None, None]", ", None]") == str(other.return_annotation)


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for _, cls in PAIRS for name in public(cls)])
def test_calls_that_reach_the_server_are_awaited_and_lists_are_asynchronous_iterators(cls: type, name: str) -> None:
    call = vars(cls)[name]
    assert inspect.isasyncgenfunction(call) == (name in LISTS)
    assert inspect.iscoroutinefunction(call) == (name not in LISTS | NOT_AWAITED)


def test_both_clients_are_made_alike() -> None:
    assert inspect.signature(HopfieldClient) == inspect.signature(AsyncHopfieldClient)


def test_every_recall_takes_the_same_arguments() -> None:
    one = inspect.signature(Memory.recall).parameters
    for other in (Memory.recall_batch, Memory.recall_stream, Memory.trace):
        same = [argument for argument in inspect.signature(other).parameters.values() if argument.name != "progress"]
        assert [*one.values()][2:] == same[2:]


def test_a_memory_is_changed_by_the_arguments_it_is_made_with() -> None:
    made = inspect.signature(HopfieldClient.create_memory).parameters
    changed = inspect.signature(Memory.update).parameters
    assert list(changed)[1:-2] == [name for name in made if name in changed and name != "self"]


def test_a_temporary_memory_is_made_by_the_arguments_of_one_that_stays() -> None:
    stays = inspect.signature(HopfieldClient.create_memory).parameters
    goes = inspect.signature(HopfieldClient.temporary_memory).parameters
    assert set(goes) == set(stays) - {"exist_ok"}
    assert all(goes[name] == stays[name] for name in set(goes) - {"name"})
    assert goes["name"].default is None


def test_importing_the_client_imports_nothing_of_the_server() -> None:
    program = "import sys, hopfield_client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in done.stdout.split()}
    assert not loaded & {"hopfield_service", "numba", "redis", "pydantic", "typer", "scipy"}
    assert "numpy.ma" not in done.stdout.split()
