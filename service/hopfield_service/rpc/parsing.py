"""Bytes to messages."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from hopfield_service.errors import MalformedMessage

SMALL = 1 << 14
"""Bytes of a message below which it is parsed where it arrives."""

Parsed = TypeVar("Parsed", bound=Message)


def parsed_small(method: str, message_type: type[Parsed], raw: bytes) -> Parsed:
    """A message of less than SMALL bytes.

    Raises:
        MalformedMessage: the bytes are none.
    """
    try:
        return message_type.FromString(raw)
    except DecodeError:
        raise MalformedMessage(method) from None


async def parsed(method: str, message_type: type[Parsed], raw: bytes) -> Parsed:
    """A message of any size. Errors: as `parsed_small`."""
    return parsed_small(method, message_type, raw)
