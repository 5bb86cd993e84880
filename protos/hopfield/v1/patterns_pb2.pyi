from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Patterns(_message.Message):
    __slots__ = ("count", "neurons", "bits", "signs")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    SIGNS_FIELD_NUMBER: _ClassVar[int]
    count: int
    neurons: int
    bits: bytes
    signs: bytes
    def __init__(self, count: _Optional[int] = ..., neurons: _Optional[int] = ..., bits: _Optional[bytes] = ..., signs: _Optional[bytes] = ...) -> None: ...
