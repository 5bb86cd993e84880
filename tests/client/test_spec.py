"""The parameters of a memory, as they leave: of a new one, and the changes to one that exists."""

from typing import Any

import numpy as np
import pytest
from tests.client.asking import creation, update

from hopfield.v1 import memory_pb2, patterns_pb2
from hopfield_client import InvalidArgument
from hopfield_client._client_calls import ClientCalls
from hopfield_client._memory_calls import MemoryCalls

BIPOLAR = {"rule": memory_pb2.LEARNING_RULE_HEBBIAN, "coding": patterns_pb2.CODING_BIPOLAR}
PERCEPTRON = {**BIPOLAR, "rule": memory_pb2.LEARNING_RULE_PERCEPTRON}


@pytest.mark.parametrize(
    ("chosen", "sent"),
    [
        ({}, BIPOLAR),
        ({"rule": "storkey"}, {**BIPOLAR, "rule": memory_pb2.LEARNING_RULE_STORKEY}),
        ({"rule": "storkey_second_order"}, {**BIPOLAR, "rule": memory_pb2.LEARNING_RULE_STORKEY_SECOND_ORDER}),
        ({"normalization": "patterns"}, {**BIPOLAR, "normalization": memory_pb2.NORMALIZATION_PATTERNS}),
        ({"normalization": "none"}, {**BIPOLAR, "normalization": memory_pb2.NORMALIZATION_NONE}),
        ({"self_coupling": True}, {**BIPOLAR, "self_coupling": True}),
        ({"self_coupling": np.True_}, {**BIPOLAR, "self_coupling": True}),
        ({"coding": "binary"}, {**BIPOLAR, "coding": patterns_pb2.CODING_BINARY}),
        ({"thresholds": np.arange(4).reshape(2, 2)}, {**BIPOLAR, "thresholds": [0, 1, 2, 3]}),
        ({"thresholds": 0.5}, {**BIPOLAR, "thresholds": [0.5] * 4}),
        ({"thresholds": np.float32(0.5)}, {**BIPOLAR, "thresholds": [0.5] * 4}),
        ({"thresholds": np.zeros(4)}, BIPOLAR),
        ({"thresholds": 0}, BIPOLAR),
        ({"rule": "perceptron"}, {**PERCEPTRON, "kappa": 1, "max_sweeps": 1000}),
        (
            {"rule": "perceptron", "kappa": np.float32(0.5), "max_sweeps": np.int64(7)},
            {**PERCEPTRON, "kappa": 0.5, "max_sweeps": 7},
        ),
        ({"rule": "perceptron", "kappa": 0}, {**PERCEPTRON, "kappa": 0, "max_sweeps": 1000}),
    ],
)
def test_a_new_memory_has_its_spec(calls: ClientCalls, chosen: dict[str, Any], sent: dict[str, Any]) -> None:
    assert creation(calls, **chosen).request.spec.pairwise == memory_pb2.PairwiseSpec(neurons=4, **sent)


@pytest.mark.parametrize(
    ("chosen", "sent"),
    [
        ({"normalization": "patterns", "rule": "storkey"}, {"normalization": memory_pb2.NORMALIZATION_PATTERNS}),
        ({"kappa": 0}, {"kappa": 0}),
        ({"max_sweeps": 10}, {"max_sweeps": 10}),
    ],
)
def test_what_the_rule_does_not_have_is_left_for_the_server_to_refuse(
    calls: ClientCalls, chosen: dict[str, Any], sent: dict[str, Any]
) -> None:
    pairwise = creation(calls, **chosen).request.spec.pairwise
    present = {"normalization": pairwise.normalization or None}
    present |= {name: getattr(pairwise, name) if pairwise.HasField(name) else None for name in ("kappa", "max_sweeps")}
    assert present == {"normalization": None, "kappa": None, "max_sweeps": None, **sent}


def test_what_is_there_will_do_where_that_was_said(calls: ClientCalls) -> None:
    assert not creation(calls).request.allow_existing
    assert creation(calls, exist_ok=True).request.allow_existing


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"rule": "hebb"},
            "rule is 'hebb'; it must be one of 'hebbian', 'pseudo_inverse', 'storkey', 'storkey_second_order', 'perceptron'$",
        ),
        ({"rule": "imported"}, "rule is 'imported'; it must be one of"),
        ({"normalization": None}, "normalization is None; it must be one of 'neurons', 'patterns', 'none'$"),
        ({"coding": "signed"}, "coding is 'signed'; it must be one of 'bipolar', 'binary'$"),
        ({"coding": None}, "coding is None; it must be"),
        ({"self_coupling": 1}, "self_coupling is 1; it must be True or False"),
        ({"kappa": -1}, r"kappa is -1\.0; it must be finite and at least 0"),
        ({"kappa": float("nan")}, "kappa is nan; it must be finite"),
        ({"kappa": 10**400}, "kappa is larger than any float"),
        ({"kappa": "1"}, "kappa is '1'; it must be a number"),
        ({"kappa": True}, "kappa is True; it must be a number"),
        ({"max_sweeps": 0}, "max_sweeps is 0; it must be at least 1"),
        ({"max_sweeps": 1e3}, r"max_sweeps is 1000\.0; it must be an integer"),
        ({"neurons": 0}, "neurons is 0; it must be at least 1$"),
        ({"neurons": True}, "neurons is True; it must be an integer"),
        ({"neurons": 4.0}, r"neurons is 4\.0; it must be an integer"),
        ({"shape": (3, 2)}, r"shape \(3, 2\) has 6 elements; the memory has 4 neurons"),
        ({"shape": (-2, -2)}, r"shape is \(-2, -2\); it must be a length, or a sequence of them"),
        ({"shape": 3}, r"shape \(3,\) has 3 elements"),
        ({"shape": 4.0}, r"shape is 4\.0; it must be a length"),
        ({"shape": "4"}, "shape is '4'; it must be a length"),
        ({"shape": True}, "shape is True; it must be a length"),
        ({"exist_ok": "no"}, "exist_ok is 'no'; it must be True or False"),
        ({"thresholds": np.ma.masked_equal([0.0, 1, 2, 3], 0)}, "thresholds holds masked values"),
        ({"thresholds": [1.0]}, "1 thresholds for 4 neurons"),
        ({"thresholds": [0.0]}, "1 thresholds for 4 neurons"),
        ({"thresholds": "none"}, "thresholds holds values of type"),
        ({"thresholds": True}, "thresholds holds values of type bool"),
    ],
)
def test_a_spec_that_means_nothing_is_refused_by_name(calls: ClientCalls, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{message}") as refused:
        creation(calls, **chosen)
    assert [refused.value.field] == list(chosen)


def test_imported_weights_have_a_coding_and_may_have_one_threshold_for_all(calls: ClientCalls) -> None:
    call = calls.import_weights("w", [[0.0, 1.0], [1.0, 0.0]], -0.5, "binary")
    header = next(call.begin(1 << 16).request).header
    assert (list(header.thresholds), header.coding) == ([-0.5, -0.5], patterns_pb2.CODING_BINARY)
    with pytest.raises(InvalidArgument, match=r"^coding is 'signed'"):
        calls.import_weights("w", [[0.0]], None, "signed")  # type: ignore[arg-type]


# Changes


@pytest.mark.parametrize(
    ("chosen", "sent"),
    [
        ({"rule": "storkey"}, {"rule": memory_pb2.LEARNING_RULE_STORKEY}),
        ({"normalization": "neurons"}, {"normalization": memory_pb2.NORMALIZATION_NEURONS}),
        ({"self_coupling": False}, {"self_coupling": False}),
        ({"thresholds": [1, 2, 3, 4]}, {"thresholds": [1, 2, 3, 4]}),
        ({"thresholds": 2}, {"thresholds": [2, 2, 2, 2]}),
        ({"thresholds": 0}, {"thresholds": []}),
        ({"thresholds": np.zeros((2, 2))}, {"thresholds": []}),
        ({"kappa": 1.0}, {"kappa": 1}),
        (
            {"rule": "perceptron", "kappa": np.float64(0), "max_sweeps": np.uint8(9)},
            {"rule": memory_pb2.LEARNING_RULE_PERCEPTRON, "kappa": 0, "max_sweeps": 9},
        ),
    ],
)
def test_a_change_names_what_it_changes_and_nothing_else(
    memory: MemoryCalls, chosen: dict[str, Any], sent: dict[str, Any]
) -> None:
    request = update(memory, **chosen).request
    assert list(request.update_mask.paths) == [f"pairwise.{name}" for name in chosen]
    assert request.spec.WhichOneof("family") == "pairwise"
    assert request.spec.pairwise == memory_pb2.PairwiseSpec(**sent)
    assert (request.name, len(request.request_id), request.HasField("expected_revision")) == ("digits", 32, False)


def test_a_change_may_expect_a_revision(memory: MemoryCalls) -> None:
    assert update(memory, rule="hebbian", expected_revision=0).request.HasField("expected_revision")
    with pytest.raises(InvalidArgument, match="expected_revision is -1"):
        update(memory, rule="hebbian", expected_revision=-1)


def test_a_change_of_nothing_is_refused(memory: MemoryCalls) -> None:
    with pytest.raises(
        InvalidArgument, match=r"^nothing is to change: give at least one of model, rule, normalization, thr"
    ):
        update(memory, expected_revision=3)


def test_one_threshold_for_all_needs_their_number_unless_it_is_zero(calls: ClientCalls) -> None:
    memory = calls.memory("digits")
    assert list(update(memory, thresholds=0).request.update_mask.paths) == ["pairwise.thresholds"]
    assert list(update(memory, thresholds=[1, 2, 3]).request.spec.pairwise.thresholds) == [1, 2, 3]
    with pytest.raises(
        InvalidArgument,
        match=r"^thresholds is 0\.5, the same for every neuron, and this handle does not know how many there are: pass one",
    ) as refused:
        update(memory, thresholds=0.5)
    assert refused.value.field == "thresholds"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"rule": "imported"}, "rule is 'imported'; it must be one of"),
        ({"normalization": "weights"}, "normalization is 'weights'"),
        ({"thresholds": [1.0]}, "1 thresholds for 4 neurons"),
        ({"self_coupling": "no"}, "self_coupling is 'no'"),
        ({"kappa": -0.1}, "kappa is -0.1"),
        ({"max_sweeps": 0}, "max_sweeps is 0"),
    ],
)
def test_a_change_to_what_means_nothing_is_refused_by_name(
    memory: MemoryCalls, chosen: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=f"^{message}") as refused:
        update(memory, **chosen)
    assert [refused.value.field] == list(chosen)
