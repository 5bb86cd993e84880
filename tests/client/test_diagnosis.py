"""How well a memory holds what is stored in it, as people and programs see it."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from tests.client.letters import N, random_patterns

from hopfield_client import CapacityWarning, Diagnosis, HopfieldClient, LearningOutcome, Memory, WeightStatistics

FOUND = Diagnosis(
    pattern_count=10,
    load=10 / 64,
    capacity=0.138,
    stable_count=3,
    smallest_margin=-0.40625,
    mean_margin=0.93125,
    crosstalk=0.524,
    mean_overlap=0.31,
    weights=WeightStatistics(
        min=-0.09375, max=0.15625, mean=0.0123, standard_deviation=0.0512, mean_diagonal=0.0, asymmetry=0.0
    ),
    learning=None,
    verdict="3 of 10 patterns are stable. The patterns are correlated, which Hebb's rule does not hold: pseudo_inverse would "
    "hold all 10.",
    revision=3,
    uid="u",
)
IMPORTED = dataclasses.replace(
    FOUND,
    pattern_count=0,
    load=0.0,
    capacity=None,
    stable_count=0,
    smallest_margin=None,
    mean_margin=None,
    crosstalk=None,
    mean_overlap=None,
    weights=WeightStatistics(
        min=-1.25e7, max=2.5e-5, mean=12.0, standard_deviation=1.0, mean_diagonal=4.0, asymmetry=1e-12
    ),
    verdict="Nothing is stored.",
)


def test_a_diagnosis_shows_itself_in_a_line() -> None:
    assert repr(FOUND) == "Diagnosis(3 of 10 patterns stable, load=0.1562, capacity=0.138, revision=3)"
    assert repr(IMPORTED) == "Diagnosis(0 of 0 patterns stable, load=0, capacity=None, revision=3)"


def test_a_diagnosis_prints_as_a_table_that_ends_with_the_verdict() -> None:
    assert (
        str(FOUND)
        == """\
Diagnosis at revision 3

patterns              10
load                   0.156  capacity 0.138
stable                 3      of 10
smallest margin       -0.406
mean margin            0.931
crosstalk              0.524  0.395 for random patterns
mean overlap           0.310  0.100 for random patterns
smallest weight       -0.094
largest weight         0.156
mean weight            0.012  standard deviation 0.051
mean diagonal          0.000
asymmetry              0.000  symmetric

3 of 10 patterns are stable. The patterns are correlated, which Hebb's rule does
not hold: pseudo_inverse would hold all 10."""
    )


def test_a_diagnosis_prints_what_there_is() -> None:
    assert (
        str(IMPORTED)
        == """\
Diagnosis at revision 3

patterns               0
load                   0.000
smallest weight    -1.25e+07
largest weight      2.50e-05
mean weight           12.000  standard deviation 1.000
mean diagonal          4.000
asymmetry           1.00e-12  not symmetric

Nothing is stored."""
    )
    learnt = dataclasses.replace(FOUND, learning=LearningOutcome(converged=False, sweeps=1000))
    assert "\nsweeps              1000      not converged\n" in str(learnt)
    learnt = dataclasses.replace(FOUND, learning=LearningOutcome(converged=True, sweeps=12))
    assert "\nsweeps                12      converged\n" in str(learnt)
    long = dataclasses.replace(FOUND, verdict="word " * 100)
    assert max(len(line) for line in str(long).splitlines()) <= 80


def test_a_diagnosis_has_shares_where_something_is_stored() -> None:
    assert FOUND.stable_share == 0.3
    assert IMPORTED.stable_share is None
    assert FOUND.weights is not None
    assert IMPORTED.weights is not None
    assert FOUND.weights.symmetric
    assert not IMPORTED.weights.symmetric


# With a real service


def test_a_memory_that_holds_its_patterns(letters: Memory) -> None:
    found = letters.diagnose()
    info = letters.info()
    weights = letters.weights()
    off_diagonal = weights[~np.eye(N, dtype=bool)]
    assert (found.pattern_count, found.load, found.capacity) == (5, 5 / N, info.capacity)
    assert (found.stable_count, found.stable_share) == (5, 1.0)
    assert found.smallest_margin is not None
    assert found.mean_margin is not None
    assert 0 < found.smallest_margin <= found.mean_margin
    assert found.crosstalk is not None
    assert found.mean_overlap is not None
    assert found.weights is not None
    assert found.weights.symmetric
    assert (found.weights.min, found.weights.max) == pytest.approx((off_diagonal.min(), off_diagonal.max()))
    assert found.weights.mean == pytest.approx(off_diagonal.mean())
    assert found.weights.standard_deviation == pytest.approx(off_diagonal.std())
    assert found.weights.mean_diagonal == 0
    assert found.learning is None
    assert found.verdict
    assert (found.revision, found.uid) == (info.revision, info.uid)
    assert str(found).splitlines()[-1] in found.verdict


def test_a_capacity_beyond_all_numbers_takes_few_letters() -> None:
    assert "load                   0.156  capacity 6.34e+27\n" in str(replace(FOUND, capacity=2**92 * 1.28))


def test_a_memory_beyond_its_capacity(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N)
    with pytest.warns(CapacityWarning):
        memory.store(random_patterns(20))
    found = memory.diagnose()
    assert found.stable_share is not None
    assert found.stable_share < 1
    assert found.smallest_margin is not None
    assert found.smallest_margin < 0
    assert found.crosstalk == pytest.approx(np.sqrt(20 / N), rel=0.2)


def test_an_empty_memory_and_imported_weights(client: HopfieldClient, name: str) -> None:
    empty = client.create_memory(name, N).diagnose()
    imported = client.import_weights(f"{name}.imported", [[1.0, -2.0], [-2.0, 3.0]]).diagnose()
    for found in (empty, imported):
        assert (found.pattern_count, found.stable_share, found.smallest_margin, found.mean_margin) == (
            0,
            None,
            None,
            None,
        )
        assert (found.crosstalk, found.mean_overlap, found.learning) == (None, None, None)
        assert found.verdict
    assert (empty.capacity is None, imported.capacity) == (False, None)
    assert imported.weights is not None
    assert (imported.weights.min, imported.weights.max, imported.weights.mean_diagonal) == (-2, -2, 2)


def test_a_perceptron_says_how_its_learning_ended(client: HopfieldClient, name: str) -> None:
    memory = client.create_memory(name, N, rule="perceptron")
    stored = memory.store(random_patterns(5))
    found = memory.diagnose()
    assert found.learning is not None
    assert found.learning == stored.learning == memory.info().learning
    assert found.learning.converged
    assert found.smallest_margin is not None
    assert found.smallest_margin > 1
