"""Stored patterns with their labels and numbers, specs as they are written, and the families there are."""

import json

import numpy as np
import pytest
from tests.core.samples import LEARNT, after, memory, random_signs, recall, store

from hopfield_service.core.dense import DenseSpec
from hopfield_service.core.families import FAMILIES, spec_from_parameters
from hopfield_service.core.modern import ModernSpec
from hopfield_service.core.network import Forget, StoredPatterns
from hopfield_service.core.pairwise import PairwiseSpec, Rule
from hopfield_service.core.ring import RingSpec
from hopfield_service.core.sheet import SheetSpec


def test_patterns_keep_their_numbers_when_others_are_forgotten() -> None:
    network = after(memory(Rule.HEBBIAN, random_signs(np.random.default_rng(1), 5, 9)), Forget(("3", "0")))
    assert network.stored.labels == ("1", "2", "4")
    assert network.stored.numbers.tolist() == [1, 2, 4]
    assert network.stored.positions == {"1": 0, "2": 1, "4": 2}
    later = after(network, store(random_signs(np.random.default_rng(2), 2, 9), ["a", "b"]))
    assert later.stored.numbers.tolist() == [1, 2, 4, 5, 6]
    assert later.stored.next_number == 7
    assert len(later.stored) == 5


def test_labels_are_the_numbers_of_the_patterns_where_nobody_gave_others() -> None:
    stored = StoredPatterns.none(2)
    assert stored.new_labels(0) == ()
    assert stored.new_labels(3) == ("0", "1", "2")
    stored = stored.with_added(np.zeros((3, 2), np.uint8), ("0", "1", "2")).without(["2"])
    assert stored.new_labels(2) == ("3", "4"), "that of a forgotten pattern does not come back"
    taken = stored.with_added(np.zeros((2, 2), np.uint8), ("6", "7"))
    assert taken.new_labels(3) == ("5", "8", "9")


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("thresholds", [(), (0.1, -1 / 3, 5e-324)])
def test_a_spec_is_the_same_after_it_was_written_and_read(rule: Rule, thresholds: tuple[float, ...]) -> None:
    spec = PairwiseSpec(3, rule, thresholds)
    again = spec_from_parameters(spec.family, json.loads(json.dumps(spec.parameters())))
    assert again == spec
    assert again.empty().thresholds.tolist() == list(thresholds or (0.0, 0.0, 0.0))


def test_a_spec_that_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError):
        spec_from_parameters("quantum", {"neurons": 3})
    with pytest.raises(TypeError, match="neurons"):
        spec_from_parameters("pairwise", {"rule": "hebbian"})
    with pytest.raises(ValueError, match="guess"):
        spec_from_parameters("pairwise", {"neurons": 3, "rule": "guess", "thresholds": []})
    with pytest.raises(TypeError):
        spec_from_parameters("pairwise", {"neurons": 3, "rule": "hebbian", "thresholds": [], "charm": 1})


def test_families_go_by_the_names_under_which_they_are_stored() -> None:
    assert {
        "pairwise": PairwiseSpec,
        "dense": DenseSpec,
        "modern": ModernSpec,
        "ring": RingSpec,
        "sheet": SheetSpec,
    } == FAMILIES


@pytest.mark.parametrize(
    ("rule", "capacity"),
    [
        (Rule.HEBBIAN, 0.138),
        # 1 / sqrt(2 ln N), Storkey and Valabregue (1999).
        (Rule.STORKEY, 0.307),
        (Rule.STORKEY_SECOND_ORDER, 0.307),
        (Rule.PSEUDO_INVERSE, 1.0),
        (Rule.PERCEPTRON, 1.5),
        (Rule.IMPORTED, None),
    ],
)
def test_the_capacity_is_that_of_the_rule_and_beyond_it_there_is_advice(rule: Rule, capacity: float | None) -> None:
    spec = PairwiseSpec(200, rule)
    assert spec.capacity == (None if capacity is None else pytest.approx(capacity, abs=5e-4))
    if capacity is None:
        assert spec.advice(10**6, spec.capacity) is None
    else:
        assert spec.advice(int(200 * capacity), spec.capacity) is None
        advice = spec.advice(int(200 * capacity) + 1, spec.capacity)
        assert advice is not None
        assert rule.value in advice
    for neurons in (1, 2, 3):
        assert PairwiseSpec(neurons, Rule.STORKEY).capacity == pytest.approx(
            min(1.0, 1 / np.sqrt(2 * np.log(neurons))) if neurons > 1 else 1.0
        )


@pytest.mark.parametrize("rule", LEARNT)
@pytest.mark.parametrize("count", [6, 40])
def test_the_bytes_of_a_network_are_those_of_all_its_arrays_and_known_before_it_recalls(rule: Rule, count: int) -> None:
    network = memory(rule, random_signs(np.random.default_rng(3), count, 80))
    nbytes = network.nbytes
    assert "dynamics" not in vars(network), "telling them makes nothing"
    network.prepare()
    dynamics = network.dynamics
    arrays = {
        id(array): array.nbytes
        for part in (dynamics.form, dynamics.heated_form, network.stored.bits, network.stored.words)
        for array in (part if isinstance(part, tuple) else (part,))
        if isinstance(array, np.ndarray)
    }
    assert network.nbytes == nbytes >= sum(arrays.values())
    # Beside them what learning keeps: a basis, its products, and the weights where recall takes them rounded.
    assert nbytes <= sum(arrays.values()) + 3 * 80 * 80 * 8


@pytest.mark.parametrize("rule", [Rule.HEBBIAN, Rule.PSEUDO_INVERSE])
def test_a_network_of_few_patterns_takes_the_room_of_its_factors_and_not_of_a_matrix(rule: Rule) -> None:
    network = memory(rule, random_signs(np.random.default_rng(4), 8, 1000))
    recall(network, np.ones(1000, np.int8))
    assert network.nbytes < 400_000 < 1000 * 1000
