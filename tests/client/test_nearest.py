"""What both clients say of the nearest stored patterns."""

import numpy as np
import pytest
from tests.client.letters import LABELS, PATTERNS, N, corrupted

from hopfield.v1 import recall_service_pb2
from hopfield_client import DataLoss, HopfieldClient, InvalidArgument, Memory
from hopfield_client._memory_calls import MemoryCalls


def test_the_nearest_pattern_is_named_with_its_overlap(letters: Memory) -> None:
    (found,) = letters.nearest(corrupted(PATTERNS[1], 6))
    assert (found.label, found.overlap, found.pattern) == ("B", (N - 12) / N, None)
    assert repr(found) == "NearestPattern(label='B', overlap=0.8125)"


def test_as_many_as_asked_for_come_nearest_first_and_no_more_than_there_are(letters: Memory) -> None:
    query = corrupted(PATTERNS[1], 6)
    assert [found.label for found in letters.nearest(query, k=2)] == [
        found.label for found in letters.nearest(query, 9)
    ][:2]
    found = letters.nearest(query, k=9)
    assert sorted(one.label for one in found) == LABELS
    overlaps = dict(zip(LABELS, (PATTERNS @ query / N).tolist(), strict=True))
    assert {one.label: one.overlap for one in found} == overlaps
    assert [abs(one.overlap) for one in found] == sorted(map(abs, overlaps.values()), reverse=True)


def test_patterns_come_in_the_shape_and_type_of_the_query(letters: Memory) -> None:
    query = (PATTERNS[2] > 0).reshape(8, 8)
    first, second = letters.nearest(query, k=2, include_patterns=True)
    assert (first.label, first.overlap) == ("C", 1.0)
    np.testing.assert_array_equal(first.pattern, query, strict=True)
    assert second.pattern is not None
    assert repr(second).endswith(", pattern=bool[8, 8])")


def test_what_is_masked_counts_nothing(letters: Memory) -> None:
    query = np.ma.masked_array(PATTERNS[0] > 0, np.arange(N) < 16)
    (found,) = letters.nearest(query)
    assert (found.label, found.overlap) == ("A", 0.75)


def test_nothing_is_nearest_where_nothing_is_stored(client: HopfieldClient, name: str) -> None:
    assert client.create_memory(name, 4).nearest([1, 1, 1, -1], k=3) == []


def test_what_is_wrong_with_a_query_is_said_of_the_query(client: HopfieldClient, letters: Memory) -> None:
    handle = client.memory(letters.name)
    for query, said in ((np.ones(3), "query: neurons must be 64"), (PATTERNS[0] > 0, "query holds only 0s and 1s")):
        with pytest.raises(InvalidArgument, match=f"^{said}") as refused:
            handle.nearest(query.astype(int))
        assert refused.value.field == "query"


def test_what_was_stored_is_found_at_once(client: HopfieldClient, letters: Memory) -> None:
    letters.store(-PATTERNS[:1], labels=["newest"])
    assert [found.label for found in letters.nearest(-PATTERNS[0], k=2)] == ["A", "newest"]
    client.delete_memory(letters.name)
    client.create_memory(letters.name, 2)
    with pytest.raises(InvalidArgument, match="neurons must be 2"):
        letters.nearest(PATTERNS[0])


@pytest.mark.parametrize(("k", "message"), [(0, "k is 0; it must be at least 1"), (1.5, "k is 1.5; it must be an int")])
def test_how_many_is_checked_before_anything_is_sent(memory: MemoryCalls, k: int, message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        memory.nearest([[1, -1], [1, 1]], k, include_patterns=False)
    assert str(refused.value).startswith(message)
    assert refused.value.field == "k"


def test_more_than_the_server_answers_with_is_refused(letters: Memory) -> None:
    with pytest.raises(InvalidArgument, match=r"^k: must be 1 to 1000, is 1001") as refused:
        letters.nearest(PATTERNS[0], k=1001)
    assert refused.value.field == "k"


def test_columns_that_do_not_fit_together_are_no_answer(memory: MemoryCalls) -> None:
    call = memory.nearest([[1, -1], [1, 1]], 2, include_patterns=False)
    with pytest.raises(DataLoss):
        call.read(recall_service_pb2.NearestResponse(count=2, labels=["a"], overlaps=[1, 1], uid="u", revision=1))
