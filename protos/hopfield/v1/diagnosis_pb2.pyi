from hopfield.v1 import memory_pb2 as _memory_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WeightStatistics(_message.Message):
    __slots__ = ("min", "max", "mean", "standard_deviation", "mean_diagonal", "asymmetry")
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    MEAN_DIAGONAL_FIELD_NUMBER: _ClassVar[int]
    ASYMMETRY_FIELD_NUMBER: _ClassVar[int]
    min: float
    max: float
    mean: float
    standard_deviation: float
    mean_diagonal: float
    asymmetry: float
    def __init__(self, min: _Optional[float] = ..., max: _Optional[float] = ..., mean: _Optional[float] = ..., standard_deviation: _Optional[float] = ..., mean_diagonal: _Optional[float] = ..., asymmetry: _Optional[float] = ...) -> None: ...

class Diagnosis(_message.Message):
    __slots__ = ("pattern_count", "load", "capacity", "stable_count", "smallest_margin", "mean_margin", "crosstalk", "mean_overlap", "weights", "learning", "verdict")
    PATTERN_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    STABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SMALLEST_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MEAN_MARGIN_FIELD_NUMBER: _ClassVar[int]
    CROSSTALK_FIELD_NUMBER: _ClassVar[int]
    MEAN_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    pattern_count: int
    load: float
    capacity: float
    stable_count: int
    smallest_margin: float
    mean_margin: float
    crosstalk: float
    mean_overlap: float
    weights: WeightStatistics
    learning: _memory_pb2.LearningOutcome
    verdict: str
    def __init__(self, pattern_count: _Optional[int] = ..., load: _Optional[float] = ..., capacity: _Optional[float] = ..., stable_count: _Optional[int] = ..., smallest_margin: _Optional[float] = ..., mean_margin: _Optional[float] = ..., crosstalk: _Optional[float] = ..., mean_overlap: _Optional[float] = ..., weights: _Optional[_Union[WeightStatistics, _Mapping]] = ..., learning: _Optional[_Union[_memory_pb2.LearningOutcome, _Mapping]] = ..., verdict: _Optional[str] = ...) -> None: ...
