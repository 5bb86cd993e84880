from google.protobuf import field_mask_pb2 as _field_mask_pb2
from hopfield.v1 import diagnosis_pb2 as _diagnosis_pb2
from hopfield.v1 import memory_pb2 as _memory_pb2
from hopfield.v1 import patterns_pb2 as _patterns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateMemoryRequest(_message.Message):
    __slots__ = ("name", "spec", "allow_existing", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ALLOW_EXISTING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: _memory_pb2.MemorySpec
    allow_existing: bool
    request_id: str
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[_memory_pb2.MemorySpec, _Mapping]] = ..., allow_existing: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateMemoryResponse(_message.Message):
    __slots__ = ("memory",)
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ...) -> None: ...

class GetMemoryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetMemoryResponse(_message.Message):
    __slots__ = ("memory",)
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ...) -> None: ...

class ListMemoriesRequest(_message.Message):
    __slots__ = ("prefix", "page_size", "page_token")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    page_size: int
    page_token: str
    def __init__(self, prefix: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMemoriesResponse(_message.Message):
    __slots__ = ("memories", "next_page_token")
    MEMORIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    memories: _containers.RepeatedCompositeFieldContainer[_memory_pb2.Memory]
    next_page_token: str
    def __init__(self, memories: _Optional[_Iterable[_Union[_memory_pb2.Memory, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateMemoryRequest(_message.Message):
    __slots__ = ("name", "spec", "update_mask", "expected_revision", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: _memory_pb2.MemorySpec
    update_mask: _field_mask_pb2.FieldMask
    expected_revision: int
    request_id: str
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[_memory_pb2.MemorySpec, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateMemoryResponse(_message.Message):
    __slots__ = ("memory", "warnings")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    warnings: _containers.RepeatedCompositeFieldContainer[_memory_pb2.Warning]
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[_memory_pb2.Warning, _Mapping]]] = ...) -> None: ...

class DeleteMemoryRequest(_message.Message):
    __slots__ = ("name", "allow_missing", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    allow_missing: bool
    request_id: str
    def __init__(self, name: _Optional[str] = ..., allow_missing: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteMemoryResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StorePatternsRequest(_message.Message):
    __slots__ = ("name", "patterns", "labels", "replace", "expected_revision", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    patterns: _patterns_pb2.Patterns
    labels: _containers.RepeatedScalarFieldContainer[str]
    replace: bool
    expected_revision: int
    request_id: str
    def __init__(self, name: _Optional[str] = ..., patterns: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., replace: bool = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class StorePatternsResponse(_message.Message):
    __slots__ = ("memory", "labels", "warnings")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    labels: _containers.RepeatedScalarFieldContainer[str]
    warnings: _containers.RepeatedCompositeFieldContainer[_memory_pb2.Warning]
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., warnings: _Optional[_Iterable[_Union[_memory_pb2.Warning, _Mapping]]] = ...) -> None: ...

class ForgetPatternsRequest(_message.Message):
    __slots__ = ("name", "labels", "expected_revision", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    expected_revision: int
    request_id: str
    def __init__(self, name: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class ForgetPatternsResponse(_message.Message):
    __slots__ = ("memory",)
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ...) -> None: ...

class ListPatternsRequest(_message.Message):
    __slots__ = ("name", "labels", "page_size", "page_token", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class ListPatternsResponse(_message.Message):
    __slots__ = ("labels", "patterns", "next_page_token", "uid", "revision")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedScalarFieldContainer[str]
    patterns: _patterns_pb2.Patterns
    next_page_token: str
    uid: str
    revision: int
    def __init__(self, labels: _Optional[_Iterable[str]] = ..., patterns: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., next_page_token: _Optional[str] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetWeightsRequest(_message.Message):
    __slots__ = ("name", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class GetWeightsHeader(_message.Message):
    __slots__ = ("neurons", "thresholds", "uid", "revision", "coding")
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CODING_FIELD_NUMBER: _ClassVar[int]
    neurons: int
    thresholds: _containers.RepeatedScalarFieldContainer[float]
    uid: str
    revision: int
    coding: _patterns_pb2.Coding
    def __init__(self, neurons: _Optional[int] = ..., thresholds: _Optional[_Iterable[float]] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ..., coding: _Optional[_Union[_patterns_pb2.Coding, str]] = ...) -> None: ...

class GetWeightsResponse(_message.Message):
    __slots__ = ("header", "rows")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    header: GetWeightsHeader
    rows: bytes
    def __init__(self, header: _Optional[_Union[GetWeightsHeader, _Mapping]] = ..., rows: _Optional[bytes] = ...) -> None: ...

class ImportWeightsHeader(_message.Message):
    __slots__ = ("name", "neurons", "thresholds", "request_id", "coding")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CODING_FIELD_NUMBER: _ClassVar[int]
    name: str
    neurons: int
    thresholds: _containers.RepeatedScalarFieldContainer[float]
    request_id: str
    coding: _patterns_pb2.Coding
    def __init__(self, name: _Optional[str] = ..., neurons: _Optional[int] = ..., thresholds: _Optional[_Iterable[float]] = ..., request_id: _Optional[str] = ..., coding: _Optional[_Union[_patterns_pb2.Coding, str]] = ...) -> None: ...

class ImportWeightsRequest(_message.Message):
    __slots__ = ("header", "rows")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    header: ImportWeightsHeader
    rows: bytes
    def __init__(self, header: _Optional[_Union[ImportWeightsHeader, _Mapping]] = ..., rows: _Optional[bytes] = ...) -> None: ...

class ImportWeightsResponse(_message.Message):
    __slots__ = ("memory",)
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    memory: _memory_pb2.Memory
    def __init__(self, memory: _Optional[_Union[_memory_pb2.Memory, _Mapping]] = ...) -> None: ...

class DiagnoseMemoryRequest(_message.Message):
    __slots__ = ("name", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class DiagnoseMemoryResponse(_message.Message):
    __slots__ = ("diagnosis", "uid", "revision")
    DIAGNOSIS_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    diagnosis: _diagnosis_pb2.Diagnosis
    uid: str
    revision: int
    def __init__(self, diagnosis: _Optional[_Union[_diagnosis_pb2.Diagnosis, _Mapping]] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...
