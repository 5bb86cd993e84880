"""Valid requests of every RPC, drawn at random, and what damage makes of them."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from tests.fuzz.damage import damaged_bytes, damaged_field
from tests.fuzz.memories import ATTRACTORS, HOLDING_PATTERNS, NEURONS, SCRATCH, SCRATCH_NEURONS, SHORT_LIVED

from hopfield.v1 import (
    attractor_service_pb2,
    memory_pb2,
    memory_service_pb2,
    patterns_pb2,
    recall_service_pb2,
    server_service_pb2,
)

_SCRATCH_NAMES = tuple(SCRATCH)
_RULES = (
    memory_pb2.LEARNING_RULE_HEBBIAN,
    memory_pb2.LEARNING_RULE_PSEUDO_INVERSE,
    memory_pb2.LEARNING_RULE_STORKEY,
    memory_pb2.LEARNING_RULE_PERCEPTRON,
)
_TIES = (recall_service_pb2.TIE_RULE_KEEP, recall_service_pb2.TIE_RULE_PLUS, recall_service_pb2.TIE_RULE_MINUS)
# Legal work that would take long belongs to other tests: with more iterations, the limit is cut to this.
_MAX_ITERATIONS = 200


@dataclass(frozen=True)
class FuzzedCall:
    """The bytes of one call.

    Attributes:
        path: of the RPC, /package.Service/Method.
        messages: as they go over the wire, one but for RPCs that take a stream.
        streams: whether the RPC takes a stream.
        answers: whether it answers with a stream.
    """

    path: str
    messages: list[bytes]
    streams: bool
    answers: bool


def fuzzed_call(seed: int) -> FuzzedCall:
    """The call that a seed stands for: in turn of every RPC; valid, or with damaged fields, or with damaged bytes."""
    draw = random.Random(seed)
    method, service, make = RECIPES[seed % len(RECIPES)]
    descriptor = service.methods_by_name[method]
    messages = make(draw)
    kind = draw.random()
    if kind < 0.35:
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            damaged_field(draw, draw.choice(messages))
    for message in messages:
        _keep_short(draw, message)
    raw = [message.SerializeToString() for message in messages]
    if 0.35 <= kind < 0.6:
        which = draw.randrange(len(raw))
        raw[which] = damaged_bytes(draw, raw[which])
    elif 0.6 <= kind < 0.65:
        raw[draw.randrange(len(raw))] = draw.randbytes(draw.choice((0, 1, 5, 50, 500, 5000)))
    if descriptor.client_streaming and draw.random() < 0.05:
        draw.shuffle(raw)
    path = f"/{service.full_name}/{method}"
    return FuzzedCall(path, raw, descriptor.client_streaming, descriptor.server_streaming)


def _keep_short(draw: random.Random, message: Message) -> None:
    """Cuts legal requests for long work, which other tests make."""
    options = getattr(message, "options", None)
    if isinstance(options, recall_service_pb2.RecallOptions) and options.max_iterations > _MAX_ITERATIONS:
        options.max_iterations = draw.choice((_MAX_ITERATIONS, 0, 10**6 + 1))
    if isinstance(
        message, attractor_service_pb2.RecallHeadingRequest | attractor_service_pb2.RecallPositionRequest
    ) and not (message.HasField("max_time") and message.max_time <= 0.02):
        message.max_time = draw.choice((0.01, -1.0, 1e9))
    if isinstance(
        message, attractor_service_pb2.IntegrateHeadingRequest | attractor_service_pb2.IntegratePositionRequest
    ):
        short = [duration for duration in message.durations if not 0.02 < duration < 601]
        if len(short) < len(message.durations):
            del message.durations[:]
            message.durations.extend(short)
    spec = getattr(message, "spec", None)
    if isinstance(spec, memory_pb2.MemorySpec) and spec.pairwise.max_sweeps > _MAX_ITERATIONS:
        spec.pairwise.max_sweeps = _MAX_ITERATIONS


# Patterns


def _patterns(draw: random.Random, name: str, count: int, *, partial: bool = False) -> patterns_pb2.Patterns:
    neurons = NEURONS.get(name, SCRATCH_NEURONS)
    values = np.random.default_rng(draw.getrandbits(32))
    if name.endswith("-modern") or name in ATTRACTORS:
        floats = values.uniform(0, 5, (count, neurons)).astype("<f4")
        return patterns_pb2.Patterns(count=count, neurons=neurons, floats=floats.tobytes())
    up = values.integers(0, 2, (count, neurons), np.uint8)
    known = values.integers(0, 2, (count, neurons), np.uint8) if partial else np.ones_like(up)
    if draw.random() < 0.5:
        message = patterns_pb2.Patterns(count=count, neurons=neurons, bits=_packed(up & known))
        if partial:
            message.known = _packed(known)
        return message
    signs = up.astype(np.int8) if name.endswith("-binary") else ((2 * up.astype(np.int8) - 1) * known)
    return patterns_pb2.Patterns(count=count, neurons=neurons, signs=signs.astype(np.int8).tobytes())


def _packed(bits: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return np.packbits(bits, axis=1, bitorder="little").tobytes()


def _options(draw: random.Random, name: str) -> recall_service_pb2.RecallOptions:
    options = recall_service_pb2.RecallOptions()
    if draw.random() < 0.5:
        options.seed = draw.getrandbits(draw.choice((8, 53, 64)))
    if name.endswith("-modern"):
        return options
    kind = draw.randrange(6)
    if kind == 0:
        options.update = recall_service_pb2.UPDATE_RULE_SYNCHRONOUS
    elif kind == 1:
        options.update, options.beta, options.max_iterations = recall_service_pb2.UPDATE_RULE_GLAUBER, 1.5, 20
    elif kind == 2:
        options.update = recall_service_pb2.UPDATE_RULE_GLAUBER
        options.annealing.beta.extend(np.geomspace(0.1, 5, 10).tolist())
    elif kind == 3:
        order = list(range(NEURONS.get(name, SCRATCH_NEURONS)))
        draw.shuffle(order)
        options.order = recall_service_pb2.UPDATE_ORDER_EXPLICIT
        options.explicit_order.extend(order)
    elif kind == 4:
        options.tie, options.clamp = draw.choice(_TIES), True
    return options


def _token(draw: random.Random) -> memory_pb2.FreshnessToken | None:
    return memory_pb2.FreshnessToken(uid="0" * 16, revision=draw.randrange(4)) if draw.random() < 0.02 else None


def _readable(draw: random.Random) -> str:
    names: tuple[str, ...] = HOLDING_PATTERNS if draw.random() < 0.8 else _SCRATCH_NAMES
    return draw.choice(names)


# One recipe an RPC


def _recall(draw: random.Random) -> list[Message]:
    name = _readable(draw)
    query = _patterns(draw, name, 1, partial=draw.random() < 0.2)
    return [recall_service_pb2.RecallRequest(name=name, query=query, options=_options(draw, name), token=_token(draw))]


def _batch_recall(draw: random.Random) -> list[Message]:
    name = _readable(draw)
    queries = _patterns(draw, name, draw.choice((1, 1, 2, 8, 40)), partial=draw.random() < 0.2)
    return [recall_service_pb2.BatchRecallRequest(name=name, queries=queries, options=_options(draw, name))]


def _stream_recall(draw: random.Random) -> list[Message]:
    name = _readable(draw)
    blocks: list[Message] = [
        recall_service_pb2.StreamRecallRequest(
            name=name, queries=_patterns(draw, name, draw.randrange(1, 4)), options=_options(draw, name)
        )
    ]
    blocks += [
        recall_service_pb2.StreamRecallRequest(queries=_patterns(draw, name, draw.randrange(1, 4)))
        for _ in range(draw.randrange(4))
    ]
    return blocks


def _trace_recall(draw: random.Random) -> list[Message]:
    name = _readable(draw)
    query = _patterns(draw, name, 1)
    return [recall_service_pb2.TraceRecallRequest(name=name, query=query, options=_options(draw, name))]


def _nearest(draw: random.Random) -> list[Message]:
    name = _readable(draw)
    queries = _patterns(draw, name, draw.choice((1, 1, 3, 20)))
    k = draw.choice((1, 2, 3, 1000))
    return [
        recall_service_pb2.NearestRequest(
            name=name, queries=queries, k=k, include_patterns=draw.random() < 0.5, token=_token(draw)
        )
    ]


def _create(draw: random.Random) -> list[Message]:
    name, spec = draw.choice(list(SCRATCH.items()))
    return [
        memory_service_pb2.CreateMemoryRequest(
            name=name, spec=spec, allow_existing=draw.random() < 0.9, request_id=_request_id(draw)
        )
    ]


def _request_id(draw: random.Random) -> str:
    return draw.choice(("", "", "", str(draw.random())))


def _get(draw: random.Random) -> list[Message]:
    return [memory_service_pb2.GetMemoryRequest(name=draw.choice((*NEURONS, *SCRATCH, *SHORT_LIVED)))]


def _list(draw: random.Random) -> list[Message]:
    return [memory_service_pb2.ListMemoriesRequest(prefix=draw.choice(("", "kept", "s")), page_size=draw.randrange(9))]


def _update(draw: random.Random) -> list[Message]:
    name = draw.choice(_SCRATCH_NAMES)
    spec = memory_pb2.MemorySpec()
    paths: list[str] = []
    if name == "scratch-degree":
        spec.dense.degree = draw.choice((2, 5, 30))
    elif name == "scratch-modern":
        spec.modern.beta = draw.choice((1e-6, 8, 1e9))
    elif draw.random() < 0.5:
        spec.pairwise.self_coupling, paths = draw.random() < 0.5, ["pairwise.self_coupling"]
    elif draw.random() < 0.5:
        spec.pairwise.thresholds.extend([draw.uniform(-1, 1)] * SCRATCH_NEURONS)
    else:
        spec.pairwise.rule = draw.choice(_RULES)
    return [
        memory_service_pb2.UpdateMemoryRequest(
            name=name, spec=spec, update_mask=FieldMask(paths=paths), request_id=_request_id(draw)
        )
    ]


def _delete(draw: random.Random) -> list[Message]:
    name = draw.choice(SHORT_LIVED)
    return [memory_service_pb2.DeleteMemoryRequest(name=name, allow_missing=draw.random() < 0.5)]


def _store(draw: random.Random) -> list[Message]:
    name = draw.choice(_SCRATCH_NAMES)
    count = draw.choice((1, 1, 2, 5))
    labels = [str(label) for label in draw.sample(range(9), count)] if draw.random() < 0.9 else []
    return [
        memory_service_pb2.StorePatternsRequest(
            name=name,
            patterns=_patterns(draw, name, count),
            labels=labels,
            replace=draw.random() < 0.9,
            request_id=_request_id(draw),
        )
    ]


def _forget(draw: random.Random) -> list[Message]:
    labels = [str(draw.randrange(9))]
    return [memory_service_pb2.ForgetPatternsRequest(name=draw.choice(_SCRATCH_NAMES), labels=labels)]


def _list_patterns(draw: random.Random) -> list[Message]:
    return [memory_service_pb2.ListPatternsRequest(name=_readable(draw), page_size=draw.randrange(9))]


def _get_weights(draw: random.Random) -> list[Message]:
    return [memory_service_pb2.GetWeightsRequest(name=_readable(draw), token=_token(draw))]


def _import_weights(draw: random.Random) -> list[Message]:
    header = memory_service_pb2.ImportWeightsHeader(name=draw.choice(SHORT_LIVED), neurons=3)
    value = draw.choice((0.0, 1.0, -2.5, 1e150))
    rows = np.full(9, value).astype("<f8").tobytes()
    cut = draw.choice((72, 24, 8))
    return [
        memory_service_pb2.ImportWeightsRequest(header=header),
        *(memory_service_pb2.ImportWeightsRequest(rows=rows[at : at + cut]) for at in range(0, 72, cut)),
    ]


def _diagnose(draw: random.Random) -> list[Message]:
    return [memory_service_pb2.DiagnoseMemoryRequest(name=_readable(draw), token=_token(draw))]


def _recall_heading(draw: random.Random) -> list[Message]:
    rates = _patterns(draw, "kept-ring", 1)
    return [attractor_service_pb2.RecallHeadingRequest(name="kept-ring", rates=rates, max_time=0.02)]


def _recall_position(draw: random.Random) -> list[Message]:
    rates = _patterns(draw, "kept-sheet", 1)
    return [attractor_service_pb2.RecallPositionRequest(name="kept-sheet", rates=rates, max_time=0.005)]


def _integrate_heading(draw: random.Random) -> list[Message]:
    def piece() -> attractor_service_pb2.IntegrateHeadingRequest:
        count = draw.randrange(4)
        return attractor_service_pb2.IntegrateHeadingRequest(
            angular_velocities=[draw.uniform(-90, 90) for _ in range(count)],
            durations=[draw.uniform(0, 0.01) for _ in range(count)],
        )

    opening = piece()
    opening.include_rates = draw.random() < 0.3
    opening.name, opening.heading = "kept-ring", draw.uniform(0, 360)
    return [opening, *(piece() for _ in range(draw.randrange(3)))]


def _integrate_position(draw: random.Random) -> list[Message]:
    def piece() -> attractor_service_pb2.IntegratePositionRequest:
        count = draw.randrange(3)
        return attractor_service_pb2.IntegratePositionRequest(
            velocities_x=[draw.uniform(-0.5, 0.5) for _ in range(count)],
            velocities_y=[draw.uniform(-0.5, 0.5) for _ in range(count)],
            durations=[draw.uniform(0, 0.002) for _ in range(count)],
        )

    opening = piece()
    opening.name = "kept-sheet"
    return [opening, *(piece() for _ in range(draw.randrange(2)))]


def _server_info(_: random.Random) -> list[Message]:
    return [server_service_pb2.GetServerInfoRequest()]


_MEMORY = memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"]
_RECALL = recall_service_pb2.DESCRIPTOR.services_by_name["RecallService"]
_ATTRACTOR = attractor_service_pb2.DESCRIPTOR.services_by_name["AttractorService"]
_SERVER = server_service_pb2.DESCRIPTOR.services_by_name["ServerService"]

RECIPES: tuple[tuple[str, ServiceDescriptor, Callable[[random.Random], list[Message]]], ...] = (
    ("Recall", _RECALL, _recall),
    ("BatchRecall", _RECALL, _batch_recall),
    ("StreamRecall", _RECALL, _stream_recall),
    ("TraceRecall", _RECALL, _trace_recall),
    ("Nearest", _RECALL, _nearest),
    ("CreateMemory", _MEMORY, _create),
    ("GetMemory", _MEMORY, _get),
    ("ListMemories", _MEMORY, _list),
    ("UpdateMemory", _MEMORY, _update),
    ("DeleteMemory", _MEMORY, _delete),
    ("StorePatterns", _MEMORY, _store),
    ("ForgetPatterns", _MEMORY, _forget),
    ("ListPatterns", _MEMORY, _list_patterns),
    ("GetWeights", _MEMORY, _get_weights),
    ("ImportWeights", _MEMORY, _import_weights),
    ("DiagnoseMemory", _MEMORY, _diagnose),
    ("RecallHeading", _ATTRACTOR, _recall_heading),
    ("IntegrateHeading", _ATTRACTOR, _integrate_heading),
    ("RecallPosition", _ATTRACTOR, _recall_position),
    ("IntegratePosition", _ATTRACTOR, _integrate_position),
    ("GetServerInfo", _SERVER, _server_info),
)
