"""Other parameters for a memory that has patterns: as if it had had them from the start."""

import json
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.samples import (
    LEARNT,
    after,
    facts,
    imported,
    interruption_after,
    kept,
    memory,
    memory_of,
    pattern_sets,
    random_signs,
    recall,
    sizes,
    specs,
    store,
    through_a_snapshot,
    weights_of,
)

from hopfield_service.core.families import spec_from_parameters
from hopfield_service.core.interruption import Interrupted
from hopfield_service.core.learning import Normalization
from hopfield_service.core.network import Configure, Forget, InvalidParameter, NothingToRelearn
from hopfield_service.core.pairwise import PairwiseNetwork, PairwiseSpec, Rule
from hopfield_service.core.patterns import TWO_VALUED, Coding

PAIRS = [*permutations(LEARNT, 2), *((rule, rule) for rule in LEARNT)]

# One parameter of each kind that is not the default.
OTHERS: dict[str, Any] = {
    "thresholds": [0.5, -0.25, 0.0, 1.0],
    "self_coupling": True,
}
OTHERS_OF: dict[Rule, dict[str, Any]] = {
    Rule.HEBBIAN: {"normalization": "patterns"},
    Rule.PERCEPTRON: {"kappa": 0.25, "max_sweeps": 17},
}


# As if from the start


@pytest.mark.parametrize(("before", "now"), PAIRS)
@given(data=st.data())
def test_a_network_configured_is_the_one_made_with_these_parameters_from_the_start(
    before: Rule, now: Rule, data: st.DataObject
) -> None:
    coding = data.draw(st.sampled_from(TWO_VALUED))
    old = data.draw(specs(data.draw(sizes), [before], [coding], max_sweeps=5))
    new = data.draw(specs(old.neurons, [now], [coding], max_sweeps=5))
    patterns = data.draw(pattern_sets(neurons=old.neurons, max_count=6))
    configured = after(memory_of(old, patterns), Configure(new))
    expected = memory_of(new, patterns)
    assert configured.spec == new
    assert kept(configured) == kept(expected)
    assert configured.outcome == expected.outcome
    query = random_signs(np.random.default_rng(1), old.neurons)
    assert facts(recall(configured, query)) == facts(recall(expected, query))


@pytest.mark.parametrize(("before", "now"), PAIRS)
def test_it_goes_on_learning_and_forgetting_under_the_new_parameters(before: Rule, now: Rule) -> None:
    patterns = random_signs(np.random.default_rng(2), 9, 24)
    network = after(
        memory(before, patterns[:5]),
        Configure(PairwiseSpec(24, now, self_coupling=True)),
        store(patterns[5:], ["5", "6", "7", "8"]),
        Forget(("1", "6")),
    )
    never_so = memory(now, patterns, self_coupling=True)
    never_so = after(never_so, Forget(("1", "6")))
    assert kept(network) == kept(never_so) == kept(through_a_snapshot(network))
    assert network.stored.next_number == 9


@pytest.mark.parametrize("rule", LEARNT)
def test_there_and_back_again_is_where_it_was(rule: Rule) -> None:
    patterns = random_signs(np.random.default_rng(3), 6, 20)
    network = memory(rule, patterns)
    for changes in ({"self_coupling": True}, {"rule": "storkey"}, {"rule": "hebbian", "normalization": "none"}):
        there = after(network, Configure(network.spec.changed(changes)))
        assert kept(after(there, Configure(network.spec))) == kept(network)


def test_the_patterns_keep_their_labels_and_numbers() -> None:
    network = after(memory(Rule.HEBBIAN, random_signs(np.random.default_rng(4), 5, 9)), Forget(("3", "0")))
    configured = after(network, Configure(PairwiseSpec(9, Rule.STORKEY)))
    assert configured.stored.labels == ("1", "2", "4")
    assert configured.stored.numbers.tolist() == [1, 2, 4]
    assert configured.stored.next_number == 5


# Thresholds


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule is not Rule.PERCEPTRON])
@pytest.mark.parametrize("coding", TWO_VALUED)
def test_other_thresholds_alone_keep_the_weights_and_nothing_is_learnt(rule: Rule, coding: Coding) -> None:
    random = np.random.default_rng(5)
    network = (
        imported([[0, 1.5, -2], [1.5, 0, 1], [-2, 1, 0.5]], coding=coding)
        if rule is Rule.IMPORTED
        else memory(rule, random_signs(random, 4, 3), coding=coding)
    )
    spec = network.spec.changed({"thresholds": [5.0, 5.0, -5.0]})
    # Learning would ask, and be told that nobody waits.
    configured = network.apply(Configure(spec), interruption_after(0))
    assert weights_of(configured).tobytes() == weights_of(network).tobytes()
    assert configured.thresholds.tolist() == [5.0, 5.0, -5.0]
    assert recall(configured, [1, 1, 1]).state.tolist() == [-1, -1, 1]
    assert recall(after(configured, Configure(network.spec)), [1, 1, 1]).energy == recall(network, [1, 1, 1]).energy


def test_the_perceptron_rule_judges_fields_with_their_thresholds_and_learns_anew() -> None:
    patterns = random_signs(np.random.default_rng(6), 5, 30)
    network = memory(Rule.PERCEPTRON, patterns)
    spec = network.spec.changed({"thresholds": [3.0] * 30})
    with pytest.raises(Interrupted):
        network.apply(Configure(spec), interruption_after(0))
    configured = after(network, Configure(spec))
    assert not np.array_equal(weights_of(configured), weights_of(network))
    assert kept(configured) == kept(memory(Rule.PERCEPTRON, patterns, [3.0] * 30))


# What can be changed


@pytest.mark.parametrize("rule", Rule)
def test_the_neurons_and_the_coding_stay_as_they_are(rule: Rule) -> None:
    spec = PairwiseSpec(4, rule)
    for change, parameter in (({"neurons": 5}, "neurons"), ({"coding": "binary"}, "coding")):
        with pytest.raises(InvalidParameter) as refused:
            spec.changed(change)
        assert refused.value.parameter == parameter
    assert spec.changed({"neurons": 4, "coding": "bipolar"}) == spec == spec.changed({})
    assert spec.changed({"thresholds": [1.0, 0.0, 0.0, 2.5]}).thresholds == (1.0, 0.0, 0.0, 2.5)


@pytest.mark.parametrize(("before", "now"), list(permutations(LEARNT, 2)))
def test_with_another_rule_go_the_parameters_that_mean_nothing_to_it_and_the_others_stay(
    before: Rule, now: Rule
) -> None:
    spec = PairwiseSpec(4, before).changed({**OTHERS, **OTHERS_OF.get(before, {})})
    assert spec.changed({"rule": now.value}) == PairwiseSpec(4, now).changed(OTHERS)
    own = OTHERS_OF.get(now, {})
    assert spec.changed({"rule": now.value, **own}) == PairwiseSpec(4, now).changed({**OTHERS, **own})
    for name, value in OTHERS_OF.get(before, {}).items():
        with pytest.raises(InvalidParameter) as refused:
            spec.changed({"rule": now.value, name: value})
        assert refused.value.parameter == name


@pytest.mark.parametrize("rule", LEARNT)
def test_weights_from_outside_have_nothing_to_relearn(rule: Rule) -> None:
    given_ones = imported([[0, 1], [1, 0]])
    with pytest.raises(NothingToRelearn):
        given_ones.spec.changed({"rule": rule.value})
    with pytest.raises(NothingToRelearn):
        PairwiseSpec(2, rule).changed({"rule": "imported"})
    assert given_ones.spec.changed({"rule": "imported"}) == given_ones.spec
    with pytest.raises(InvalidParameter, match="self_coupling"):
        given_ones.spec.changed({"self_coupling": True})


# What a spec may be


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize(
    ("parameter", "value", "of"),
    [
        ("normalization", Normalization.PATTERNS, Rule.HEBBIAN),
        ("normalization", Normalization.NONE, Rule.HEBBIAN),
        ("kappa", 0.0, Rule.PERCEPTRON),
        ("max_sweeps", 1, Rule.PERCEPTRON),
    ],
)
def test_a_parameter_of_another_rule_is_refused(rule: Rule, parameter: str, value: Any, of: Rule) -> None:
    if rule is of:
        assert getattr(PairwiseSpec(3, rule, **{parameter: value}), parameter) == value
    else:
        with pytest.raises(InvalidParameter) as refused:
            PairwiseSpec(3, rule, **{parameter: value})
        assert refused.value.parameter == parameter
        assert of.value in refused.value.rule


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("kappa", -0.1),
        ("kappa", float("inf")),
        ("kappa", float("nan")),
        ("max_sweeps", 0),
        ("max_sweeps", 1_000_001),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(parameter: str, value: Any) -> None:
    with pytest.raises(InvalidParameter) as refused:
        PairwiseSpec(3, Rule.PERCEPTRON, **{parameter: value})
    assert refused.value.parameter == parameter
    assert isinstance(refused.value, ValueError)


@given(st.integers(1, 12), st.data())
def test_a_spec_is_the_same_after_it_was_written_and_read(neurons: int, data: st.DataObject) -> None:
    spec = data.draw(specs(neurons, list(Rule)))
    again = spec_from_parameters(spec.family, json.loads(json.dumps(spec.parameters())))
    assert again == spec
    assert spec.changed(json.loads(json.dumps(spec.parameters()))) == spec


@pytest.mark.parametrize("rule", [Rule.HEBBIAN, Rule.PSEUDO_INVERSE, Rule.IMPORTED])
def test_specs_written_before_there_were_other_parameters_are_still_read(rule: Rule) -> None:
    written = {"neurons": 3, "rule": rule.value, "thresholds": [0.5, 0.0, -1.0]}
    spec = spec_from_parameters("pairwise", written)
    assert spec == PairwiseSpec(3, rule, (0.5, 0.0, -1.0))
    assert isinstance(spec, PairwiseSpec)
    assert (spec.coding, spec.self_coupling) == (Coding.BIPOLAR, False)


@pytest.mark.parametrize(("rule", "coding"), list(product(LEARNT, TWO_VALUED)))
def test_weights_are_learnt_from_signs_in_either_coding(rule: Rule, coding: Coding) -> None:
    # But for the perceptron rule, which judges the fields that recall will see.
    patterns = random_signs(np.random.default_rng(7), 4, 15)
    bipolar, either = memory(rule, patterns), memory(rule, patterns, coding=coding)
    same = np.array_equal(weights_of(bipolar), weights_of(either))
    assert same is (rule is not Rule.PERCEPTRON or coding is Coding.BIPOLAR)


def test_what_does_not_fit_is_no_operation_of_a_pairwise_network() -> None:
    network: PairwiseNetwork = imported([[0.0]])
    with pytest.raises(TypeError):
        after(network, Configure(None))  # type: ignore[arg-type]
