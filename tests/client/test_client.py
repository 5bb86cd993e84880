"""What both clients do with a real service."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.processes import ServiceProcess

from hopfield_client import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    HopfieldClient,
    InvalidArgument,
    Memory,
    NotFound,
)

N = 64


def random_patterns(count: int, neurons: int = N, seed: int = 1) -> NDArray[np.int8]:
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (count, neurons))


def corrupted(pattern: NDArray[np.int8], flips: int) -> NDArray[np.int8]:
    query = pattern.copy()
    query.reshape(-1)[:flips] *= -1
    return query


PATTERNS = random_patterns(5)
LABELS = ["A", "B", "C", "D", "E"]


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


def energy(weights: NDArray[np.float64], state: NDArray[np.int8]) -> float:
    return float(-0.5 * state @ weights @ state)


# The life of a memory


def test_the_server_says_what_it_is(client: HopfieldClient) -> None:
    info = client.server_info()
    assert info.version
    assert info.max_neurons >= 16_384
    assert min(info.max_patterns, info.max_iterations, info.max_message_bytes) > 0
    assert {"hebbian", "pseudo_inverse"} <= set(info.learning_rules)
    assert {"asynchronous", "synchronous"} <= set(info.update_rules)


def test_a_new_memory_is_empty(client: HopfieldClient, name: str) -> None:
    info = client.create_memory(name, N).info()
    assert (info.name, info.neurons, info.rule, info.pattern_count, info.load) == (name, N, "hebbian", 0, 0.0)
    assert (info.revision, info.thresholds) == (0, None)
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
    with pytest.raises(AlreadyExists):
        client.create_memory(name, N, rule="pseudo_inverse", exist_ok=True)


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
    info = memory.store(PATTERNS, LABELS)
    assert (info.pattern_count, info.load, info.revision) == (5, 5 / N, 1)
    assert info == memory.info()


def test_patterns_come_back_oldest_first_under_their_labels(letters: Memory) -> None:
    stored = list(letters.patterns())
    assert [label for label, _ in stored] == LABELS
    np.testing.assert_array_equal([pattern for _, pattern in stored], PATTERNS)
    np.testing.assert_array_equal(letters.pattern("C"), PATTERNS[2], strict=True)


def test_without_labels_the_server_numbers_patterns(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    memory.store(PATTERNS[0])
    memory.store(PATTERNS[1:])
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


def test_many_patterns_are_fetched_page_by_page(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    patterns = random_patterns(250)
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


# Recall


def test_a_corrupted_pattern_is_recalled(letters: Memory) -> None:
    query = corrupted(PATTERNS[1], 6)
    answer = letters.recall(query)
    np.testing.assert_array_equal(answer.pattern, PATTERNS[1], strict=True)
    assert (answer.label, answer.overlap, answer.match) == ("B", 1.0, "pattern")
    assert (answer.converged, answer.stop_reason) == (True, "converged")
    assert answer.iterations >= 2
    assert answer.flips >= 6
    weights = letters.weights()
    assert answer.energy == pytest.approx(energy(weights, PATTERNS[1]))
    assert answer.initial_energy == pytest.approx(energy(weights, query))
    info = letters.info()
    assert (answer.revision, answer.uid) == (info.revision, info.uid)


@pytest.mark.parametrize("kind", ["bool", "int8", "int64", "float64", "list"])
def test_an_answer_is_of_the_kind_of_its_query(letters: Memory, kind: str) -> None:
    signs = PATTERNS[0]
    query: Any = signs > 0 if kind == "bool" else signs.tolist() if kind == "list" else signs.astype(kind)
    answer = letters.recall(query)
    expected = signs > 0 if kind == "bool" else signs
    np.testing.assert_array_equal(answer.pattern, expected, strict=True)


def test_unknown_neurons_are_filled_in(letters: Memory) -> None:
    query = PATTERNS[3].copy()
    query[:20] = 0
    answer = letters.recall(query)
    np.testing.assert_array_equal(answer.pattern, PATTERNS[3], strict=True)


def test_clamped_neurons_stay(letters: Memory) -> None:
    query = np.zeros(N, np.int8)
    query[:40] = corrupted(PATTERNS[3], 2)[:40]
    answer = letters.recall(query, clamp=True)
    np.testing.assert_array_equal(answer.pattern[:40], query[:40])


def test_an_inverse_a_stranger_and_nothing_are_told_apart(client: HopfieldClient, letters: Memory, name: str) -> None:
    inverse = letters.recall(-PATTERNS[0])
    assert (inverse.match, inverse.label, inverse.overlap) == ("inverse", "A", -1.0)
    stopped = letters.recall(corrupted(PATTERNS[0], 20), update="synchronous", max_iterations=1)
    assert stopped.iterations == 1
    assert stopped.match in {"pattern", "spurious"}
    nothing = client.create_memory(f"{name}.empty", N).recall(PATTERNS[0])
    assert (nothing.match, nothing.label, nothing.overlap) == ("none", None, None)
    np.testing.assert_array_equal(nothing.pattern, PATTERNS[0])


def test_a_recall_that_does_not_settle_is_an_answer(client: HopfieldClient, name: str) -> None:
    swap = client.import_weights(name, [[0.0, -1.0], [-1.0, 0.0]])
    cycle = swap.recall([1, 1], update="synchronous")
    assert (cycle.stop_reason, cycle.converged) == ("cycle", False)
    stopped = swap.recall([-1, -1], max_iterations=1)
    assert (stopped.stop_reason, stopped.iterations, stopped.converged) == ("iteration_limit", 1, False)


def test_a_seed_makes_a_recall_repeatable(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    memory.store(random_patterns(20))
    query = random_patterns(1, seed=9)[0]
    first = memory.recall(query)
    again = memory.recall(query, seed=first.seed)
    np.testing.assert_array_equal(first.pattern, again.pattern)
    assert (first.energy, first.iterations, first.flips) == (again.energy, again.iterations, again.flips)
    assert memory.recall(query, seed=2**64 - 1).seed == 2**64 - 1


def test_neurons_are_visited_in_the_order_given(client: HopfieldClient, name: str) -> None:
    """Two neurons that inhibit each other: who is updated first decides."""
    memory = client.import_weights(name, [[0.0, -1.0], [-1.0, 0.0]])
    assert memory.recall([1, 1], order="sequential").pattern.tolist() == [-1, 1]
    assert memory.recall([1, 1], order=[0, 1]).pattern.tolist() == [-1, 1]
    assert memory.recall([1, 1], order=[1, 0]).pattern.tolist() == [1, -1]
    with pytest.raises(InvalidArgument):
        memory.recall([1, 1], order=[0, 0])


@pytest.mark.parametrize(("tie", "settled"), [("keep", [1, -1]), ("plus", [1, 1]), ("minus", [-1, -1])])
def test_ties_are_broken_as_asked(client: HopfieldClient, name: str, tie: Any, settled: list[int]) -> None:
    memory = client.import_weights(name, np.zeros((2, 2)))
    assert memory.recall([1, -1], tie=tie).pattern.tolist() == settled


def test_thresholds_decide(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 2, thresholds=[-0.5, 0.5])
    answer = memory.recall([-1, 1])
    assert answer.pattern.tolist() == [1, -1]
    assert (answer.initial_energy, answer.energy) == (1.0, -1.0)


@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_each_answer_of_a_batch_is_that_of_a_recall_with_its_seed(letters: Memory, update: Any) -> None:
    queries = np.array([corrupted(pattern, 10 + k) for k, pattern in enumerate(PATTERNS)])
    queries[2, 30:40] = 0
    answers = letters.recall_batch(queries, seed=2**64 - 2, update=update)
    assert len(answers) == 5
    for k, answer in enumerate(answers):
        alone = letters.recall(queries[k], seed=int(answers.seeds[k]), update=update)
        np.testing.assert_array_equal(answer.pattern, alone.pattern, strict=True)
        assert repr(answer) == repr(alone)
        assert (answer.energy, answer.initial_energy, answer.seed) == (alone.energy, alone.initial_energy, alone.seed)
        assert (answer.revision, answer.uid) == (alone.revision, alone.uid)
    assert answers.seeds.tolist() == [2**64 - 2, 2**64 - 1, 0, 1, 2]


def test_a_batch_has_columns(letters: Memory) -> None:
    answers = letters.recall_batch(PATTERNS.reshape(-1, 8, 8) > 0)
    np.testing.assert_array_equal(answers.patterns, PATTERNS.reshape(-1, 8, 8) > 0, strict=True)
    assert answers.labels.tolist() == LABELS
    assert answers.overlaps.tolist() == [1.0] * 5
    assert answers.matches.tolist() == ["pattern"] * 5
    assert answers.stop_reasons.tolist() == ["converged"] * 5
    assert answers.converged.all()
    assert answers.iterations.tolist() == [1] * 5
    assert answers.flips.tolist() == [0] * 5
    np.testing.assert_array_equal(answers.energies, answers.initial_energies)


def test_a_batch_in_an_empty_memory_has_no_labels(client: HopfieldClient, name: str) -> None:
    answers = client.create_memory(name, N).recall_batch(PATTERNS)
    assert answers.labels.tolist() == [None] * 5
    assert np.isnan(answers.overlaps).all()
    assert answers.matches.tolist() == ["none"] * 5


# Weights


def test_weights_are_those_of_the_rule(client: HopfieldClient, letters: Memory, name: str) -> None:
    signs = PATTERNS.astype(np.float64)
    hebb = signs.T @ signs / N
    np.fill_diagonal(hebb, 0)
    memory = client.create_memory(f"{name}.hebbian", N)
    memory.store(PATTERNS)
    np.testing.assert_allclose(memory.weights(), hebb, rtol=1e-12, atol=1e-15)
    projection = np.linalg.pinv(signs) @ signs
    np.fill_diagonal(projection, 0)
    np.testing.assert_allclose(letters.weights(), projection, atol=1e-9)


def test_weights_go_out_and_come_in_again(client: HopfieldClient, name: str) -> None:
    """400 neurons: more than one part of a mebibyte."""
    random = np.random.default_rng(3).standard_normal((400, 400))
    weights = random + random.T
    thresholds = np.linspace(-1, 1, 400)
    memory = client.import_weights(name, weights, thresholds)
    np.testing.assert_array_equal(memory.weights(), weights, strict=True)
    info = memory.info()
    assert (info.rule, info.neurons, info.pattern_count, info.revision) == ("imported", 400, 0, 1)
    assert info.thresholds is not None
    np.testing.assert_array_equal(info.thresholds, thresholds)


def test_patterns_cannot_be_stored_where_weights_were_imported(client: HopfieldClient, name: str) -> None:
    memory = client.import_weights(name, np.zeros((N, N)))
    with pytest.raises(FailedPrecondition) as raised:
        memory.store(PATTERNS)
    assert raised.value.reason == "WEIGHTS_IMPORTED"


@pytest.mark.parametrize("wrong", [[[0.0, 1.0], [2.0, 0.0]], [[0.0, np.nan], [np.nan, 0.0]]])
def test_weights_that_are_not_symmetric_and_finite_are_refused(
    client: HopfieldClient, name: str, wrong: list[list[float]]
) -> None:
    with pytest.raises(InvalidArgument):
        client.import_weights(name, wrong)
    with pytest.raises(NotFound):
        client.memory(name).info()


def test_weights_are_refused_under_a_name_that_is_taken(client: HopfieldClient, letters: Memory) -> None:
    """Of several mebibytes, so that the refusal comes while parts are still being sent."""
    with pytest.raises(AlreadyExists):
        client.import_weights(letters.name, np.zeros((1000, 1000)))


# A client and others


def test_what_one_client_stores_another_finds(client: HopfieldClient, letters: Memory, server: ServiceProcess) -> None:
    with HopfieldClient(server.address, timeout=60.0) as other:
        pattern = random_patterns(1, seed=5)[0]
        other.memory(letters.name).store(pattern, "F")
        assert other.memory(letters.name).recall(pattern).label == "F"
        assert letters.recall(pattern).label == "F"


def test_threads_share_a_client(server: ServiceProcess, name: str) -> None:
    patterns = random_patterns(16)
    with HopfieldClient(server.address, timeout=60.0) as client, ThreadPoolExecutor(8) as pool:
        memory = client.create_memory(name, N)

        def store_and_find(k: int) -> bool:
            stored = memory.store(patterns[k], str(k))
            # At least as new as this thread's own commit, whatever the others did meanwhile.
            return memory.recall(patterns[k]).revision >= stored.revision

        assert all(pool.map(store_and_find, range(16)))
        assert memory.info().pattern_count == 16


def test_a_closed_client_takes_no_calls(server: ServiceProcess) -> None:
    client = HopfieldClient(server.address)
    client.close()
    client.close()
    with pytest.raises(ValueError, match="closed"):
        client.server_info()
