"""What `hopfield-server` understands on its command line. Every option is a setting; see settings.py."""

import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from hopfield_service.ending import end_process_after
from hopfield_service.logs import log_to_stderr
from hopfield_service.settings import Settings, flag, misspelt, problems, variable

_log = logging.getLogger(__name__)

_HEALTH_SECONDS = 3.0
# It is not healthy while Redis takes no changes.
_MEMORY_SERVICE = "hopfield.v1.MemoryService"

_HELP = (
    "Serve Hopfield memories over gRPC.\n\nEach option is also read from the environment, under the name beside it; an "
    "empty value counts as none. Without a Redis URL the memories are kept by a private Valkey server in the data "
    "directory. SIGTERM serves on until callers have moved away, finishes the calls in flight and ends."
)


def run() -> None:
    """Does what the command line of this process says."""
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *_options()]
    # Where typer, as `inspect`, looks first.
    _serve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    _serve.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False, subcommand_metavar="[healthcheck]")
    app.callback(invoke_without_command=True, help=_HELP)(_serve)
    app.command("healthcheck")(_healthcheck)
    app(prog_name="hopfield-server")


def _serve(context: typer.Context, **given: Any) -> None:
    """Runs the service with the settings given on the command line."""
    if context.invoked_subcommand is not None:
        context.obj = given
        return
    settings = _settings(given)
    log_to_stderr(settings.log_level)
    for name, near in misspelt(os.environ):
        _log.warning("%s in the environment is no setting, and is passed over; did you mean %s?", name, near)
    asyncio.run(_served(settings))


async def _served(settings: Settings) -> NoReturn:
    """Serves, and ends the process."""
    # Loaded here and not above, since numba and all that serving takes would make a health check cost a second.
    if settings.workers > 1:
        from hopfield_service import supervisor  # noqa: PLC0415

        await end_process_after(supervisor.serve(settings), supervisor.CANNOT_SERVE)
    from hopfield_service import server  # noqa: PLC0415

    await end_process_after(server.serve(settings), server.CANNOT_SERVE)


def _healthcheck(
    context: typer.Context,
    writes: Annotated[bool, typer.Option("--writes", help="Ask whether memories can be changed.")] = False,
) -> None:
    """Ask the service that --listen or HOPFIELD_LISTEN names whether it serves; the exit status is the answer."""
    address = _settings(context.obj).listen
    host, _, port = address.rpartition(":")
    if host in {"0.0.0.0", "[::]"}:  # noqa: S104
        # A service that listens on every address of its machine is asked on this one.
        address = f"localhost:{port}"
    # The service is on this machine, and a proxy that the environment names is not.
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            question = health_pb2.HealthCheckRequest(service=_MEMORY_SERVICE if writes else "")
            answer = health_pb2_grpc.HealthStub(channel).Check(question, timeout=_HEALTH_SECONDS)
        except grpc.RpcError as error:
            sys.stderr.write(f"hopfield-server: nothing healthy at {address}: {error.code().name}\n")
            raise typer.Exit(1) from None
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    sys.stdout.write(f"{status}\n")
    raise typer.Exit(0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1)


def _settings(given: Mapping[str, str | None]) -> Settings:
    """What was given on the command line, then what is in the environment, then the defaults."""
    # Empty counts as not given, as it does in the environment: "$DIRECTORY" that is not set must not mean this directory.
    flags = {name: value for name, value in given.items() if name in Settings.model_fields and value}
    try:
        # Texts, as from the environment: pydantic makes of them what the fields say.
        return Settings(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        for problem in problems(error, flags):
            sys.stderr.write(f"hopfield-server: {problem}\n")
        raise typer.Exit(2) from None


def _options() -> list[inspect.Parameter]:
    """One option for each setting, so that a setting is written down once, and those that only tell something."""
    options = []
    for name, field in Settings.model_fields.items():
        factory = field.default_factory is not None
        default = field.get_default(call_default_factory=True) if factory else field.default
        option = typer.Option(
            flag(name),
            # Only described here: what is not given must be seen as not given, and Settings reads the environment itself.
            help=f"{field.description} Default: {'empty' if default in {'', None} else default}.",
            metavar=variable(name),
            show_default=False,
        )
        options.append(_option(name, str | None, option, None))
    for name, tell, description in (
        ("version", _tell_version, "Show the version and exit."),
        # In place of typer's own, which is shown as if it took a value.
        ("help", _tell_help, "Show this message and exit."),
    ):
        option = typer.Option(
            f"--{name}", help=description, metavar="", show_default=False, is_eager=True, callback=tell
        )
        options.append(_option(name, bool, option, False))
    return options


def _option(name: str, kind: Any, option: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _tell_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"hopfield-server {version('hopfield-recall')}\n")
        raise typer.Exit


def _tell_help(context: typer.Context, asked: bool) -> None:
    if asked:
        sys.stdout.write(context.get_help())
        raise typer.Exit
