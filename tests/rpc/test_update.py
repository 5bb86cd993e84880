"""Parameters of a memory can be changed, and its patterns are learnt anew under them."""

from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.wire import Wire, made, pairwise, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2

RULES = {
    "hebbian": memory_pb2.LEARNING_RULE_HEBBIAN,
    "storkey": memory_pb2.LEARNING_RULE_STORKEY,
    "storkey_second_order": memory_pb2.LEARNING_RULE_STORKEY_SECOND_ORDER,
    "pseudo_inverse": memory_pb2.LEARNING_RULE_PSEUDO_INVERSE,
    "perceptron": memory_pb2.LEARNING_RULE_PERCEPTRON,
}
PATTERNS = np.where(np.random.default_rng(5).random((6, 30)) < 0.5, 1, -1).tolist()


def update(wire: Wire, name: str, *mask: str, **changes: Any) -> memory_service_pb2.UpdateMemoryResponse:
    options = {key: changes.pop(key) for key in ("request_id", "expected_revision") if key in changes}
    request = memory_service_pb2.UpdateMemoryRequest(
        name=name, spec=pairwise(0, **changes), update_mask=FieldMask(paths=mask) if mask else None, **options
    )
    return wire.memory.UpdateMemory(request)


def weights(wire: Wire, name: str) -> bytes:
    _, *parts = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    return b"".join(part.rows for part in parts)


@pytest.mark.parametrize("rule", RULES)
def test_after_an_update_a_memory_is_as_if_it_had_been_made_that_way(wire: Wire, name: str, rule: str) -> None:
    made(wire, name, pairwise(30), signs(*PATTERNS))
    memory = update(wire, name, rule=RULES[rule], self_coupling=True).memory
    made(wire, f"{name}-anew", pairwise(30, rule=RULES[rule], self_coupling=True), signs(*PATTERNS))
    assert weights(wire, name) == weights(wire, f"{name}-anew")
    assert (memory.revision, memory.pattern_count, memory.spec.pairwise.rule) == (2, 6, RULES[rule])
    assert wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory == memory


def test_what_the_mask_does_not_name_stays_and_what_it_names_takes_its_default(wire: Wire, name: str) -> None:
    thresholds = [0.5] * 30
    made(wire, name, pairwise(30, thresholds=thresholds, normalization=memory_pb2.NORMALIZATION_NONE))
    spec = update(wire, name, "pairwise.normalization").memory.spec.pairwise
    assert (spec.normalization, list(spec.thresholds)) == (memory_pb2.NORMALIZATION_NEURONS, thresholds)
    assert not update(wire, name, "pairwise.thresholds").memory.spec.pairwise.thresholds


def test_a_new_rule_drops_what_only_the_old_one_has(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(30, rule=RULES["perceptron"], kappa=0.25, max_sweeps=7), signs(*PATTERNS))
    spec = update(wire, name, rule=RULES["hebbian"]).memory.spec.pairwise
    assert not spec.HasField("kappa")
    assert not spec.HasField("max_sweeps")
    spec = update(wire, name, rule=RULES["perceptron"]).memory.spec.pairwise
    assert (spec.kappa, spec.max_sweeps) == (1, 1000)


def test_an_update_that_changes_nothing_is_no_commit(wire: Wire, name: str) -> None:
    before = made(wire, name, pairwise(30), signs(*PATTERNS))
    assert update(wire, name, rule=RULES["hebbian"]).memory == before


def test_a_repeated_update_is_answered_as_the_first_was(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(30), signs(*PATTERNS))
    first = update(wire, name, rule=RULES["storkey"], request_id="one")
    update(wire, name, rule=RULES["pseudo_inverse"])
    assert update(wire, name, rule=RULES["storkey"], request_id="one") == first
    with pytest.raises(grpc.RpcError) as caught:
        update(wire, name, rule=RULES["hebbian"], request_id="one")
    assert refusal(caught.value).reason == "REQUEST_ID_REUSED"


def test_an_update_at_another_revision_than_expected_is_aborted(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(30), signs(*PATTERNS))
    with pytest.raises(grpc.RpcError) as caught:
        update(wire, name, rule=RULES["storkey"], expected_revision=0)
    assert refusal(caught.value).metadata["revision"] == "1"


def test_learning_goes_on_under_the_new_rule(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(30), signs(*PATTERNS[:4]))
    update(wire, name, rule=RULES["storkey"])
    for pattern in PATTERNS[4:]:
        wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(pattern)))
    made(wire, f"{name}-anew", pairwise(30, rule=RULES["storkey"]), signs(*PATTERNS))
    assert weights(wire, name) == weights(wire, f"{name}-anew")


def test_thresholds_of_imported_weights_can_be_changed(wire: Wire, name: str) -> None:
    header = memory_service_pb2.ImportWeightsHeader(name=name, neurons=2)
    rows = np.array([[0, 1.0], [1.0, 0]]).astype("<f8").tobytes()
    parts = [memory_service_pb2.ImportWeightsRequest(header=header), memory_service_pb2.ImportWeightsRequest(rows=rows)]
    wire.memory.ImportWeights(iter(parts))
    assert update(wire, name, thresholds=[0.5, -0.5]).memory.spec.pairwise.thresholds == [0.5, -0.5]
    assert weights(wire, name) == rows


def test_a_store_beyond_the_capacity_of_the_rule_is_made_and_warned_of(wire: Wire, name: str) -> None:
    memory = made(wire, name, pairwise(30), signs(*PATTERNS[:4]))
    assert memory.capacity == pytest.approx(0.138)
    request = memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(PATTERNS[4]))
    answer = wire.memory.StorePatterns(request)
    assert answer.memory.load == pytest.approx(5 / 30)
    (warning,) = answer.warnings
    assert warning.reason == memory_pb2.WARNING_REASON_CAPACITY
    assert "hebbian holds random patterns up to 0.138 (4 of them)" in warning.message
    assert "pseudo_inverse" in warning.message
    assert not update(wire, name, rule=RULES["pseudo_inverse"]).warnings


def test_learning_that_gives_up_says_so(wire: Wire, name: str) -> None:
    contradiction = [[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]
    made(wire, name, pairwise(3, rule=RULES["perceptron"], max_sweeps=20))
    request = memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(*contradiction))
    answer = wire.memory.StorePatterns(request)
    assert (answer.memory.learning.converged, answer.memory.learning.sweeps) == (False, 20)
    assert memory_pb2.WARNING_REASON_NOT_CONVERGED in {warning.reason for warning in answer.warnings}
    assert wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory == answer.memory
    forgotten = memory_service_pb2.ForgetPatternsRequest(name=name, labels=["1", "2", "3"])
    assert wire.memory.ForgetPatterns(forgotten).memory.learning.converged
