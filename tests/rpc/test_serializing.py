"""Answers made as bytes are the messages that they stand for."""

import numpy as np
import pytest

from hopfield.v1 import recall_service_pb2
from hopfield_service.core.interruption import Interrupted, never
from hopfield_service.rpc.serializing import delimited, integers, raw, serialized, strings

Response = recall_service_pb2.BatchRecallResponse
COUNT = 20_000


def test_columns_are_read_as_they_were_written() -> None:
    draw = np.random.default_rng(1)
    energies = draw.normal(size=COUNT)
    flips = draw.integers(0, 1 << 62, COUNT) >> draw.integers(0, 62, COUNT)
    positions = draw.integers(0, 3, COUNT)
    labels = ["a", "é" * 100, "long " * 50]
    wire = b"".join(
        [
            *raw(Response.ENERGIES_FIELD_NUMBER, energies),
            *integers(Response.FLIPS_FIELD_NUMBER, flips),
            *strings(Response.LABELS_FIELD_NUMBER, labels, positions, never),
            *raw(Response.OVERLAPS_FIELD_NUMBER, energies[::2]),
        ]
    )
    assert Response.FromString(wire) == Response(
        energies=energies.tolist(),
        flips=flips.tolist(),
        labels=[labels[position] for position in positions],
        overlaps=energies[::2].tolist(),
    )


def test_what_is_empty_takes_no_bytes() -> None:
    nothing = np.empty(0, np.int64)
    assert [*raw(1, nothing), *integers(2, nothing), *strings(3, [], nothing, never)] == []


def test_a_message_in_a_message() -> None:
    block = Response(energies=[1.0], uid="a")
    streamed = recall_service_pb2.StreamRecallResponse
    wire = b"".join(delimited(streamed.BLOCK_FIELD_NUMBER, [block.SerializeToString()]))
    assert streamed.FromString(wire) == streamed(block=block)


def test_messages_are_serialized_and_bytes_are() -> None:
    assert serialized(Response(uid="a")) == serialized(serialized(Response(uid="a")))


def test_nobody_s_answer_is_left_off() -> None:
    with pytest.raises(Interrupted):
        list(strings(1, ["a"], np.zeros(COUNT, np.int64), lambda: True))
