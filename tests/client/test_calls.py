"""What the client sends and how it reads answers, without sending anything."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2
from hopfield_client import Conflict, DataLoss, InvalidArgument, NotFound
from hopfield_client._arguments import recall_options
from hopfield_client._calls import ClientCalls, MemoryCalls
from hopfield_client._freshness import Freshness


@pytest.fixture
def calls() -> ClientCalls:
    return ClientCalls("memories:50051", 10.0)


@pytest.fixture
def memory(calls: ClientCalls) -> MemoryCalls:
    return calls.memory("digits", neurons=4, shape=(2, 2))


def options(**chosen: Any) -> recall_service_pb2.RecallOptions:
    defaults = {
        "update": "asynchronous",
        "order": "random",
        "seed": None,
        "max_iterations": 100,
        "tie": "keep",
        "clamp": False,
    }
    return recall_options(**{**defaults, **chosen})


def creation(calls: ClientCalls, neurons: Any = 4, **chosen: Any) -> Any:
    defaults = {"rule": "hebbian", "thresholds": None, "shape": None, "exist_ok": False}
    return calls.create_memory("digits", neurons, **{**defaults, **chosen})


def store(
    memory: MemoryCalls, patterns: Any, labels: Any = None, **chosen: Any
) -> memory_service_pb2.StorePatternsRequest:
    return memory.store(patterns, labels, **{"replace": False, "expected_revision": None, **chosen}).request


# Words and numbers


@pytest.mark.parametrize(
    ("chosen", "sent"),
    [
        ({"update": "synchronous"}, {"update": recall_service_pb2.UPDATE_RULE_SYNCHRONOUS}),
        ({"order": "sequential"}, {"order": recall_service_pb2.UPDATE_ORDER_SEQUENTIAL}),
        (
            {"order": np.array([2, 0, 1])},
            {"order": recall_service_pb2.UPDATE_ORDER_EXPLICIT, "explicit_order": [2, 0, 1]},
        ),
        ({"tie": "minus"}, {"tie": recall_service_pb2.TIE_RULE_MINUS}),
        ({"seed": 0}, {"seed": 0}),
        ({"seed": np.uint64(2**64 - 1)}, {"seed": 2**64 - 1}),
        ({"max_iterations": 1}, {"max_iterations": 1}),
        ({"clamp": True}, {"clamp": True}),
    ],
)
def test_options_of_a_recall_are_sent(chosen: dict[str, Any], sent: dict[str, Any]) -> None:
    expected = options()
    for name, value in sent.items():
        if isinstance(value, list):
            getattr(expected, name).extend(value)
        else:
            setattr(expected, name, value)
    assert options(**chosen) == expected


def test_the_order_is_left_to_the_server_unless_chosen() -> None:
    """An order is refused with synchronous updating, whose default must therefore travel as nothing."""
    assert options().order == options(update="synchronous").order == recall_service_pb2.UPDATE_ORDER_UNSPECIFIED


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"update": "glauber"}, "update is 'glauber'; it must be one of 'asynchronous', 'synchronous'"),
        ({"order": "explicit"}, "order is 'explicit'; it must be one of 'random', 'sequential'"),
        ({"order": [0, -1]}, "order is -1; it must be 0 to 4294967295"),
        ({"tie": 0}, "tie is 0; it must be one of 'keep', 'plus', 'minus'"),
        ({"seed": -1}, "seed is -1; it must be 0 to 18446744073709551615"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"seed": 1.5}, "seed is 1.5; it must be an integer"),
        ({"max_iterations": 0}, "max_iterations is 0; it must be 1 to"),
    ],
)
def test_options_that_mean_nothing_are_refused_by_name(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        options(**chosen)
    assert str(refused.value).startswith(message)
    assert [refused.value.field] == list(chosen)


def test_a_new_memory_has_its_spec() -> None:
    call = creation(ClientCalls("a", 1), rule="pseudo_inverse", thresholds=np.arange(4).reshape(2, 2), exist_ok=True)
    assert call.request.spec.pairwise == memory_pb2.PairwiseSpec(
        neurons=4, rule=memory_pb2.LEARNING_RULE_PSEUDO_INVERSE, thresholds=[0, 1, 2, 3]
    )
    assert call.request.allow_existing


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"rule": "storkey"}, "rule is 'storkey'; it must be one of 'hebbian', 'pseudo_inverse'"),
        ({"rule": "imported"}, "rule is 'imported'"),
        ({"neurons": 0}, "neurons is 0; it must be 1 to"),
        ({"neurons": 4.0}, r"neurons is 4\.0; it must be an integer"),
        ({"shape": (3, 2)}, r"shape \(3, 2\) has 6 elements; the memory has 4 neurons"),
        ({"shape": (-2, -2)}, "shape is -2"),
        ({"thresholds": [1.0]}, "1 thresholds for 4 neurons"),
        ({"thresholds": "none"}, "thresholds holds values of type"),
    ],
)
def test_a_spec_that_means_nothing_is_refused_by_name(calls: ClientCalls, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message) as refused:
        creation(calls, **chosen)
    assert [refused.value.field] == list(chosen)


def test_a_timeout_is_positive() -> None:
    with pytest.raises(InvalidArgument, match="timeout is 0"):
        ClientCalls("memories:50051", 0)


# Patterns and labels


def test_a_pattern_has_one_label_and_patterns_have_as_many(memory: MemoryCalls) -> None:
    assert list(store(memory, [1, 1, -1, 1], "A").labels) == ["A"]
    assert list(store(memory, [[1, 1], [-1, 1]], "A").labels) == ["A"]
    assert list(store(memory, [[1, 1, -1, 1], [1, 1, 1, 1]], ("A", "B")).labels) == ["A", "B"]
    assert list(store(memory, [1, 1, -1, 1]).labels) == []
    with pytest.raises(InvalidArgument, match="1 labels for 2 patterns"):
        store(memory, [[1, 1, -1, 1], [1, 1, 1, 1]], ["A"])
    with pytest.raises(InvalidArgument, match="the label 3 is no string; labels are strings"):
        store(memory, [1, 1, -1, 1], [3])


def test_an_expected_revision_of_zero_is_sent(memory: MemoryCalls) -> None:
    assert not store(memory, [1, 1, -1, 1]).HasField("expected_revision")
    assert store(memory, [1, 1, -1, 1], expected_revision=0).HasField("expected_revision")
    with pytest.raises(InvalidArgument, match="expected_revision is -1"):
        store(memory, [1, 1, -1, 1], expected_revision=-1)


def test_stored_patterns_come_in_the_shape_of_the_handle(calls: ClientCalls, memory: MemoryCalls) -> None:
    response = memory_service_pb2.ListPatternsResponse(
        labels=["A", "B"], patterns=patterns_pb2.Patterns(count=2, neurons=4, bits=b"\x05\x0f")
    )
    first, second = memory.patterns().read(response).items
    assert (first.label, first.pattern.tolist()) == ("A", [[1, -1], [1, -1]])
    assert (second.label, second.pattern.tolist()) == ("B", [[1, 1], [1, 1]])
    assert calls.memory("digits").patterns().read(response).items[0].pattern.tolist() == [1, -1, 1, -1]


def test_a_page_leads_to_the_next_until_the_last(memory: MemoryCalls) -> None:
    page = memory.patterns().read(memory_service_pb2.ListPatternsResponse(next_page_token="more"))
    assert page.items == []
    assert page.following is not None
    assert page.following.request.page_token == "more"
    assert page.following.read(memory_service_pb2.ListPatternsResponse()).following is None


def test_an_answer_without_the_pattern_asked_for_is_not_found(memory: MemoryCalls) -> None:
    with pytest.raises(NotFound, match="no pattern 'A' is stored in the memory 'digits'"):
        memory.pattern("A").read(memory_service_pb2.ListPatternsResponse())


def test_a_handle_notices_that_its_memory_was_made_anew_in_another_size(memory: MemoryCalls) -> None:
    response = memory_service_pb2.ListPatternsResponse(
        labels=["A"], patterns=patterns_pb2.Patterns(count=1, neurons=8, bits=b"\x05")
    )
    with pytest.raises(Conflict, match="it has 8 neurons now, not 4"):
        memory.patterns().read(response)


def test_words_that_only_a_later_client_knows_are_unknown(memory: MemoryCalls) -> None:
    bits = patterns_pb2.Patterns(count=1, neurons=4, bits=b"\x05")
    # As they arrive from a later server: the varint 99 in the fields `match` and `stop_reason`.
    one = recall_service_pb2.RecallResponse(pattern=bits)
    one.MergeFromString(bytes([9 << 3, 99, 6 << 3, 99]))
    many = recall_service_pb2.BatchRecallResponse(patterns=bits)
    many.MergeFromString(bytes([9 << 3, 99, 6 << 3, 99]))
    answer = memory.recall([1, -1, 1, -1], options()).read(one)
    answers = memory.recall_batch([[1, -1, 1, -1]], options()).read(many)
    assert (answer.match, answer.stop_reason) == ("unknown", "unknown")
    assert (answers.matches.tolist(), answers.stop_reasons.tolist()) == (["unknown"], ["unknown"])


def test_each_answer_of_a_batch_has_its_seed_also_across_the_largest(memory: MemoryCalls) -> None:
    response = recall_service_pb2.BatchRecallResponse(
        patterns=patterns_pb2.Patterns(count=2, neurons=4, bits=b"\x05\x05"), seed=2**64 - 1
    )
    answers = memory.recall_batch([[1, -1, 1, -1], [1, -1, 1, -1]], options()).read(response)
    assert answers.seeds.tolist() == [2**64 - 1, 0]


# Weights


@settings(deadline=None)
@given(st.integers(1, 40), st.booleans())
def test_weights_leave_in_whole_rows_and_come_back(neurons: int, transposed: bool) -> None:
    matrix = np.random.default_rng(neurons).standard_normal((neurons, neurons))
    sent = ClientCalls("a", 1).import_weights("w", matrix.T if transposed else matrix, None)
    header, *parts = list(sent.request)
    assert (header.header.name, header.header.neurons) == ("w", neurons)
    call = ClientCalls("a", 1).memory("w").weights()
    call.take(memory_service_pb2.GetWeightsResponse(header=memory_service_pb2.GetWeightsHeader(neurons=neurons)))
    for part in parts:
        assert len(part.rows) % (8 * neurons) == 0
        call.take(memory_service_pb2.GetWeightsResponse(rows=part.rows))
    np.testing.assert_array_equal(call.finish(), matrix.T if transposed else matrix)


def test_a_large_matrix_leaves_in_parts_of_about_a_mebibyte() -> None:
    matrix = np.zeros((1000, 1000), np.int64)
    _, *parts = ClientCalls("a", 1).import_weights("w", matrix, None).request
    assert [len(part.rows) for part in parts] == [8000 * 131] * 7 + [8000 * 83]


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b""],
        [bytes(24)],
        [bytes(24), bytes(16)],
        [bytes(7)],
    ],
)
def test_a_matrix_that_does_not_arrive_whole_is_data_loss(parts: list[bytes]) -> None:
    call = ClientCalls("a", 1).memory("w").weights()

    def transfer() -> None:
        call.take(memory_service_pb2.GetWeightsResponse(header=memory_service_pb2.GetWeightsHeader(neurons=2)))
        for rows in parts:
            call.take(memory_service_pb2.GetWeightsResponse(rows=rows))
        call.finish()

    with pytest.raises(DataLoss):
        transfer()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\); it must be \(N, N\)"),
        (np.zeros(4), r"shape \(4,\)"),
        (np.zeros((0, 0)), r"shape \(0, 0\)"),
        (np.zeros((2, 2), np.complex128), "type complex128; it must hold real numbers"),
        ([[1.0], [1.0, 2.0]], "rows differ in length"),
    ],
)
def test_weights_that_are_no_square_of_real_numbers_are_refused(calls: ClientCalls, weights: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        calls.import_weights("w", weights, None)


# What the client has seen


def token(memory: MemoryCalls) -> tuple[str, int] | None:
    request = memory.recall([1, -1, 1, -1], options()).request
    return (request.token.uid, request.token.revision) if request.HasField("token") else None


def seen(uid: str, revision: int) -> Any:
    return memory_service_pb2.StorePatternsResponse(memory=memory_pb2.Memory(uid=uid, revision=revision))


def test_every_change_carries_an_id_of_its_own(calls: ClientCalls, memory: MemoryCalls) -> None:
    ids = {
        creation(calls).request.request_id,
        creation(calls).request.request_id,
        store(memory, [1, 1, 1, 1]).request_id,
        store(memory, [1, 1, 1, 1]).request_id,
        memory.forget("A").request.request_id,
        calls.delete_memory("digits", missing_ok=False).request.request_id,
        next(calls.import_weights("w", [[0.0]], None).request).header.request_id,
    }
    assert len(ids) == 7
    assert all(len(request_id) == 32 for request_id in ids)


def test_what_was_written_is_asked_for_when_reading_by_every_handle_of_the_client(calls: ClientCalls) -> None:
    assert token(calls.memory("digits")) is None
    creation(calls).read(memory_service_pb2.CreateMemoryResponse(memory=memory_pb2.Memory(uid="u", revision=0)))
    memory = calls.memory("digits")
    assert token(memory) == ("u", 0)
    memory.store([1, 1, 1, 1], "A", replace=False, expected_revision=None).read(seen("u", 1))
    other = calls.memory("digits")
    assert token(other) == ("u", 1)
    for request in (other.patterns().request, other.pattern("A").request, other.weights().request):
        assert (request.token.uid, request.token.revision) == ("u", 1)
    assert token(calls.memory("letters")) is None


def test_the_highest_revision_seen_stays() -> None:
    freshness = Freshness()
    for revision in (3, 5, 4):
        freshness.watch("digits")("u", revision)
    assert freshness.token("digits") == memory_pb2.FreshnessToken(uid="u", revision=5)


def test_a_memory_made_anew_starts_over() -> None:
    freshness = Freshness()
    freshness.watch("digits")("old", 9)
    freshness.watch("digits")("new", 1)
    assert freshness.token("digits") == memory_pb2.FreshnessToken(uid="new", revision=1)


def test_a_late_answer_of_the_memory_before_does_not_bring_it_back() -> None:
    freshness = Freshness()
    freshness.watch("digits")("old", 9)
    late = freshness.watch("digits")
    freshness.watch("digits")("new", 1)
    late("old", 9)
    assert freshness.token("digits") == memory_pb2.FreshnessToken(uid="new", revision=1)
    freshness.drop("digits")
    late("old", 9)
    assert freshness.token("digits") is None


def test_deleting_a_memory_forgets_what_was_seen_of_it(calls: ClientCalls) -> None:
    creation(calls).read(memory_service_pb2.CreateMemoryResponse(memory=memory_pb2.Memory(uid="u")))
    calls.delete_memory("digits", missing_ok=False).read(memory_service_pb2.DeleteMemoryResponse())
    assert token(calls.memory("digits")) is None
