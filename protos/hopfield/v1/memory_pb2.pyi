import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from hopfield.v1 import patterns_pb2 as _patterns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LearningRule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEARNING_RULE_UNSPECIFIED: _ClassVar[LearningRule]
    LEARNING_RULE_HEBBIAN: _ClassVar[LearningRule]
    LEARNING_RULE_PSEUDO_INVERSE: _ClassVar[LearningRule]
    LEARNING_RULE_IMPORTED: _ClassVar[LearningRule]
    LEARNING_RULE_STORKEY: _ClassVar[LearningRule]
    LEARNING_RULE_STORKEY_SECOND_ORDER: _ClassVar[LearningRule]
    LEARNING_RULE_PERCEPTRON: _ClassVar[LearningRule]

class Normalization(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NORMALIZATION_UNSPECIFIED: _ClassVar[Normalization]
    NORMALIZATION_NEURONS: _ClassVar[Normalization]
    NORMALIZATION_PATTERNS: _ClassVar[Normalization]
    NORMALIZATION_NONE: _ClassVar[Normalization]

class WarningReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WARNING_REASON_UNSPECIFIED: _ClassVar[WarningReason]
    WARNING_REASON_CAPACITY: _ClassVar[WarningReason]
    WARNING_REASON_NOT_CONVERGED: _ClassVar[WarningReason]
LEARNING_RULE_UNSPECIFIED: LearningRule
LEARNING_RULE_HEBBIAN: LearningRule
LEARNING_RULE_PSEUDO_INVERSE: LearningRule
LEARNING_RULE_IMPORTED: LearningRule
LEARNING_RULE_STORKEY: LearningRule
LEARNING_RULE_STORKEY_SECOND_ORDER: LearningRule
LEARNING_RULE_PERCEPTRON: LearningRule
NORMALIZATION_UNSPECIFIED: Normalization
NORMALIZATION_NEURONS: Normalization
NORMALIZATION_PATTERNS: Normalization
NORMALIZATION_NONE: Normalization
WARNING_REASON_UNSPECIFIED: WarningReason
WARNING_REASON_CAPACITY: WarningReason
WARNING_REASON_NOT_CONVERGED: WarningReason

class PairwiseSpec(_message.Message):
    __slots__ = ("neurons", "rule", "thresholds", "normalization", "self_coupling", "coding", "kappa", "max_sweeps")
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    SELF_COUPLING_FIELD_NUMBER: _ClassVar[int]
    CODING_FIELD_NUMBER: _ClassVar[int]
    KAPPA_FIELD_NUMBER: _ClassVar[int]
    MAX_SWEEPS_FIELD_NUMBER: _ClassVar[int]
    neurons: int
    rule: LearningRule
    thresholds: _containers.RepeatedScalarFieldContainer[float]
    normalization: Normalization
    self_coupling: bool
    coding: _patterns_pb2.Coding
    kappa: float
    max_sweeps: int
    def __init__(self, neurons: _Optional[int] = ..., rule: _Optional[_Union[LearningRule, str]] = ..., thresholds: _Optional[_Iterable[float]] = ..., normalization: _Optional[_Union[Normalization, str]] = ..., self_coupling: bool = ..., coding: _Optional[_Union[_patterns_pb2.Coding, str]] = ..., kappa: _Optional[float] = ..., max_sweeps: _Optional[int] = ...) -> None: ...

class DenseSpec(_message.Message):
    __slots__ = ("neurons", "degree", "exponential")
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    DEGREE_FIELD_NUMBER: _ClassVar[int]
    EXPONENTIAL_FIELD_NUMBER: _ClassVar[int]
    neurons: int
    degree: int
    exponential: bool
    def __init__(self, neurons: _Optional[int] = ..., degree: _Optional[int] = ..., exponential: bool = ...) -> None: ...

class ModernSpec(_message.Message):
    __slots__ = ("neurons", "beta", "tolerance")
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    BETA_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    neurons: int
    beta: float
    tolerance: float
    def __init__(self, neurons: _Optional[int] = ..., beta: _Optional[float] = ..., tolerance: _Optional[float] = ...) -> None: ...

class RingSpec(_message.Message):
    __slots__ = ("neurons", "tau", "concentration")
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    TAU_FIELD_NUMBER: _ClassVar[int]
    CONCENTRATION_FIELD_NUMBER: _ClassVar[int]
    neurons: int
    tau: float
    concentration: float
    def __init__(self, neurons: _Optional[int] = ..., tau: _Optional[float] = ..., concentration: _Optional[float] = ...) -> None: ...

class SheetSpec(_message.Message):
    __slots__ = ("side", "bump_rows", "tau")
    SIDE_FIELD_NUMBER: _ClassVar[int]
    BUMP_ROWS_FIELD_NUMBER: _ClassVar[int]
    TAU_FIELD_NUMBER: _ClassVar[int]
    side: int
    bump_rows: int
    tau: float
    def __init__(self, side: _Optional[int] = ..., bump_rows: _Optional[int] = ..., tau: _Optional[float] = ...) -> None: ...

class MemorySpec(_message.Message):
    __slots__ = ("pairwise", "dense", "modern", "ring", "sheet")
    PAIRWISE_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    MODERN_FIELD_NUMBER: _ClassVar[int]
    RING_FIELD_NUMBER: _ClassVar[int]
    SHEET_FIELD_NUMBER: _ClassVar[int]
    pairwise: PairwiseSpec
    dense: DenseSpec
    modern: ModernSpec
    ring: RingSpec
    sheet: SheetSpec
    def __init__(self, pairwise: _Optional[_Union[PairwiseSpec, _Mapping]] = ..., dense: _Optional[_Union[DenseSpec, _Mapping]] = ..., modern: _Optional[_Union[ModernSpec, _Mapping]] = ..., ring: _Optional[_Union[RingSpec, _Mapping]] = ..., sheet: _Optional[_Union[SheetSpec, _Mapping]] = ...) -> None: ...

class LearningOutcome(_message.Message):
    __slots__ = ("converged", "sweeps")
    CONVERGED_FIELD_NUMBER: _ClassVar[int]
    SWEEPS_FIELD_NUMBER: _ClassVar[int]
    converged: bool
    sweeps: int
    def __init__(self, converged: bool = ..., sweeps: _Optional[int] = ...) -> None: ...

class Memory(_message.Message):
    __slots__ = ("name", "uid", "spec", "neurons", "pattern_count", "load", "revision", "create_time", "update_time", "learning", "capacity")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    NEURONS_FIELD_NUMBER: _ClassVar[int]
    PATTERN_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LEARNING_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    uid: str
    spec: MemorySpec
    neurons: int
    pattern_count: int
    load: float
    revision: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    learning: LearningOutcome
    capacity: float
    def __init__(self, name: _Optional[str] = ..., uid: _Optional[str] = ..., spec: _Optional[_Union[MemorySpec, _Mapping]] = ..., neurons: _Optional[int] = ..., pattern_count: _Optional[int] = ..., load: _Optional[float] = ..., revision: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., learning: _Optional[_Union[LearningOutcome, _Mapping]] = ..., capacity: _Optional[float] = ...) -> None: ...

class Warning(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: WarningReason
    message: str
    def __init__(self, reason: _Optional[_Union[WarningReason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class FreshnessToken(_message.Message):
    __slots__ = ("uid", "revision")
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    uid: str
    revision: int
    def __init__(self, uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...
