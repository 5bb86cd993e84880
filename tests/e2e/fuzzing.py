"""Requests that nobody would send: valid messages of odd values, mutated ones, and bytes of any kind."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from hopfield.v1 import attractor_service_pb2, memory_service_pb2, recall_service_pb2, server_service_pb2

# The memories that are asked about, and how many neurons each has.
NEURONS = {
    "hebb": 33,
    "binary": 19,
    "projection": 40,
    "dense": 30,
    "modern": 16,
    "ring": 64,
    "made": 10,
    "made-too": 12,
}
# Of requests that make and delete memories.
MADE = ("made", "made-too")
_REAL = {"modern", "ring"}

_INTEGERS = [0, 1, 2, 3, 7, 8, 9, 64, 255, 1000, 1025, 16385, 1 << 20, 10**6 + 1, (1 << 31) - 1, 1 << 31]
_INTEGERS += [(1 << 32) - 1, 1 << 53, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -1, -(1 << 31)]
_FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-6,
    5e-324,
    1e300,
    -1.7e308,
    3.4e38,
    600.0,
    float("nan"),
    float("inf"),
    -float("inf"),
]
_TEXTS = [
    "",
    "0",
    "1",
    "a",
    "x" * 129,
    "A b",
    "a\n",
    "\x00",
    "é",
    "🜚" * 256,
    "🜚" * 257,
    "{a}",
    "*",
    "%s",
    "\r\nSET x 1\r\n",
]
_TEXTS += ["pairwise.rule", "dense.degree", "spec", "IjEi", "MQ==", "bnVsbA==", "\x7f", "hopfield:names"]
_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}
# What would be legal work without end, and the most of it here.
_MOST = {"max_iterations": 50, "max_sweeps": 20, "max_time": 0.05, "kappa": 2.0}


@dataclass(frozen=True)
class Method:
    """A method of a service, as a caller without stubs has it."""

    path: str
    request: type[Message]
    sends_stream: bool
    answers_stream: bool


METHODS = [
    Method(
        f"/{service.full_name}/{method.name}",
        GetMessageClass(method.input_type),
        method.client_streaming,
        method.server_streaming,
    )
    for module in (memory_service_pb2, recall_service_pb2, attractor_service_pb2, server_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


class Fuzzer:
    """Draws requests from a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def requests(self, method: Method) -> list[bytes]:
        """The messages of one call."""
        count = self.draw.choice([0, 1, 1, 2, 4]) if method.sends_stream else 1
        return [self._request(method) for _ in range(count)]

    def _request(self, method: Method) -> bytes:
        draw = self.draw
        if draw.random() < 0.05:
            return draw.randbytes(draw.choice([0, 1, 5, 50, 5000, 40_000]))
        message = method.request()
        name = draw.choice(MADE if method.path.endswith(("CreateMemory", "DeleteMemory")) else list(NEURONS))
        self._fill(message, name)
        raw = message.SerializeToString()
        return self._mutated(raw) if draw.random() < 0.3 else raw

    def _fill(self, message: Message, name: str) -> None:
        draw = self.draw
        if message.DESCRIPTOR.name == "Patterns":
            self._fill_patterns(message, name)
            return
        for field in message.DESCRIPTOR.fields:
            wanted = field.name in {"name", "patterns", "query", "queries", "rates", "spec", "header"}
            if draw.random() > (0.97 if wanted else 0.25):
                continue
            if field.is_repeated:
                self._fill_repeated(message, field, name)
            elif field.message_type is not None:
                inner = getattr(message, field.name)
                inner.SetInParent()
                self._fill(inner, name)
            elif field.name == "name":
                message.name = name if draw.random() < 0.95 else draw.choice(_TEXTS)  # type: ignore[attr-defined]
            else:
                value = self._value(field, name)
                most = _MOST.get(field.name)
                setattr(
                    message,
                    field.name,
                    value if most is None or draw.random() < 0.01 else type(most)(min(max(value, 0), most)),
                )

    def _fill_repeated(self, message: Message, field: Any, name: str) -> None:
        count = self.draw.choice([0, 1, 2, 3, NEURONS[name], NEURONS[name], 1025])
        if field.name == "explicit_order" and self.draw.random() < 0.5:
            values: list[Any] = self.draw.sample(range(NEURONS[name]), NEURONS[name])
        elif field.name in {"durations", "velocities_x", "velocities_y", "angular_velocities"} and count < 10:
            values = [self.draw.uniform(0, 0.02)] * count
        else:
            values = [self._value(field, name) for _ in range(count)]
        getattr(message, field.name).extend(values)

    def _value(self, field: Any, name: str) -> Any:
        draw = self.draw
        makers: dict[int, Any] = {
            FieldDescriptor.CPPTYPE_DOUBLE: lambda: (
                draw.choice(_FLOATS) if draw.random() < 0.4 else draw.uniform(-2, 50)
            ),
            FieldDescriptor.CPPTYPE_BOOL: lambda: draw.random() < 0.5,
            FieldDescriptor.CPPTYPE_ENUM: lambda: draw.choice([0, 1, 2, 3, 4, 5, 6, 99, -1]),
        }
        if field.cpp_type in makers:
            return makers[field.cpp_type]()
        if field.type == FieldDescriptor.TYPE_BYTES:
            return draw.randbytes(draw.choice([0, 1, 8, 72]))
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return draw.choice([str(draw.randrange(30)), draw.choice(_TEXTS)])
        low, high = _BOUNDS[field.cpp_type]
        value = NEURONS[name] if field.name == "neurons" else draw.randrange(40)
        return min(max(draw.choice(_INTEGERS) if draw.random() < 0.3 else value, low), high)

    def _fill_patterns(self, message: Any, name: str) -> None:
        draw, neurons = self.draw, NEURONS[name]
        count = draw.choice([1, 1, 1, 2, 40])
        message.count, message.neurons = count, neurons
        if name in _REAL:
            message.floats = (
                np.random.default_rng(draw.getrandbits(32)).uniform(0, 5, count * neurons).astype("<f4").tobytes()
            )
        elif draw.random() < 0.5:
            message.signs = bytes(draw.choices([0, 1] if name == "binary" else [1, 255], k=count * neurons))
        else:
            width = (neurons + 7) // 8
            rows = np.frombuffer(draw.randbytes(count * width), np.uint8).reshape(count, width).copy()
            rows[:, -1] &= 0xFF >> (8 * width - neurons)
            message.bits = rows.tobytes()
            if draw.random() < 0.1:
                message.known = message.bits
        if draw.random() < 0.1:
            field = draw.choice(["count", "neurons", "coding"])
            setattr(message, field, draw.choice([0, 1, 2, 3, 77, 5000]))

    def _mutated(self, raw: bytes) -> bytes:
        draw, changed = self.draw, bytearray(raw)
        for _ in range(draw.choice([1, 1, 2, 8])):
            place = draw.randrange(len(changed) + 1)
            match draw.randrange(5):
                case 0 if place < len(changed):
                    changed[place] ^= 1 << draw.randrange(8)
                case 1:
                    del changed[place : place + draw.choice([1, 8])]
                case 2:
                    changed[place:place] = draw.randbytes(draw.choice([1, 8]))
                case 3:
                    changed[place:place] = b"\x0a\x02\xff\xff"
                case _:
                    changed += changed[:place]
        return bytes(changed)
