"""Who may import whom.

In the service, from the top: `__main__`, `command_line`, `supervisor` and `worker`, `server`, `rpc`, `serving`, `private_valkey`,
`store`, `core`; at the bottom `errors`, `settings`,
`logs`, `ending`, `listening` and `heap`, and below them `machine`. A layer imports lower ones only. The service and its client meet on the wire alone.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    ".".join(path.relative_to(ROOT / tree).with_suffix("").parts): path
    for tree in ("service", "client", "protos")
    for path in sorted((ROOT / tree).rglob("*.py"))
}

BOTTOM = ("errors", "settings", "logs", "ending", "listening", "heap")
BELOW = ("machine",)
LAYERS = (
    *("core", "store", "private_valkey", "serving", "rpc", "server"),
    *("worker", "supervisor", "command_line", "__main__"),
)
HEIGHTS = {
    **dict.fromkeys(BELOW, -1),
    **dict.fromkeys(BOTTOM, 0),
    **{layer: height for height, layer in enumerate(LAYERS, start=1)},
}
SPEAK_THE_WIRE = {"rpc", "server", "command_line", "__main__"}
OURS = {"hopfield", "hopfield_client", "hopfield_service"}

# Arrays in, arrays out: nothing that reads a clock, draws a number, logs, waits or touches a file.
PURE = {
    *("__future__", "abc", "bisect", "collections", "contextlib", "copy", "dataclasses", "enum", "fractions"),
    *("functools", "heapq", "itertools", "math", "numbers", "operator", "struct", "types", "typing"),
}
# Compiled kernels are files, of which something may be wrong.
ABOUT_FILES = {
    "hopfield_service.core.kernels.cache": {
        *("hashlib", "os", "pathlib", "pickle", "re", "shutil", "sys", "tempfile"),
    },
    "hopfield_service.core.kernels.reports": {"warnings"},
}
# What comes with the base install.
BASE = {"google", "grpc", "grpc_status", "hopfield", "numpy", *sys.stdlib_module_names}
# What parts of the client need beyond it, and says so where it is missing.
EXTRAS = {"hopfield_client.demo": {"rich"}, "hopfield_client.plot": {"matplotlib"}}
COMPILERS = {"cfunc", "compiled", "guvectorize", "jit", "njit", "stencil", "vectorize"}


def breaches(module: str, source: str) -> list[str]:
    """What in a source text breaks a rule.

    `module` is the dotted name of the file, so that of a package ends in `.__init__`.
    """
    tree = ast.parse(source)
    found = [
        f"{module} imports {target}: {reason}"
        for target in imports(module, tree)
        if (reason := objection(module, target))
    ]
    if within(module, "hopfield_service") and not within(module, "hopfield_service.core.kernels"):
        found += [f"{module} compiles {name}, which belongs in core/kernels" for name in compiled(tree)]
    if within(module, "hopfield_service.core"):
        found += [f"{module} uses numpy.random, which has a state" for _ in uses_of_numpy_random(tree)]
    return found


def imports(module: str, tree: ast.Module) -> Iterator[str]:
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def compiled(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                name = decorator.func if isinstance(decorator, ast.Call) else decorator
                if (name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")) in COMPILERS:
                    yield node.name


def uses_of_numpy_random(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr == "random"
            and getattr(node.value, "id", "") in {"np", "numpy"}
        ):
            yield node


def within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def objection(module: str, target: str) -> str | None:
    """Why a module may not import a target; None where it may."""
    distribution = target.split(".", maxsplit=1)[0]
    if within(module, "hopfield_service"):
        if distribution in OURS:
            return objection_within_the_service(module, target)
        if distribution in {"llvmlite", "numba"} and not within(module, "hopfield_service.core.kernels"):
            return "only core/kernels uses numba"
        if within(module, "hopfield_service.core") and distribution not in {
            *("llvmlite", "numba", "numpy"),
            *PURE,
            *ABOUT_FILES.get(module, ()),
        }:
            return "core is numpy, numba, and what is pure of the standard library"
        return "core draws from no generator but its own" if is_numpy_random_in_core(module, target) else None
    allowed = BASE | {"hopfield_client"} if within(module, "hopfield_client") else BASE
    for package, extra in EXTRAS.items():
        if within(module, package):
            allowed = allowed | extra
    return None if distribution in allowed else "it is not in the base install"


def is_numpy_random_in_core(module: str, target: str) -> bool:
    return within(module, "hopfield_service.core") and within(target, "numpy.random")


def objection_within_the_service(module: str, target: str) -> str | None:
    layer = module.split(".")[1]
    if within(target, "hopfield_client"):
        return "the service does not know its client"
    if within(target, "hopfield"):
        return None if layer in SPEAK_THE_WIRE else "only rpc speaks the wire"
    if layer == "__init__":
        return "the package itself imports nothing of ours"
    if layer not in HEIGHTS:
        return f"{layer} belongs to no layer"
    if target == "hopfield_service":
        return "it hides which layer is meant"
    below = target.split(".")[1]
    if below not in HEIGHTS:
        return f"{below} belongs to no layer"
    if layer == below and layer not in BOTTOM:
        return None
    return None if HEIGHTS[below] < HEIGHTS[layer] else f"{layer} does not stand above {below}"


@pytest.mark.parametrize("module", SOURCES)
def test_imports_what_it_may(module: str) -> None:
    assert breaches(module, SOURCES[module].read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hopfield_service.__init__", "import importlib.util"),
        ("hopfield_service.errors", "from typing import ClassVar"),
        ("hopfield_service.core.kernels", "import numba\nimport numpy as np\n@numba.njit(cache=True)\ndef f(): ..."),
        ("hopfield_service.core.kernels.sweeps", "from hopfield_service.core.kernels.draws import compiled"),
        ("hopfield_service.core.__init__", "from hopfield_service.core.network import Network"),
        ("hopfield_service.core.network", "from collections.abc import Callable\nfrom .kernels import sweep"),
        ("hopfield_service.store.layout", "from hopfield_service import errors\nfrom ..core import network"),
        (
            "hopfield_service.serving.memories",
            "import logging\nfrom hopfield_service.store.redis_store import RedisStore",
        ),
        ("hopfield_service.rpc.convert", "import hopfield.v1.memory_pb2\nfrom hopfield_service.serving import cache"),
        ("hopfield_service.server", "from hopfield.v1 import memory_pb2\nimport hopfield_service.rpc.servicers"),
        ("hopfield_service.__main__", "from hopfield_service.server import serve"),
        (
            "hopfield_client._calls",
            "import grpc\nfrom google.rpc import status_pb2\nfrom hopfield.v1 import memory_pb2",
        ),
        ("hopfield_client.demo.__main__", "import rich\nfrom hopfield_client import HopfieldClient"),
        ("hopfield_client.plot._recall", "from matplotlib.figure import Figure\nfrom hopfield_client import Recall"),
        ("hopfield.v1.memory_pb2", "from google.protobuf import descriptor"),
    ],
)
def test_an_arrow_downwards_is_let_pass(module: str, source: str) -> None:
    assert breaches(module, source) == []


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("hopfield_service.__init__", "from hopfield_service import core", "imports nothing of ours"),
        ("hopfield_service.errors", "from hopfield_service import settings", "errors does not stand above settings"),
        ("hopfield_service.settings", "import hopfield_service.core", "settings does not stand above core"),
        (
            "hopfield_service.core.network",
            "from hopfield_service.store import layout",
            "core does not stand above store",
        ),
        ("hopfield_service.core.network", "from ..store import layout", "core does not stand above store"),
        (
            "hopfield_service.core.network",
            "def late():\n    from .. import serving",
            "core does not stand above serving",
        ),
        (
            "hopfield_service.store.layout",
            "import hopfield_service.serving.cache",
            "store does not stand above serving",
        ),
        (
            "hopfield_service.serving.cache",
            "from hopfield_service.rpc import status",
            "serving does not stand above rpc",
        ),
        ("hopfield_service.rpc.__init__", "from hopfield_service import server", "rpc does not stand above server"),
        ("hopfield_service.server", "import hopfield_service.__main__", "server does not stand above __main__"),
        ("hopfield_service.utils", "from hopfield_service import errors", "utils belongs to no layer"),
        ("hopfield_service.rpc.status", "from hopfield_service import utils", "utils belongs to no layer"),
        ("hopfield_service.rpc.status", "import hopfield_service", "hides which layer"),
        ("hopfield_service.serving.memories", "from hopfield.v1 import memory_pb2", "only rpc speaks the wire"),
        ("hopfield_service.server", "import hopfield_client", "does not know its client"),
        ("hopfield_service.core.dynamics", "import time", "core is numpy, numba"),
        ("hopfield_service.core.dynamics", "import random", "core is numpy, numba"),
        ("hopfield_service.core.dynamics", "import logging", "core is numpy, numba"),
        ("hopfield_service.core.dynamics", "import asyncio", "core is numpy, numba"),
        ("hopfield_service.core.dynamics", "from scipy import linalg", "core is numpy, numba"),
        ("hopfield_service.core.dynamics", "from numpy import random", "no generator but its own"),
        ("hopfield_service.core.dynamics", "import numpy as np\nnp.random.default_rng()", "numpy.random"),
        ("hopfield_service.core.dynamics", "import numba", "only core/kernels uses numba"),
        ("hopfield_service.serving.executor", "from numba import njit", "only core/kernels uses numba"),
        ("hopfield_service.core.dynamics", "@kernels.compiled\ndef sweep(): ...", "compiles sweep"),
        (
            "hopfield_service.core.dynamics",
            "class A:\n    @njit(nogil=True)\n    def sweep(self): ...",
            "compiles sweep",
        ),
        ("hopfield_client._client", "from hopfield_service.errors import NotFound", "not in the base install"),
        ("hopfield_client._client", "import redis", "not in the base install"),
        ("hopfield_client._client", "import rich", "not in the base install"),
        ("hopfield_client._client", "import matplotlib", "not in the base install"),
        ("hopfield_client.demo.__init__", "import numba", "not in the base install"),
        ("hopfield.v1.__init__", "import hopfield_client", "not in the base install"),
    ],
)
def test_a_wrong_arrow_is_found(module: str, source: str, reason: str) -> None:
    [breach] = breaches(module, source)
    assert reason in breach
