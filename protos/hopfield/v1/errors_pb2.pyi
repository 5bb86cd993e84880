from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_FIELD: _ClassVar[ErrorReason]
    ERROR_REASON_MALFORMED_MESSAGE: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_ID_REUSED: _ClassVar[ErrorReason]
    ERROR_REASON_MEMORY_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_LABEL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_MEMORY_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_LABEL_EXISTS: _ClassVar[ErrorReason]
    ERROR_REASON_REVISION_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_WEIGHTS_IMPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_REVISION_AHEAD: _ClassVar[ErrorReason]
    ERROR_REASON_PATTERN_LIMIT: _ClassVar[ErrorReason]
    ERROR_REASON_STORAGE_FULL: _ClassVar[ErrorReason]
    ERROR_REASON_STORAGE_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_CORRUPT_MEMORY: _ClassVar[ErrorReason]
    ERROR_REASON_CONTENTION: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
    ERROR_REASON_NOT_REPLICATED: _ClassVar[ErrorReason]
    ERROR_REASON_NO_WEIGHTS: _ClassVar[ErrorReason]
    ERROR_REASON_WRONG_FAMILY: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_MESSAGE_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_SHUTTING_DOWN: _ClassVar[ErrorReason]
    ERROR_REASON_STARTING: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_FIELD: ErrorReason
ERROR_REASON_MALFORMED_MESSAGE: ErrorReason
ERROR_REASON_REQUEST_ID_REUSED: ErrorReason
ERROR_REASON_MEMORY_NOT_FOUND: ErrorReason
ERROR_REASON_LABEL_NOT_FOUND: ErrorReason
ERROR_REASON_MEMORY_EXISTS: ErrorReason
ERROR_REASON_LABEL_EXISTS: ErrorReason
ERROR_REASON_REVISION_MISMATCH: ErrorReason
ERROR_REASON_WEIGHTS_IMPORTED: ErrorReason
ERROR_REASON_REVISION_AHEAD: ErrorReason
ERROR_REASON_PATTERN_LIMIT: ErrorReason
ERROR_REASON_STORAGE_FULL: ErrorReason
ERROR_REASON_STORAGE_UNAVAILABLE: ErrorReason
ERROR_REASON_CORRUPT_MEMORY: ErrorReason
ERROR_REASON_CONTENTION: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason
ERROR_REASON_NOT_REPLICATED: ErrorReason
ERROR_REASON_NO_WEIGHTS: ErrorReason
ERROR_REASON_WRONG_FAMILY: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_MESSAGE_TOO_LARGE: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_STARTING: ErrorReason
