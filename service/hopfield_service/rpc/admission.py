"""Reading messages: into slots, no larger than their method takes, charged to the account of their call."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import Message

from hopfield_service.errors import MalformedMessage, MessageTooLarge, Overloaded
from hopfield_service.rpc.parsing import SMALL, parsed, parsed_small
from hopfield_service.rpc.streaming import BLOCKS_AHEAD
from hopfield_service.serving.admission import ALLOWANCE, Account, Admission, Lane

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

COPIES: Final = 4
"""How often a message is in memory at once: as it came, parsed, a field of it as bytes, and as arrays."""

# Of the methods that tell how the server is. None of their messages is larger.
_CONTROL = ("/hopfield.v1.ServerService/", "/grpc.")
_CONTROL_BYTES = 1 << 16
# The methods that take as much as a message may hold: patterns or labels, as many as the caller likes.
_BULK = frozenset(
    f"/hopfield.v1.{method}"
    for method in (
        "MemoryService/StorePatterns",
        "MemoryService/ForgetPatterns",
        "MemoryService/ImportWeights",
        "RecallService/BatchRecall",
        "RecallService/StreamRecall",
        "RecallService/Nearest",
    )
)
# Of all others, at least: a schedule of 130,000 temperatures, or a thousand labels as long as they may be.
_CALL_BYTES = 1 << 20
# And where it is more, what a message with some numbers for each neuron takes.
_NEURON_BYTES = 16
# Messages of a stream that are in use when the next one is read, beside that one.
_AHEAD = {"/hopfield.v1.RecallService/StreamRecall": BLOCKS_AHEAD}
# Bytes of a message of a stream that are not charged.
_PART_ALLOWANCE = ALLOWANCE // 8


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """Bytes of a message at most.

    Attributes:
        bulk: of the methods that take many patterns or labels.
        call: of all others that ask something of a memory.
        control: of those that ask how the server is.
    """

    bulk: int
    call: int
    control: int

    @classmethod
    def of(cls, max_message_bytes: int, max_neurons: int) -> "MessageLimits":
        """The limits that follow from the settings."""
        call = min(max_message_bytes, max(_CALL_BYTES, _CONTROL_BYTES + _NEURON_BYTES * max_neurons))
        return cls(max_message_bytes, call, _CONTROL_BYTES)


class Reader:
    """Reads the messages of one method.

    Attributes:
        lane: of its calls.
    """

    def __init__(
        self, method: str, message_type: type[Message], streams: bool, admission: Admission, limits: MessageLimits
    ) -> None:
        """Takes the method, what its messages are, whether it takes a stream of them, and the bounds."""
        control = method.startswith(_CONTROL)
        self._method = method
        self._type = message_type
        self._streams = streams
        self._bulk = method in _BULK
        self._limit = limits.control if control else limits.bulk if self._bulk else limits.call
        self._ahead = _AHEAD.get(method, 0)
        self.lane: Lane = admission.control if control else admission.calls
        # Of the messages of a stream after its first.
        self._later = admission.streams

    async def message(self, context: Context, account: Account) -> Any:
        """The one message of a call.

        Raises:
            MalformedMessage, MessageTooLarge, Overloaded: as they say.
            InvalidField: a field has more than it may.
        """
        raw = await self._received(context, account, account)
        if raw is None:
            raise MalformedMessage(self._method)
        if len(raw) < SMALL:
            return parsed_small(self._method, self._type, raw)
        return await parsed(self._method, self._type, raw)

    async def messages(self, context: Context, account: Account) -> AsyncGenerator[Any, None]:
        """The messages of a stream. Errors: as `message`."""
        in_use: deque[Account] = deque()
        while True:
            part = account.part(_PART_ALLOWANCE)
            raw = await self._received(context, account, part)
            if raw is None:
                return
            if len(raw) < SMALL:
                message = parsed_small(self._method, self._type, raw)
            else:
                message = await parsed(self._method, self._type, raw)
            del raw
            yield message
            del message
            in_use.append(part)
            if len(in_use) > self._ahead:
                account.release_part(in_use.popleft())

    async def _received(self, context: Context, account: Account, payer: Account) -> bytes | None:
        """The bytes of the next message, paid for by an account or a part of it; None where no more come."""
        lane = self.lane
        if account.has_read:
            # The next message may take an hour to come: it must not keep the messages of other calls waiting.
            lane = self._later
            if not lane.slot_now(account) and self._bulk:
                await lane.slot(account)
        elif not lane.slot_now(account):
            await lane.slot(account)
        account.has_read = True
        if not self._streams:
            account.reading = asyncio.current_task()
        try:
            raw = await context.read()
        except BaseException:
            lane.slot_back(account)
            if account.evicted and account.reading is not None and account.reading.uncancel() == 0:
                raise Overloaded("the message took too long to come while others wait") from None
            raise
        account.reading = None
        # It may keep its slot until it is paid for.
        keeps_slot = lane.message_ended(account)
        try:
            if raw is grpc.aio.EOF:  # type: ignore[attr-defined]  # the stubs forget it
                return None
            message: bytes = raw
            if len(message) > self._limit:
                raise MessageTooLarge(self._method, self._limit, len(message))
            if not payer.take_now(COPIES * len(message)):
                # It waits in its slot, which others may need more.
                if keeps_slot and not lane.has_room:
                    raise Overloaded("too many large messages wait for memory (HOPFIELD_MAX_BYTES_IN_FLIGHT)")
                await payer.take(COPIES * len(message), "message")
            return message
        finally:
            if keeps_slot:
                lane.slot_free()
