"""What calls may take together: bytes and slots are counted, waited for in turn, and given back on every path."""

import asyncio
import gc

import pytest

from hopfield_service.errors import InvalidField, Overloaded
from hopfield_service.serving import admission, costs
from hopfield_service.serving.admission import ALLOWANCE, Account, Admission, Lane

MESSAGE = 1 << 20
# A quarter are slots for messages, the others are shared.
SHARED = 12 * MESSAGE


@pytest.fixture
def admitted() -> Admission:
    return Admission(16 * MESSAGE, calls=8, message_bytes=MESSAGE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_PATIENCE", 0.05)


def account_of(admitted: Admission, peer: str = "somebody") -> Account:
    return admitted.account(peer)


async def begun(*waiting: "asyncio.Task[None]") -> None:
    """Once the tasks wait for their turn."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)


async def test_a_small_call_needs_nothing_of_what_large_ones_take(admitted: Admission) -> None:
    await account_of(admitted).take(SHARED, "patterns")
    assert account_of(admitted).take_now(ALLOWANCE)


@pytest.mark.usefixtures("impatient")
async def test_a_call_beyond_what_is_left_is_refused_and_told_when_to_try_again(admitted: Admission) -> None:
    await account_of(admitted).take(SHARED - MESSAGE, "patterns")
    with pytest.raises(Overloaded, match="HOPFIELD_MAX_BYTES_IN_FLIGHT") as caught:
        await account_of(admitted).take(2 * MESSAGE, "patterns")
    assert caught.value.retry_after


async def test_a_call_that_could_never_fit_is_told_which_field_and_which_setting(admitted: Admission) -> None:
    with pytest.raises(InvalidField, match=r"^queries\.count: must ask for less: .*HOPFIELD_MAX_BYTES_IN_FLIGHT"):
        await account_of(admitted).take(SHARED + 1, "queries.count")


def test_a_batch_whose_answer_would_be_too_large_is_told_the_limit_and_the_size() -> None:
    costs.check_batch_answer(1, costs.ANSWER_BYTES // 2)
    with pytest.raises(InvalidField, match=r"^queries\.count: must be smaller") as caught:
        costs.check_batch_answer(2, costs.ANSWER_BYTES // 2)
    limit, size = (int(caught.value.metadata[key]) for key in ("limit", "size"))
    assert limit == costs.ANSWER_BYTES < size


async def test_what_a_call_gives_back_goes_to_the_next_who_waits(admitted: Admission) -> None:
    first, second = account_of(admitted), account_of(admitted)
    await first.take(SHARED, "patterns")
    waiting = asyncio.create_task(second.take(SHARED, "patterns"))
    await begun(waiting)
    first.release()
    await waiting
    second.release()
    assert account_of(admitted).take_now(SHARED)


async def test_peers_take_turns_however_many_calls_one_of_them_makes(admitted: Admission) -> None:
    holder = account_of(admitted)
    await holder.take(SHARED, "patterns")
    order: list[str] = []

    async def ask(peer: str) -> None:
        account = account_of(admitted, peer)
        await account.take(SHARED, "patterns")
        order.append(peer)
        account.release()

    waiting = [asyncio.create_task(ask(peer)) for peer in ("greedy", "greedy", "greedy", "modest")]
    await begun(*waiting)
    holder.release()
    await asyncio.gather(*waiting)
    assert order == ["greedy", "modest", "greedy", "greedy"]


async def test_nobody_overtakes_who_asks_for_much(admitted: Admission) -> None:
    holder = account_of(admitted)
    await holder.take(MESSAGE, "patterns")
    large = asyncio.create_task(account_of(admitted).take(SHARED, "patterns"))
    await begun(large)
    assert not account_of(admitted).take_now(MESSAGE)
    holder.release()
    await large


async def test_who_gives_up_waiting_leaves_no_trace(admitted: Admission) -> None:
    holder = account_of(admitted)
    await holder.take(SHARED, "patterns")
    waiting = asyncio.create_task(account_of(admitted).take(SHARED, "patterns"))
    await begun(waiting)
    waiting.cancel()
    await asyncio.wait({waiting})
    holder.release()
    # Its turn had come in the moment in which it was given up.
    late = account_of(admitted)
    waiting = asyncio.create_task(late.take(SHARED, "patterns"))
    await waiting
    another = asyncio.create_task(account_of(admitted).take(SHARED, "patterns"))
    await begun(another)
    late.release()
    another.cancel()
    await asyncio.wait({another})
    assert account_of(admitted).take_now(SHARED)


async def test_a_part_is_released_before_its_call_or_with_it(admitted: Admission) -> None:
    whole = account_of(admitted)
    first, second = whole.part(), whole.part()
    await first.take(MESSAGE, "patterns")
    await second.take(SHARED - MESSAGE, "patterns")
    whole.release_part(first)
    assert account_of(admitted).take_now(MESSAGE)
    whole.release()
    assert account_of(admitted).take_now(SHARED - MESSAGE)


async def test_what_is_used_still_counts_until_nobody_uses_it(admitted: Admission) -> None:
    class Network:
        pass

    network = Network()
    admitted.charge_while_used(network, SHARED)
    assert not account_of(admitted).take_now(MESSAGE)
    del network
    gc.collect()
    await asyncio.sleep(0)
    assert account_of(admitted).take_now(SHARED)


def test_a_lane_takes_so_many_calls_and_no_more() -> None:
    lane = Lane(2, 1, MESSAGE)
    lane.enter("one")
    lane.enter("other")
    with pytest.raises(Overloaded, match="HOPFIELD_MAX_CALLS"):
        lane.enter("third")
    lane.leave("one")
    lane.enter("third")


def test_one_connection_leaves_calls_to_others() -> None:
    lane = Lane(8, 1, MESSAGE)
    for _ in range(6):
        lane.enter("greedy")
    with pytest.raises(Overloaded, match="of one connection"):
        lane.enter("greedy")
    lane.enter("modest")
    lane.leave("greedy")
    lane.enter("greedy")


async def test_a_message_that_does_not_come_loses_its_slot_to_one_that_waits(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_SLOW_MESSAGE", 0.0)
    monkeypatch.setattr(admission, "_SWEPT_EVERY", 0.0)
    lane = Lane(8, 1, MESSAGE)
    slow = account_of(admitted)
    assert lane.slot_now(slow)

    async def read_for_ever() -> None:
        slow.reading = asyncio.current_task()
        await asyncio.get_running_loop().create_future()

    reading = asyncio.create_task(read_for_ever())
    await begun(reading)
    await lane.slot(account_of(admitted))
    assert slow.evicted
    with pytest.raises(asyncio.CancelledError):
        await reading
    # It has none to give back.
    assert not lane.message_ended(slow)


async def test_a_message_may_take_its_time_while_nobody_waits(
    admitted: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_SLOW_MESSAGE", 0.0)
    lane = Lane(8, 2, MESSAGE)
    slow, other = account_of(admitted), account_of(admitted)
    assert lane.slot_now(slow)
    assert lane.slot_now(other)
    lane.slot_back(other)
    assert lane.message_ended(slow)
    lane.slot_free()
    assert lane.has_room
