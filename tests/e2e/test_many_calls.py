"""Calls that come faster than the service can accept them wait, and are answered."""

from collections import Counter

import pytest
from tests.wire import Wire, made, pairwise, signs

from hopfield.v1 import recall_service_pb2


@pytest.mark.parametrize("count", [2000, 5000])
def test_all_of_many_concurrent_recalls_on_one_channel_succeed(wire: Wire, name: str, count: int) -> None:
    made(wire, name, pairwise(4), signs([-1, -1, -1, 1]))
    request = recall_service_pb2.RecallRequest(name=name, query=signs([-1, -1, -1, -1]))
    calls = [wire.recall.Recall.future(request) for _ in range(count)]
    assert Counter(call.code().name for call in calls) == {"OK": count}
