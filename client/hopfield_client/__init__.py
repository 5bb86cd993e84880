"""Client of hopfield-recall, associative memory as a service.

    from hopfield_client import HopfieldClient

    with HopfieldClient("localhost:50051") as client:
        letters = client.create_memory("letters", neurons=64, rule="pseudo_inverse", shape=(8, 8))
        letters.store(images, labels=["A", "B", "C"])    # (3, 8, 8), booleans or -1 and 1
        answer = letters.recall(noisy)                    # (8, 8)
        answer.pattern, answer.label, answer.overlap, answer.converged

AsyncHopfieldClient has the same names; calls that reach the server are awaited.
"""

from hopfield_client._async_client import AsyncHopfieldClient, AsyncMemory
from hopfield_client._client import HopfieldClient, Memory
from hopfield_client._config import RetryConfig
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
from hopfield_client._types import (
    LearningRule,
    Match,
    MemoryInfo,
    PatternArray,
    Recall,
    RecallBatch,
    ServerInfo,
    StopReason,
    Stored,
    StoredPattern,
    TieRule,
    UpdateRule,
)

__all__ = [
    "AlreadyExists",
    "AsyncHopfieldClient",
    "AsyncMemory",
    "Cancelled",
    "ClientClosed",
    "Conflict",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "HopfieldClient",
    "HopfieldError",
    "InternalError",
    "InvalidArgument",
    "LearningRule",
    "Match",
    "Memory",
    "MemoryInfo",
    "NotFound",
    "Overloaded",
    "PatternArray",
    "PermissionDenied",
    "Recall",
    "RecallBatch",
    "ResourceExhausted",
    "RetryConfig",
    "ServerInfo",
    "StopReason",
    "Stored",
    "StoredPattern",
    "TieRule",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UpdateRule",
    "WrongEventLoop",
]
