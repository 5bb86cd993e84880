"""Every way to ask wrongly has an answer of its own, which names the field and the rule, and changes nothing."""

import struct
from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest
from tests.wire import Refusal, Wire, dense, floats, made, modern, pairwise, refusal, same_bytes, signs

from hopfield.v1 import memory_pb2, memory_service_pb2, patterns_pb2, recall_service_pb2

Ask = Callable[[Wire], object]

INVALID = grpc.StatusCode.INVALID_ARGUMENT

# The memory "four" holds these; "given" has imported weights.
STORED = [[-1, -1, -1, 1], [1, -1, 1, -1]]


@pytest.fixture(scope="module", autouse=True)
def memories(wire: Wire) -> Iterator[None]:
    made(wire, "four", pairwise(4), signs(*STORED))
    wire.memory.ImportWeights(weight_parts("given", np.array([[0.0, 1.0], [1.0, 0.0]])))
    before = state(wire)
    yield
    assert state(wire) == before, "something was stored or changed"


def state(wire: Wire) -> list[object]:
    """All that can be seen of the memories these tests ask about, and of those they try to make."""
    listed = wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest(page_size=1000)).memories
    patterns = wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="four"))
    weights = list(wire.memory.GetWeights(memory_service_pb2.GetWeightsRequest(name="four")))
    tried = {"four", "given", "new"}
    return [[memory for memory in listed if memory.name in tried], patterns, weights]


def refused(wire: Wire, ask: Ask) -> Refusal:
    with pytest.raises(grpc.RpcError) as caught:
        ask(wire)
    return refusal(caught.value)


def weight_parts(
    name: str, weights: np.ndarray[tuple[int, int], np.dtype[np.float64]], thresholds: tuple[float, ...] = ()
) -> Iterator[memory_service_pb2.ImportWeightsRequest]:
    header = memory_service_pb2.ImportWeightsHeader(name=name, neurons=len(weights), thresholds=thresholds)
    yield memory_service_pb2.ImportWeightsRequest(header=header)
    yield memory_service_pb2.ImportWeightsRequest(rows=weights.astype("<f8").tobytes())


def create(name: str, spec: memory_pb2.MemorySpec | None, **options: object) -> Ask:
    request = memory_service_pb2.CreateMemoryRequest(name=name, spec=spec, **options)  # type: ignore[arg-type]
    return lambda wire: wire.memory.CreateMemory(request)


def store(patterns: patterns_pb2.Patterns, memory: str = "four", **options: object) -> Ask:
    request = memory_service_pb2.StorePatternsRequest(name=memory, patterns=patterns, **options)  # type: ignore[arg-type]
    return lambda wire: wire.memory.StorePatterns(request)


def forget(*labels: str, **options: object) -> Ask:
    request = memory_service_pb2.ForgetPatternsRequest(name="four", labels=labels, **options)  # type: ignore[arg-type]
    return lambda wire: wire.memory.ForgetPatterns(request)


def recall(query: patterns_pb2.Patterns, memory: str = "four", **options: object) -> Ask:
    request = recall_service_pb2.RecallRequest(
        name=memory,
        query=query,
        options=recall_service_pb2.RecallOptions(**options),  # type: ignore[arg-type]
    )
    return lambda wire: wire.recall.Recall(request)


def trace(query: patterns_pb2.Patterns, **options: object) -> Ask:
    request = recall_service_pb2.TraceRecallRequest(
        name="four",
        query=query,
        options=recall_service_pb2.RecallOptions(**options),  # type: ignore[arg-type]
    )
    return lambda wire: list(wire.recall.TraceRecall(request))


def batch(queries: patterns_pb2.Patterns) -> Ask:
    return lambda wire: wire.recall.BatchRecall(recall_service_pb2.BatchRecallRequest(name="four", queries=queries))


def nearest(queries: patterns_pb2.Patterns, **options: object) -> Ask:
    request = recall_service_pb2.NearestRequest(name="four", queries=queries, **options)  # type: ignore[arg-type]
    return lambda wire: wire.recall.Nearest(request)


def import_weights(rows: list[list[float]], name: str = "new", **options: tuple[float, ...]) -> Ask:
    return lambda wire: wire.memory.ImportWeights(weight_parts(name, np.array(rows), **options))


def imported(*parts: memory_service_pb2.ImportWeightsRequest) -> Ask:
    return lambda wire: wire.memory.ImportWeights(iter(parts))


def header(neurons: int, name: str = "new") -> memory_service_pb2.ImportWeightsRequest:
    return memory_service_pb2.ImportWeightsRequest(
        header=memory_service_pb2.ImportWeightsHeader(name=name, neurons=neurons)
    )


def rows(*values: float) -> memory_service_pb2.ImportWeightsRequest:
    return memory_service_pb2.ImportWeightsRequest(rows=struct.pack(f"<{len(values)}d", *values))


def bits(count: int, neurons: int, payload: bytes) -> patterns_pb2.Patterns:
    return patterns_pb2.Patterns(count=count, neurons=neurons, bits=payload)


def update(memory: str = "four", mask: tuple[str, ...] = (), **changes: object) -> Ask:
    request = memory_service_pb2.UpdateMemoryRequest(name=memory, spec=pairwise(0, **changes))
    request.update_mask.paths.extend(mask)
    return lambda wire: wire.memory.UpdateMemory(request)


def coded(coding: int, *values: int, known: bytes = b"") -> patterns_pb2.Patterns:
    patterns = (
        signs(list(values)) if not known else bits(1, len(values), bytes([sum(v << i for i, v in enumerate(values))]))
    )
    patterns.coding, patterns.known = coding, known  # type: ignore[assignment]
    return patterns


GLAUBER = recall_service_pb2.UPDATE_RULE_GLAUBER
GOOD = signs(STORED[0])

# What is asked, the field that is named, and a piece of the rule.
INVALID_FIELDS: dict[str, tuple[Ask, str, str]] = {
    "no name": (create("", pairwise(4)), "name", "must be 1 to 128 lowercase letters, digits"),
    "a name with capitals": (create("Digits", pairwise(4)), "name", "must be 1 to 128 lowercase letters, digits"),
    "a name with a newline": (create("a\n", pairwise(4)), "name", "must be 1 to 128 lowercase letters, digits"),
    "a name too long": (create("a" * 129, pairwise(4)), "name", "must be 1 to 128 lowercase letters, digits"),
    "no spec": (create("new", None), "spec.family", "must be set"),
    "zero neurons": (create("new", pairwise(0)), "spec.pairwise.neurons", "must be 1 to 16384, is 0"),
    "neurons over the limit": (create("new", pairwise(16385)), "spec.pairwise.neurons", "must be 1 to 16384, is 16385"),
    "as many neurons as can be written": (create("new", pairwise(2**32 - 1)), "spec.pairwise.neurons", "must be 1 to"),
    "an unknown rule": (create("new", pairwise(4, rule=99)), "spec.pairwise.rule", "LEARNING_RULE_PSEUDO_INVERSE"),
    "the rule of imports": (create("new", pairwise(4, rule=3)), "spec.pairwise.rule", "ImportWeights"),
    "a NaN threshold": (
        create("new", pairwise(2, thresholds=[0.0, float("nan")])),
        "spec.pairwise.thresholds",
        "threshold 1 is nan",
    ),
    "an infinite threshold": (
        create("new", pairwise(1, thresholds=[float("inf")])),
        "spec.pairwise.thresholds",
        "must be finite",
    ),
    "thresholds too few": (create("new", pairwise(3, thresholds=[1.0])), "spec.pairwise.thresholds", "1 for 3"),
    "thresholds too large": (
        create("new", pairwise(2, thresholds=[1e308, 1e308])),
        "spec.pairwise.thresholds",
        "small enough",
    ),
    "kappa without the perceptron rule": (
        create("new", pairwise(4, kappa=0.5)),
        "spec.pairwise.kappa",
        "but with the rule perceptron",
    ),
    "sweeps without the perceptron rule": (
        create("new", pairwise(4, rule=4, max_sweeps=5)),
        "spec.pairwise.max_sweeps",
        "but with the rule perceptron",
    ),
    "a negative kappa": (create("new", pairwise(4, rule=6, kappa=-0.5)), "spec.pairwise.kappa", "at least 0, is -0.5"),
    "an infinite kappa": (create("new", pairwise(4, rule=6, kappa=float("inf"))), "spec.pairwise.kappa", "finite"),
    "no sweeps": (create("new", pairwise(4, rule=6, max_sweeps=0)), "spec.pairwise.max_sweeps", "1 to 1000000, is 0"),
    "a normalization of another rule": (
        create("new", pairwise(4, rule=2, normalization=2)),
        "spec.pairwise.normalization",
        "but with the rule hebbian",
    ),
    "an unknown normalization": (create("new", pairwise(4, normalization=9)), "spec.pairwise.normalization", "9"),
    "an unknown coding": (create("new", pairwise(4, coding=9)), "spec.pairwise.coding", "9 is none of them"),
    "a dense memory of no interaction": (create("new", dense(4)), "spec.dense.degree", "or exponential set; is 0"),
    "a degree too low": (create("new", dense(4, degree=1)), "spec.dense.degree", "must be 2 to 30"),
    "a degree too high": (create("new", dense(4, degree=31)), "spec.dense.degree", "must be 2 to 30"),
    "a degree and the exponential": (
        create("new", dense(4, degree=3, exponential=True)),
        "spec.dense.degree",
        "must not be set where exponential is",
    ),
    "a dense memory of no neurons": (
        create("new", dense(0, degree=3)),
        "spec.dense.neurons",
        "must be 1 to 16384, is 0",
    ),
    "a modern memory without beta": (create("new", modern(4)), "spec.modern.beta", "must be 1e-06 to 1e+09"),
    "a beta that is no number": (create("new", modern(4, beta=float("nan"))), "spec.modern.beta", "is nan"),
    "a negative tolerance": (create("new", modern(4, beta=1, tolerance=-1)), "spec.modern.tolerance", "at least 0"),
    "real numbers for neurons of two values": (recall(floats([1, 1, 1, 1])), "query", "in bits or signs"),
    "real numbers that are not finite": (
        recall(floats([1, float("inf"), 1, 1])),
        "query.floats",
        "pattern 0 has inf at neuron 1",
    ),
    "real numbers too few": (
        recall(patterns_pb2.Patterns(count=1, neurons=4, floats=b"\x00" * 12)),
        "query.floats",
        "must be 16 bytes",
    ),
    "a mask beside floats": (
        recall(patterns_pb2.Patterns(count=1, neurons=4, floats=b"\x00" * 16, known=b"\x0f")),
        "query.known",
        "but with bits",
    ),
    "a pairwise memory of real numbers": (create("new", pairwise(4, coding=3)), "spec.pairwise.coding", "none of them"),
    "an update to another family": (
        lambda wire: wire.memory.UpdateMemory(
            memory_service_pb2.UpdateMemoryRequest(name="four", spec=dense(0, degree=3))
        ),
        "spec.family",
        "must be pairwise",
    ),
    "an update of nothing": (update(), "update_mask", "must name what to change"),
    "an update of no family": (
        lambda wire: wire.memory.UpdateMemory(memory_service_pb2.UpdateMemoryRequest(name="four")),
        "spec.family",
        "must be set",
    ),
    "an update of a field there is not": (
        update(mask=("pairwise.colour",)),
        "update_mask",
        "'pairwise.colour' is none",
    ),
    "an update of another family's field": (update(mask=("ring.neurons",)), "update_mask", "'ring.neurons' is none"),
    "an update of the neurons": (update(mask=("pairwise.neurons",)), "spec.pairwise.neurons", "cannot be changed"),
    "an update of the coding": (update(coding=2), "spec.pairwise.coding", "cannot be changed"),
    "an update to imported": (update(rule=3), "spec.pairwise.rule", "ImportWeights"),
    "an update to thresholds too few": (update(thresholds=[1.0]), "spec.pairwise.thresholds", "1 for 4"),
    "an update to a NaN threshold": (update(thresholds=[float("nan")] * 4), "spec.pairwise.thresholds", "finite"),
    "an update to a kappa of another rule": (update(kappa=2.0), "spec.pairwise.kappa", "but with the rule perceptron"),
    "a stored pattern of another coding": (store(coded(2, 1, 0, 0, 1)), "patterns.coding", "must be CODING_BIPOLAR"),
    "a query of another coding": (recall(coded(2, 1, 0, 0, 1)), "query.coding", "must be CODING_BIPOLAR"),
    "a query of an unknown coding": (recall(coded(9, 1, 0, 0, 1)), "query.coding", "9 is none of them"),
    "an unknown neuron in a stored pattern": (
        store(coded(0, 1, 0, 0, 1, known=b"\x0b")),
        "patterns.known",
        "every neuron",
    ),
    "a mask too long": (recall(coded(0, 1, 0, 0, 1, known=b"\x0f\x00")), "query.known", "as long as bits"),
    "a mask with padding bits set": (recall(coded(0, 1, 0, 0, 1, known=b"\xff")), "query.known", "zeros behind"),
    "a value of an unknown neuron": (recall(coded(0, 1, 0, 0, 1, known=b"\x07")), "query.known", "must be set where"),
    "a mask beside signs": (
        recall(patterns_pb2.Patterns(count=1, neurons=4, signs=b"\x01" * 4, known=b"\x0f")),
        "query.known",
        "but with bits",
    ),
    "Glauber without a temperature": (recall(GOOD, update=GLAUBER), "options.beta", "must be set"),
    "a temperature without Glauber": (recall(GOOD, beta=1.0), "options.beta", "but with UPDATE_RULE_GLAUBER"),
    "annealing without Glauber": (
        recall(GOOD, annealing={"beta": [1.0]}),
        "options.annealing",
        "but with UPDATE_RULE_GLAUBER",
    ),
    "a negative temperature": (recall(GOOD, update=GLAUBER, beta=-1.0), "options.beta", "at least 0, is -1.0"),
    "a NaN temperature": (recall(GOOD, update=GLAUBER, beta=float("nan")), "options.beta", "finite"),
    "an infinite temperature in a schedule": (
        recall(GOOD, update=GLAUBER, annealing={"beta": [1.0, float("inf")]}),
        "options.annealing.beta[1]",
        "finite",
    ),
    "an empty schedule": (recall(GOOD, update=GLAUBER, annealing={}), "options.annealing.beta", "1 to 1000000 numbers"),
    "an order of random draws": (recall(GOOD, update=GLAUBER, beta=1.0, order=2), "options.order", "ASYNCHRONOUS"),
    "nearest patterns of a query too short": (nearest(signs([1, 1])), "queries.neurons", "must be 4"),
    "nearest patterns of no query": (
        nearest(patterns_pb2.Patterns(neurons=4)),
        "queries.count",
        "must be 1 to 1048576, is 0",
    ),
    "no nearest patterns": (nearest(GOOD, k=0), "k", "must be 1 to 1000, is 0"),
    "too many nearest patterns": (nearest(GOOD, k=1001), "k", "must be 1 to 1000, is 1001"),
    "too many nearest patterns of all queries": (
        nearest(bits(600_000, 4, bytes(600_000)), k=2),
        "k",
        "at most 1048576 for all queries together; 2 for 600000 are 1200000",
    ),
    "a trace of a query too short": (trace(signs([1, 1])), "query.neurons", "must be 4"),
    "a trace of no iterations": (trace(GOOD, max_iterations=0), "options.max_iterations", "must be 1 to"),
    "a request id too long": (create("new", pairwise(4), request_id="x" * 129), "request_id", "at most 128"),
    "a request id of control characters": (create("new", pairwise(4), request_id="\n"), "request_id", "printable"),
    "a stored pattern too short": (store(signs([1, -1, 1])), "patterns.neurons", "must be 4"),
    "a stored pattern too long": (store(signs([1] * 5)), "patterns.neurons", "must be 4"),
    "a 0 in a stored pattern": (store(signs(STORED[0], [1, 0, 1, 1])), "patterns.signs", "pattern 1 has 0 at neuron 1"),
    "a sign of 2": (store(signs([1, 2, 1, 1])), "patterns.signs", "pattern 0 has 2 at neuron 1"),
    "padding bits set": (store(bits(1, 4, b"\x18")), "patterns.bits", "zeros behind the last of the 4 neurons"),
    "too few bits": (store(bits(2, 4, b"\x08")), "patterns.bits", "must be 2 bytes"),
    "too many signs": (
        store(patterns_pb2.Patterns(count=1, neurons=4, signs=b"\x01" * 5)),
        "patterns.signs",
        "must be 4 bytes",
    ),
    "no values": (store(patterns_pb2.Patterns(count=1, neurons=4)), "patterns", "in bits, in signs or in floats"),
    "patterns of no neurons": (store(bits(2**32 - 1, 0, b"")), "patterns.neurons", "at least 1"),
    "an empty store": (store(patterns_pb2.Patterns(neurons=4)), "patterns", "at least one pattern"),
    "a label twice": (store(signs(*STORED), labels=["a", "a"]), "labels[1]", "'a' is a duplicate"),
    "an empty label": (store(GOOD, labels=[""]), "labels[0]", "1 to 256"),
    "a label too long": (store(GOOD, labels=["x" * 257]), "labels[0]", "1 to 256"),
    "a label with a newline": (store(GOOD, labels=["a\nb"]), "labels[0]", "control"),
    "labels too few": (store(signs(*STORED), labels=["a"]), "labels", "1 for 2"),
    "forgetting nothing": (forget(), "labels", "at least one"),
    "forgetting twice": (forget("0", "0"), "labels[1]", "duplicate"),
    "no query": (recall(patterns_pb2.Patterns()), "query.count", "must be 1, is 0"),
    "two queries in one recall": (recall(signs(*STORED)), "query.count", "must be 1, is 2"),
    "a query too short": (recall(signs([1, 1])), "query.neurons", "must be 4"),
    "a query with padding bits set": (recall(bits(1, 4, b"\xf0")), "query.bits", "zeros behind"),
    "a query with a sign of -128": (recall(signs([-128, 1, 1, 1])), "query.signs", "-128"),
    "an unknown update rule": (recall(GOOD, update=77), "options.update", "77"),
    "an unknown order": (recall(GOOD, order=9), "options.order", "9"),
    "an unknown tie rule": (recall(GOOD, tie=9), "options.tie", "9"),
    "no iterations": (recall(GOOD, max_iterations=0), "options.max_iterations", "must be 1 to 1000000, is 0"),
    "too many iterations": (recall(GOOD, max_iterations=2**32 - 1), "options.max_iterations", "must be 1 to"),
    "an order with a neuron twice": (recall(GOOD, explicit_order=[0, 1, 2, 2]), "options.explicit_order", "once"),
    "an order too short": (recall(GOOD, explicit_order=[0, 1]), "options.explicit_order", "once"),
    "an order beyond the neurons": (recall(GOOD, explicit_order=[1, 2, 3, 4]), "options.explicit_order", "once"),
    "an explicit order that is none": (recall(GOOD, order=3), "options.explicit_order", "once"),
    "an order that contradicts": (
        recall(GOOD, order=2, explicit_order=[0, 1, 2, 3]),
        "options.explicit_order",
        "empty",
    ),
    "an order without turns": (recall(GOOD, update=2, order=2), "options.order", "ASYNCHRONOUS"),
    "an explicit order without turns": (
        recall(GOOD, update=2, explicit_order=[3, 2, 1, 0]),
        "options.explicit_order",
        "",
    ),
    "an empty batch": (batch(patterns_pb2.Patterns(neurons=4)), "queries.count", "must be 1 to 1048576, is 0"),
    "a batch of more queries than a message takes": (
        batch(bits((1 << 20) + 1, 4, bytes((1 << 20) + 1))),
        "queries.count",
        "must be 1 to 1048576, is 1048577",
    ),
    "a batch of the wrong length": (batch(signs([1, 1], [1, 1])), "queries.neurons", "must be 4"),
    "asymmetric weights": (import_weights([[0, 1.0], [2.0, 0]]), "rows", "weight (0, 1) is 1 and weight (1, 0) is 2"),
    "a NaN weight": (import_weights([[0, np.nan], [np.nan, 0]]), "rows", "weight (0, 1) is nan"),
    "an infinite weight": (import_weights([[np.inf]]), "rows", "must be finite"),
    "weights too large": (import_weights([[0, 1e308], [1e308, 0]]), "rows", "small enough"),
    "a NaN threshold of imported weights": (
        import_weights([[0.0]], thresholds=(float("nan"),)),
        "header.thresholds",
        "must be finite",
    ),
    "a bad name of imported weights": (
        import_weights([[0.0]], name="No"),
        "header.name",
        "must be 1 to 128 lowercase letters, digits",
    ),
    "imported weights without a header": (imported(rows(1.0)), "header", "must come first"),
    "imported weights of nothing at all": (imported(), "header", "must come first"),
    "imported weights with two headers": (imported(header(1), header(1)), "rows", "once"),
    "imported weights too few": (imported(header(2), rows(0.0, 1.0)), "rows", "must be 32 bytes"),
    "imported weights too many": (imported(header(1), rows(0.0, 1.0)), "rows", "are more"),
    "imported weights of no neurons": (imported(header(0)), "header.neurons", "must be 1 to 16384"),
    "imported weights over the limit": (imported(header(16385)), "header.neurons", "must be 1 to 16384"),
    "a negative page size of memories": (
        lambda wire: wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest(page_size=-1)),
        "page_size",
        "must not be negative, is -1",
    ),
    "a negative page size of patterns": (
        lambda wire: wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="four", page_size=-5)),
        "page_size",
        "must not be negative, is -5",
    ),
    "a page token of one's own": (
        lambda wire: wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest(page_token="7")),
        "page_token",
        "next_page_token",
    ),
    "a page token of another list": (
        lambda wire: wire.memory.ListPatterns(
            memory_service_pb2.ListPatternsRequest(name="four", page_token="ImZvdXIi")  # base64 of "four" in quotes
        ),
        "page_token",
        "next_page_token",
    ),
    "a page token beyond every pattern": (
        lambda wire: wire.memory.ListPatterns(
            memory_service_pb2.ListPatternsRequest(name="four", page_token="OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5")
        ),
        "page_token",
        "next_page_token",
    ),
    "a page token that is no name": (
        lambda wire: wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest(page_token="Ilx1ZDgwMCI=")),
        "page_token",
        "must be 1 to 128 lowercase letters, digits",
    ),
    "a page token of brackets": (
        lambda wire: wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest(page_token="W1tb" * 50_000)),
        "page_token",
        "next_page_token",
    ),
    "a prefix that no name has": (
        lambda wire: wire.memory.ListMemories(memory_service_pb2.ListMemoriesRequest(prefix="[")),
        "prefix",
        "must be 1 to 128 lowercase letters, digits",
    ),
}


@pytest.mark.parametrize("case", INVALID_FIELDS)
def test_a_field_that_breaks_a_rule_is_named_with_the_rule(wire: Wire, case: str) -> None:
    ask, field, rule = INVALID_FIELDS[case]
    answer = refused(wire, ask)
    assert answer.code is INVALID
    assert answer.reason == "INVALID_FIELD"
    assert answer.fields == [field]
    assert field in answer.message
    assert rule in answer.message


def token(uid: str, revision: int) -> memory_pb2.FreshnessToken:
    return memory_pb2.FreshnessToken(uid=uid, revision=revision)


def ahead(wire: Wire) -> object:
    uid = wire.memory.GetMemory(memory_service_pb2.GetMemoryRequest(name="four")).memory.uid
    return wire.recall.Recall(recall_service_pb2.RecallRequest(name="four", query=GOOD, token=token(uid, 99)))


OTHER_REFUSALS: dict[str, tuple[Ask, grpc.StatusCode, str, str]] = {
    "an unknown memory": (
        recall(GOOD, memory="nobody"),
        grpc.StatusCode.NOT_FOUND,
        "MEMORY_NOT_FOUND",
        "no memory is named 'nobody'",
    ),
    "storing into an unknown memory": (
        store(GOOD, memory="nobody"),
        grpc.StatusCode.NOT_FOUND,
        "MEMORY_NOT_FOUND",
        "no memory is named 'nobody'",
    ),
    "deleting an unknown memory": (
        lambda wire: wire.memory.DeleteMemory(memory_service_pb2.DeleteMemoryRequest(name="nobody")),
        grpc.StatusCode.NOT_FOUND,
        "MEMORY_NOT_FOUND",
        "no memory is named 'nobody'",
    ),
    "an unknown label": (forget("0", "9"), grpc.StatusCode.NOT_FOUND, "LABEL_NOT_FOUND", "no pattern labelled '9'"),
    "listing an unknown label": (
        lambda wire: wire.memory.ListPatterns(memory_service_pb2.ListPatternsRequest(name="four", labels=["x"])),
        grpc.StatusCode.NOT_FOUND,
        "LABEL_NOT_FOUND",
        "no pattern labelled 'x'",
    ),
    "a memory that exists": (
        create("four", pairwise(4)),
        grpc.StatusCode.ALREADY_EXISTS,
        "MEMORY_EXISTS",
        "a memory named 'four' exists",
    ),
    "a memory that exists with another spec": (
        create("four", pairwise(5), allow_existing=True),
        grpc.StatusCode.ALREADY_EXISTS,
        "MEMORY_EXISTS",
        "with another spec: neurons is 4 (5 was asked for)",
    ),
    "importing over a memory": (
        import_weights([[0.0]], name="four"),
        grpc.StatusCode.ALREADY_EXISTS,
        "MEMORY_EXISTS",
        "a memory named 'four' exists",
    ),
    "a label that is stored": (
        store(GOOD, labels=["1"]),
        grpc.StatusCode.ALREADY_EXISTS,
        "LABEL_EXISTS",
        "labelled '1' already",
    ),
    "a wrong revision": (
        store(GOOD, expected_revision=0),
        grpc.StatusCode.ABORTED,
        "REVISION_MISMATCH",
        "expected_revision: memory 'four' is at revision 1, not 0",
    ),
    "a wrong revision to forget at": (
        forget("0", expected_revision=7),
        grpc.StatusCode.ABORTED,
        "REVISION_MISMATCH",
        "is at revision 1, not 7",
    ),
    "a token from the future": (ahead, grpc.StatusCode.FAILED_PRECONDITION, "REVISION_AHEAD", "has never been at 99"),
    "another rule for imported weights": (
        update("given", rule=1),
        grpc.StatusCode.FAILED_PRECONDITION,
        "WEIGHTS_IMPORTED",
        "the weights of memory 'given' were imported",
    ),
    "updating an unknown memory": (
        update("nobody", rule=1),
        grpc.StatusCode.NOT_FOUND,
        "MEMORY_NOT_FOUND",
        "no memory is named 'nobody'",
    ),
    "diagnosing an unknown memory": (
        lambda wire: wire.memory.DiagnoseMemory(memory_service_pb2.DiagnoseMemoryRequest(name="nobody")),
        grpc.StatusCode.NOT_FOUND,
        "MEMORY_NOT_FOUND",
        "no memory is named 'nobody'",
    ),
    "storing into imported weights": (
        store(signs([1, 1]), memory="given"),
        grpc.StatusCode.FAILED_PRECONDITION,
        "WEIGHTS_IMPORTED",
        "the weights of memory 'given' were imported",
    ),
}


@pytest.mark.parametrize("case", OTHER_REFUSALS)
def test_what_cannot_be_done_has_a_status_of_its_own(wire: Wire, case: str) -> None:
    ask, code, reason, message = OTHER_REFUSALS[case]
    answer = refused(wire, ask)
    assert (answer.code, answer.reason) == (code, reason)
    assert message in answer.message


def test_a_wrong_revision_is_answered_with_the_present_one(wire: Wire) -> None:
    assert refused(wire, store(GOOD, expected_revision=9)).metadata["revision"] == "1"


@pytest.mark.parametrize(
    "method", ["MemoryService/CreateMemory", "RecallService/Recall", "ServerService/GetServerInfo"]
)
def test_garbage_bytes_are_an_invalid_argument(wire: Wire, method: str) -> None:
    call = wire.channel.unary_unary(f"/hopfield.v1.{method}", same_bytes, same_bytes)
    answer = refused(wire, lambda _: call(b"\xff\xff garbage", timeout=10))
    assert (answer.code, answer.reason) == (INVALID, "MALFORMED_MESSAGE")
    assert method in answer.message


def test_garbage_in_a_stream_is_an_invalid_argument(wire: Wire) -> None:
    call = wire.channel.stream_unary("/hopfield.v1.MemoryService/ImportWeights", same_bytes, same_bytes)
    answer = refused(wire, lambda _: call(iter([b"\xff\xff garbage"]), timeout=10))
    assert (answer.code, answer.reason) == (INVALID, "MALFORMED_MESSAGE")


def test_garbage_to_a_method_that_streams_its_answer_is_an_invalid_argument(wire: Wire) -> None:
    call = wire.channel.unary_stream("/hopfield.v1.MemoryService/GetWeights", same_bytes, same_bytes)
    answer = refused(wire, lambda _: list(call(b"\xff\xff garbage", timeout=10)))
    assert (answer.code, answer.reason) == (INVALID, "MALFORMED_MESSAGE")


def test_a_message_too_large_is_refused_with_its_size_and_the_limit(wire: Wire) -> None:
    patterns = patterns_pb2.Patterns(count=1, neurons=4, signs=bytes(17 << 20))
    answer = refused(wire, store(patterns))
    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in answer.message
    assert str(16 << 20) in answer.message


def test_an_unknown_method_is_unimplemented(wire: Wire) -> None:
    call = wire.channel.unary_unary("/hopfield.v1.RecallService/Dream", same_bytes, same_bytes)
    assert refused(wire, lambda _: call(b"", timeout=10)).code is grpc.StatusCode.UNIMPLEMENTED
