"""The families of networks there are."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hopfield_service.core.dense import DenseSpec
from hopfield_service.core.kernels import wire
from hopfield_service.core.kernels.generator import next_word
from hopfield_service.core.kernels.reports import reported
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


def warm(report: Callable[[str], None] = lambda _: None, number: int = 0, of: int = 1) -> None:
    """Has everything compiled that is compiled on first use, so that no caller waits for it; or a share of it.

    Args:
        report: is called with the name of every kernel that was compiled, and not found on disk.
        number: which share, from 0 on.
        of: how many shares there are.
    """
    pieces = [wire.warm, *(piece for family in FAMILIES.values() for piece in family.warming())]
    with reported(report):
        for piece in pieces[number::of]:
            piece()


def compile_where_kept() -> bool:
    """Compiles a kernel; whether it was not on disk, and is now: whether what one process compiles another need not."""
    next_word(np.zeros(1, np.uint64))
    statistics = next_word.stats  # type: ignore[attr-defined]
    return statistics.cache_path is not None and not statistics.cache_hits
