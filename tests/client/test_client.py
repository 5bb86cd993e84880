"""What both clients do with a real service: the life of memories, and what they store."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from tests.client.conftest import Connect
from tests.client.letters import LABELS, PATTERNS, N, random_patterns
from tests.processes import ServiceProcess, StartService

from hopfield_client import (
    AlreadyExists,
    CapacityWarning,
    ClientClosed,
    Conflict,
    Dense,
    HopfieldClient,
    InvalidArgument,
    LearningRule,
    Memory,
    MemoryInfo,
    Modern,
    NotFound,
    Ring,
    Sheet,
    Stored,
    UpdateRule,
)

# The life of a memory


def test_the_server_says_what_it_is(client: HopfieldClient) -> None:
    info = client.server_info()
    assert info.version
    assert info.max_neurons >= 16_384
    assert min(info.max_patterns, info.max_iterations, info.max_message_bytes) > 0
    assert set(get_args(LearningRule)) <= set(info.learning_rules)
    assert set(get_args(UpdateRule)) <= set(info.update_rules)


def test_a_new_memory_is_empty(client: HopfieldClient, name: str) -> None:
    info = client.create_memory(name, N).info()
    assert (info.name, info.neurons, info.rule, info.pattern_count, info.load) == (name, N, "hebbian", 0, 0.0)
    assert (info.revision, info.thresholds, info.self_coupling, info.learning) == (0, None, False, None)
    assert (info.normalization, info.coding, info.kappa, info.max_sweeps) == ("neurons", "bipolar", None, None)
    assert info.capacity == pytest.approx(0.138, abs=0.001)
    assert info.created == info.updated
    assert abs(info.created - datetime.now(UTC)) < timedelta(minutes=5)
    assert info.uid


def test_a_memory_keeps_its_rule_and_thresholds(client: HopfieldClient, name: str) -> None:
    thresholds = np.linspace(-1, 1, N).reshape(8, 8)
    info = client.create_memory(name, N, rule="pseudo_inverse", thresholds=thresholds).info()
    assert info.rule == "pseudo_inverse"
    assert info.thresholds is not None
    np.testing.assert_array_equal(info.thresholds, thresholds.ravel())


def test_a_name_is_taken_once_unless_the_same_memory_will_do(client: HopfieldClient, name: str) -> None:
    first = client.create_memory(name, N).info()
    with pytest.raises(AlreadyExists) as raised:
        client.create_memory(name, N)
    assert (raised.value.reason, raised.value.metadata["name"]) == ("MEMORY_EXISTS", name)
    assert client.create_memory(name, N, exist_ok=True).info().uid == first.uid


HALVES, ONES = np.full(N, 0.5), np.ones(N)


@pytest.mark.parametrize(
    ("made", "asked", "said"),
    [
        ({}, {"rule": "pseudo_inverse"}, {"rule": "rule is hebbian (pseudo_inverse was asked for)"}),
        ({}, {"neurons": 9}, {"neurons": f"neurons is {N} (9 was asked for)"}),
        ({}, {"self_coupling": True}, {"self_coupling": "self_coupling is False (True was asked for)"}),
        ({"coding": "binary"}, {}, {"coding": "coding is binary (bipolar was asked for)"}),
        ({}, {"model": Dense(degree=3)}, {"family": "family is pairwise (dense was asked for)"}),
        ({"model": Dense(degree=3)}, {"model": Dense(degree=4)}, {"degree": "degree is 3 (4 was asked for)"}),
        ({"model": Modern(beta=8)}, {"model": Modern(beta=0.5)}, {"beta": "beta is 8 (0.5 was asked for)"}),
        ({"thresholds": HALVES}, {}, {"thresholds": "thresholds are set (none were asked for)"}),
        ({}, {"thresholds": ONES}, {"thresholds": "thresholds are all zero (others were asked for)"}),
        (
            {"thresholds": HALVES},
            {"thresholds": np.where(np.arange(N) == 3, 2, HALVES)},
            {"thresholds": "thresholds[3] is 0.5 (2 was asked for)"},
        ),
        (
            {"rule": "perceptron", "kappa": 2.0},
            {"normalization": "none"},
            {
                "rule": "rule is perceptron (hebbian was asked for)",
                "normalization": "normalization is neurons (none was asked for)",
                "kappa": "kappa is 2 (1 was asked for)",
            },
        ),
    ],
)
def test_a_memory_that_differs_says_in_what(
    client: HopfieldClient, name: str, made: dict[str, Any], asked: dict[str, Any], said: dict[str, str]
) -> None:
    client.create_memory(name, **{"neurons": N, **made})
    with pytest.raises(AlreadyExists) as raised:
        client.create_memory(name, **{"neurons": N, **asked}, exist_ok=True)
    assert str(raised.value) == f"a memory named {name!r} exists with another spec: {', '.join(said.values())}"
    assert raised.value.metadata == {"name": name, "differs": ",".join(said)}


def names(client: HopfieldClient) -> set[str]:
    return {info.name for info in client.list_memories("temporary-")}


@pytest.mark.parametrize(
    "made",
    [
        {"neurons": 6, "rule": "pseudo_inverse", "coding": "binary", "shape": (2, 3)},
        {"neurons": 6, "model": Dense(degree=3)},
        {"model": Ring()},
        {"model": Sheet()},
    ],
)
def test_a_temporary_memory_lives_as_long_as_its_block(client: HopfieldClient, made: dict[str, Any]) -> None:
    with client.temporary_memory(**made) as memory, client.temporary_memory(**made) as other:
        assert memory.name != other.name
        assert {memory.name, other.name} <= names(client)
        assert memory.info().model == made.get("model")
        if "shape" in made:
            assert (memory.shape, memory.coding, memory.info().rule) == ((2, 3), "binary", "pseudo_inverse")
    assert not {memory.name, other.name} & names(client)


def test_a_temporary_memory_goes_where_its_block_fails_or_has_deleted_it(client: HopfieldClient, name: str) -> None:
    with pytest.raises(KeyError, match="of the caller"), client.temporary_memory(4, name=name):
        raise KeyError("of the caller")
    with client.temporary_memory(4, name=name) as memory:
        client.delete_memory(memory.name)
    assert list(client.list_memories(name)) == []


def test_a_temporary_memory_leaves_one_of_its_name_alone(client: HopfieldClient, name: str) -> None:
    uid = client.create_memory(name, 4).info().uid
    with pytest.raises(AlreadyExists), client.temporary_memory(4, name=name):
        pass
    assert client.memory(name).info().uid == uid


def test_what_fails_in_the_block_is_raised_where_the_memory_cannot_be_deleted(
    connect: Connect, start_service: StartService, tmp_path: Path
) -> None:
    service = start_service(data_dir=str(tmp_path / "data"))
    client = connect(service.address, timeout=2.0)

    def stop(memory: Memory) -> None:
        service.terminate()
        raise KeyError(memory.name)

    with pytest.raises(KeyError) as raised, client.temporary_memory(4) as memory:
        stop(memory)
    (note,) = raised.value.__notes__
    assert note.startswith(f"the temporary memory {raised.value.args[0]!r} was not deleted: ")


def test_a_name_the_server_does_not_allow_is_refused_by_field(client: HopfieldClient) -> None:
    with pytest.raises(InvalidArgument) as raised:
        client.create_memory("Not Allowed", N)
    assert (raised.value.reason, raised.value.field) == ("INVALID_FIELD", "name")


def test_memories_are_listed_by_prefix_in_order(client: HopfieldClient, name: str) -> None:
    for suffix in ("b", "a", "c"):
        client.create_memory(f"{name}.{suffix}", N)
    listed = list(client.list_memories(f"{name}."))
    assert [info.name for info in listed] == [f"{name}.a", f"{name}.b", f"{name}.c"]
    assert listed[0] == client.memory(f"{name}.a").info()


def test_a_deleted_memory_is_gone(client: HopfieldClient, letters: Memory) -> None:
    client.delete_memory(letters.name)
    for call in (
        letters.info,
        letters.weights,
        lambda: letters.recall(PATTERNS[0]),
        lambda: list(letters.patterns()),
        lambda: client.delete_memory(letters.name),
    ):
        with pytest.raises(NotFound) as raised:
            call()
        assert (raised.value.reason, raised.value.metadata["name"]) == ("MEMORY_NOT_FOUND", letters.name)
    client.delete_memory(letters.name, missing_ok=True)


def test_a_memory_made_anew_under_its_name_is_another(client: HopfieldClient, letters: Memory) -> None:
    before = letters.info()
    client.delete_memory(letters.name)
    client.create_memory(letters.name, N)
    assert letters.info().uid != before.uid
    assert letters.recall(PATTERNS[0]).match == "none"


# Storing and forgetting


def test_storing_answers_with_the_memory_after_it(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    stored = memory.store(PATTERNS, LABELS)
    assert (stored.pattern_count, stored.load, stored.revision) == (5, 5 / N, 1)
    assert stored.labels == tuple(LABELS)
    info = memory.info()
    assert isinstance(stored, MemoryInfo)
    assert stored == Stored(labels=tuple(LABELS), **{field.name: getattr(info, field.name) for field in fields(info)})


def test_patterns_come_back_oldest_first_under_their_labels(letters: Memory) -> None:
    stored = list(letters.patterns())
    assert [label for label, _ in stored] == LABELS
    np.testing.assert_array_equal([pattern for _, pattern in stored], PATTERNS)
    np.testing.assert_array_equal(letters.pattern("C"), PATTERNS[2], strict=True)


def test_without_labels_the_server_numbers_patterns(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    assert memory.store(PATTERNS[0]).labels == ("0",)
    assert memory.store(PATTERNS[1:]).labels == ("1", "2", "3", "4")
    assert [label for label, _ in memory.patterns()] == ["0", "1", "2", "3", "4"]


def test_images_stay_images(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, shape=(8, 8))
    images = PATTERNS.reshape(-1, 8, 8)
    memory.store(images[0], "A")
    memory.store(images[1])
    memory.store(images[2:] > 0, ["C", "D", "E"])
    assert memory.shape == (8, 8)
    np.testing.assert_array_equal([pattern for _, pattern in memory.patterns()], images)
    np.testing.assert_array_equal(memory.pattern("C"), images[2], strict=True)
    assert memory.recall(images[0]).pattern.shape == (8, 8)
    assert memory.recall(images[0].ravel()).pattern.shape == (N,)
    assert memory.recall_batch(images).patterns.shape == (5, 8, 8)


def test_a_handle_made_without_asking_takes_sizes_from_the_arrays(client: HopfieldClient, letters: Memory) -> None:
    handle = client.memory(letters.name)
    assert handle.shape is None
    handle.store(-PATTERNS[0].reshape(8, 8), "inverse A", replace=True)
    assert handle.pattern("inverse A").shape == (N,)
    assert handle.recall(PATTERNS[1].reshape(8, 8)).label == "B"
    with pytest.raises(InvalidArgument):
        handle.recall(PATTERNS[1][:10])


def test_a_handle_made_without_asking_may_be_told_the_shape(client: HopfieldClient, letters: Memory) -> None:
    handle = client.memory(letters.name, shape=(8, 8))
    assert handle.shape == (8, 8)
    assert handle.store(-PATTERNS[0].reshape(8, 8)).pattern_count == 6
    assert handle.pattern("A").shape == (8, 8)
    with pytest.raises(Conflict, match="has 64 neurons, not 9 as this handle was told"):
        client.memory(letters.name, shape=9).pattern("A")


def test_many_patterns_are_fetched_page_by_page(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    patterns = random_patterns(250)
    with pytest.warns(CapacityWarning):
        memory.store(patterns)
    np.testing.assert_array_equal([pattern for _, pattern in memory.patterns()], patterns)


def test_a_label_is_taken_once_unless_replaced(letters: Memory) -> None:
    with pytest.raises(AlreadyExists) as raised:
        letters.store(random_patterns(2, seed=2), ["new", "A"])
    assert (raised.value.reason, raised.value.metadata["label"]) == ("LABEL_EXISTS", "A")
    assert letters.info().pattern_count == 5
    replacement = random_patterns(1, seed=2)[0]
    assert letters.store(replacement, "A", replace=True).pattern_count == 5
    np.testing.assert_array_equal(letters.pattern("A"), replacement)


def test_a_store_at_another_revision_than_expected_is_a_conflict(letters: Memory) -> None:
    pattern = random_patterns(1, seed=2)[0]
    with pytest.raises(Conflict) as raised:
        letters.store(pattern, "F", expected_revision=7)
    assert (raised.value.reason, raised.value.metadata["revision"]) == ("REVISION_MISMATCH", "1")
    assert letters.store(pattern, "F", expected_revision=1).revision == 2


def test_a_change_asked_for_again_is_another_change(letters: Memory) -> None:
    """As DeadlineExceeded says of changes that may have been made: each call has an id of its own."""
    with pytest.raises(AlreadyExists):
        letters.store(PATTERNS, LABELS)
    with pytest.raises(Conflict):
        letters.store(PATTERNS, LABELS, expected_revision=0)
    assert letters.store(PATTERNS).labels == ("5", "6", "7", "8", "9")
    assert letters.store(PATTERNS, LABELS, replace=True).pattern_count == 10
    letters.forget("A")
    with pytest.raises(NotFound):
        letters.forget("A")


def test_forgotten_patterns_are_as_if_never_stored(client: HopfieldClient, letters: Memory, name: str) -> None:
    assert letters.forget("A").pattern_count == 4
    assert letters.forget(["B", "E"]).pattern_count == 2
    with pytest.raises(NotFound) as raised:
        letters.forget("A")
    assert (raised.value.reason, raised.value.metadata["label"]) == ("LABEL_NOT_FOUND", "A")
    with pytest.raises(NotFound):
        letters.pattern("A")
    never = client.create_memory(f"{name}.never", N, rule="pseudo_inverse")
    never.store(PATTERNS[2:4])
    np.testing.assert_array_equal(letters.weights(), never.weights())


# A client and others


def test_what_one_client_stores_another_finds(letters: Memory, server: ServiceProcess) -> None:
    with HopfieldClient(server.address, timeout=60.0) as other:
        pattern = random_patterns(1, seed=5)[0]
        other.memory(letters.name).store(pattern, "F")
        assert other.memory(letters.name).recall(pattern).label == "F"
        assert letters.recall(pattern).label == "F"


def test_threads_share_a_client(server: ServiceProcess, name: str) -> None:
    patterns = random_patterns(8)
    with HopfieldClient(server.address, timeout=60.0) as client, ThreadPoolExecutor(8) as pool:
        memory = client.create_memory(name, N)

        def store_and_find(k: int) -> bool:
            stored = memory.store(patterns[k], str(k))
            # At least as new as this thread's own commit, whatever the others did meanwhile.
            return memory.recall(patterns[k]).revision >= stored.revision

        assert all(pool.map(store_and_find, range(8)))
        assert memory.info().pattern_count == 8


def test_a_closed_client_takes_no_calls(client: HopfieldClient, letters: Memory) -> None:
    client.close()
    client.close()
    for call in (
        client.server_info,
        lambda: letters.recall(PATTERNS[0]),
        letters.weights,
        lambda: list(letters.patterns()),
        lambda: client.import_weights(f"{letters.name}.imported", [[0.0]]),
    ):
        with pytest.raises(ClientClosed, match=r"^the client is closed$"):
            call()
