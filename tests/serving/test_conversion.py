"""Large requests are worked through on threads, and no longer than somebody waits."""

import asyncio
import threading
import time

import numpy as np
import pytest
from tests.waiting import until

from hopfield.v1 import memory_service_pb2, recall_service_pb2
from hopfield_service.core.interruption import Interrupted, Interruption, check, never
from hopfield_service.core.pairwise import PairwiseSpec
from hopfield_service.core.results import RecallResults
from hopfield_service.errors import InvalidField
from hopfield_service.rpc import memory_convert, recall_convert
from hopfield_service.rpc.convert import numbers_in
from hopfield_service.serving.checks import check_labels
from hopfield_service.serving.conversion import on_thread, on_thread_if
from hopfield_service.serving.recalls import RecalledBatch
from hopfield_service.store.layout import Head

COUNT = 200_000


class Conversion:
    """Work that goes on until nobody waits for it."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def __call__(self, interruption: Interruption) -> None:
        try:
            while True:
                check(interruption)
        finally:
            self.ended.set()


async def test_work_ends_with_the_call_that_waits_for_it() -> None:
    conversion = Conversion()
    waiting = asyncio.create_task(on_thread(conversion))
    await asyncio.sleep(0.01)
    waiting.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    until(conversion.ended.is_set)
    # A tenth of a second is promised, on a machine with nothing else to do.
    assert time.monotonic() - began < 1


async def test_an_error_is_raised_where_the_result_is_awaited() -> None:
    def refuse(_: Interruption) -> None:
        raise InvalidField("labels", "must be fewer")

    with pytest.raises(InvalidField):
        await on_thread(refuse)


async def test_what_is_short_runs_at_once() -> None:
    async def thread_of(*, large: bool) -> threading.Thread:
        return await on_thread_if(large, lambda _: threading.current_thread())

    assert await thread_of(large=False) is threading.current_thread()
    assert await thread_of(large=True) is not threading.current_thread()


class Asked:
    """Says that nobody waits any longer once it was asked some times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


LABELS = [str(k) for k in range(COUNT)]


@pytest.mark.parametrize("times", [0, 1, 5])
def test_labels_are_left_off_between_two_pieces(times: int) -> None:
    with pytest.raises(Interrupted):
        check_labels(LABELS, Asked(times))
    message = memory_service_pb2.ForgetPatternsRequest(labels=LABELS)
    with pytest.raises(Interrupted):
        memory_convert.labels_in(message.labels, Asked(times))


def test_labels_are_read_in_order() -> None:
    message = memory_service_pb2.ForgetPatternsRequest(labels=LABELS)
    assert memory_convert.labels_in(message.labels, never) == tuple(LABELS)


def test_numbers_are_read_in_order() -> None:
    numbers = list(range(COUNT))
    assert np.array_equal(numbers_in(numbers, np.int64), np.arange(COUNT))
    assert numbers_in([], np.float64).dtype == np.float64


def test_the_digest_of_a_request_is_left_off_between_two_pieces() -> None:
    header = memory_service_pb2.ImportWeightsHeader(name="a", neurons=4096)
    with pytest.raises(Interrupted):
        memory_convert.streamed_request_in(header, memoryview(bytes(1 << 26)), "header.request_id", Asked(2))


def test_the_digest_of_a_request_is_that_of_all_its_bytes() -> None:
    def digest(more: bytes) -> str:
        header = memory_service_pb2.ImportWeightsHeader(name="a", request_id="id")
        return memory_convert.streamed_request_in(header, more, "header.request_id", never).digest

    # Of all pieces, the last one included.
    assert digest(bytes(1 << 25) + b"a") != digest(bytes(1 << 25) + b"b")
    assert digest(b"") == digest(b"")


def test_the_answers_of_a_batch_are_left_off_between_two_pieces() -> None:
    zeros = np.zeros(COUNT, np.int64)
    results = RecallResults(
        np.zeros((COUNT, 1), np.uint8),
        np.zeros(COUNT),
        np.zeros(COUNT),
        zeros,
        zeros,
        zeros,
        zeros,
        np.zeros(COUNT),
        zeros,
    )
    head = Head("a", "uid", PairwiseSpec(8), 1, "commit", 1, 0, 0)
    with pytest.raises(Interrupted):
        recall_convert.batch_out(RecalledBatch(head, results, ("x",)), "bits", 0, Asked(2))
    answer = recall_service_pb2.BatchRecallResponse.FromString(
        recall_convert.batch_out(RecalledBatch(head, results, ("x",)), "bits", 0, never)
    )
    assert list(answer.labels) == ["x"] * COUNT
