"""The composition root: everything is made and wired here, started, and taken down in the order that loses nothing."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from hopfield.v1 import (
    memory_service_pb2,
    memory_service_pb2_grpc,
    recall_service_pb2,
    recall_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)
from hopfield_service.core import families
from hopfield_service.errors import ServiceError
from hopfield_service.rpc.interceptors import AnswerErrors
from hopfield_service.rpc.servicers import MemoryServicer, RecallServicer, ServerServicer
from hopfield_service.serving.cache import NetworkCache
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.serving.loader import NetworkLoader
from hopfield_service.serving.memories import Limits, Memories
from hopfield_service.settings import Settings
from hopfield_service.store.embedded import DataDirectoryInUse, EmbeddedServer, EmbeddedServerFailed
from hopfield_service.store.redis_store import RedisStore

_log = logging.getLogger(__name__)

_SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (memory_service_pb2, "MemoryService"),
        (recall_service_pb2, "RecallService"),
        (server_service_pb2, "ServerService"),
    )
)


class CannotListen(RuntimeError):
    """The address to serve on cannot be had."""


CANNOT_SERVE = (CannotListen, DataDirectoryInUse, EmbeddedServerFailed)
"""What keeps the service from coming up through no defect of its own; the message says what to do."""


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is in flight and closes.

    Raises:
        CannotListen: the address is in use or not ours.
        DataDirectoryInUse, EmbeddedServerFailed: from the private Valkey server.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with _serving(settings, stopping):
        await stopping.wait()
        _log.info("stopping: finishing calls in flight, at most %g s", settings.grace)


@asynccontextmanager
async def _serving(settings: Settings, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Everything up while inside; taken down in reverse order on the way out."""
    async with AsyncExitStack() as stack:
        if settings.redis_url:
            redis_url, where = settings.redis_url, _without_secrets(settings.redis_url)
        else:
            embedded = await EmbeddedServer.start(settings.data_dir, appendfsync=settings.appendfsync)
            stack.push_async_callback(embedded.stop)
            redis_url, where = embedded.url, str(settings.data_dir)
        store = RedisStore(redis_url, settings.redis_prefix, settings.redis_timeout)
        stack.push_async_callback(store.close)
        executor = KernelExecutor(settings.threads)
        stack.callback(executor.close)
        loader = NetworkLoader(store, NetworkCache(settings.cache_bytes), executor, settings.max_snapshot_bytes)
        stack.push_async_callback(loader.close)
        limits = Limits(settings.max_neurons, settings.max_patterns, settings.max_iterations)
        memories = Memories(store, loader, executor, limits)

        health = HealthServicer()
        for service in ("", *_SERVICES):
            await health.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
        server = _grpc_server(settings, memories, health)
        port = _bound_port(server, settings.listen)
        await server.start()
        stack.push_async_callback(server.stop, settings.grace)
        stack.push_async_callback(health.enter_graceful_shutdown)

        await asyncio.to_thread(families.warm)
        try:
            await store.ping()
        except ServiceError:
            _log.warning("no storage at %s yet; serving all the same, it may come", where)
        for service in ("", *_SERVICES):
            await health.set(service, health_pb2.HealthCheckResponse.SERVING)
        if not stopping.is_set():
            host = settings.listen.rpartition(":")[0]
            # The one line on stdout, for whoever started the process and waits to know where it serves.
            sys.stdout.write(
                f"hopfield-server {version('hopfield-recall')} serving on {host}:{port}, memories in {where}\n"
            )
            sys.stdout.flush()
        yield


def _grpc_server(settings: Settings, memories: Memories, health: HealthServicer) -> grpc.aio.Server:
    server = grpc.aio.server(
        interceptors=[AnswerErrors()],
        options=[
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            # A second server on the same port is a mistake, and must fail instead of taking half of the calls.
            ("grpc.so_reuseport", 0),
        ],
    )
    limits = server_service_pb2.ServerLimits(
        max_neurons=settings.max_neurons,
        max_patterns=settings.max_patterns,
        max_iterations=settings.max_iterations,
        max_message_bytes=settings.max_message_bytes,
    )
    memory_service_pb2_grpc.add_MemoryServiceServicer_to_server(MemoryServicer(memories, settings.max_neurons), server)
    recall_service_pb2_grpc.add_RecallServiceServicer_to_server(RecallServicer(memories), server)
    server_service_pb2_grpc.add_ServerServiceServicer_to_server(
        ServerServicer(version("hopfield-recall"), limits), server
    )
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection(
        (*_SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME), server
    )
    return server


def _bound_port(server: grpc.aio.Server, listen: str) -> int:
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise CannotListen(f"cannot serve on {listen}: the address is in use, or is none of this machine") from error
    return port


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
