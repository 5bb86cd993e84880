from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Coding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODING_UNSPECIFIED: _ClassVar[Coding]
    CODING_BIPOLAR: _ClassVar[Coding]
    CODING_BINARY: _ClassVar[Coding]
    CODING_REAL: _ClassVar[Coding]
CODING_UNSPECIFIED: Coding
CODING_BIPOLAR: Coding
CODING_BINARY: Coding
CODING_REAL: Coding

class Patterns(_message.Message):
    __slots__ = ("count", "neurons", "bits", "signs", "floats", "coding", "known")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    SIGNS_FIELD_NUMBER: _ClassVar[int]
    FLOATS_FIELD_NUMBER: _ClassVar[int]
    CODING_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    count: int
    neurons: int
    bits: bytes
    signs: bytes
    floats: bytes
    coding: Coding
    known: bytes
    def __init__(self, count: _Optional[int] = ..., neurons: _Optional[int] = ..., bits: _Optional[bytes] = ..., signs: _Optional[bytes] = ..., floats: _Optional[bytes] = ..., coding: _Optional[_Union[Coding, str]] = ..., known: _Optional[bytes] = ...) -> None: ...
