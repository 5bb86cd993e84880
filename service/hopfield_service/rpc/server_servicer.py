"""hopfield.v1.ServerService."""

from typing import Any

import grpc

from hopfield.v1 import (
    server_service_pb2,
    server_service_pb2_grpc,
)
from hopfield_service.rpc.memory_convert import LEARNING_RULES
from hopfield_service.rpc.recall_convert import UPDATE_RULES

Context = grpc.aio.ServicerContext[Any, Any]


class ServerServicer(server_service_pb2_grpc.ServerServiceServicer):
    """hopfield.v1.ServerService."""

    def __init__(self, version: str, limits: server_service_pb2.ServerLimits) -> None:
        self._info = server_service_pb2.GetServerInfoResponse(
            version=version,
            limits=limits,
            learning_rules=list(LEARNING_RULES),
            update_rules=list(UPDATE_RULES),
        )

    async def GetServerInfo(
        self, request: server_service_pb2.GetServerInfoRequest, context: Context
    ) -> server_service_pb2.GetServerInfoResponse:
        """See the .proto."""
        return self._info
