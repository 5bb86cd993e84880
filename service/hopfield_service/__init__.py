"""The associative memory service."""

import importlib.util
import sys
from pathlib import Path

# What the extra `server` adds, and nothing here works without.
_EXTRA = ("grpc_health", "grpc_reflection", "llvmlite", "numba", "pydantic_settings", "redis", "rich", "typer")
_MISSING = [name for name in _EXTRA if importlib.util.find_spec(name) is None]

if _MISSING:
    _MESSAGE = f"hopfield_service needs {', '.join(_MISSING)}: pip install 'hopfield-recall[server]'"
    if Path(sys.argv[0]).name == "hopfield-server":
        # The command's main() is inside this package, so nothing but this line can spare its user a traceback.
        sys.exit(_MESSAGE)
    raise ImportError(_MESSAGE, name=__name__)
