"""What a request did, noted where the memory is, so that its repeat is recognised and answered as the first was."""

from collections.abc import Sequence
from dataclasses import dataclass

from hopfield_service.errors import RequestIdReused
from hopfield_service.store.codec import Corrupt, sealed, unsealed, written_spec
from hopfield_service.store.layout import Head


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


def written_note(request: Request, head: Head | None, numbered: Sequence[str] = (), *, with_spec: bool = False) -> str:
    """A note as it stands in Redis.

    Args:
        request: that was carried out.
        head: where the memory stood after it; None where there was none.
        numbered: labels that the request did not name itself, all of them numbers. Kept as runs of successive ones.
        with_spec: whether the request changed the spec. Its bulk is not noted: it stands in the head.
    """
    fields = None
    if head is not None:
        fields = head.fields() | ({"spec": written_spec(head.spec)[0]} if with_spec else {})
    return sealed({"digest": request.digest, "head": fields, "labels": _runs(numbered)})


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
        return note["head"], tuple(label for run in note["labels"] for label in _labels(run))
    except (ValueError, TypeError, KeyError) as error:
        raise Corrupt("the note of a request does not parse") from error


def _runs(labels: Sequence[str]) -> list[list[int]]:
    """Numbers as the first of each run of successive ones, and the length of the run."""
    runs: list[list[int]] = []
    for number in map(int, labels):
        if runs and number == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs


def _labels(run: list[int] | str) -> Sequence[str]:
    """What `_runs` made a run of. The first versions noted every label."""
    if isinstance(run, str):
        return [run]
    first, count = run
    return [str(number) for number in range(first, first + count)]
