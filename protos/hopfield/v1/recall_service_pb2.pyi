from hopfield.v1 import memory_pb2 as _memory_pb2
from hopfield.v1 import patterns_pb2 as _patterns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpdateRule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPDATE_RULE_UNSPECIFIED: _ClassVar[UpdateRule]
    UPDATE_RULE_ASYNCHRONOUS: _ClassVar[UpdateRule]
    UPDATE_RULE_SYNCHRONOUS: _ClassVar[UpdateRule]
    UPDATE_RULE_GLAUBER: _ClassVar[UpdateRule]

class UpdateOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPDATE_ORDER_UNSPECIFIED: _ClassVar[UpdateOrder]
    UPDATE_ORDER_RANDOM: _ClassVar[UpdateOrder]
    UPDATE_ORDER_SEQUENTIAL: _ClassVar[UpdateOrder]
    UPDATE_ORDER_EXPLICIT: _ClassVar[UpdateOrder]

class TieRule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIE_RULE_UNSPECIFIED: _ClassVar[TieRule]
    TIE_RULE_KEEP: _ClassVar[TieRule]
    TIE_RULE_PLUS: _ClassVar[TieRule]
    TIE_RULE_MINUS: _ClassVar[TieRule]

class StopReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STOP_REASON_UNSPECIFIED: _ClassVar[StopReason]
    STOP_REASON_CONVERGED: _ClassVar[StopReason]
    STOP_REASON_CYCLE: _ClassVar[StopReason]
    STOP_REASON_ITERATION_LIMIT: _ClassVar[StopReason]

class Match(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATCH_UNSPECIFIED: _ClassVar[Match]
    MATCH_PATTERN: _ClassVar[Match]
    MATCH_INVERSE: _ClassVar[Match]
    MATCH_SPURIOUS: _ClassVar[Match]
    MATCH_NONE: _ClassVar[Match]
UPDATE_RULE_UNSPECIFIED: UpdateRule
UPDATE_RULE_ASYNCHRONOUS: UpdateRule
UPDATE_RULE_SYNCHRONOUS: UpdateRule
UPDATE_RULE_GLAUBER: UpdateRule
UPDATE_ORDER_UNSPECIFIED: UpdateOrder
UPDATE_ORDER_RANDOM: UpdateOrder
UPDATE_ORDER_SEQUENTIAL: UpdateOrder
UPDATE_ORDER_EXPLICIT: UpdateOrder
TIE_RULE_UNSPECIFIED: TieRule
TIE_RULE_KEEP: TieRule
TIE_RULE_PLUS: TieRule
TIE_RULE_MINUS: TieRule
STOP_REASON_UNSPECIFIED: StopReason
STOP_REASON_CONVERGED: StopReason
STOP_REASON_CYCLE: StopReason
STOP_REASON_ITERATION_LIMIT: StopReason
MATCH_UNSPECIFIED: Match
MATCH_PATTERN: Match
MATCH_INVERSE: Match
MATCH_SPURIOUS: Match
MATCH_NONE: Match

class AnnealingSchedule(_message.Message):
    __slots__ = ("beta",)
    BETA_FIELD_NUMBER: _ClassVar[int]
    beta: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, beta: _Optional[_Iterable[float]] = ...) -> None: ...

class RecallOptions(_message.Message):
    __slots__ = ("update", "order", "explicit_order", "seed", "max_iterations", "tie", "clamp", "beta", "annealing")
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    EXPLICIT_ORDER_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MAX_ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    TIE_FIELD_NUMBER: _ClassVar[int]
    CLAMP_FIELD_NUMBER: _ClassVar[int]
    BETA_FIELD_NUMBER: _ClassVar[int]
    ANNEALING_FIELD_NUMBER: _ClassVar[int]
    update: UpdateRule
    order: UpdateOrder
    explicit_order: _containers.RepeatedScalarFieldContainer[int]
    seed: int
    max_iterations: int
    tie: TieRule
    clamp: bool
    beta: float
    annealing: AnnealingSchedule
    def __init__(self, update: _Optional[_Union[UpdateRule, str]] = ..., order: _Optional[_Union[UpdateOrder, str]] = ..., explicit_order: _Optional[_Iterable[int]] = ..., seed: _Optional[int] = ..., max_iterations: _Optional[int] = ..., tie: _Optional[_Union[TieRule, str]] = ..., clamp: bool = ..., beta: _Optional[float] = ..., annealing: _Optional[_Union[AnnealingSchedule, _Mapping]] = ...) -> None: ...

class RecallRequest(_message.Message):
    __slots__ = ("name", "query", "options", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    query: _patterns_pb2.Patterns
    options: RecallOptions
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., query: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., options: _Optional[_Union[RecallOptions, _Mapping]] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class RecallResponse(_message.Message):
    __slots__ = ("pattern", "energy", "initial_energy", "iterations", "flips", "stop_reason", "label", "overlap", "match", "seed", "uid", "revision", "attention_labels", "attention_weights")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    ENERGY_FIELD_NUMBER: _ClassVar[int]
    INITIAL_ENERGY_FIELD_NUMBER: _ClassVar[int]
    ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    FLIPS_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_LABELS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    pattern: _patterns_pb2.Patterns
    energy: float
    initial_energy: float
    iterations: int
    flips: int
    stop_reason: StopReason
    label: str
    overlap: float
    match: Match
    seed: int
    uid: str
    revision: int
    attention_labels: _containers.RepeatedScalarFieldContainer[str]
    attention_weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, pattern: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., energy: _Optional[float] = ..., initial_energy: _Optional[float] = ..., iterations: _Optional[int] = ..., flips: _Optional[int] = ..., stop_reason: _Optional[_Union[StopReason, str]] = ..., label: _Optional[str] = ..., overlap: _Optional[float] = ..., match: _Optional[_Union[Match, str]] = ..., seed: _Optional[int] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ..., attention_labels: _Optional[_Iterable[str]] = ..., attention_weights: _Optional[_Iterable[float]] = ...) -> None: ...

class BatchRecallRequest(_message.Message):
    __slots__ = ("name", "queries", "options", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    queries: _patterns_pb2.Patterns
    options: RecallOptions
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., queries: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., options: _Optional[_Union[RecallOptions, _Mapping]] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class BatchRecallResponse(_message.Message):
    __slots__ = ("patterns", "energies", "initial_energies", "iterations", "flips", "stop_reasons", "labels", "overlaps", "matches", "seed", "uid", "revision", "attention_labels", "attention_weights")
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    ENERGIES_FIELD_NUMBER: _ClassVar[int]
    INITIAL_ENERGIES_FIELD_NUMBER: _ClassVar[int]
    ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    FLIPS_FIELD_NUMBER: _ClassVar[int]
    STOP_REASONS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OVERLAPS_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_LABELS_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    patterns: _patterns_pb2.Patterns
    energies: _containers.RepeatedScalarFieldContainer[float]
    initial_energies: _containers.RepeatedScalarFieldContainer[float]
    iterations: _containers.RepeatedScalarFieldContainer[int]
    flips: _containers.RepeatedScalarFieldContainer[int]
    stop_reasons: _containers.RepeatedScalarFieldContainer[StopReason]
    labels: _containers.RepeatedScalarFieldContainer[str]
    overlaps: _containers.RepeatedScalarFieldContainer[float]
    matches: _containers.RepeatedScalarFieldContainer[Match]
    seed: int
    uid: str
    revision: int
    attention_labels: _containers.RepeatedScalarFieldContainer[str]
    attention_weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, patterns: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., energies: _Optional[_Iterable[float]] = ..., initial_energies: _Optional[_Iterable[float]] = ..., iterations: _Optional[_Iterable[int]] = ..., flips: _Optional[_Iterable[int]] = ..., stop_reasons: _Optional[_Iterable[_Union[StopReason, str]]] = ..., labels: _Optional[_Iterable[str]] = ..., overlaps: _Optional[_Iterable[float]] = ..., matches: _Optional[_Iterable[_Union[Match, str]]] = ..., seed: _Optional[int] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ..., attention_labels: _Optional[_Iterable[str]] = ..., attention_weights: _Optional[_Iterable[float]] = ...) -> None: ...

class StreamRecallRequest(_message.Message):
    __slots__ = ("name", "queries", "options", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    queries: _patterns_pb2.Patterns
    options: RecallOptions
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., queries: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., options: _Optional[_Union[RecallOptions, _Mapping]] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class StreamRecallResponse(_message.Message):
    __slots__ = ("block",)
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    block: BatchRecallResponse
    def __init__(self, block: _Optional[_Union[BatchRecallResponse, _Mapping]] = ...) -> None: ...

class TraceRecallRequest(_message.Message):
    __slots__ = ("name", "query", "options", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    query: _patterns_pb2.Patterns
    options: RecallOptions
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., query: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., options: _Optional[_Union[RecallOptions, _Mapping]] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class TraceRecallResponse(_message.Message):
    __slots__ = ("iterations", "patterns", "energies", "flips", "recall")
    ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    ENERGIES_FIELD_NUMBER: _ClassVar[int]
    FLIPS_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    iterations: _containers.RepeatedScalarFieldContainer[int]
    patterns: _patterns_pb2.Patterns
    energies: _containers.RepeatedScalarFieldContainer[float]
    flips: _containers.RepeatedScalarFieldContainer[int]
    recall: RecallResponse
    def __init__(self, iterations: _Optional[_Iterable[int]] = ..., patterns: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., energies: _Optional[_Iterable[float]] = ..., flips: _Optional[_Iterable[int]] = ..., recall: _Optional[_Union[RecallResponse, _Mapping]] = ...) -> None: ...

class NearestRequest(_message.Message):
    __slots__ = ("name", "queries", "k", "include_patterns", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PATTERNS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    queries: _patterns_pb2.Patterns
    k: int
    include_patterns: bool
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., queries: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., k: _Optional[int] = ..., include_patterns: bool = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class NearestResponse(_message.Message):
    __slots__ = ("count", "labels", "overlaps", "patterns", "uid", "revision")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OVERLAPS_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    count: int
    labels: _containers.RepeatedScalarFieldContainer[str]
    overlaps: _containers.RepeatedScalarFieldContainer[float]
    patterns: _patterns_pb2.Patterns
    uid: str
    revision: int
    def __init__(self, count: _Optional[int] = ..., labels: _Optional[_Iterable[str]] = ..., overlaps: _Optional[_Iterable[float]] = ..., patterns: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...
