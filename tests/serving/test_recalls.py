"""A batch of queries goes in parts, in turns with what others ask."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from hopfield_service.core.interruption import never
from hopfield_service.serving.recalls import _LONG_RECALL, _SHORT_RECALL, _parts


def turns(count: int, additions: int, idle_threads: int) -> list[list[range]]:
    """Which queries each part of each turn is."""

    def run(start: int, end: int, _: object) -> Any:
        return range(start, end)

    return [[cast("range", part(never)) for part in turn] for turn in _parts(run, count, additions, idle_threads)]


@given(count=st.integers(1, 5000), of_each=st.integers(1, 1 << 24), idle_threads=st.integers(0, 5))
def test_every_query_is_in_one_part_and_no_part_takes_long(count: int, of_each: int, idle_threads: int) -> None:
    parts = turns(count, count * of_each, idle_threads)
    assert [query for turn in parts for part in turn for query in part] == list(range(count))
    assert all(1 <= len(turn) <= max(1, idle_threads) for turn in parts)
    most = max(len(part) for turn in parts for part in turn)
    assert most == 1 or most * of_each <= _LONG_RECALL + of_each


def test_a_batch_goes_to_as_many_idle_threads_as_it_is_worth() -> None:
    assert turns(256, 4 * _SHORT_RECALL, 2) == [[range(128), range(128, 256)]]
    assert turns(256, _SHORT_RECALL + 1, 2) == [[range(256)]]
    assert turns(3, 100 * _SHORT_RECALL, 8) == [[range(1), range(1, 2), range(2, 3)]]
    assert turns(256, 4 * _SHORT_RECALL, 0) == [[range(256)]]


def test_a_long_batch_lets_others_have_the_threads_in_between() -> None:
    assert turns(100, 4 * _LONG_RECALL, 2) == [[range(25), range(25, 50)], [range(50, 75), range(75, 100)]]
