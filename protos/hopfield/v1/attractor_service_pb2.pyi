from hopfield.v1 import memory_pb2 as _memory_pb2
from hopfield.v1 import patterns_pb2 as _patterns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecallHeadingRequest(_message.Message):
    __slots__ = ("name", "rates", "max_time", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    MAX_TIME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    rates: _patterns_pb2.Patterns
    max_time: float
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., max_time: _Optional[float] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class RecallHeadingResponse(_message.Message):
    __slots__ = ("rates", "heading", "energy", "initial_energy", "time", "converged", "uid", "revision")
    RATES_FIELD_NUMBER: _ClassVar[int]
    HEADING_FIELD_NUMBER: _ClassVar[int]
    ENERGY_FIELD_NUMBER: _ClassVar[int]
    INITIAL_ENERGY_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CONVERGED_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    rates: _patterns_pb2.Patterns
    heading: float
    energy: float
    initial_energy: float
    time: float
    converged: bool
    uid: str
    revision: int
    def __init__(self, rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., heading: _Optional[float] = ..., energy: _Optional[float] = ..., initial_energy: _Optional[float] = ..., time: _Optional[float] = ..., converged: bool = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class IntegrateHeadingRequest(_message.Message):
    __slots__ = ("name", "heading", "rates", "include_rates", "angular_velocities", "durations", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HEADING_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_RATES_FIELD_NUMBER: _ClassVar[int]
    ANGULAR_VELOCITIES_FIELD_NUMBER: _ClassVar[int]
    DURATIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    heading: float
    rates: _patterns_pb2.Patterns
    include_rates: bool
    angular_velocities: _containers.RepeatedScalarFieldContainer[float]
    durations: _containers.RepeatedScalarFieldContainer[float]
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., heading: _Optional[float] = ..., rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., include_rates: bool = ..., angular_velocities: _Optional[_Iterable[float]] = ..., durations: _Optional[_Iterable[float]] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class IntegrateHeadingResponse(_message.Message):
    __slots__ = ("headings", "rates", "uid", "revision")
    HEADINGS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    headings: _containers.RepeatedScalarFieldContainer[float]
    rates: _patterns_pb2.Patterns
    uid: str
    revision: int
    def __init__(self, headings: _Optional[_Iterable[float]] = ..., rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class Phase(_message.Message):
    __slots__ = ("first", "second")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    first: float
    second: float
    def __init__(self, first: _Optional[float] = ..., second: _Optional[float] = ...) -> None: ...

class Lattice(_message.Message):
    __slots__ = ("first_x", "first_y", "second_x", "second_y")
    FIRST_X_FIELD_NUMBER: _ClassVar[int]
    FIRST_Y_FIELD_NUMBER: _ClassVar[int]
    SECOND_X_FIELD_NUMBER: _ClassVar[int]
    SECOND_Y_FIELD_NUMBER: _ClassVar[int]
    first_x: float
    first_y: float
    second_x: float
    second_y: float
    def __init__(self, first_x: _Optional[float] = ..., first_y: _Optional[float] = ..., second_x: _Optional[float] = ..., second_y: _Optional[float] = ...) -> None: ...

class RecallPositionRequest(_message.Message):
    __slots__ = ("name", "rates", "max_time", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    MAX_TIME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    rates: _patterns_pb2.Patterns
    max_time: float
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., max_time: _Optional[float] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class RecallPositionResponse(_message.Message):
    __slots__ = ("rates", "phase", "lattice", "time", "converged", "uid", "revision")
    RATES_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    LATTICE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CONVERGED_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    rates: _patterns_pb2.Patterns
    phase: Phase
    lattice: Lattice
    time: float
    converged: bool
    uid: str
    revision: int
    def __init__(self, rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., phase: _Optional[_Union[Phase, _Mapping]] = ..., lattice: _Optional[_Union[Lattice, _Mapping]] = ..., time: _Optional[float] = ..., converged: bool = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class IntegratePositionRequest(_message.Message):
    __slots__ = ("name", "phase", "rates", "include_rates", "velocities_x", "velocities_y", "durations", "token")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_RATES_FIELD_NUMBER: _ClassVar[int]
    VELOCITIES_X_FIELD_NUMBER: _ClassVar[int]
    VELOCITIES_Y_FIELD_NUMBER: _ClassVar[int]
    DURATIONS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    phase: Phase
    rates: _patterns_pb2.Patterns
    include_rates: bool
    velocities_x: _containers.RepeatedScalarFieldContainer[float]
    velocities_y: _containers.RepeatedScalarFieldContainer[float]
    durations: _containers.RepeatedScalarFieldContainer[float]
    token: _memory_pb2.FreshnessToken
    def __init__(self, name: _Optional[str] = ..., phase: _Optional[_Union[Phase, _Mapping]] = ..., rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., include_rates: bool = ..., velocities_x: _Optional[_Iterable[float]] = ..., velocities_y: _Optional[_Iterable[float]] = ..., durations: _Optional[_Iterable[float]] = ..., token: _Optional[_Union[_memory_pb2.FreshnessToken, _Mapping]] = ...) -> None: ...

class IntegratePositionResponse(_message.Message):
    __slots__ = ("phases", "lattice", "rates", "uid", "revision")
    PHASES_FIELD_NUMBER: _ClassVar[int]
    LATTICE_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    phases: _containers.RepeatedCompositeFieldContainer[Phase]
    lattice: Lattice
    rates: _patterns_pb2.Patterns
    uid: str
    revision: int
    def __init__(self, phases: _Optional[_Iterable[_Union[Phase, _Mapping]]] = ..., lattice: _Optional[_Union[Lattice, _Mapping]] = ..., rates: _Optional[_Union[_patterns_pb2.Patterns, _Mapping]] = ..., uid: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...
