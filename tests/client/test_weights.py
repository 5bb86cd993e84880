"""How weight matrices travel: out in whole rows, in as they come, and refused where they are no matrix."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopfield.v1 import memory_service_pb2
from hopfield_client import DataLoss, InvalidArgument
from hopfield_client._client_calls import ClientCalls


def messages(call: Any, message_bytes: int = 1 << 24) -> Iterator[memory_service_pb2.ImportWeightsRequest]:
    """What one attempt sends to a server that takes messages of so many bytes."""
    sent: Iterator[memory_service_pb2.ImportWeightsRequest] = call.begin(message_bytes).request
    return sent


@settings(deadline=None)
@given(st.integers(1, 40), st.booleans())
def test_weights_leave_in_whole_rows_and_come_back(neurons: int, transposed: bool) -> None:
    matrix = np.random.default_rng(neurons).standard_normal((neurons, neurons))
    sent = ClientCalls("memories:50051", 10.0).import_weights("w", matrix.T if transposed else matrix, None, "bipolar")
    header, *parts = list(messages(sent))
    assert (header.header.name, header.header.neurons) == ("w", neurons)
    call = ClientCalls("memories:50051", 10.0).memory("w").weights()
    call.take(memory_service_pb2.GetWeightsResponse(header=memory_service_pb2.GetWeightsHeader(neurons=neurons)))
    for part in parts:
        assert len(part.rows) % (8 * neurons) == 0
        call.take(memory_service_pb2.GetWeightsResponse(rows=part.rows))
    np.testing.assert_array_equal(call.finish(), matrix.T if transposed else matrix)


def test_a_large_matrix_leaves_in_parts_of_about_a_mebibyte() -> None:
    matrix = np.zeros((1000, 1000), np.int64)
    call = ClientCalls("memories:50051", 10.0).import_weights("w", matrix, None, "bipolar")
    _, *parts = messages(call)
    assert [len(part.rows) for part in parts] == [8000 * 131] * 7 + [8000 * 83]


def test_a_matrix_leaves_in_messages_that_the_server_takes_and_anew_for_every_attempt() -> None:
    call = ClientCalls("memories:50051", 10.0).import_weights("w", np.eye(200), None, "bipolar")
    sizes = [message.ByteSize() for message in messages(call, 1 << 16)]
    assert max(sizes) <= 1 << 16
    assert [message.ByteSize() for message in messages(call, 1 << 16)] == sizes


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
    call = ClientCalls("memories:50051", 10.0).memory("w").weights()

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
        (
            np.zeros((2, 2), np.complex128),
            "complex numbers: it must hold real numbers; where every imaginary part is 0, pass weights.real",
        ),
        ([[1.0], [1.0, 2.0]], "rows differ in length"),
    ],
)
def test_weights_that_are_no_square_of_real_numbers_are_refused(calls: ClientCalls, weights: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        calls.import_weights("w", weights, None, "bipolar")
