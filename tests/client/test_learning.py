"""What both clients do with a real service: the parameters of memories, and changes to them."""

from typing import Any, get_args

import numpy as np
import pytest
from tests.client.letters import LABELS, PATTERNS, N

from hopfield_client import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    HopfieldClient,
    InvalidArgument,
    LearningRule,
    Memory,
)

RULES = get_args(LearningRule)
SIGNS = PATTERNS.astype(np.float64)
OUTER = SIGNS.T @ SIGNS
HEBB = (OUTER - np.diag(np.diag(OUTER))) / N


@pytest.mark.parametrize("rule", RULES)
def test_a_memory_of_each_rule_holds_a_few_random_patterns(client: HopfieldClient, name: str, rule: Any) -> None:
    memory = client.create_memory(name, N, rule=rule)
    stored = memory.store(PATTERNS, LABELS)
    assert stored.rule == rule
    assert stored.normalization == ("neurons" if rule == "hebbian" else None)
    assert (stored.kappa, stored.max_sweeps) == ((1.0, 1000) if rule == "perceptron" else (None, None))
    assert (stored.learning is None) == (rule != "perceptron")
    assert stored.capacity is not None
    assert memory.recall_batch(PATTERNS).labels.tolist() == LABELS
    assert memory.diagnose().stable_share == 1


def test_a_perceptron_has_its_margin_and_its_patience(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, rule="perceptron", kappa=0.5, max_sweeps=50)
    stored = memory.store(PATTERNS, LABELS)
    assert (stored.kappa, stored.max_sweeps) == (0.5, 50)
    assert stored.learning is not None
    assert stored.learning.converged
    assert 1 < stored.learning.sweeps <= 50
    assert ((SIGNS @ memory.weights()) * SIGNS > 0.5).all()


@pytest.mark.parametrize(("normalization", "factor"), [("neurons", 1.0), ("patterns", N / 5), ("none", float(N))])
def test_hebbs_sums_are_divided_as_asked(client: HopfieldClient, name: str, normalization: Any, factor: float) -> None:
    memory = client.create_memory(name, N, normalization=normalization)
    assert memory.store(PATTERNS, LABELS).normalization == normalization
    np.testing.assert_allclose(memory.weights(), HEBB * factor, rtol=1e-12)


def test_a_diagonal_is_kept_where_asked(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, self_coupling=True)
    assert memory.store(PATTERNS, LABELS).self_coupling
    np.testing.assert_allclose(memory.weights(), OUTER / N, rtol=1e-12)


def test_one_threshold_may_stand_for_all(client: HopfieldClient, name: str) -> None:
    info = client.create_memory(name, 3, thresholds=0.25).info()
    assert info.thresholds is not None
    assert info.thresholds.tolist() == [0.25] * 3
    assert client.create_memory(f"{name}.zero", 3, thresholds=0).info().thresholds is None
    info = client.import_weights(f"{name}.imported", np.zeros((2, 2)), -1).info()
    assert info.thresholds is not None
    assert info.thresholds.tolist() == [-1.0] * 2


def test_a_memory_that_is_there_will_do_only_if_all_of_it_is_the_same(client: HopfieldClient, name: str) -> None:
    same: dict[str, Any] = {"rule": "perceptron", "kappa": 0.5, "coding": "binary", "exist_ok": True}
    uid = client.create_memory(name, N, **same).info().uid
    assert client.create_memory(name, N, **same).info().uid == uid
    for other in ({"kappa": 1.0}, {"max_sweeps": 10}, {"coding": "bipolar"}, {"self_coupling": True}):
        with pytest.raises(AlreadyExists):
            client.create_memory(name, N, **{**same, **other})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rule": "storkey", "normalization": "none"}, "normalization"),
        ({"kappa": 0.5}, "kappa"),
        ({"rule": "pseudo_inverse", "max_sweeps": 10}, "max_sweeps"),
    ],
)
def test_a_parameter_that_the_rule_does_not_have_is_refused(
    client: HopfieldClient, name: str, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        client.create_memory(name, N, **wrong)
    assert (refused.value.field, refused.value.reason) == (field, "INVALID_FIELD")


# Changes


def test_a_change_learns_what_is_stored_anew(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    memory.store(PATTERNS, LABELS)
    for revision, rule in enumerate(("storkey", "pseudo_inverse", "perceptron", "hebbian"), start=2):
        info = memory.update(rule=rule)  # type: ignore[arg-type]
        assert (info.rule, info.revision, info.pattern_count) == (rule, revision, 5)
        other = client.create_memory(f"{name}.{rule}", N, rule=rule)  # type: ignore[call-overload]
        other.store(PATTERNS, LABELS)
        np.testing.assert_array_equal(memory.weights(), other.weights())


def test_what_a_change_does_not_name_stays(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, 4, rule="perceptron", kappa=0.5, max_sweeps=7, thresholds=[1, 2, 3, 4])
    info = memory.update(self_coupling=True)
    assert (info.rule, info.kappa, info.max_sweeps, info.self_coupling) == ("perceptron", 0.5, 7, True)
    assert info.thresholds is not None
    assert info.thresholds.tolist() == [1, 2, 3, 4]
    info = memory.update(kappa=1)
    assert (info.kappa, info.max_sweeps, info.self_coupling) == (1.0, 7, True)
    info = memory.update(thresholds=0, self_coupling=False)
    assert (info.thresholds, info.self_coupling, info.kappa) == (None, False, 1.0)
    info = memory.update(thresholds=-0.5)
    assert info.thresholds is not None
    assert info.thresholds.tolist() == [-0.5] * 4


def test_a_new_rule_drops_what_only_the_old_one_has(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, normalization="none")
    info = memory.update(rule="perceptron", max_sweeps=9)
    assert (info.normalization, info.kappa, info.max_sweeps) == (None, 1.0, 9)
    info = memory.update(rule="hebbian")
    assert (info.normalization, info.kappa, info.max_sweeps, info.learning) == ("neurons", None, None, None)


def test_a_change_to_what_is_so_already_is_no_commit(letters: Memory) -> None:
    before = letters.info()
    assert letters.update(rule="pseudo_inverse", self_coupling=False) == before


def test_a_change_may_expect_a_revision(letters: Memory) -> None:
    with pytest.raises(Conflict) as raised:
        letters.update(rule="hebbian", expected_revision=7)
    assert (raised.value.reason, raised.value.metadata["revision"]) == ("REVISION_MISMATCH", "1")
    assert letters.update(rule="hebbian", expected_revision=1).revision == 2


def test_imported_weights_keep_their_rule_but_take_thresholds(client: HopfieldClient, name: str) -> None:
    memory = client.import_weights(name, np.zeros((2, 2)))
    with pytest.raises(FailedPrecondition) as raised:
        memory.update(rule="hebbian")
    assert raised.value.reason == "WEIGHTS_IMPORTED"
    info = memory.update(thresholds=[1, -1])
    assert info.thresholds is not None
    assert (info.rule, info.thresholds.tolist()) == ("imported", [1, -1])
    assert memory.recall([1, -1]).pattern.tolist() == [-1, 1]


def test_a_change_that_the_server_refuses_names_the_argument(letters: Memory) -> None:
    with pytest.raises(InvalidArgument) as refused:
        letters.update(kappa=2)
    assert (refused.value.field, refused.value.reason) == ("kappa", "INVALID_FIELD")
    assert letters.info().revision == 1
