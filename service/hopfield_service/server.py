"""The composition root: everything is made and wired here, started, and taken down in the order that loses nothing."""

import asyncio
import gc
import logging
import time
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from hopfield.v1 import (
    attractor_service_pb2,
    attractor_service_pb2_grpc,
    memory_service_pb2,
    memory_service_pb2_grpc,
    recall_service_pb2,
    recall_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)
from hopfield_service import private_valkey
from hopfield_service.ending import End
from hopfield_service.heap import return_what_is_freed
from hopfield_service.listening import CannotListen, Listener, listen_on
from hopfield_service.logs import say
from hopfield_service.rpc import transport
from hopfield_service.rpc.admission import MessageLimits
from hopfield_service.rpc.attractor_servicer import AttractorServicer
from hopfield_service.rpc.interceptors import AdmitCalls
from hopfield_service.rpc.memory_servicer import MemoryServicer
from hopfield_service.rpc.recall_servicer import RecallServicer
from hopfield_service.rpc.running_calls import RunningCalls
from hopfield_service.rpc.server_servicer import ServerServicer
from hopfield_service.serving import compilation, costs
from hopfield_service.serving.admission import Admission
from hopfield_service.serving.attractors import Attractors
from hopfield_service.serving.cache import NetworkCache
from hopfield_service.serving.executor import KernelExecutor
from hopfield_service.serving.follower import Follower
from hopfield_service.serving.loader import NetworkLoader
from hopfield_service.serving.memories import Limits, Memories
from hopfield_service.serving.recalls import Recalls
from hopfield_service.settings import Settings
from hopfield_service.store.redis_store import RedisStore

_log = logging.getLogger(__name__)

_SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (memory_service_pb2, "MemoryService"),
        (recall_service_pb2, "RecallService"),
        (attractor_service_pb2, "AttractorService"),
        (server_service_pb2, "ServerService"),
    )
)
_MEMORY_SERVICE = memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"].full_name


class RedisUnusable(RuntimeError):
    """Redis refuses what the service needs, and will until somebody changes settings; the message says which."""


_CONNECTIONS_LOOKED_AT_EVERY = 0.05
# That calls which are ended have to say so to their callers.
_TO_ANSWER = 0.5
"""Seconds."""

CANNOT_SERVE = (CannotListen, RedisUnusable, *private_valkey.CANNOT_KEEP)
"""What keeps the service from coming up, or from staying up, through no defect of its own; the message says what to do."""


async def serve(settings: Settings, *, shares_address: bool = False) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is in flight and closes, in the order that loses nothing.

    Args:
        settings: of the service.
        shares_address: whether other processes of this service serve on the address too.

    Raises:
        CannotListen: the address is in use or not ours.
        RedisUnusable: no memories can be kept in the Redis of the settings, however long one waits.
        DataDirectoryInUse, DataDirectoryUnusable, EmbeddedServerFailed: from the private Valkey server, at any time.
    """
    return_what_is_freed()
    end = End()
    end.heed_signals()
    async with AsyncExitStack() as stack:
        # On a task of its own, so that it can be left off halfway; what is up by then is in the stack.
        starting = asyncio.create_task(_start(settings, stack, end, shares_address))
        ending = asyncio.create_task(end.begun.wait())
        stack.callback(ending.cancel)
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            # Raises what kept it from coming up.
            starting.result()
            await ending
        else:
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
        if end.drains and settings.drain_seconds:
            _log.info("draining: serving on for at most %g s while callers move elsewhere", settings.drain_seconds)
    _log.info("stopped")


async def _start(settings: Settings, stack: AsyncExitStack, end: End, shares_address: bool) -> None:
    """Brings everything up, and leaves with the stack what takes it down again."""
    began = time.monotonic()
    health = HealthServicer()
    for service in ("", *_SERVICES):
        await health.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
    admission = Admission(settings.bytes_in_flight, settings.max_calls, settings.max_message_bytes)
    limits = MessageLimits.of(settings.max_message_bytes, settings.max_neurons)
    calls = RunningCalls()
    admit_calls = AdmitCalls(admission, limits, calls)
    server = _grpc_server(settings, admit_calls, shares_address)
    # First of all, so that a second service on the same address ends before it has touched anything.
    listener = listen_on(server, settings.listen)
    stack.callback(listener.release)
    address = listener.address
    where = settings.where
    _log.info(
        "hopfield-server %s on %s: memories in %s, %d threads, at most %d neurons, %d patterns, %d iterations, "
        "%d bytes a message, %d bytes and %d calls in flight, %d bytes a snapshot, %d bytes of networks kept",
        *(version("hopfield-recall"), address, where, settings.threads, settings.max_neurons, settings.max_patterns),
        *(settings.max_iterations, settings.max_message_bytes, settings.bytes_in_flight, settings.max_calls),
        *(settings.max_snapshot_bytes, settings.cache_bytes),
    )
    redis_url = settings.redis_url or await private_valkey.kept_up(settings, stack, end)
    store = RedisStore(
        redis_url,
        settings.redis_prefix,
        settings.redis_timeout,
        settings.redis_wait_replicas,
        settings.redis_connections,
        settings.redis_password_file,
    )
    stack.push_async_callback(store.close)
    refusal = await store.probe.lasting_refusal()
    if refusal is not None:
        raise RedisUnusable(f"no memories can be kept in {where}: {refusal.reason}")
    executor = KernelExecutor(settings.threads)
    stack.push_async_callback(executor.close)
    cache = NetworkCache(settings.cache_bytes, admission.charge_while_used)
    loader = NetworkLoader(store, cache, executor, settings.max_snapshot_bytes, admission.account)
    stack.push_async_callback(loader.close)
    follower = Follower(store, loader)
    # Says early what is wrong with Redis: compiling may take a minute.
    await follower.ask()
    memories = Memories(store, loader, executor, Limits(settings.max_neurons, settings.max_patterns))
    recalls = Recalls(loader, executor, settings.max_iterations)
    _add_services(server, settings, limits, memories, recalls, Attractors(loader, executor), health)
    await server.start()
    stack.push_async_callback(_finish_calls, server, calls, settings.grace, end)
    stack.push_async_callback(health.enter_graceful_shutdown)

    _log.info("warming the kernels (the first start compiles them, which may take a minute)")
    await compilation.ready()
    admit_calls.start()
    for service in ("", *_SERVICES):
        if service != _MEMORY_SERVICE:
            await health.set(service, health_pb2.HealthCheckResponse.SERVING)
    await _follow(follower, health, stack)
    # What compiling has left stays for good: to look through it again and again stops every call for some 50 ms each time.
    gc.collect()
    gc.freeze()
    _log.info("serving after %.1f s", time.monotonic() - began)
    # The one line on stdout, for whoever started the process and waits to know where it serves.
    say(f"hopfield-server {version('hopfield-recall')} serving on {address}, memories in {where}")
    # Before anything else is taken down.
    stack.push_async_callback(_drain, health, listener, settings.drain_seconds, end)


async def _follow(follower: Follower, health: HealthServicer, stack: AsyncExitStack) -> None:
    """Keeps the loaded networks in step with Redis, and says by health whether changes can be made."""

    async def changes_can_be_made(possible: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if possible else health_pb2.HealthCheckResponse.NOT_SERVING
        await health.set(_MEMORY_SERVICE, status)

    await follower.ask()
    await changes_can_be_made(follower.takes_changes)
    following = asyncio.create_task(follower.follow(changes_can_be_made))

    async def let_go() -> None:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    stack.push_async_callback(let_go)


async def _drain(health: HealthServicer, listener: Listener, seconds: float, end: End) -> None:
    """Says that the service is to go, and serves on while callers and load balancers hear of it."""
    await health.enter_graceful_shutdown()
    if not end.drains:
        return
    until = time.monotonic() + seconds
    while not end.at_once.is_set() and time.monotonic() < until and listener.is_connected():
        with suppress(TimeoutError):
            await asyncio.wait_for(end.at_once.wait(), _CONNECTIONS_LOOKED_AT_EVERY)


async def _finish_calls(server: grpc.aio.Server, calls: RunningCalls, grace: float, end: End) -> None:
    """Accepts no more calls, and waits for those in flight as long as they may take."""
    _log.info("stopping: calls in flight have %g s to finish", grace)
    finishing = asyncio.create_task(server.stop(grace + _TO_ANSWER))
    calls.end_watching()
    hurry = asyncio.create_task(end.at_once.wait())
    await asyncio.wait({finishing, hurry}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    if not finishing.done():
        calls.end()
        await asyncio.wait({finishing}, timeout=_TO_ANSWER)
        # Cancels what is not answered even so.
        await server.stop(None)
    hurry.cancel()
    await finishing


def _grpc_server(settings: Settings, admit_calls: AdmitCalls, shares_address: bool) -> grpc.aio.Server:
    return grpc.aio.server(
        interceptors=[admit_calls],
        options=transport.options(
            settings.max_message_bytes, settings.max_calls, settings.max_connection_age, shares_address=shares_address
        ),
    )


def _add_services(
    server: grpc.aio.Server,
    settings: Settings,
    limits: MessageLimits,
    memories: Memories,
    recalls: Recalls,
    attractors: Attractors,
    health: HealthServicer,
) -> None:
    accepted = server_service_pb2.ServerLimits(
        max_neurons=settings.max_neurons,
        max_patterns=settings.max_patterns,
        max_iterations=settings.max_iterations,
        max_message_bytes=limits.bulk,
        max_call_message_bytes=limits.call,
        max_answer_bytes=costs.ANSWER_BYTES,
        max_bytes_in_flight=settings.bytes_in_flight,
        max_calls=settings.max_calls,
    )
    memory_service_pb2_grpc.add_MemoryServiceServicer_to_server(MemoryServicer(memories, settings.max_neurons), server)
    recall_service_pb2_grpc.add_RecallServiceServicer_to_server(RecallServicer(recalls), server)
    attractor_service_pb2_grpc.add_AttractorServiceServicer_to_server(AttractorServicer(attractors), server)
    server_service_pb2_grpc.add_ServerServiceServicer_to_server(
        ServerServicer(version("hopfield-recall"), accepted), server
    )
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection(
        (*_SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME), server
    )
