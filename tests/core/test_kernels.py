"""Compiled code: what is compiled when, and what may be called from where."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from numba.core.dispatcher import Dispatcher
from tests.core.samples import LEARNT

from hopfield_service import core
from hopfield_service.core.kernels import (
    attention,
    couplings,
    fields,
    generator,
    interactions,
    learning,
    overlaps,
    recall,
    updates,
    wire,
)

# Runs everything there is with every rule, after the warming, and says which kernels were compiled for it.
WARMED = """
from itertools import product
import numpy as np
from numba.core.dispatcher import Dispatcher
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.families import warm
from hopfield_service.core.interruption import never
from hopfield_service.core.dense import DenseSpec
from hopfield_service.core.kernels import attention, couplings, fields, generator, interactions, learning, overlaps, products, recall, rests, updates, wire
from hopfield_service.core.modern import ModernSpec
from hopfield_service.core.network import Forget, Import, Store
from hopfield_service.core.pairwise import PairwiseSpec, Rule
from hopfield_service.core.patterns import TWO_VALUED, Queries
from hopfield_service.rpc import parsing, serializing
from hopfield.v1.recall_service_pb2 import BatchRecallRequest
modules = (attention, couplings, fields, generator, interactions, learning, overlaps, products, recall, rests, updates, wire)
kernels = [kernel for module in modules for kernel in vars(module).values() if isinstance(kernel, Dispatcher)]
warm()
warmed = {kernel: len(kernel.signatures) for kernel in kernels}
stored = Store(np.array([[0b1000], [0b0101], [0b0110]], np.uint8), ("a", "b", "c"))
specs = [
    PairwiseSpec(neurons, rule, (threshold,) * neurons, self_coupling=True, coding=coding)
    for rule, coding, neurons, threshold in product([rule for rule in Rule if rule is not Rule.IMPORTED], TWO_VALUED, [4, 8], [0.1, 0.0])
]
for spec in (*specs, DenseSpec(4, 3), DenseSpec(8, 30), DenseSpec(8, exponential=True)):
    neurons = spec.neurons
    network = spec.empty().apply(stored, never).apply(Forget(("b",)), never)
    network = spec.restored(network.stored, {name: array.values for name, array in network.arrays().items()})
    for options in (
        RecallOptions(seed=1, order=Order.SEQUENTIAL, tie=TieRule.PLUS, clamp=True),
        RecallOptions(seed=1, update=UpdateRule.SYNCHRONOUS),
        RecallOptions(seed=1, update=UpdateRule.GLAUBER, beta=np.array([0.1, 0.2])),
    ):
        query = np.resize(np.array([1, 0, -1, 1], np.int8), neurons)
        steps = list(network.trace(Queries.of(query), options, never))
        list(network.recall_batch(Queries.of(np.stack([query, query])), options, never))
    print(network.diagnose(never).pattern_count)
spec = ModernSpec(4, 1.0)
patterns = np.array([[1, 2, 3, 4], [0, 1, 0, 1]], np.float32)
network = spec.empty().apply(Store(spec.packed(patterns), ("a", "b")), never)
list(network.trace(Queries.of(patterns[0]), RecallOptions(seed=1), never))
list(network.recall_batch(Queries.of(patterns), RecallOptions(seed=1), never))
network.nearest(Queries.of(patterns[0]), 1)
print(network.diagnose(never).pattern_count)
given = PairwiseSpec(4, Rule.IMPORTED).empty().apply(Import(PairwiseSpec(4, Rule.STORKEY).empty().arrays()), never)
given.recall(Queries.of(np.array([1, 0, -1, 1], np.int8)), RecallOptions(seed=1), never)
parsing._check_counts("", BatchRecallRequest, BatchRecallRequest(name="a").SerializeToString())
b"".join(serializing.integers(1, np.array([1, 300])))
print([kernel.__name__ for kernel in kernels if len(kernel.signatures) > warmed[kernel]])
"""


@pytest.mark.parametrize(
    "module", [attention, couplings, fields, generator, interactions, learning, overlaps, recall, updates, wire]
)
def test_kernels_let_other_threads_run(module: ModuleType) -> None:
    kernels = [value for value in vars(module).values() if isinstance(value, Dispatcher)]
    assert kernels
    assert all(kernel.targetoptions["nogil"] for kernel in kernels)


def test_nothing_is_compiled_any_more_after_the_warming() -> None:
    finished = subprocess.run([sys.executable, "-c", WARMED], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    *recalls, compiled_since = finished.stdout.splitlines()
    assert len(recalls) == 8 * len(LEARNT) + 4
    assert compiled_since == "[]"


def called_from(module: ModuleType) -> Iterator[Dispatcher]:
    """The kernels that a module outside of core/kernels names."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        value = None
        if isinstance(node, ast.Name):
            value = getattr(module, node.id, None)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            value = getattr(getattr(module, node.value.id, None), node.attr, None)
        if isinstance(value, Dispatcher):
            yield value


def test_what_is_called_from_outside_can_be() -> None:
    names = {found.name for found in pkgutil.iter_modules(core.__path__, f"{core.__name__}.") if not found.ispkg}
    kernels = {kernel for name in names for kernel in called_from(importlib.import_module(name))}
    assert len(kernels) > 10
    assert [kernel for kernel in kernels if "no_cpython_wrapper" in kernel.targetoptions] == []
