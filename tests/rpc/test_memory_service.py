"""The life of memories and what they learn, as a caller in any language sees it."""

import grpc
import numpy as np
import pytest
from tests.wire import Wire, made, pairwise, refusal, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2

A, B, C = [1, 1, -1, -1, 1], [1, -1, 1, -1, -1], [-1, 1, 1, 1, 1]


def weights(wire: Wire, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    header, *parts = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    payload = b"".join(part.rows for part in parts)
    return np.frombuffer(payload, "<f8").reshape(header.header.neurons, -1)


def store(wire: Wire, name: str, *patterns: list[int], **options: object) -> memory_service_pb2.StorePatternsResponse:
    request = memory_service_pb2.StorePatternsRequest(name=name, patterns=signs(*patterns), **options)  # type: ignore[arg-type]
    return wire.memory.StorePatterns(request)


def forget(wire: Wire, name: str, *labels: str, **options: object) -> memory_pb2.Memory:
    request = memory_service_pb2.ForgetPatternsRequest(name=name, labels=labels, **options)  # type: ignore[arg-type]
    return wire.memory.ForgetPatterns(request).memory


def stored(wire: Wire, name: str, **options: object) -> tuple[list[str], list[list[int]]]:
    request = memory_service_pb2.ListPatternsRequest(name=name, **options)  # type: ignore[arg-type]
    page = wire.memory.ListPatterns(request)
    bits = np.frombuffer(page.patterns.bits, np.uint8).reshape(page.patterns.count, (page.patterns.neurons + 7) // 8)
    unpacked = np.unpackbits(bits, axis=1, count=page.patterns.neurons, bitorder="little").astype(int)
    return list(page.labels), (2 * unpacked - 1).tolist()


def test_a_new_memory_is_empty_at_revision_0_with_every_default_filled_in(wire: Wire, name: str) -> None:
    memory = made(wire, name, pairwise(5))
    assert memory.spec.pairwise.rule == memory_pb2.LEARNING_RULE_HEBBIAN
    assert (memory.name, memory.neurons, memory.pattern_count, memory.load, memory.revision) == (name, 5, 0, 0, 0)
    assert memory.update_time == memory.create_time
    assert wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory == memory


def test_each_commit_is_a_revision_and_load_is_patterns_over_neurons(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5))
    assert store(wire, name, A, B).memory.revision == 1
    memory = store(wire, name, C).memory
    assert (memory.revision, memory.pattern_count, memory.load) == (2, 3, 3 / 5)
    assert memory.update_time.ToMicroseconds() > memory.create_time.ToMicroseconds()
    memory = forget(wire, name, "1")
    assert (memory.revision, memory.pattern_count) == (3, 2)


def test_hebbs_weights_are_the_mean_outer_product_with_zero_diagonal(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A, B, C))
    X = np.array([A, B, C])
    expected = X.T @ X / 5
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(weights(wire, name), expected)


@pytest.mark.parametrize("rule", [memory_pb2.LEARNING_RULE_HEBBIAN, memory_pb2.LEARNING_RULE_PSEUDO_INVERSE])
def test_forgetting_leaves_the_weights_of_a_memory_that_never_stored_it(wire: Wire, name: str, rule: int) -> None:
    made(wire, name, pairwise(5, rule=rule), signs(A))
    store(wire, name, B)
    forget(wire, name, "0")
    made(wire, f"{name}-b", pairwise(5, rule=rule), signs(B))
    np.testing.assert_array_equal(weights(wire, name), weights(wire, f"{name}-b"))
    assert stored(wire, name) == (["1"], [B])


def test_patterns_without_labels_are_numbered_and_no_number_comes_back(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5))
    assert store(wire, name, A, B).labels == ["0", "1"]
    forget(wire, name, "1")
    assert store(wire, name, B, labels=["3"]).labels == ["3"]
    assert store(wire, name, C, A).labels == ["4", "5"]
    assert stored(wire, name) == (["0", "3", "4", "5"], [A, B, C, A])


def test_bits_and_signs_store_the_same(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A, B))
    packed = np.packbits(np.array([A, B]) > 0, axis=1, bitorder="little")
    made(wire, f"{name}-b", pairwise(5), patterns_pb2.Patterns(count=2, neurons=5, bits=packed.tobytes()))
    assert stored(wire, name) == stored(wire, f"{name}-b") == (["0", "1"], [A, B])
    np.testing.assert_array_equal(weights(wire, name), weights(wire, f"{name}-b"))


def test_replace_puts_the_new_pattern_of_a_label_in_place_of_the_old_as_the_youngest(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A, B))
    memory = store(wire, name, C, labels=["0"], replace=True).memory
    assert memory.pattern_count == 2
    assert stored(wire, name) == (["1", "0"], [B, C])
    made(wire, f"{name}-b", pairwise(5), signs(B, C))
    np.testing.assert_array_equal(weights(wire, name), weights(wire, f"{name}-b"))


def test_a_store_of_which_one_label_is_taken_stores_nothing(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A))
    with pytest.raises(grpc.RpcError) as caught:
        store(wire, name, B, C, labels=["b", "0"])
    assert refusal(caught.value).metadata["label"] == "0"
    assert stored(wire, name) == (["0"], [A])


def test_an_expected_revision_lets_one_of_two_writers_through(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A))
    assert store(wire, name, B, expected_revision=1).memory.revision == 2
    with pytest.raises(grpc.RpcError) as caught:
        store(wire, name, C, expected_revision=1)
    assert refusal(caught.value).reason == "REVISION_MISMATCH"
    assert stored(wire, name)[0] == ["0", "1"]


def test_a_repeated_request_is_answered_as_the_first_was_and_changes_nothing(wire: Wire, name: str) -> None:
    create = memory_service_pb2.CreateMemoryRequest(name=name, spec=pairwise(5), request_id=f"{name}-create")
    assert wire.memory.CreateMemory(create) == wire.memory.CreateMemory(create)
    first = store(wire, name, A, request_id=f"{name}-store")
    store(wire, name, B)
    assert store(wire, name, A, request_id=f"{name}-store") == first
    forgotten = forget(wire, name, "0", request_id=f"{name}-forget")
    assert forget(wire, name, "0", request_id=f"{name}-forget") == forgotten
    assert stored(wire, name) == (["1"], [B])
    delete = memory_service_pb2.DeleteMemoryRequest(name=name, request_id=f"{name}-delete")
    wire.memory.DeleteMemory(delete)
    wire.memory.DeleteMemory(delete)
    assert store(wire, name, A, request_id=f"{name}-store") == first


def test_repeats_sent_while_the_first_is_under_way_are_answered_as_it_is(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5))
    store(wire, name, B)
    storing = memory_service_pb2.StorePatternsRequest(
        name=name, patterns=signs(A), labels=["a"], expected_revision=1, request_id=f"{name}-store"
    )
    answers = [call.result() for call in [wire.memory.StorePatterns.future(storing) for _ in range(10)]]
    assert all(answer == answers[0] for answer in answers)
    forgetting = memory_service_pb2.ForgetPatternsRequest(name=name, labels=["a"], request_id=f"{name}-forget")
    gone = [call.result() for call in [wire.memory.ForgetPatterns.future(forgetting) for _ in range(10)]]
    assert all(answer == gone[0] for answer in gone)
    assert gone[0].memory.revision == 3
    deleting = memory_service_pb2.DeleteMemoryRequest(name=name, request_id=f"{name}-delete")
    for call in [wire.memory.DeleteMemory.future(deleting) for _ in range(10)]:
        call.result()


def test_repeats_of_a_create_sent_while_the_first_is_under_way_are_answered_as_it_is(wire: Wire, name: str) -> None:
    # As many as it takes for some to find the memory made between two of their own steps.
    for k in range(50):
        creating = memory_service_pb2.CreateMemoryRequest(name=f"{name}-{k}", spec=pairwise(5), request_id="once")
        memories = [call.result().memory for call in [wire.memory.CreateMemory.future(creating) for _ in range(10)]]
        assert all(memory == memories[0] for memory in memories)


def test_a_repeat_of_a_delete_that_found_nothing_deletes_nothing_later(wire: Wire, name: str) -> None:
    delete = memory_service_pb2.DeleteMemoryRequest(name=name, allow_missing=True, request_id=f"{name}-delete")
    wire.memory.DeleteMemory(delete)
    made(wire, name, pairwise(5))
    wire.memory.DeleteMemory(delete)
    assert wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name)).memory.name == name


def test_a_repeat_of_a_create_that_found_the_memory_makes_none_later(wire: Wire, name: str) -> None:
    old = made(wire, name, pairwise(5))
    create = memory_service_pb2.CreateMemoryRequest(
        name=name, spec=pairwise(5), allow_existing=True, request_id=f"{name}-create"
    )
    assert wire.memory.CreateMemory(create).memory == old
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))
    assert wire.memory.CreateMemory(create).memory == old
    with pytest.raises(grpc.RpcError):
        wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name=name))


def test_a_request_id_with_another_content_is_refused(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5))
    store(wire, name, A, request_id=f"{name}-1")
    with pytest.raises(grpc.RpcError) as caught:
        store(wire, name, B, request_id=f"{name}-1")
    answer = refusal(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert stored(wire, name) == (["0"], [A])


def test_allow_existing_answers_with_the_memory_that_is_there(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A))
    request = memory_service_pb2.CreateMemoryRequest(name=name, spec=pairwise(5), allow_existing=True)
    assert wire.memory.CreateMemory(request).memory.pattern_count == 1


def test_a_memory_made_anew_has_another_uid_and_nothing_of_its_predecessor(wire: Wire, name: str) -> None:
    old = made(wire, name, pairwise(5), signs(A))
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))
    new = made(wire, name, pairwise(4))
    assert new.uid != old.uid
    assert stored(wire, name) == ([], [])


def test_deleting_what_is_not_there_is_not_found_unless_that_is_allowed(wire: Wire, name: str) -> None:
    with pytest.raises(grpc.RpcError):
        wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name))
    wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name=name, allow_missing=True))


def test_memories_are_listed_by_prefix_in_order_of_their_names_page_by_page(wire: Wire, name: str) -> None:
    names = [f"{name}.{i:02}" for i in range(7)]
    for each in reversed(names):
        made(wire, each, pairwise(2))
    listed, token = [], ""
    for expected in (3, 3, 1):
        request = memory_service_pb2.ListMemoriesRequest(prefix=f"{name}.", page_size=3, page_token=token)
        page = wire.memory.ListMemories(request)
        assert len(page.memories) == expected
        listed += [memory.name for memory in page.memories]
        token = page.next_page_token
    assert (listed, token) == (names, "")


def test_patterns_are_listed_oldest_first_and_pages_neither_repeat_nor_skip(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A, B, C, A, B))
    request = memory_service_pb2.ListPatternsRequest(name=name, page_size=2)
    page = wire.memory.ListPatterns(request)
    assert page.labels == ["0", "1"]
    # What is forgotten and stored meanwhile moves no other pattern.
    forget(wire, name, "0", "2")
    store(wire, name, C)
    request.page_token = page.next_page_token
    page = wire.memory.ListPatterns(request)
    assert page.labels == ["3", "4"]
    request.page_token = page.next_page_token
    page = wire.memory.ListPatterns(request)
    assert (list(page.labels), page.next_page_token) == (["5"], "")


def test_patterns_of_some_labels_come_in_the_order_asked_for(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(5), signs(A, B, C))
    assert stored(wire, name, labels=["2", "0"]) == (["2", "0"], [C, A])


def test_weights_of_a_size_that_no_message_divides_come_whole(wire: Wire, name: str) -> None:
    N = 801
    X = np.where(np.random.default_rng(0).random((3, N)) < 0.5, 1, -1)
    made(wire, name, pairwise(N), signs(*X.tolist()))
    expected = X.T @ X / N
    np.fill_diagonal(expected, 0)
    np.testing.assert_array_equal(weights(wire, name), expected)


def test_imported_weights_are_used_as_given_with_their_diagonal_and_thresholds(wire: Wire, name: str) -> None:
    J = np.array([[0.5, -1.0, 0.25], [-1.0, 0.0, 2.0], [0.25, 2.0, -3.0]])
    header = memory_service_pb2.ImportWeightsHeader(name=name, neurons=3, thresholds=[0.5, 0.0, -1.0])
    parts = [memory_service_pb2.ImportWeightsRequest(header=header)]
    parts += [memory_service_pb2.ImportWeightsRequest(rows=row.tobytes()) for row in J]
    memory = wire.memory.ImportWeights(iter(parts)).memory
    assert (memory.spec.pairwise.rule, memory.revision) == (memory_pb2.LEARNING_RULE_IMPORTED, 1)
    first, *_ = wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name=name))
    assert list(first.header.thresholds) == [0.5, 0.0, -1.0]
    np.testing.assert_array_equal(weights(wire, name), J)


def test_labels_may_be_of_any_script(wire: Wire, name: str) -> None:
    labels = ["\u00a0", "家", "👨\u200d👩\u200d👧", "é" * 256]
    made(wire, name, pairwise(5))
    store(wire, name, A, B, C, A, labels=labels)
    assert stored(wire, name)[0] == labels
    with pytest.raises(grpc.RpcError) as caught:
        forget(wire, name, "👧" * 256)
    assert refusal(caught.value).metadata["label"] == "👧" * 256


def test_a_page_of_memories_stays_below_what_any_client_takes(wire: Wire, name: str) -> None:
    thresholds = [0.5] * 16_384
    for k in range(40):
        made(wire, f"{name}.{k:02}", pairwise(16_384, thresholds=thresholds))
    names: list[str] = []
    token = ""
    while not names or token:
        request = memory_service_pb2.ListMemoriesRequest(prefix=f"{name}.", page_token=token)
        page = wire.memory.ListMemories(request)
        assert page.ByteSize() < 2 << 20
        names += [memory.name for memory in page.memories]
        token = page.next_page_token
    assert names == [f"{name}.{k:02}" for k in range(40)]


def test_patterns_that_would_exceed_the_limit_are_refused_with_it(wire: Wire, name: str) -> None:
    made(wire, name, pairwise(1))
    many = patterns_pb2.Patterns(count=65_537, neurons=1, bits=b"\x01" * 65_537)
    with pytest.raises(grpc.RpcError) as caught:
        wire.memory.StorePatterns(memory_service_pb2.StorePatternsRequest(name=name, patterns=many))
    answer = refusal(caught.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PATTERN_LIMIT")
    assert (answer.metadata["limit"], answer.retry_seconds) == ("65536", None)
