"""Learning rules as folds: what is learnt depends on what is stored and on nothing else, to the last bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.samples import (
    LEARNT,
    Signs,
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
    signs,
    sizes,
    specs,
    store,
    through_a_snapshot,
    weights_of,
)

from hopfield_service.core.interruption import Interrupted
from hopfield_service.core.network import Configure, Forget
from hopfield_service.core.pairwise import PairwiseNetwork, PairwiseSpec, Rule
from hopfield_service.core.patterns import unpack
from hopfield_service.core.results import Match

rules = pytest.mark.parametrize("rule", LEARNT)


@st.composite
def lessons(draw: st.DrawFn, rule: Rule, max_count: int = 10) -> tuple[PairwiseSpec, Signs]:
    """What to learn, and with which parameters of the rule."""
    spec = draw(specs(draw(sizes), [rule]))
    return spec, draw(pattern_sets(neurons=spec.neurons, max_count=max_count))


def in_pieces(empty: PairwiseNetwork, patterns: Signs, sizes: list[int], snapshot_after: list[bool]) -> PairwiseNetwork:
    """Stores patterns some at a time, in between through snapshots."""
    network, start = empty, 0
    for size, snapshot in zip([*sizes, len(patterns)], [*snapshot_after, False], strict=True):
        end = min(start + size, len(patterns))
        if end > start:
            labels = [str(k) for k in range(start, end)]
            network = after(network, store(patterns[start:end], labels))
        if snapshot:
            network = through_a_snapshot(network)
        start = end
    return network


# Folds


@rules
@given(data=st.data(), pieces=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=6))
def test_what_is_learnt_does_not_depend_on_how_many_came_at_a_time_nor_on_snapshots(
    rule: Rule, data: st.DataObject, pieces: list[tuple[int, bool]]
) -> None:
    spec, patterns = data.draw(lessons(rule))
    at_once = in_pieces(spec.empty(), patterns, [], [])
    one_by_one = in_pieces(spec.empty(), patterns, [1] * len(patterns), [False] * len(patterns))
    cut = in_pieces(spec.empty(), patterns, [size for size, _ in pieces], [snapshot for _, snapshot in pieces])
    assert kept(one_by_one) == kept(at_once)
    assert kept(cut) == kept(at_once)
    assert one_by_one.outcome == cut.outcome == at_once.outcome


@rules
@given(data=st.data())
def test_a_network_is_the_same_behind_a_snapshot(rule: Rule, data: st.DataObject) -> None:
    spec, patterns = data.draw(lessons(rule))
    network = memory_of(spec, patterns)
    again = through_a_snapshot(network)
    assert kept(again) == kept(network)
    assert (again.spec, again.outcome) == (spec, network.outcome)
    assert again.stored.labels == network.stored.labels
    query = random_signs(np.random.default_rng(len(patterns)), spec.neurons)
    assert facts(recall(again, query)) == facts(recall(network, query))


@pytest.mark.parametrize("neurons", [500, 700])
@rules
def test_many_patterns_are_learnt_piece_by_piece_with_the_same_bits(rule: Rule, neurons: int) -> None:
    # So many that a kernel is not given all of them at once.
    patterns = random_signs(np.random.default_rng(neurons), 60, neurons)
    spec = PairwiseSpec(neurons, rule, self_coupling=True)
    at_once = memory_of(spec, patterns)
    assert kept(in_pieces(spec.empty(), patterns, [1, 33, 3], [False] * 3)) == kept(at_once)


@rules
@given(data=st.data())
def test_storing_and_forgetting_leaves_what_a_memory_has_that_only_ever_stored_the_rest(
    rule: Rule, data: st.DataObject
) -> None:
    spec, patterns = data.draw(lessons(rule, max_count=8))
    network = spec.empty()
    remaining: list[int] = []
    for k in range(len(patterns)):
        network = after(network, store(patterns[k : k + 1], [str(k)]))
        remaining.append(k)
        gone = (
            data.draw(st.lists(st.sampled_from(remaining), unique=True, max_size=3)) if data.draw(st.booleans()) else []
        )
        if gone:
            network = after(network, Forget(tuple(str(one) for one in gone)))
            remaining = [one for one in remaining if one not in gone]
    never_more = spec.empty()
    if remaining:
        never_more = after(never_more, store(patterns[remaining], [str(one) for one in remaining]))
    for name in ("J", "patterns.bits", "patterns.label_bytes", *never_more.arrays()):
        assert kept(network)[name] == kept(never_more)[name]
    assert network.outcome == never_more.outcome


@rules
def test_a_then_b_without_a_is_b(rule: Rule) -> None:
    a, b = random_signs(np.random.default_rng(6), 2, 25)
    both = after(PairwiseSpec(25, rule).empty(), store(a[np.newaxis], ["a"]), store(b[np.newaxis], ["b"]))
    only_b = after(PairwiseSpec(25, rule).empty(), store(b[np.newaxis], ["b"]))
    assert weights_of(after(both, Forget(("a",)))).tobytes() == weights_of(only_b).tobytes()


@rules
@pytest.mark.parametrize("self_coupling", [False, True])
def test_forgetting_everything_leaves_the_weights_of_an_empty_memory_and_learning_goes_on(
    rule: Rule, self_coupling: bool
) -> None:
    patterns = random_signs(np.random.default_rng(7), 3, 10)
    network = memory(rule, patterns, self_coupling=self_coupling)
    empty = after(network, Forget(("2", "0", "1")))
    assert not weights_of(empty).any()
    assert kept(empty)["J"] == kept(network.spec.empty())["J"]
    assert through_a_snapshot(empty).stored.next_number == 3
    again = after(through_a_snapshot(empty), store(patterns))
    assert kept(again)["J"] == kept(network)["J"]


@rules
@given(patterns=pattern_sets(neurons=13, min_count=3, max_count=8), data=st.data())
def test_replacing_is_forgetting_and_then_storing_as_the_youngest(
    rule: Rule, patterns: Signs, data: st.DataObject
) -> None:
    network = memory_of(data.draw(specs(13, [rule])), patterns)
    labels = data.draw(st.lists(st.sampled_from(["0", "1", "2", "new", "newer"]), unique=True, min_size=1))
    new = random_signs(np.random.default_rng(data.draw(st.integers(0, 99))), len(labels), 13)
    replaced = after(network, store(new, labels, replace=True))
    old = tuple(label for label in labels if label in network.stored.positions)
    expected = after(network, Forget(old)) if old else network
    expected = after(expected, store(new, labels))
    assert kept(replaced) == kept(expected)
    assert replaced.stored.next_number == expected.stored.next_number == len(patterns) + len(labels)
    assert replaced.stored.labels[-len(labels) :] == tuple(labels)
    assert np.array_equal(unpack(replaced.stored.bits[-len(labels) :], 13), new)


@rules
@given(patterns=pattern_sets(min_count=1, max_count=8), self_coupling=st.booleans())
def test_an_operation_leaves_the_network_it_is_applied_to_as_it_was(
    rule: Rule, patterns: Signs, self_coupling: bool
) -> None:
    limited: dict[str, Any] = {"max_sweeps": 5} if rule is Rule.PERCEPTRON else {}
    network = memory(rule, patterns, self_coupling=self_coupling, **limited)
    before = kept(network)
    after(network, store(-patterns[:1], ["inverse"]))
    after(network, store(-patterns[:1], ["0"], replace=True))
    after(network, Forget(("0",)))
    after(network, Configure(network.spec.changed({"self_coupling": not self_coupling})))
    recall(network, patterns[0])
    assert kept(network) == before


@rules
def test_one_neuron_learns_and_has_no_weight(rule: Rule) -> None:
    network = memory(rule, signs([[1], [-1], [1]]))
    assert network.learns
    assert weights_of(network).tolist() == [[0.0]]
    answer = recall(network, [-1])
    assert (answer.state.tolist(), answer.energy, answer.nearest, answer.match) == ([-1], 0.0, 0, Match.INVERSE)


@pytest.mark.parametrize(
    ("rule", "diagonal"),
    [
        (Rule.HEBBIAN, 3.0),
        # Without fields: 1 each time.
        (Rule.STORKEY, 3.0),
        (Rule.STORKEY_SECOND_ORDER, 3.0),
        (Rule.PSEUDO_INVERSE, 1.0),
        # Within the margin for ever: 2 each time, three times a sweep.
        (Rule.PERCEPTRON, 6.0 * 1000),
    ],
)
def test_the_self_coupling_of_one_neuron(rule: Rule, diagonal: float) -> None:
    assert weights_of(memory(rule, signs([[1], [-1], [1]]), self_coupling=True)).tolist() == [[diagonal]]


# Interruption


@rules
def test_learning_that_nobody_waits_for_any_longer_is_given_up(rule: Rule) -> None:
    patterns = random_signs(np.random.default_rng(1), 6, 20)
    network = memory(rule, patterns)
    gone = interruption_after(0)
    more = store(-patterns[:2], ["a", "b"])
    for operation in (more, store(-patterns[:1], ["0"], replace=True), Forget(("0", "3"))):
        with pytest.raises(Interrupted):
            network.apply(operation, gone)
    relearnt = network.spec.changed({"self_coupling": True})
    with pytest.raises(Interrupted):
        network.apply(Configure(relearnt), gone)
    assert kept(network) == kept(memory(rule, patterns)), "the network is as it was"
    assert kept(after(network, more)) == kept(memory_of(network.spec, patterns).apply(more, interruption_after(10**6)))


@rules
def test_whether_anybody_waits_is_asked_again_and_again(rule: Rule) -> None:
    # By Hebb's rule, which only makes weights of many patterns, for each block of 2^24 weights, by the others every few milliseconds.
    neurons, count = (4400, 1101) if rule is Rule.HEBBIAN else (300, 300)
    bits = store(random_signs(np.random.default_rng(2), count, neurons))
    with pytest.raises(Interrupted):
        PairwiseSpec(neurons, rule).empty().apply(bits, interruption_after(2))


# Imported weights


def test_imported_weights_are_used_as_they_are_and_survive_a_snapshot() -> None:
    matrix = np.array([[0.1, -2.5, 1e-300], [-2.5, -3.0, 0.3], [1e-300, 0.3, 0.0]])
    network = imported(matrix, thresholds=(0.1, 0.0, -1 / 3))
    assert weights_of(network).tobytes() == matrix.tobytes()
    again = through_a_snapshot(network)
    assert weights_of(again).tobytes() == matrix.tobytes()
    assert again.spec == network.spec
    assert again.thresholds.tolist() == [0.1, 0.0, -1 / 3]
    assert facts(recall(again, [1, 1, 0])) == facts(recall(network, [1, 1, 0]))


def test_imported_weights_learn_nothing() -> None:
    network = imported([[0, 1], [1, 0]])
    assert not network.learns
    with pytest.raises(TypeError):
        after(network, store(signs([[1, 1]])))
    assert recall(network, [1, 1]).match is Match.NONE
