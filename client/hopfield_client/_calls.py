"""What a call is, whichever client sends it."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
AnswerT = TypeVar("AnswerT")
ItemT = TypeVar("ItemT")
SentT_contra = TypeVar("SentT_contra", contravariant=True)
ReceivedT_co = TypeVar("ReceivedT_co", covariant=True)


class Method(Protocol[SentT_contra, ReceivedT_co]):
    """A method of a stub of either kind; what it returns is the response, or something to await or to iterate over."""

    def __call__(self, request: SentT_contra, /, timeout: float | None = None) -> ReceivedT_co: ...


LEAST_MESSAGE_BYTES = 60_000
"""Of a message that a server takes whatever its settings: with names and tokens, less than 64 KiB."""


@dataclass(frozen=True, slots=True)
class Call(Generic[RequestT, ResponseT, AnswerT]):
    """One call: what to send, and how to read what comes back.

    `if_made` says of a change what repeating the call does, should the change have been made although no answer came;
    `if_other_coding` of patterns what is wrong, should the memory have another coding of two values than they;
    `arguments` what its caller passed as some fields of the request, where that bears another name in this call than in most.
    """

    request: RequestT
    read: Callable[[ResponseT], AnswerT]
    if_made: str = ""
    if_other_coding: str = ""
    arguments: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Upload(Generic[RequestT, ResponseT, AnswerT]):
    """A call whose request is several messages, sent from the first of them at every attempt.

    Attributes:
        size: bytes of all messages together.
        begin: gives the call of an attempt, of messages of so many bytes at most.
    """

    size: int
    begin: Callable[[int], Call[Iterator[RequestT], ResponseT, AnswerT]]


@dataclass(frozen=True, slots=True)
class Page(Generic[RequestT, ResponseT, ItemT]):
    """A part of a list, and the call for the part after it."""

    items: list[ItemT]
    following: "PageCall[RequestT, ResponseT, ItemT] | None"


PageCall = Call[RequestT, ResponseT, Page[RequestT, ResponseT, ItemT]]


@dataclass(frozen=True, slots=True)
class StreamCall(Generic[RequestT, ResponseT, AnswerT]):
    """One call that is answered in parts: `take` each, then `finish`; `restart` before the parts of another attempt."""

    request: RequestT
    take: Callable[[ResponseT], None]
    finish: Callable[[], AnswerT]
    restart: Callable[[], None]


def request_id() -> str:
    """By which the server recognises a repeat of a change."""
    return uuid.uuid4().hex
