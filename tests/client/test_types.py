"""What the calls return, as people see it."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest

from hopfield_client import Dense, MemoryInfo, Recall, RecallBatch, Ring, StoredPattern

ANSWER = Recall(
    pattern=np.ones((25, 40), np.int8),
    energy=-499.5,
    initial_energy=-102.25,
    iterations=3,
    flips=104,
    stop_reason="converged",
    label="A",
    overlap=1.0,
    match="pattern",
    seed=7,
    revision=1,
    uid="u",
)

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
INFO = MemoryInfo(
    name="digits",
    uid="u",
    neurons=64,
    family="pairwise",
    model=None,
    rule="hebbian",
    normalization="neurons",
    self_coupling=False,
    coding="bipolar",
    kappa=None,
    max_sweeps=None,
    learning=None,
    pattern_count=3,
    load=3 / 64,
    capacity=0.138,
    revision=1,
    created=MOMENT,
    updated=MOMENT,
    thresholds=np.ones(64),
)
OF_A_MODEL = dataclasses.replace(INFO, rule=None, normalization=None)


def batch(*, nothing_stored: bool = False) -> RecallBatch:
    return RecallBatch(
        patterns=np.array([[[True, False]], [[False, False]]]),
        energies=np.array([-1.5, 0.5]),
        initial_energies=np.array([1.0, 2.0]),
        iterations=np.array([2, 100], np.uint32),
        flips=np.array([1, 250], np.uint64),
        stop_reasons=np.array(["converged", "iteration_limit"]),
        labels=np.array([None, None] if nothing_stored else ["A", "B"], np.object_),
        overlaps=np.array([np.nan, np.nan] if nothing_stored else [1.0, -0.5]),
        matches=np.array(["none", "none"] if nothing_stored else ["pattern", "spurious"]),
        seeds=np.array([2**64 - 1, 0], np.uint64),
        revision=4,
        uid="u",
        attentions=np.array([{}, {}], np.object_),
    )


def test_a_recall_shows_itself_without_its_thousand_neurons() -> None:
    assert repr(ANSWER) == (
        "Recall(label='A', match='pattern', overlap=1, stop_reason='converged', iterations=3, flips=104, "
        "energy=-499.5 from -102.25, pattern=int8[25, 40])"
    )
    nothing = dataclasses.replace(ANSWER, label=None, overlap=None, match="none")
    assert repr(nothing).startswith("Recall(label=None, match='none', overlap=None,")


def test_a_memory_shows_what_its_family_has() -> None:
    at = f"revision=1, created={MOMENT!r}, updated={MOMENT!r})"
    assert repr(INFO) == (
        "MemoryInfo(name='digits', uid='u', neurons=64, family='pairwise', rule='hebbian', normalization='neurons', "
        f"self_coupling=False, coding='bipolar', pattern_count=3, load=0.046875, capacity=0.138, {at}"
    )
    dense = dataclasses.replace(OF_A_MODEL, family="dense", model=Dense(exponential=True), capacity=2.0**92)
    assert repr(dense) == (
        "MemoryInfo(name='digits', uid='u', neurons=64, family='dense', model=Dense(degree=None, exponential=True), "
        f"coding='bipolar', pattern_count=3, load=0.046875, capacity=4.95176e+27, {at}"
    )
    ring = dataclasses.replace(OF_A_MODEL, family="ring", model=Ring(), coding="real", capacity=None)
    assert repr(ring) == (
        "MemoryInfo(name='digits', uid='u', neurons=64, family='ring', model=Ring(neurons=64, tau=0.01, concentration=8.0), "
        f"coding='real', {at}"
    )


def test_a_batch_shows_how_its_answers_are_distributed() -> None:
    assert repr(batch()) == "RecallBatch(2 answers: 1 pattern, 1 spurious; 1 converged, patterns=bool[2, 1, 2])"


def test_a_stored_pattern_shows_its_label_and_makes_dictionaries() -> None:
    stored = StoredPattern("A", np.ones((8, 8), np.int8))
    assert repr(stored) == "StoredPattern('A', int8[8, 8])"
    assert dict([stored])["A"] is stored.pattern


def test_only_a_fixed_point_is_converged() -> None:
    assert ANSWER.converged
    assert not dataclasses.replace(ANSWER, stop_reason="cycle").converged
    assert not dataclasses.replace(ANSWER, stop_reason="iteration_limit").converged


def test_a_batch_is_a_sequence_of_recalls_in_plain_python_values() -> None:
    first, last = batch()
    assert len(batch()) == 2
    assert (first.label, first.overlap, first.match, first.energy, first.seed) == ("A", 1.0, "pattern", -1.5, 2**64 - 1)
    assert (last.stop_reason, last.iterations, last.flips, last.seed) == ("iteration_limit", 100, 250, 0)
    assert (last.revision, last.uid) == (4, "u")
    np.testing.assert_array_equal(first.pattern, [[True, False]])
    for value in (first.energy, first.overlap, first.iterations, first.flips, first.seed, first.match):
        assert type(value) in {int, float, str}
    assert batch()[-1].label == "B"
    with pytest.raises(IndexError):
        batch()[2]
    with pytest.raises(TypeError):
        batch()[0:1]  # type: ignore[index]


def test_where_nothing_is_stored_a_recall_of_a_batch_has_no_label_and_no_overlap() -> None:
    first = batch(nothing_stored=True)[0]
    assert (first.label, first.overlap, first.match) == (None, None, "none")


def test_columns_of_a_batch_select_from_one_another() -> None:
    answers = batch()
    assert answers.labels[answers.matches == "pattern"].tolist() == ["A"]
    assert answers.patterns[answers.converged].shape == (1, 1, 2)


def test_what_is_returned_cannot_be_changed_by_mistake() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ANSWER.energy = 0.0  # type: ignore[misc]
