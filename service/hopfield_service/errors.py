"""What can go wrong, each error with its gRPC status and its machine-readable reason.

    ServiceError
    ├── InvalidField           INVALID_ARGUMENT     a field breaks a rule
    ├── MalformedMessage       INVALID_ARGUMENT     the bytes are no message
    ├── RequestIdReused        INVALID_ARGUMENT     the same request_id, another content
    ├── MemoryNotFound         NOT_FOUND
    ├── LabelNotFound          NOT_FOUND
    ├── MemoryExists           ALREADY_EXISTS
    ├── LabelExists            ALREADY_EXISTS
    ├── RevisionMismatch       ABORTED              not at the expected revision
    ├── Contention             ABORTED              other writers kept committing first
    ├── WeightsImported        FAILED_PRECONDITION  no rule to learn by
    ├── NoWeights              FAILED_PRECONDITION  a family without weights
    ├── WrongFamily            FAILED_PRECONDITION  not what a memory of this family does
    ├── RevisionAhead          FAILED_PRECONDITION  a token from the future
    ├── PatternLimit           RESOURCE_EXHAUSTED
    ├── StorageFull            RESOURCE_EXHAUSTED
    ├── Overloaded             RESOURCE_EXHAUSTED   too much to do at the moment
    ├── MessageTooLarge        RESOURCE_EXHAUSTED   for the method
    ├── StorageUnavailable     UNAVAILABLE
    ├── Starting               UNAVAILABLE          the service compiles what it computes with
    ├── ShuttingDown           UNAVAILABLE          the service stops before the call is done
    └── CorruptMemory          DATA_LOSS

The messages are sent to callers: they name the field and the rule it broke, and nothing of our insides.
"""

from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """An error that a caller is told about.

    Attributes:
        code: name of the gRPC status code.
        reason: ErrorInfo.reason, a value of hopfield.v1.ErrorReason without its prefix.
        resource: (type, name) of what was missing or in the way, for a ResourceInfo; None where it is neither.
        field: the field of the request that broke a rule, for a BadRequest; None where it is none.
        rule: the rule it broke; None where it is none.
        retry_after: seconds after which trying again may help, for a RetryInfo; None where it will not.
        metadata: ErrorInfo.metadata.
    """

    code: ClassVar[str]
    reason: ClassVar[str]
    retry_after: ClassVar[float | None] = None
    resource: tuple[str, str] | None = None
    field: str | None = None
    rule: str | None = None

    def __init__(self, message: str, **metadata: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = {key: str(value) for key, value in metadata.items()}


def shown(text: str) -> str:
    """A text from a caller as it stands in a message: long ones cut, since messages travel in headers of limited size."""
    return repr(text if len(text) <= 64 else text[:63] + "…")


class InvalidField(ServiceError):
    """A field of the request breaks a rule."""

    code = "INVALID_ARGUMENT"
    reason = "INVALID_FIELD"

    def __init__(self, field: str, rule: str, **metadata: str | int) -> None:
        """Names the field, as a path in the request, and the rule it broke, as what follows "must" or explains itself."""
        super().__init__(f"{field}: {rule}", **metadata)
        self.field = field
        self.rule = rule


class MalformedMessage(ServiceError):
    """The bytes of the request are no message of the method's type."""

    code = "INVALID_ARGUMENT"
    reason = "MALFORMED_MESSAGE"

    def __init__(self, method: str) -> None:
        super().__init__(f"the bytes of the request are no message that {method} takes", method=method)


class RequestIdReused(ServiceError):
    """A request_id was used before with another content."""

    code = "INVALID_ARGUMENT"
    reason = "REQUEST_ID_REUSED"
    field = "request_id"
    rule = "was used before for a request with another content"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request_id: {request_id!r} {self.rule}", request_id=request_id)


class MemoryNotFound(ServiceError):
    """There is no memory of that name."""

    code = "NOT_FOUND"
    reason = "MEMORY_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(f"no memory is named {name!r}", name=name)
        self.resource = ("hopfield.v1.Memory", name)


class LabelNotFound(ServiceError):
    """No pattern of that label is stored."""

    code = "NOT_FOUND"
    reason = "LABEL_NOT_FOUND"

    def __init__(self, name: str, label: str) -> None:
        super().__init__(f"memory {name!r} stores no pattern labelled {shown(label)}", name=name, label=label)
        self.resource = ("hopfield.v1.Pattern", label)


class MemoryExists(ServiceError):
    """The name is taken; where that is allowed for the same spec, by a memory of another one.

    `differences` has a sentence for each parameter of the spec that differs, by its name.
    """

    code = "ALREADY_EXISTS"
    reason = "MEMORY_EXISTS"

    def __init__(self, name: str, differences: Mapping[str, str]) -> None:
        but = f" with another spec: {', '.join(differences.values())}" if differences else ""
        more = {"differs": ",".join(differences)} if differences else {}
        super().__init__(f"a memory named {name!r} exists{but}", name=name, **more)
        self.resource = ("hopfield.v1.Memory", name)


class LabelExists(ServiceError):
    """The label is taken."""

    code = "ALREADY_EXISTS"
    reason = "LABEL_EXISTS"

    def __init__(self, name: str, label: str) -> None:
        super().__init__(
            f"memory {name!r} stores a pattern labelled {shown(label)} already; set replace to put another in its place",
            name=name,
            label=label,
        )
        self.resource = ("hopfield.v1.Pattern", label)


class RevisionMismatch(ServiceError):
    """The memory is not at the revision the caller expects."""

    code = "ABORTED"
    reason = "REVISION_MISMATCH"

    def __init__(self, name: str, expected: int, present: int) -> None:
        super().__init__(
            f"expected_revision: memory {name!r} is at revision {present}, not {expected}", name=name, revision=present
        )


class Contention(ServiceError):
    """Other writers kept committing first."""

    code = "ABORTED"
    reason = "CONTENTION"

    def __init__(self, name: str) -> None:
        super().__init__(f"other writers of memory {name!r} kept committing first; try again", name=name)


class WeightsImported(ServiceError):
    """The weights were given from outside: there is no rule to learn patterns by."""

    code = "FAILED_PRECONDITION"
    reason = "WEIGHTS_IMPORTED"

    def __init__(self, name: str) -> None:
        super().__init__(f"the weights of memory {name!r} were imported: it stores no patterns", name=name)


class NoWeights(ServiceError):
    """A memory of this family has no weights to look at."""

    code = "FAILED_PRECONDITION"
    reason = "NO_WEIGHTS"

    def __init__(self, name: str, family: str) -> None:
        super().__init__(
            f"memory {name!r} is of the family {family} and has no weights to look at", name=name, family=family
        )


class WrongFamily(ServiceError):
    """What is asked is not what a memory of this family does."""

    code = "FAILED_PRECONDITION"
    reason = "WRONG_FAMILY"

    def __init__(self, name: str, family: str, what: str) -> None:
        """Names the family, and what its memories do or do not do, as what follows "memory 'x' is of the family ring and"."""
        super().__init__(f"memory {name!r} is of the family {family} and {what}", name=name, family=family)


class RevisionAhead(ServiceError):
    """A freshness token names a revision the storage has not reached."""

    code = "FAILED_PRECONDITION"
    reason = "REVISION_AHEAD"

    def __init__(self, name: str, asked: int, present: int) -> None:
        super().__init__(
            f"token.revision: memory {name!r} is at revision {present} and has never been at {asked}",
            name=name,
            revision=present,
        )


class PatternLimit(ServiceError):
    """The memory would hold more patterns than the server allows."""

    code = "RESOURCE_EXHAUSTED"
    reason = "PATTERN_LIMIT"

    def __init__(self, name: str, would_hold: int, limit: int) -> None:
        super().__init__(
            f"memory {name!r} would hold {would_hold} patterns; this server allows {limit}", name=name, limit=limit
        )


class StorageFull(ServiceError):
    """The storage takes no more; nothing was changed."""

    code = "RESOURCE_EXHAUSTED"
    reason = "STORAGE_FULL"

    def __init__(self) -> None:
        super().__init__("the storage is full; nothing was changed")


class Overloaded(ServiceError):
    """The calls in flight take all that they may take together; nothing was changed."""

    code = "RESOURCE_EXHAUSTED"
    reason = "OVERLOADED"
    retry_after = 1.0

    def __init__(self, what: str) -> None:
        """Says what there is too much of, as what follows "the server is overloaded: "."""
        super().__init__(f"the server is overloaded: {what}; try again in a moment")


class MessageTooLarge(ServiceError):
    """A message is larger than its method takes."""

    code = "RESOURCE_EXHAUSTED"
    reason = "MESSAGE_TOO_LARGE"

    def __init__(self, method: str, limit: int, size: int) -> None:
        super().__init__(
            f"a message of {method} must be at most {limit} bytes, is {size}", method=method, limit=limit, size=size
        )


class StorageUnavailable(ServiceError):
    """The storage does not answer, or refuses."""

    code = "UNAVAILABLE"
    reason = "STORAGE_UNAVAILABLE"
    retry_after = 1.0

    def __init__(self, *, refuses: bool = False) -> None:
        """Says whether the storage `refuses` a command, as opposed to not answering."""
        what = "refuses to do this now; the log of the server says why" if refuses else "does not answer"
        super().__init__(f"the storage {what}; try again in a moment")


class NotReplicated(ServiceError):
    """A change was made, and too few replicas of the storage are known to have it."""

    code = "UNAVAILABLE"
    reason = "NOT_REPLICATED"
    retry_after = 1.0

    def __init__(self, name: str, acknowledged: int, wanted: int) -> None:
        super().__init__(
            f"{acknowledged} of {wanted} replicas of the storage are known to have the change of memory {name!r}; repeat it with the "
            "same request_id to wait for them",
            name=name,
        )


class Starting(ServiceError):
    """The service starts, and cannot compute yet."""

    code = "UNAVAILABLE"
    reason = "STARTING"
    retry_after = 1.0

    def __init__(self) -> None:
        super().__init__("the server is starting: a first start compiles for about a minute; try again in a moment")


class ShuttingDown(ServiceError):
    """The service stops, and gives up what the time for finishing calls was too short for."""

    code = "UNAVAILABLE"
    reason = "SHUTTING_DOWN"
    retry_after = 0.1

    def __init__(self) -> None:
        super().__init__("the server stops before the call is done; repeat it, with the same request_id if it has one")


class CorruptMemory(ServiceError):
    """What is stored of a memory cannot be read."""

    code = "DATA_LOSS"
    reason = "CORRUPT_MEMORY"

    def __init__(self, name: str) -> None:
        super().__init__(f"what is stored of memory {name!r} cannot be read", name=name)
        self.resource = ("hopfield.v1.Memory", name)
