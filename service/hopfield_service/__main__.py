"""`hopfield-server`: the command line. Every option is a setting; see settings.py."""

import asyncio
import inspect
import logging
import sys
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from hopfield_service.server import CannotListen, serve
from hopfield_service.settings import Settings
from hopfield_service.store.embedded import DataDirectoryInUse, EmbeddedServerFailed

_HELP = (
    "Serve Hopfield memories over gRPC.\n\nEach option is also read from the environment, under the name beside it. Without a "
    "Redis URL the memories are kept by a private Valkey server in the data directory. SIGTERM finishes the calls in "
    "flight and ends."
)


def _run(**given: Any) -> None:
    """Runs the service with the settings given on the command line."""
    try:
        # What was not given on the command line comes from the environment, and then from the defaults.
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"])
            sys.stderr.write(
                f"hopfield-server: HOPFIELD_{name.upper()}: {problem['msg'].removeprefix('Value error, ')}, not {problem['input']!r}\n"
            )
        raise typer.Exit(2) from None
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        asyncio.run(serve(settings))
    except (CannotListen, DataDirectoryInUse, EmbeddedServerFailed) as error:
        sys.stderr.write(f"hopfield-server: {error}\n")
        raise typer.Exit(1) from None


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
    parameters = _options()
    # Where typer, as `inspect`, looks first.
    _run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    _run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False)
    app.command(help=_HELP)(_run)
    app(prog_name="hopfield-server")


if __name__ == "__main__":
    main()
