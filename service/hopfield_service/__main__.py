"""`hopfield-server`: the command line. Every option is a setting; see settings.py."""

import asyncio
import inspect
import logging
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from hopfield_service.settings import Settings

_HEALTH_SECONDS = 3.0

_HELP = (
    "Serve Hopfield memories over gRPC.\n\nEach option is also read from the environment, under the name beside it. Without a "
    "Redis URL the memories are kept by a private Valkey server in the data directory. SIGTERM finishes the calls in "
    "flight and ends."
)


def _serve(context: typer.Context, **given: Any) -> None:
    """Runs the service with the settings given on the command line."""
    if context.invoked_subcommand is not None:
        return
    settings = _settings(given)
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # Loaded here and not above, since numba and all that serving takes would make a health check cost a second.
    from hopfield_service import server  # noqa: PLC0415

    try:
        asyncio.run(server.serve(settings))
    except server.CANNOT_SERVE as error:
        sys.stderr.write(f"hopfield-server: {error}\n")
        raise typer.Exit(1) from None


def _healthcheck() -> None:
    """Ask the service that HOPFIELD_LISTEN names whether it serves; the exit status is the answer."""
    host, _, port = _settings({}).listen.rpartition(":")
    # A service that listens on every address of its machine is asked on this one.
    address = f"{'localhost' if host in {'0.0.0.0', '[::]'} else host}:{port}"  # noqa: S104
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
        except grpc.RpcError as error:
            sys.stderr.write(f"hopfield-server: nothing healthy at {address}: {error.code().name}\n")
            raise typer.Exit(1) from None
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    sys.stdout.write(f"{status}\n")
    raise typer.Exit(0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1)


def _settings(given: Mapping[str, Any]) -> Settings:
    """What was given on the command line, then what is in the environment, then the defaults."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors():
            name = "HOPFIELD_" + "_".join(str(part) for part in problem["loc"]).upper()
            rule = problem["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"hopfield-server: {name}: {rule}, not {problem['input']!r}\n")
        raise typer.Exit(2) from None


def _options() -> list[inspect.Parameter]:
    """One option for each setting, so that a setting is written down once."""
    options = []
    for name, field in Settings.model_fields.items():
        factory = field.default_factory is not None
        default = field.get_default(call_default_factory=True) if factory else field.default
        option = typer.Option(
            f"--{name.replace('_', '-')}",
            # Only described here: what is not given must be seen as not given, and Settings reads the environment itself.
            help=f"{field.description} Default: {default if default != '' else 'empty'}.",
            metavar=f"HOPFIELD_{name.upper()}",
            show_default=False,
        )
        options.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
            )
        )
    return options


def main() -> None:
    """Runs the command line."""
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [context, *_options()]
    # Where typer, as `inspect`, looks first.
    _serve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    _serve.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False, subcommand_metavar="[healthcheck]")
    app.callback(invoke_without_command=True, help=_HELP)(_serve)
    app.command("healthcheck")(_healthcheck)
    app(prog_name="hopfield-server")


if __name__ == "__main__":
    main()
