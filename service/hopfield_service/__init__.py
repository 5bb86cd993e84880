"""The associative memory service."""

import importlib.util
import os
import sys
from pathlib import Path

# What the extra `server` adds, and nothing here works without.
_EXTRA = ("grpc_health", "grpc_reflection", "llvmlite", "numba", "pydantic_settings", "redis", "rich", "typer")
_MISSING = [name for name in _EXTRA if importlib.util.find_spec(name) is None]


def _refuse(message: str) -> None:
    """Ends the command with one line; raises for whoever imports the package."""
    # The command's main() is inside this package, so nothing but this can spare its user a traceback.
    if Path(sys.argv[0]).name in {"hopfield-server", "-m"}:
        sys.exit(message)
    raise ImportError(message, name=__name__)


if _MISSING:
    _refuse(f"hopfield_service needs {', '.join(_MISSING)}: pip install 'hopfield-recall[server]'")
# numba takes any other whole number for yes.
if os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in {"", "0"}:
    _refuse("hopfield_service needs compiled kernels: NUMBA_DISABLE_JIT must be 0 or unset")
