"""The nearest stored patterns, as a caller in any language sees them."""

import numpy as np
from tests.wire import Wire, made, pairwise, signs

from hopfield.v1 import memory_pb2, patterns_pb2, recall_service_pb2

PATTERNS = np.where(np.random.default_rng(8).random((20, 50)) < 0.5, 1, -1)


def nearest(
    wire: Wire, name: str, queries: patterns_pb2.Patterns, **options: object
) -> recall_service_pb2.NearestResponse:
    return wire.recall.Nearest(recall_service_pb2.NearestRequest(name=name, queries=queries, **options))  # type: ignore[arg-type]


def test_one_pattern_is_found_for_each_query_unless_more_are_asked_for(wire: Wire, name: str) -> None:
    memory = made(wire, name, pairwise(50), signs(*PATTERNS.tolist()))
    queries = PATTERNS[[7, 3]]
    queries[0, :4] *= -1
    answer = nearest(wire, name, signs(*queries.tolist()))
    assert (answer.count, list(answer.labels), list(answer.overlaps)) == (1, ["7", "3"], [42 / 50, 1])
    assert (answer.uid, answer.revision) == (memory.uid, memory.revision)
    assert not answer.HasField("patterns")


def test_several_come_by_falling_overlap_in_size(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(50), signs(*PATTERNS.tolist()))
    queries = np.random.default_rng(9).integers(-1, 2, (3, 50))
    answer = nearest(wire, name, signs(*queries.tolist()), k=4)
    m = queries @ PATTERNS.T / 50
    expected = np.argsort(-abs(m), axis=1, kind="stable")[:, :4]
    assert (answer.count, list(answer.labels)) == (4, [str(position) for position in expected.ravel()])
    assert list(answer.overlaps) == np.take_along_axis(m, expected, axis=1).ravel().tolist()


def test_an_inverse_is_as_near_and_the_oldest_of_equals_comes_first(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4), signs([-1, 1, 1, 1], [1, -1, -1, -1]))
    answer = nearest(wire, name, signs([1, -1, -1, -1]), k=2)
    assert list(zip(answer.labels, answer.overlaps, strict=True)) == [("0", -1), ("1", 1)]


def test_all_come_where_fewer_are_stored(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4), signs([1, 1, 1, 1], [1, 1, 1, -1]))
    assert nearest(wire, name, signs([1, 1, 1, 1]), k=1000).count == 2


def test_nothing_comes_where_nothing_is_stored(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4))
    answer = nearest(wire, name, signs([1, 1, 1, 1]), include_patterns=True)
    assert (answer.count, list(answer.labels), answer.patterns.count) == (0, [], 0)


def test_unknown_neurons_count_nothing_in_either_coding(wire: Wire, name: str) -> None:
    made(wire, f"{name}-bipolar", pairwise(4), signs([1, 1, -1, -1]))
    assert list(nearest(wire, f"{name}-bipolar", signs([1, 0, 0, -1])).overlaps) == [0.5]
    made(wire, f"{name}-binary", pairwise(4, coding=patterns_pb2.CODING_BINARY), signs([1, 1, 0, 0]))
    query = patterns_pb2.Patterns(count=1, neurons=4, bits=b"\x01", known=b"\x09")
    assert list(nearest(wire, f"{name}-binary", query).overlaps) == [0.5]


def test_the_patterns_come_when_asked_for_in_the_encoding_of_the_query(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(4, rule=memory_pb2.LEARNING_RULE_PSEUDO_INVERSE), signs([1, 1, -1, -1], [1, -1, 1, 1]))
    answer = nearest(wire, name, signs([1, 1, 1, -1]), k=2, include_patterns=True)
    assert np.frombuffer(answer.patterns.signs, np.int8).reshape(2, 4).tolist() == [[1, 1, -1, -1], [1, -1, 1, 1]]
    packed = patterns_pb2.Patterns(count=1, neurons=4, bits=b"\x07")
    assert nearest(wire, name, packed, k=2, include_patterns=True).patterns.bits == b"\x03\x0d"
