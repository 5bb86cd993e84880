"""Client of hopfield-recall, associative memory as a service.

    from hopfield_client import HopfieldClient

    with HopfieldClient("localhost:50051") as client:
        letters = client.create_memory("letters", neurons=64, rule="pseudo_inverse", shape=(8, 8))
        letters.store(images, labels=["A", "B", "C"])    # (3, 8, 8), booleans or -1 and 1
        answer = letters.recall(noisy)                    # (8, 8)
        answer.pattern, answer.label, answer.overlap, answer.converged

AsyncHopfieldClient has the same names; calls that reach the server are awaited.
"""

from hopfield_client._async_client import AsyncHopfieldClient
from hopfield_client._async_memory import AsyncMemory
from hopfield_client._async_ring_memory import AsyncHeadingTrack, AsyncRingMemory
from hopfield_client._async_sheet_memory import AsyncPositionTrack, AsyncSheetMemory
from hopfield_client._client import HopfieldClient
from hopfield_client._config import RetryConfig
from hopfield_client._diagnosis import Diagnosis, WeightStatistics
from hopfield_client._errors import (
    AlreadyExists,
    Cancelled,
    ClientClosed,
    Conflict,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    HopfieldError,
    InternalError,
    InvalidArgument,
    NotFound,
    Overloaded,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    WrongEventLoop,
)
from hopfield_client._memory import Memory
from hopfield_client._models import Dense, Model, Modern, Ring, Sheet
from hopfield_client._results import (
    NearestPattern,
    Recall,
    RecallBatch,
    RingRecall,
    SheetRecall,
    StoredPattern,
    TraceStep,
)
from hopfield_client._ring_memory import HeadingTrack, RingMemory
from hopfield_client._sheet_memory import PositionTrack, SheetMemory
from hopfield_client._trace import AsyncTrace, Trace
from hopfield_client._types import (
    Coding,
    LearningOutcome,
    LearningRule,
    Match,
    MemoryInfo,
    Normalization,
    PatternArray,
    ServerInfo,
    StopReason,
    Stored,
    TieRule,
    UpdateRule,
)
from hopfield_client._warnings import CapacityWarning, ConvergenceWarning, HopfieldWarning

__all__ = [
    "AlreadyExists",
    "AsyncHeadingTrack",
    "AsyncHopfieldClient",
    "AsyncMemory",
    "AsyncPositionTrack",
    "AsyncRingMemory",
    "AsyncSheetMemory",
    "AsyncTrace",
    "Cancelled",
    "CapacityWarning",
    "ClientClosed",
    "Coding",
    "Conflict",
    "ConvergenceWarning",
    "DataLoss",
    "DeadlineExceeded",
    "Dense",
    "Diagnosis",
    "FailedPrecondition",
    "HeadingTrack",
    "HopfieldClient",
    "HopfieldError",
    "HopfieldWarning",
    "InternalError",
    "InvalidArgument",
    "LearningOutcome",
    "LearningRule",
    "Match",
    "Memory",
    "MemoryInfo",
    "Model",
    "Modern",
    "NearestPattern",
    "Normalization",
    "NotFound",
    "Overloaded",
    "PatternArray",
    "PermissionDenied",
    "PositionTrack",
    "Recall",
    "RecallBatch",
    "ResourceExhausted",
    "RetryConfig",
    "Ring",
    "RingMemory",
    "RingRecall",
    "ServerInfo",
    "Sheet",
    "SheetMemory",
    "SheetRecall",
    "StopReason",
    "Stored",
    "StoredPattern",
    "TieRule",
    "Trace",
    "TraceStep",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UpdateRule",
    "WeightStatistics",
    "WrongEventLoop",
]
