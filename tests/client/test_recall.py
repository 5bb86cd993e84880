"""What both clients do with a real service: recall, and the weights it uses."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.client.letters import LABELS, PATTERNS, N, corrupted, random_patterns

from hopfield_client import (
    AlreadyExists,
    CapacityWarning,
    Conflict,
    FailedPrecondition,
    HopfieldClient,
    InvalidArgument,
    Memory,
    NotFound,
)


def energy(weights: NDArray[np.float64], state: NDArray[np.int8]) -> float:
    return float(-0.5 * state @ weights @ state)


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


def test_what_is_masked_is_filled_in_whatever_is_known(letters: Memory) -> None:
    known_to_be_set = np.ma.masked_equal(PATTERNS[3] > 0, False)
    answer = letters.recall(known_to_be_set)
    np.testing.assert_array_equal(answer.pattern, PATTERNS[3] > 0, strict=True)
    assert letters.recall_batch(np.ma.masked_equal((PATTERNS > 0).astype(int), 0)).labels.tolist() == LABELS


def test_a_query_of_another_size_is_refused_in_terms_of_the_arguments(client: HopfieldClient, letters: Memory) -> None:
    with pytest.raises(InvalidArgument, match=r"^query: neurons must be 64, ") as refused:
        client.memory(letters.name).recall(PATTERNS[0][:9])
    assert refused.value.field == "query"
    with pytest.raises(InvalidArgument, match=r"^order: must hold each of 0 to 63 exactly once") as refused:
        letters.recall(PATTERNS[0], order=[0, 0])
    assert refused.value.field == "order"


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
    with pytest.warns(CapacityWarning):
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


# At a temperature


def test_at_a_fixed_temperature_states_are_drawn_from_boltzmanns_law(client: HopfieldClient, name: str) -> None:
    """One neuron with a threshold: it is 1 with the probability 1 / (1 + exp(2 beta U))."""
    memory = client.create_memory(name, 1, thresholds=0.5)
    answers = memory.recall_batch(np.ones((4000, 1)), update="glauber", beta=1.5, max_iterations=5, seed=3)
    assert answers.iterations.tolist() == [5] * 4000
    assert set(answers.stop_reasons) == {"iteration_limit"}
    expected = 1 / (1 + np.exp(1.5))
    deviation = np.sqrt(expected * (1 - expected) / 4000)
    # A draw may miss the neuron in no iteration: N draws of one neuron are one update each.
    assert (answers.patterns == 1).mean() == pytest.approx(expected, abs=4 * deviation)


def test_annealing_ends_in_a_fixed_point(letters: Memory) -> None:
    answer = letters.recall(corrupted(PATTERNS[1], 6), update="glauber", beta=np.geomspace(1, 20, 30), seed=1)
    assert answer.converged
    assert answer.iterations > 30
    again = letters.recall(corrupted(PATTERNS[1], 6), update="glauber", beta=list(np.geomspace(1, 20, 30)), seed=1)
    np.testing.assert_array_equal(answer.pattern, again.pattern)


# Step by step


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"update": "synchronous"},
        {"order": "sequential", "tie": "plus"},
        {"update": "glauber", "beta": 0.5, "max_iterations": 10},
        {"update": "glauber", "beta": [0.5, 2.0, 8.0]},
    ],
)
def test_a_trace_shows_the_recall_that_the_same_seed_gives(letters: Memory, how: dict[str, Any]) -> None:
    query = corrupted(PATTERNS[1], 12).reshape(8, 8)
    trace = letters.trace(query, seed=5, **how)
    steps = list(trace)
    answer = letters.recall(query, seed=5, **how)
    assert trace.recall is not None
    assert repr(trace.recall) == repr(answer)
    assert [step.iteration for step in steps] == list(range(answer.iterations + 1))
    np.testing.assert_array_equal(steps[0].pattern, query, strict=True)
    np.testing.assert_array_equal(steps[-1].pattern, answer.pattern, strict=True)
    assert (steps[0].energy, steps[-1].energy) == (answer.initial_energy, answer.energy)
    assert (steps[0].flips, sum(step.flips for step in steps)) == (0, answer.flips)
    weights = letters.weights()
    for step in steps:
        assert step.energy == pytest.approx(energy(weights, step.pattern.ravel().astype(np.int8)))


def test_a_trace_begins_with_what_is_unknown(letters: Memory) -> None:
    query = PATTERNS[3].copy()
    query[:20] = 0
    first, *_, last = letters.trace(query)
    np.testing.assert_array_equal(first.pattern, query, strict=True)
    np.testing.assert_array_equal(last.pattern, PATTERNS[3], strict=True)
    first, *_, last = letters.trace(np.ma.masked_array(PATTERNS[3] > 0, query == 0))
    np.testing.assert_array_equal(np.ma.getmaskarray(first.pattern), query == 0)
    np.testing.assert_array_equal(last.pattern, PATTERNS[3] > 0, strict=True)


def test_a_trace_of_what_is_not_there_raises_at_its_first_step(client: HopfieldClient, name: str) -> None:
    trace = client.memory(name).trace(PATTERNS[0])
    with pytest.raises(NotFound):
        next(trace)


def test_a_long_trace_may_be_left_at_any_step(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    memory.store(PATTERNS)
    trace = memory.trace(PATTERNS[0], update="glauber", beta=0.1, max_iterations=1_000_000)
    assert [next(trace).iteration for _ in range(3)] == [0, 1, 2]
    trace.close()
    assert list(trace) == []
    assert memory.recall(PATTERNS[0]).label == "0"


# Many


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


def test_a_batch_that_goes_in_parts_is_answered_as_a_whole(
    letters: Memory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    queries = random_patterns(50, seed=5).reshape(-1, 8, 8)
    whole = letters.recall_batch(queries, seed=2**64 - 7)
    monkeypatch.setattr("hopfield_client._recall_batch._PART_QUERIES", 8)
    progress: list[tuple[int, int]] = []
    parts = letters.recall_batch(queries, seed=2**64 - 7)
    watched = letters.recall_batch(queries, seed=2**64 - 7, progress=lambda done, total: progress.append((done, total)))
    assert progress == [(done, 50) for done in range(1, 51)]
    assert capfd.readouterr().err == ""
    shown = letters.recall_batch(queries, seed=2**64 - 7, progress=True)
    assert capfd.readouterr().err.endswith("\r50 of 50 queries\n")
    for batch in (parts, watched, shown):
        np.testing.assert_array_equal(batch.patterns, whole.patterns, strict=True)
        for column in ("energies", "initial_energies", "iterations", "flips", "stop_reasons", "labels", "overlaps"):
            np.testing.assert_array_equal(getattr(batch, column), getattr(whole, column), strict=True)
        assert batch.seeds.tolist() == whole.seeds.tolist()
        assert (batch.revision, batch.uid) == (whole.revision, whole.uid)


def test_a_seed_that_the_server_draws_goes_on_from_part_to_part(
    letters: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopfield_client._recall_batch._PART_BYTES", 3 * N // 8)
    answers = letters.recall_batch(random_patterns(10, seed=5))
    assert (answers.seeds - answers.seeds[0]).tolist() == list(range(10))


def test_parts_of_a_batch_at_other_revisions_say_the_oldest_and_of_another_memory_are_refused(
    letters: Memory, other_client: HopfieldClient
) -> None:
    revision = letters.info().revision

    def store(done: int, _: int) -> None:
        if done == 1:
            other_client.memory(letters.name).store(-PATTERNS[:1], ["another"])

    assert letters.recall_batch(PATTERNS, progress=store).revision == revision

    def replace(done: int, _: int) -> None:
        if done == 1:
            other_client.delete_memory(letters.name)
            other_client.create_memory(letters.name, N)

    with pytest.raises(Conflict, match="made anew"):
        letters.recall_batch(PATTERNS, progress=replace)


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
