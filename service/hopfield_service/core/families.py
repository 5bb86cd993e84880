"""The families of networks there are."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hopfield_service.core.dense import DenseSpec
from hopfield_service.core.kernels import wire
from hopfield_service.core.kernels.cache import directory
from hopfield_service.core.kernels.compilation import kernel_names
from hopfield_service.core.kernels.generator import next_word
from hopfield_service.core.kernels.reports import Report, reported, warn
from hopfield_service.core.modern import ModernSpec
from hopfield_service.core.network import Spec
from hopfield_service.core.pairwise import PairwiseSpec
from hopfield_service.core.ring import RingSpec
from hopfield_service.core.sheet import SheetSpec

FAMILIES: dict[str, type[Spec]] = {
    family.family: family for family in (PairwiseSpec, DenseSpec, ModernSpec, RingSpec, SheetSpec)
}


def spec_from_parameters(family: str, parameters: Mapping[str, Any]) -> Spec:
    """The spec of a family with these parameters.

    Raises:
        KeyError: no such family.
        TypeError: a parameter is missing, or one that the family does not have.
        ValueError: a parameter has a value the family does not know.
    """
    return FAMILIES[family].from_parameters(parameters)


def warm(report: Report = lambda _: None, complaint: Report = warn, number: int = 0, of: int = 1) -> None:
    """Compiles everything that is compiled on first use, so that no caller waits for it; or a share of it.

    Args:
        report: is called with the name of every kernel that was compiled, and not found on disk.
        complaint: is called with what is wrong with the compiled kernels on disk.
        number: which share, from 0 on.
        of: how many shares there are.
    """
    pieces = [wire.warm, *(piece for family in FAMILIES.values() for piece in family.warming())]
    known = kernel_names()
    with reported(lambda name: report(name) if name in known else None, complaint):
        for piece in pieces[number::of]:
            piece()


def kernel_count() -> int:
    """How many kernels there are, each of which `warm` reports at a first start."""
    return len(kernel_names())


def compile_where_kept(complaint: Report) -> bool:
    """Compiles a kernel; whether it was not on disk, and is now: whether what one process compiles another need not."""
    with reported(lambda _: None, complaint):
        next_word(np.zeros(1, np.uint64))
    found = next_word.stats.cache_hits  # type: ignore[attr-defined]
    return kernels_are_kept() and not found


def kernels_are_kept() -> bool:
    """Whether a kernel compiled now is kept on disk."""
    return directory().writable
