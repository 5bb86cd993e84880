"""Changes that are made and deserve a second look: Python's warnings, at the line that asked for the change."""

import linecache
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.client.asking import update
from tests.client.letters import N, random_patterns
from tests.processes import ServiceProcess

from hopfield.v1 import memory_pb2, memory_service_pb2
from hopfield_client import (
    AsyncHopfieldClient,
    CapacityWarning,
    ConvergenceWarning,
    HopfieldClient,
    HopfieldWarning,
    Memory,
)
from hopfield_client._memory_calls import MemoryCalls

BEYOND_HEBBS_CAPACITY = random_patterns(12)


def lines(warned: pytest.WarningsRecorder) -> list[tuple[str, str]]:
    """The file and the line that each warning points at."""
    return [(w.filename, linecache.getline(w.filename, w.lineno).strip()) for w in warned]


def answers(memory: MemoryCalls) -> list[tuple[Callable[[Any], Any], Any]]:
    return [
        (
            memory.store([1, 1, 1, -1], "A", replace=False, expected_revision=None).read,
            memory_service_pb2.StorePatternsResponse,
        ),
        (update(memory, rule="perceptron").read, memory_service_pb2.UpdateMemoryResponse),
    ]


def test_each_reason_has_its_warning_and_all_are_of_one_tree(memory: MemoryCalls) -> None:
    received = [
        memory_pb2.Warning(reason=memory_pb2.WARNING_REASON_CAPACITY, message="too many"),
        memory_pb2.Warning(reason=memory_pb2.WARNING_REASON_NOT_CONVERGED, message="gave up"),
        memory_pb2.Warning(message="that only a later client knows"),
    ]
    for read, response in answers(memory):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            read(response(memory=memory_pb2.Memory(uid="u", revision=1), warnings=received))
        assert [(w.category, str(w.message)) for w in warned] == [
            (CapacityWarning, "too many"),
            (ConvergenceWarning, "gave up"),
            (HopfieldWarning, "that only a later client knows"),
        ]
    assert issubclass(CapacityWarning, HopfieldWarning)
    assert issubclass(ConvergenceWarning, HopfieldWarning)
    assert issubclass(HopfieldWarning, UserWarning)


def test_who_makes_errors_of_warnings_has_still_seen_the_change(memory: MemoryCalls) -> None:
    received = [memory_pb2.Warning(reason=memory_pb2.WARNING_REASON_CAPACITY, message="too many")]
    for revision, (read, response) in enumerate(answers(memory), start=1):
        with pytest.raises(CapacityWarning):
            read(response(memory=memory_pb2.Memory(uid="u", revision=revision), warnings=received))
        assert memory.diagnose().request.token.revision == revision


# With a real service


def test_a_change_that_warns_is_made(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    with pytest.warns(CapacityWarning, match="12 patterns in 64 neurons") as warned:
        stored = memory.store(BEYOND_HEBBS_CAPACITY)
    assert len(warned) == 1
    assert stored.labels == tuple(str(k) for k in range(12))
    assert stored.capacity is not None
    assert stored.load > stored.capacity
    info = memory.update(rule="pseudo_inverse")
    assert info.rule == "pseudo_inverse"
    with pytest.warns(CapacityWarning):
        info = memory.update(rule="hebbian", normalization="none")
    assert (info.rule, info.normalization, info.revision) == ("hebbian", "none", 3)


def test_learning_that_gives_up_warns(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 2, rule="perceptron", max_sweeps=3)
    with pytest.warns(ConvergenceWarning):
        stored = memory.store([[1, 1], [1, -1]], ["same", "different"])
    assert stored.learning is not None
    assert (stored.learning.converged, stored.learning.sweeps) == (False, 3)


def test_a_warning_points_at_the_line_that_called(server: ServiceProcess, name: str) -> None:
    with HopfieldClient(server.address, timeout=60.0) as client:
        memory: Memory = client.create_memory(name, N)
        with pytest.warns(CapacityWarning) as of_the_store:
            memory.store(BEYOND_HEBBS_CAPACITY)
        with pytest.warns(CapacityWarning) as of_the_update:
            memory.update(normalization="patterns")
    assert lines(of_the_store) == [(__file__, "memory.store(BEYOND_HEBBS_CAPACITY)")]
    assert lines(of_the_update) == [(__file__, 'memory.update(normalization="patterns")')]


async def test_a_warning_points_at_the_line_that_awaited(server: ServiceProcess, name: str) -> None:
    async with AsyncHopfieldClient(server.address, timeout=60.0) as client:
        memory = await client.create_memory(name, N)
        with pytest.warns(CapacityWarning) as of_the_store:
            await memory.store(BEYOND_HEBBS_CAPACITY)
        with pytest.warns(CapacityWarning) as of_the_update:
            await memory.update(normalization="patterns")
    assert lines(of_the_store) == [(__file__, "await memory.store(BEYOND_HEBBS_CAPACITY)")]
    assert lines(of_the_update) == [(__file__, 'await memory.update(normalization="patterns")')]


def test_what_is_within_the_capacity_is_stored_without_a_word(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    memory.store(BEYOND_HEBBS_CAPACITY[:8])
    np.testing.assert_array_equal([pattern for _, pattern in memory.patterns()], BEYOND_HEBBS_CAPACITY[:8])
