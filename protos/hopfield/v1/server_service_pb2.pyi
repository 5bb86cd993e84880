from hopfield.v1 import memory_pb2 as _memory_pb2
from hopfield.v1 import recall_service_pb2 as _recall_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServerLimits(_message.Message):
    __slots__ = ("max_neurons", "max_patterns", "max_iterations", "max_message_bytes", "max_call_message_bytes", "max_answer_bytes", "max_bytes_in_flight", "max_calls")
    MAX_NEURONS_FIELD_NUMBER: _ClassVar[int]
    MAX_PATTERNS_FIELD_NUMBER: _ClassVar[int]
    MAX_ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_CALL_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_ANSWER_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_CALLS_FIELD_NUMBER: _ClassVar[int]
    max_neurons: int
    max_patterns: int
    max_iterations: int
    max_message_bytes: int
    max_call_message_bytes: int
    max_answer_bytes: int
    max_bytes_in_flight: int
    max_calls: int
    def __init__(self, max_neurons: _Optional[int] = ..., max_patterns: _Optional[int] = ..., max_iterations: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., max_call_message_bytes: _Optional[int] = ..., max_answer_bytes: _Optional[int] = ..., max_bytes_in_flight: _Optional[int] = ..., max_calls: _Optional[int] = ...) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "limits", "learning_rules", "update_rules")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RULES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_RULES_FIELD_NUMBER: _ClassVar[int]
    version: str
    limits: ServerLimits
    learning_rules: _containers.RepeatedScalarFieldContainer[_memory_pb2.LearningRule]
    update_rules: _containers.RepeatedScalarFieldContainer[_recall_service_pb2.UpdateRule]
    def __init__(self, version: _Optional[str] = ..., limits: _Optional[_Union[ServerLimits, _Mapping]] = ..., learning_rules: _Optional[_Iterable[_Union[_memory_pb2.LearningRule, str]]] = ..., update_rules: _Optional[_Iterable[_Union[_recall_service_pb2.UpdateRule, str]]] = ...) -> None: ...
