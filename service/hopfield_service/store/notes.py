"""What a request did, noted where the memory is, so that its repeat is recognised and answered as the first was."""

from collections.abc import Sequence
from dataclasses import dataclass

from hopfield_service.errors import RequestIdReused
from hopfield_service.store.layout import Corrupt, Head, sealed, unsealed


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a repeat recognisable.

    Attributes:
        id: chosen by the caller, or by the server where the caller chose none.
        digest: of the content.
    """

    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a request did, kept to answer its repeat.

    Attributes:
        head: where the memory stood after it; None where there was none.
        labels: that the request did not name itself.
    """

    head: Head | None
    labels: tuple[str, ...]


def written_note(request: Request, head: Head | None, labels: Sequence[str] = (), *, with_spec: bool = False) -> str:
    """A note as it stands in Redis: the spec, which may be large, only of a request that changed it."""
    fields = None if head is None else head.fields(with_spec=with_spec)
    return sealed({"digest": request.digest, "head": fields, "labels": labels})


def read_note(written: bytes, request: Request) -> tuple[dict[str, str] | None, tuple[str, ...]]:
    """Reads what `written_note` wrote.

    Returns:
        The fields of the head, perhaps without its spec, or None, and the labels.

    Raises:
        RequestIdReused: the note is of a request with another content.
        Corrupt: it is no note.
    """
    try:
        note = unsealed(written)
        if note["digest"] != request.digest:
            raise RequestIdReused(request.id)
        return note["head"], tuple(note["labels"])
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("the note of a request does not parse") from error
