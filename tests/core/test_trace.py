"""A recall that is watched: every iteration from the query to the answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.samples import energies, facts, imported, networks, queries, recall_options, signs

from hopfield_service.core.interruption import never
from hopfield_service.core.options import RecallOptions, UpdateRule
from hopfield_service.core.pairwise import PairwiseNetwork
from hopfield_service.core.patterns import Queries, Signs
from hopfield_service.core.results import RecallResult, StopReason, TraceStep


def watched(network: PairwiseNetwork, query: Signs, options: RecallOptions) -> tuple[list[TraceStep], RecallResult]:
    """The steps of a trace, and the answer after them."""
    *steps, answer = network.trace(Queries.of(query), options, never)
    assert isinstance(answer, RecallResult)
    return [step for step in steps if isinstance(step, TraceStep)], answer


@settings(max_examples=150)
@given(networks(), st.data())
def test_a_trace_goes_from_the_query_to_the_answer_of_the_recall(network: PairwiseNetwork, data: st.DataObject) -> None:
    query = data.draw(queries(network.spec.neurons))
    options = data.draw(recall_options(network.spec.neurons))
    steps, answer = watched(network, query, options)
    assert facts(answer) == facts(network.recall(Queries.of(query), options, never))
    assert steps[0].state.tolist() == query.tolist()
    assert steps[-1].state.tolist() == answer.state.tolist()
    assert [step.iteration for step in steps] == list(range(answer.iterations + 1))
    assert (steps[0].flips, sum(step.flips for step in steps)) == (0, answer.flips)
    assert (steps[0].energy, steps[-1].energy) == (answer.initial_energy, answer.energy)
    expected = energies(network, np.stack([step.state for step in steps]))
    largest = np.abs(expected).max()
    assert [step.energy for step in steps] == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-9 * max(1.0, largest))


def test_both_states_of_a_cycle_are_in_its_trace() -> None:
    network = imported([[0, 1], [1, 0]])
    steps, answer = watched(network, signs([1, -1]), RecallOptions(0, update=UpdateRule.SYNCHRONOUS))
    assert answer.stop_reason is StopReason.CYCLE
    assert [step.state.tolist() for step in steps] == [[1, -1], [-1, 1], [1, -1]]
    assert [step.flips for step in steps] == [0, 2, 2]
