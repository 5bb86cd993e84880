"""What the client sends and how it reads answers, without sending anything."""

from typing import Any

import numpy as np
import pytest
from tests.client.asking import creation, options, store

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2
from hopfield_client import Conflict, InvalidArgument, NotFound
from hopfield_client._client_calls import ClientCalls
from hopfield_client._freshness import Freshness
from hopfield_client._memory_calls import MemoryCalls

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
        ({"update": "parallel"}, "update is 'parallel'; it must be one of 'asynchronous', 'synchronous', 'glauber'"),
        ({"order": "explicit"}, "order is 'explicit'; it must be one of 'random', 'sequential'"),
        ({"order": [0, -1]}, "order holds -1, which is no neuron index"),
        (
            {"order": np.arange(9.0)},
            "order must hold integers, every neuron index once; it holds values of type float64",
        ),
        ({"order": [True, False]}, "order must hold integers"),
        ({"order": None}, "order is None; it must be 'random', 'sequential', or every neuron index once"),
        ({"order": 3}, "order is 3; it must be"),
        ({"order": [[0], [1, 2]]}, "order is [[0], [1, 2]]; it must be"),
        ({"update": None}, "update is None; it must be one of"),
        ({"tie": 0}, "tie is 0; it must be one of 'keep', 'plus', 'minus'"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
        ({"seed": 2**64}, "seed is 18446744073709551616; it must be at most 18446744073709551615"),
        ({"seed": 1.5}, "seed is 1.5; it must be an integer"),
        ({"seed": True}, "seed is True; it must be an integer"),
        ({"max_iterations": 0}, "max_iterations is 0; it must be at least 1"),
        ({"clamp": "yes"}, "clamp is 'yes'; it must be True or False"),
    ],
)
def test_options_that_mean_nothing_are_refused_by_name(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        options(**chosen)
    assert str(refused.value).startswith(message)
    assert [refused.value.field] == list(chosen)


def test_an_order_is_refused_where_all_neurons_are_updated_at_once() -> None:
    for update, why, order in (
        ("synchronous", "all neurons are updated at once", "sequential"),
        ("synchronous", "all neurons are updated at once", [0, 1]),
        ("glauber", "neurons are drawn at random", "sequential"),
    ):
        with pytest.raises(
            InvalidArgument, match=f"^order is for update='asynchronous'; with update='{update}' {why}$"
        ) as refused:
            options(update=update, order=order, beta=1 if update == "glauber" else None)
        assert refused.value.field == "order"


@pytest.mark.parametrize("beta", [0, 2, 0.5, np.float32(0.5), np.int64(2), np.array(0.5)])
def test_a_single_inverse_temperature_stays(beta: Any) -> None:
    sent = options(update="glauber", beta=beta)
    assert (sent.WhichOneof("temperature"), sent.beta) == ("beta", float(beta))


@pytest.mark.parametrize("beta", [[0.5, 2], (0.5, 2.0), np.array([0.5, 2.0]), np.array([0.5, 2], np.float32)])
def test_inverse_temperatures_in_a_row_are_annealing(beta: Any) -> None:
    sent = options(update="glauber", beta=beta)
    assert (sent.WhichOneof("temperature"), list(sent.annealing.beta)) == ("annealing", [0.5, 2.0])


@pytest.mark.parametrize(
    ("beta", "field", "message"),
    [
        (None, "beta", "update='glauber' needs beta, the inverse temperature: a number, or for annealing a rising seq"),
        (-0.5, "beta", "beta is -0.5; it must be finite and at least 0"),
        (np.inf, "beta", "beta is inf; it must be"),
        (np.nan, "beta", "beta is nan; it must be"),
        ("hot", "beta", "beta holds values of type <U3: it must hold real numbers"),
        (True, "beta", "beta holds values of type bool"),
        ([], "beta", "beta has the shape (0,); it must be a number, or for annealing numbers in a row, at least one"),
        ([[1.0]], "beta", "beta has the shape (1, 1); it must be"),
        ([1.0, -1.0], "beta[1]", "beta[1] is -1.0; it must be finite and at least 0"),
        ([1.0, np.nan], "beta[1]", "beta[1] is nan"),
    ],
)
def test_a_temperature_that_is_none_is_refused(beta: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        options(update="glauber", beta=beta)
    assert str(refused.value).startswith(message)
    assert refused.value.field == field


@pytest.mark.parametrize("update", ["asynchronous", "synchronous"])
def test_without_glauber_there_is_no_temperature(update: str) -> None:
    with pytest.raises(
        InvalidArgument, match=f"^beta is for update='glauber'; update='{update}' has no temp"
    ) as refused:
        options(update=update, beta=[])
    assert refused.value.field == "beta"


@pytest.mark.parametrize("name", [None, 3, b"digits", "\ud800"])
def test_a_name_is_a_string(calls: ClientCalls, name: Any) -> None:
    for refused_call in (
        lambda: calls.memory(name),
        lambda: calls.delete_memory(name, missing_ok=False),
        lambda: calls.import_weights(name, [[0.0]], None, "bipolar"),
        lambda: creation(calls, name=name),
    ):
        with pytest.raises(InvalidArgument, match=r"^name is ") as refused:
            refused_call()
        assert refused.value.field == "name"


def test_a_shape_tells_a_handle_how_large_patterns_are(calls: ClientCalls) -> None:
    for shape, known in ((4, (4,)), (np.int64(4), (4,)), ([2, 2], (2, 2)), (np.array([2, 2]), (2, 2))):
        memory = calls.memory("digits", shape)  # type: ignore[arg-type]
        assert (memory.shape, memory.neurons) == (known, 4)
    image = [[1, -1], [-1, 1]]
    assert store(calls.memory("digits", (2, 2)), image).patterns.count == 1
    assert store(calls.memory("digits"), image).patterns.count == 2
    with pytest.raises(InvalidArgument, match="which makes 3 neurons a pattern; the memory has 4"):
        calls.memory("digits", (2, 2)).recall([1, 1, -1], options())


# Patterns and labels


def test_a_pattern_has_one_label_and_patterns_have_as_many(memory: MemoryCalls) -> None:
    assert list(store(memory, [1, 1, -1, 1], "A").labels) == ["A"]
    assert list(store(memory, [[1, 1], [-1, 1]], "A").labels) == ["A"]
    assert list(store(memory, [[1, 1, -1, 1], [1, 1, 1, 1]], ("A", "B")).labels) == ["A", "B"]
    assert list(store(memory, [1, 1, -1, 1]).labels) == []
    with pytest.raises(InvalidArgument, match="1 labels for 2 patterns"):
        store(memory, [[1, 1, -1, 1], [1, 1, 1, 1]], ["A"])


def test_a_single_string_labels_a_single_pattern(memory: MemoryCalls) -> None:
    with pytest.raises(
        InvalidArgument, match=r"^a single string labels a single pattern, and patterns holds 2: pass a list of labels$"
    ) as refused:
        store(memory, [[1, 1, -1, 1], [1, 1, 1, 1]], "pq")
    assert refused.value.field == "labels"
    with pytest.raises(InvalidArgument, match="which makes 6 neurons a pattern; the memory has 4"):
        store(memory, [1, 1, -1, 1, 1, 1], "p")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3], r"labels\[0\] is 3; it must be a string: pass \[str\(label\) for label in labels\]"),
        (np.array([3]), r"labels\[0\] is np.int64\(3\); it must be a string: pass \["),
        (b"A", r"labels is b'A'; it must be a string: pass labels\.decode\(\)"),
        (["A", None], r"labels\[1\] is None; it must be a string"),
        (3, r"labels is 3; it must be a string: pass str\(labels\)"),
        (True, "labels is True; it must be a string"),
        ("\ud800", "labels is .*, which UTF-8 cannot encode"),
    ],
)
def test_labels_are_strings(memory: MemoryCalls, labels: Any, message: str) -> None:
    for refused_call in (lambda: store(memory, [1, 1, -1, 1], labels), lambda: memory.forget(labels)):
        with pytest.raises(InvalidArgument, match=f"^{message}"):
            refused_call()


def test_a_label_is_a_string_and_so_is_a_prefix(calls: ClientCalls, memory: MemoryCalls) -> None:
    for argument, refused_call in (
        ("labels", lambda: memory.forget(None)),  # type: ignore[arg-type]
        ("label", lambda: memory.pattern(3)),  # type: ignore[arg-type]
        ("prefix", lambda: calls.list_memories(None)),  # type: ignore[arg-type]
        ("missing_ok", lambda: calls.delete_memory("digits", missing_ok=1)),  # type: ignore[arg-type]
        ("replace", lambda: store(memory, [1, 1, -1, 1], replace="no")),
        ("expected_revision", lambda: store(memory, [1, 1, -1, 1], expected_revision=True)),
    ):
        with pytest.raises(InvalidArgument, match=f"^{argument} is ") as refused:
            refused_call()
        assert refused.value.field == argument


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
    with pytest.raises(Conflict, match=r"has 8 neurons, not 4 as this handle was told: .* get a new handle"):
        memory.patterns().read(response)


def test_words_that_only_a_later_client_knows_are_unknown(memory: MemoryCalls) -> None:
    bits = patterns_pb2.Patterns(count=1, neurons=4, bits=b"\x05")
    # As they arrive from a later server: the varint 99 in the fields `match` and `stop_reason`.
    one = recall_service_pb2.RecallResponse(pattern=bits)
    one.MergeFromString(bytes([9 << 3, 99, 6 << 3, 99]))
    many = recall_service_pb2.BatchRecallResponse(patterns=bits)
    many.MergeFromString(bytes([9 << 3, 99, 6 << 3, 99]))
    answer = memory.recall([1, -1, 1, -1], options()).read(one)
    part = memory.recall_batch([[1, -1, 1, -1]], options(), progress=False).begin(1 << 24)
    assert part is not None
    (answers,) = part.read(many).items
    assert (answer.match, answer.stop_reason) == ("unknown", "unknown")
    assert (answers.matches.tolist(), answers.stop_reasons.tolist()) == (["unknown"], ["unknown"])


def test_each_answer_of_a_batch_has_its_seed_also_across_the_largest(memory: MemoryCalls) -> None:
    response = recall_service_pb2.BatchRecallResponse(
        patterns=patterns_pb2.Patterns(count=2, neurons=4, bits=b"\x05\x05"), seed=2**64 - 1
    )
    queries = [[1, -1, 1, -1], [1, -1, 1, -1]]
    part = memory.recall_batch(queries, options(), progress=False).begin(1 << 24)
    assert part is not None
    (answers,) = part.read(response).items
    assert answers.seeds.tolist() == [2**64 - 1, 0]


def test_a_part_that_is_too_large_for_the_server_is_halved_down_to_a_single_query(memory: MemoryCalls) -> None:
    sizes = {"limit": "1", "size": "2"}
    too_large = InvalidArgument("", reason="INVALID_FIELD", field="queries", metadata=sizes)
    batch = memory.recall_batch([[1, -1, 1, -1]] * 5, options(), progress=False)
    part, counts = batch.begin(1 << 24), []
    while part is not None:
        counts.append(part.request.queries.count)
        part = batch.halved(too_large)
    assert counts == [5, 2, 1]


@pytest.mark.parametrize(
    "said", [{"metadata": {}}, {"field": "options.beta"}, {"reason": "REQUEST_ID_REUSED"}, {"reason": None}]
)
def test_a_part_that_is_refused_for_another_reason_is_not_halved(memory: MemoryCalls, said: dict[str, Any]) -> None:
    about_its_size = {"reason": "INVALID_FIELD", "field": "queries", "metadata": {"limit": "1", "size": "2"}}
    batch = memory.recall_batch([[1, -1, 1, -1]] * 5, options(), progress=False)
    batch.begin(1 << 24)
    assert batch.halved(InvalidArgument("", **{**about_its_size, **said})) is None


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
        next(calls.import_weights("w", [[0.0]], None, "bipolar").begin(1 << 16).request).header.request_id,
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
