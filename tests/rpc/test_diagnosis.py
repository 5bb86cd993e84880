"""A memory can be asked how well it holds what is stored in it."""

import numpy as np
import pytest
from tests.wire import Wire, made, pairwise, signs

from hopfield.v1 import diagnosis_pb2, memory_pb2, memory_service_pb2

# Every pattern is the first one with a tenth of its neurons inverted.
CORRELATED = np.where(np.random.default_rng(8).random((10, 64)) < 0.1, -1, 1) * np.where(np.arange(64) % 3, 1, -1)


def diagnose(wire: Wire, name: str) -> memory_service_pb2.DiagnoseMemoryResponse:
    return wire.memory.DiagnoseMemory(memory_service_pb2.DiagnoseMemoryRequest(name=name))


def test_correlated_patterns_under_hebbs_rule_are_seen_through(wire: Wire, name: str) -> None:
    memory = made(wire, name, pairwise(64), signs(*CORRELATED.tolist()))
    answer = diagnose(wire, name)
    diagnosis = answer.diagnosis
    assert (answer.uid, answer.revision) == (memory.uid, 1)
    X = CORRELATED.astype(float)
    J = X.T @ X / 64 * (1 - np.eye(64))
    margins = X * (X @ J)
    assert (diagnosis.pattern_count, diagnosis.load) == (10, 10 / 64)
    assert diagnosis.capacity == pytest.approx(0.138)
    assert diagnosis.stable_count == np.sum((margins >= 0).all(axis=1))
    assert diagnosis.smallest_margin == pytest.approx(margins.min())
    assert diagnosis.mean_margin == pytest.approx(margins.mean())
    overlaps = np.abs(X @ X.T / 64)[~np.eye(10, dtype=bool)]
    assert diagnosis.mean_overlap == pytest.approx(overlaps.mean())
    off_diagonal = J[~np.eye(64, dtype=bool)]
    weights = diagnosis.weights
    assert (weights.min, weights.max) == (off_diagonal.min(), off_diagonal.max())
    assert weights.mean == pytest.approx(off_diagonal.mean())
    assert weights.standard_deviation == pytest.approx(off_diagonal.std())
    assert (weights.mean_diagonal, weights.asymmetry) == (0, 0)
    stable = f"{diagnosis.stable_count} of 10 are stable"
    assert diagnosis.verdict == f"Hebb with 10 correlated patterns: {stable}; pseudo_inverse would hold all 10"


def test_what_the_verdict_says_of_another_rule_is_true(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(64, rule=memory_pb2.LEARNING_RULE_PSEUDO_INVERSE), signs(*CORRELATED.tolist()))
    diagnosis = diagnose(wire, name).diagnosis
    assert (diagnosis.stable_count, diagnosis.capacity) == (10, 1)
    assert "10 of 10 are stable; the smallest margin is" in diagnosis.verdict


def test_nothing_stored_is_nothing_to_judge(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5))
    diagnosis = diagnose(wire, name).diagnosis
    assert diagnosis.verdict == "Hebb: nothing is stored"
    assert diagnosis.weights == diagnosis_pb2.WeightStatistics()
    assert not any(
        diagnosis.HasField(field) for field in ("smallest_margin", "mean_margin", "crosstalk", "mean_overlap")
    )


def test_self_coupling_is_seen_through(wire: Wire, name: str) -> None:
    X = np.where(np.random.default_rng(9).random((40, 64)) < 0.5, 1, -1)
    made(wire, name, pairwise(64, self_coupling=True), signs(*X.tolist()))
    diagnosis = diagnose(wire, name).diagnosis
    assert diagnosis.weights.mean_diagonal == 40 / 64
    assert diagnosis.stable_count > 0
    assert "0 without self-coupling" in diagnosis.verdict
