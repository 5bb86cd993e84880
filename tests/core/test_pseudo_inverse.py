"""The projection rule: numpy's pseudo-inverse says what the weights are, plain arithmetic says their bits."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.core.samples import (
    Signs,
    after,
    kept,
    memory,
    off_diagonal,
    pattern_sets,
    random_signs,
    recall,
    signs,
    store,
    weights_of,
)

from hopfield_service.core.pairwise import Rule


def projection(patterns: Signs) -> NDArray[np.float64]:
    """numpy's projection on the span of the patterns."""
    if not len(patterns):
        return np.zeros((patterns.shape[1],) * 2)
    xi = patterns.astype(np.float64)
    return np.asarray(np.linalg.pinv(xi, rcond=1e-9) @ xi)


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
    assert np.abs(found - off_diagonal(projection(patterns))).max() < 1e-9
    assert found.tobytes() == found.T.copy().tobytes(), "exactly symmetric"
    assert not found.diagonal().any()
    # With self-coupling it is the projection itself, and the same bits off the diagonal.
    full = weights_of(memory(Rule.PSEUDO_INVERSE, patterns, self_coupling=True))
    assert np.abs(full - projection(patterns)).max() < 1e-9
    assert off_diagonal(full).tobytes() == found.tobytes()


@given(pattern_sets())
def test_pseudo_inverse_weights_are_numpys_whatever_depends_on_what(patterns: Signs) -> None:
    found = weights_of(memory(Rule.PSEUDO_INVERSE, patterns))
    assert np.abs(found - off_diagonal(projection(patterns))).max() < 1e-9


@given(pattern_sets())
def test_with_self_coupling_the_weights_are_a_projection(patterns: Signs) -> None:
    full = weights_of(memory(Rule.PSEUDO_INVERSE, patterns, self_coupling=True))
    assert np.abs(full - projection(patterns)).max() < 1e-9
    assert np.abs(full @ full - full).max() < 1e-12, "projecting twice is projecting once"
    assert np.abs(patterns @ full - patterns).max(initial=0.0) < 1e-12, "a pattern is its own projection"
    assert full.trace() == pytest.approx(np.linalg.matrix_rank(patterns.astype(np.float64)) if len(patterns) else 0)
    assert off_diagonal(full).tobytes() == weights_of(memory(Rule.PSEUDO_INVERSE, patterns)).tobytes()


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


def product(row: Sequence[float], other: Sequence[float]) -> float:
    """The sum of the products, every eighth into a sum of its own."""
    whole = len(row) - len(row) % 8
    sums = [0.0] * 8
    for i in range(whole):
        sums[i % 8] += row[i] * other[i]
    a, b, c, d, e, f, g, h = sums
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, len(row)):
        total += row[i] * other[i]
    return total


def outside(basis: Sequence[Sequence[float]], vector: list[float]) -> list[float]:
    """What is left of a vector without what lies along each of some others, one after the other."""
    for row in basis:
        taken = product(row, vector)
        vector = [value - taken * entry for value, entry in zip(vector, row, strict=True)]
    return vector


@given(pattern_sets(min_count=1, max_count=12))
def test_the_bits_of_the_projection_are_those_of_plain_arithmetic_in_the_order_documented(patterns: Signs) -> None:
    count, neurons = patterns.shape
    basis: list[list[float]] = []
    for k in range(count):
        r = [float(s) for s in patterns[k]]
        r = outside(basis, r)
        if 2 * product(r, r) < neurons:
            r = outside(basis, r)
        length = product(r, r)
        if length > 1e-9 * neurons:
            basis.append([value / math.sqrt(length) for value in r])
    weights = [[0.0] * neurons for _ in range(neurons)]
    for i in range(neurons):
        for j in range(neurons):
            for row in basis:
                weights[i][j] += row[i] * row[j]
    network = memory(Rule.PSEUDO_INVERSE, patterns, self_coupling=True)
    assert network.arrays()["basis"].values.tolist() == basis
    assert weights_of(network).tolist() == weights
    without = memory(Rule.PSEUDO_INVERSE, patterns)
    assert without.arrays()["basis"].values.tolist() == basis
    assert weights_of(without).tolist() == off_diagonal(np.array(weights)).tolist()


def test_patterns_taken_in_one_by_one_and_all_at_once_give_the_same_bits_whatever_depends_on_others() -> None:
    random = np.random.default_rng(9)
    patterns = random_signs(random, 300, 400)
    # Blocks of 128 rows that end where a pattern depends on others, and where none does.
    patterns[127] = -patterns[3]
    patterns[200:205] = patterns[10:15]
    at_once = memory(Rule.PSEUDO_INVERSE, patterns)
    one_by_one = memory(Rule.PSEUDO_INVERSE, patterns[:100])
    for k, pattern in enumerate(patterns[100:]):
        one_by_one = after(one_by_one, store(pattern[np.newaxis], [f"more {k}"]))
    for name, array in at_once.arrays().items():
        assert array.values.tobytes() == one_by_one.arrays()[name].values.tobytes(), name
    assert weights_of(at_once).tobytes() == weights_of(one_by_one).tobytes()
    assert at_once.nbytes == one_by_one.nbytes
    basis, lower = at_once.arrays()["basis"].values, at_once.arrays()["lower"].values
    independent = patterns[at_once.arrays()["spanning"].values].astype(np.float64)
    assert len(basis) == 294
    assert np.abs(lower @ basis - independent).max() < 1e-12, "the patterns are made from the basis as it says"
    assert not np.triu(lower, 1).any()


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
    again_stored = after(network, store(again, ["again"]))
    assert kept(again_stored)["basis"] == kept(network)["basis"]
    assert kept(again_stored)["J"] == kept(network)["J"]
    assert len(again_stored.stored) == len(patterns) + 1


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
