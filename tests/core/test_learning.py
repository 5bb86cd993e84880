"""Learning rules as folds: what the weights are, exactly, and that they depend on what is stored and on nothing else."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.oracle import hebbian_sums
from tests.core.samples import (
    Signs,
    facts,
    imported,
    kept,
    memory,
    pattern_sets,
    random_signs,
    recall,
    signs,
    store,
    through_a_snapshot,
    weights_of,
)

from hopfield_service.core.dynamics import Match
from hopfield_service.core.learning import Hebbian
from hopfield_service.core.network import Forget, Network
from hopfield_service.core.pairwise import PairwiseSpec, Rule
from hopfield_service.core.patterns import unpack

LEARNT = [Rule.HEBBIAN, Rule.PSEUDO_INVERSE]

rules = st.sampled_from(LEARNT)


def projection(patterns: Signs) -> NDArray[np.float64]:
    """numpy's word for what the pseudo-inverse rule learns, with zero diagonal."""
    xi = patterns.astype(np.float64)
    full = np.asarray(np.linalg.pinv(xi, rcond=1e-9) @ xi)
    return full - np.diag(full.diagonal())


def in_pieces(empty: Network, patterns: Signs, sizes: list[int], snapshot_after: list[bool]) -> Network:
    """Stores patterns some at a time, in between through snapshots."""
    network, start = empty, 0
    for size, snapshot in zip([*sizes, len(patterns)], [*snapshot_after, False], strict=True):
        end = min(start + size, len(patterns))
        if end > start:
            labels = [str(k) for k in range(start, end)]
            network = network.apply(store(patterns[start:end], labels))
        if snapshot:
            network = through_a_snapshot(network)
        start = end
    return network


# Hebb


@given(pattern_sets())
def test_hebbs_weights_are_integer_sums_without_diagonal_and_a_scale(patterns: Signs) -> None:
    neurons = patterns.shape[1]
    network = memory(Rule.HEBBIAN, patterns)
    sums = hebbian_sums(patterns.tolist(), neurons)
    (kept_sums,) = network.arrays().values()
    assert kept_sums.values.dtype == np.int32
    assert kept_sums.values.tolist() == sums
    assert weights_of(network).tolist() == [[entry / neurons for entry in row] for row in sums]


@given(pattern_sets(min_count=1), st.integers(0, 1000))
def test_the_order_of_hebbs_patterns_does_not_matter(patterns: Signs, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(patterns)
    assert weights_of(memory(Rule.HEBBIAN, shuffled)).tobytes() == weights_of(memory(Rule.HEBBIAN, patterns)).tobytes()


def test_hebbs_sums_have_the_parity_of_the_number_of_patterns() -> None:
    patterns = random_signs(np.random.default_rng(3), 7, 30)
    (sums,) = memory(Rule.HEBBIAN, patterns).arrays().values()
    assert np.all(sums.values[~np.eye(30, dtype=np.bool_)] % 2 == 1)


def test_hebbs_sums_of_many_neurons_are_whole() -> None:
    # So many that they are summed in more than one block of rows.
    patterns = random_signs(np.random.default_rng(30), 3, 4500)
    expected = np.zeros((4500, 4500), np.int32)
    for xi in patterns:
        expected += np.outer(xi, xi)
    np.fill_diagonal(expected, 0)
    learnt = Hebbian.nothing(4500).learn(patterns)
    assert np.array_equal(learnt.weights, expected)
    assert not learnt.forget([patterns], []).weights.any()


def test_many_equal_patterns_add_up_exactly_beyond_what_a_float32_can_count() -> None:
    count = 2**24 + 3
    pair = np.broadcast_to(signs([1, -1]), (count, 2))
    learnt = Hebbian.nothing(2).learn(pair)
    assert learnt.weights.tolist() == [[0, -count], [-count, 0]]
    assert learnt.forget([pair[:-1]], [pair[-1:]]).weights.tolist() == [[0, -1], [-1, 0]]


def test_learning_goes_on_to_the_largest_sum_an_int32_holds() -> None:
    almost = Hebbian(np.array([[0, 2**31 - 3], [2**31 - 3, 0]], np.int32), 2.0)
    assert almost.learn(signs([[1, 1], [-1, -1]])).weights[0, 1] == 2**31 - 1
    opposite = Hebbian(np.array([[0, 3 - 2**31], [3 - 2**31, 0]], np.int32), 2.0)
    assert opposite.learn(signs([[1, -1], [-1, 1]])).weights[1, 0] == 1 - 2**31


# Pseudo-inverse


@pytest.mark.parametrize(
    ("neurons", "count"),
    [
        (1, 1),
        (1, 3),
        (2, 5),
        (7, 6),
        (7, 7),
        (20, 5),
        (60, 57),
        (60, 59),
        (60, 60),
        (60, 80),
        (100, 99),
        (150, 75),
        (300, 280),
    ],
)
def test_pseudo_inverse_weights_are_numpys_to_a_billionth(neurons: int, count: int) -> None:
    patterns = random_signs(np.random.default_rng([neurons, count]), count, neurons)
    found = weights_of(memory(Rule.PSEUDO_INVERSE, patterns))
    assert np.abs(found - projection(patterns)).max() < 1e-9
    assert found.tobytes() == found.T.copy().tobytes(), "exactly symmetric"
    assert not found.diagonal().any()


@given(pattern_sets())
def test_pseudo_inverse_weights_are_numpys_whatever_depends_on_what(patterns: Signs) -> None:
    found = weights_of(memory(Rule.PSEUDO_INVERSE, patterns))
    expected = projection(patterns) if len(patterns) else np.zeros_like(found)
    assert np.abs(found - expected).max() < 1e-9


@given(pattern_sets())
def test_the_basis_is_orthonormal_and_has_one_row_for_each_independent_pattern(patterns: Signs) -> None:
    basis = memory(Rule.PSEUDO_INVERSE, patterns).arrays()["basis"].values
    assert len(basis) == (np.linalg.matrix_rank(patterns.astype(np.float64)) if len(patterns) else 0)
    assert np.abs(basis @ basis.T - np.eye(len(basis))).max(initial=0.0) < 1e-12


def test_the_basis_stays_orthonormal_up_to_the_last_pattern_there_is_room_for() -> None:
    # One pass of Gram and Schmidt would be 1e-11 off by then.
    basis = memory(Rule.PSEUDO_INVERSE, random_signs(np.random.default_rng(8), 300, 300)).arrays()["basis"].values
    assert len(basis) == 300
    assert np.abs(basis @ basis.T - np.eye(300)).max() < 1e-13


@given(pattern_sets(min_count=1, max_count=12))
def test_the_bits_of_the_projection_are_those_of_plain_arithmetic_in_the_order_documented(patterns: Signs) -> None:
    count, neurons = patterns.shape
    basis: list[list[float]] = []
    for k in range(count):
        r = [float(s) for s in patterns[k]]
        for _ in range(2):
            coefficients = []
            for row in basis:
                total = 0.0
                for i in range(neurons):
                    total += row[i] * r[i]
                coefficients.append(total)
            for coefficient, row in zip(coefficients, basis, strict=True):
                r = [value - coefficient * entry for value, entry in zip(r, row, strict=True)]
        length = 0.0
        for value in r:
            length += value * value
        if length > 1e-9 * neurons:
            basis.append([value / math.sqrt(length) for value in r])
    weights = [[0.0] * neurons for _ in range(neurons)]
    for i in range(neurons):
        for j in range(neurons):
            for row in basis:
                if i != j:
                    weights[i][j] += row[i] * row[j]
    network = memory(Rule.PSEUDO_INVERSE, patterns)
    assert network.arrays()["basis"].values.tolist() == basis
    assert weights_of(network).tolist() == weights


def test_two_patterns_of_four_neurons_give_the_projection_worked_out_by_hand() -> None:
    # xi = ++++ and +++-: C = [[1, 1/2], [1/2, 1]], C^-1 = 4/3 [[1, -1/2], [-1/2, 1]]; the span is that of ++++ and the last.
    third = Fraction(1, 3)
    expected = [[0, third, third, 0], [third, 0, third, 0], [third, third, 0, 0], [0, 0, 0, 0]]
    found = weights_of(memory(Rule.PSEUDO_INVERSE, signs([[1, 1, 1, 1], [1, 1, 1, -1]])))
    assert np.abs(found - np.array(expected, np.float64)).max() < 1e-15


def test_orthogonal_patterns_make_pseudo_inverse_and_hebb_one_rule() -> None:
    orthogonal = signs([[1, 1, 1, 1, 1, 1, 1, 1], [1, -1, 1, -1, 1, -1, 1, -1], [1, 1, -1, -1, 1, 1, -1, -1]])
    difference = weights_of(memory(Rule.PSEUDO_INVERSE, orthogonal)) - weights_of(memory(Rule.HEBBIAN, orthogonal))
    assert np.abs(difference).max() < 1e-15


@given(pattern_sets(min_count=1), st.sampled_from([1, -1]), st.data())
def test_a_pattern_that_depends_on_others_changes_no_weight_of_the_projection(
    patterns: Signs, factor: int, data: st.DataObject
) -> None:
    network = memory(Rule.PSEUDO_INVERSE, patterns)
    again = factor * patterns[data.draw(st.integers(0, len(patterns) - 1))][np.newaxis]
    after = network.apply(store(again, ["again"]))
    assert kept(after)["basis"] == kept(network)["basis"]
    assert kept(after)["J"] == kept(network)["J"]
    assert len(after.stored) == len(patterns) + 1


def test_a_combination_of_three_patterns_depends_on_them() -> None:
    dependent = signs([[1, 1, 1, 1, 1, 1], [1, 1, -1, -1, 1, 1], [-1, -1, -1, -1, 1, 1]])
    fourth = (dependent[0] - dependent[1] + dependent[2])[np.newaxis]
    assert set(fourth.ravel().tolist()) <= {1, -1}
    network = memory(Rule.PSEUDO_INVERSE, np.concatenate([dependent, fourth]))
    assert len(network.arrays()["basis"].values) == 3
    assert kept(network)["J"] == kept(memory(Rule.PSEUDO_INVERSE, dependent))["J"]


def test_as_many_independent_patterns_as_neurons_leave_no_room_and_no_weights() -> None:
    patterns = random_signs(np.random.default_rng(4), 40, 20)
    network = memory(Rule.PSEUDO_INVERSE, patterns)
    assert len(network.arrays()["basis"].values) == 20
    assert np.abs(weights_of(network)).max() < 1e-13
    # What is left of the weights is rounding, and counts as zero: every state stays as it is.
    anything = random_signs(np.random.default_rng(5), 20)
    answer = recall(network, anything)
    assert (answer.state.tolist(), answer.iterations) == (anything.tolist(), 1)


# Folds


@given(rules, pattern_sets(), st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=8))
def test_what_is_learnt_does_not_depend_on_how_many_came_at_a_time_nor_on_snapshots(
    rule: Rule, patterns: Signs, pieces: list[tuple[int, bool]]
) -> None:
    empty = PairwiseSpec(patterns.shape[1], rule).empty()
    at_once = in_pieces(empty, patterns, [], [])
    one_by_one = in_pieces(empty, patterns, [1] * len(patterns), [False] * len(patterns))
    cut = in_pieces(empty, patterns, [size for size, _ in pieces], [snapshot for _, snapshot in pieces])
    assert kept(one_by_one) == kept(at_once)
    assert kept(cut) == kept(at_once)
    assert kept(through_a_snapshot(at_once)) == kept(at_once)


@given(rules, pattern_sets(max_count=12), st.data())
def test_storing_and_forgetting_leaves_what_a_memory_has_that_only_ever_stored_the_rest(
    rule: Rule, patterns: Signs, data: st.DataObject
) -> None:
    labels = [str(k) for k in range(len(patterns))]
    network: Network = PairwiseSpec(patterns.shape[1], rule).empty()
    remaining: list[int] = []
    for k, label in enumerate(labels):
        network = network.apply(store(patterns[k : k + 1], [label]))
        remaining.append(k)
        gone = (
            data.draw(st.lists(st.sampled_from(remaining), unique=True, max_size=3)) if data.draw(st.booleans()) else []
        )
        if gone:
            network = network.apply(Forget(tuple(str(one) for one in gone)))
            remaining = [one for one in remaining if one not in gone]
    never = PairwiseSpec(patterns.shape[1], rule).empty()
    expected = never.apply(store(patterns[remaining], [str(one) for one in remaining])) if remaining else never
    for name in ("J", "patterns.bits", "patterns.labels", *expected.arrays()):
        assert kept(network)[name] == kept(expected)[name]


@pytest.mark.parametrize("rule", LEARNT)
def test_a_then_b_without_a_is_b(rule: Rule) -> None:
    a, b = random_signs(np.random.default_rng(6), 2, 25)
    both = PairwiseSpec(25, rule).empty().apply(store(a[np.newaxis], ["a"])).apply(store(b[np.newaxis], ["b"]))
    only_b = PairwiseSpec(25, rule).empty().apply(store(b[np.newaxis], ["b"]))
    assert weights_of(both.apply(Forget(("a",)))).tobytes() == weights_of(only_b).tobytes()


@pytest.mark.parametrize("rule", LEARNT)
def test_forgetting_everything_leaves_the_weights_of_an_empty_memory_and_learning_goes_on(rule: Rule) -> None:
    patterns = random_signs(np.random.default_rng(7), 3, 10)
    empty = memory(rule, patterns).apply(Forget(("2", "0", "1")))
    assert kept(empty)["J"] == kept(PairwiseSpec(10, rule).empty())["J"]
    assert through_a_snapshot(empty).stored.next_number == 3
    again = through_a_snapshot(empty).apply(store(patterns))
    assert kept(again)["J"] == kept(memory(rule, patterns))["J"]


@given(rules, pattern_sets(neurons=13, min_count=3, max_count=8), st.data())
def test_replacing_is_forgetting_and_then_storing_as_the_youngest(
    rule: Rule, patterns: Signs, data: st.DataObject
) -> None:
    network = memory(rule, patterns)
    labels = data.draw(st.lists(st.sampled_from(["0", "1", "2", "new", "newer"]), unique=True, min_size=1))
    new = random_signs(np.random.default_rng(data.draw(st.integers(0, 99))), len(labels), 13)
    replaced = network.apply(store(new, labels, replace=True))
    old = tuple(label for label in labels if label in network.stored.positions)
    expected = network.apply(Forget(old)) if old else network
    expected = expected.apply(store(new, labels))
    assert kept(replaced) == kept(expected)
    assert replaced.stored.next_number == expected.stored.next_number == len(patterns) + len(labels)
    assert replaced.stored.labels[-len(labels) :] == tuple(labels)
    assert np.array_equal(unpack(replaced.stored.bits[-len(labels) :], 13), new)


@given(rules, pattern_sets(min_count=1))
def test_an_operation_leaves_the_network_it_is_applied_to_as_it_was(rule: Rule, patterns: Signs) -> None:
    network = memory(rule, patterns)
    before = kept(network)
    network.apply(store(-patterns[:1], ["inverse"]))
    network.apply(store(-patterns[:1], ["0"], replace=True))
    network.apply(Forget(("0",)))
    recall(network, patterns[0])
    assert kept(network) == before


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
        network.apply(store(signs([[1, 1]])))
    assert recall(network, [1, 1]).match is Match.NONE


@pytest.mark.parametrize("rule", LEARNT)
def test_one_neuron_learns_and_has_no_weight(rule: Rule) -> None:
    network = memory(rule, signs([[1], [-1], [1]]))
    assert network.learns
    assert weights_of(network).tolist() == [[0.0]]
    answer = recall(network, [-1])
    assert (answer.state.tolist(), answer.energy, answer.nearest, answer.match) == ([-1], 0.0, 0, Match.INVERSE)
