"""The families of networks there are."""

from collections.abc import Callable, Mapping
from typing import Any

from hopfield_service.core.kernels.reports import reported
from hopfield_service.core.network import Spec
from hopfield_service.core.pairwise import PairwiseSpec
from hopfield_service.core.ring import RingSpec
from hopfield_service.core.sheet import SheetSpec

FAMILIES: dict[str, type[Spec]] = {family.family: family for family in (PairwiseSpec, RingSpec, SheetSpec)}


def spec_from_parameters(family: str, parameters: Mapping[str, Any]) -> Spec:
    """The spec of a family with these parameters.

    Raises:
        KeyError: no such family.
        TypeError: a parameter is missing, or one that the family does not have.
        ValueError: a parameter has a value the family does not know.
    """
    return FAMILIES[family].from_parameters(parameters)


def warm(report: Callable[[str], None] = lambda _: None) -> None:
    """Has everything compiled that is compiled on first use, so that no caller waits for it.

    Args:
        report: is called with the name of every kernel that was compiled, and not found on disk.
    """
    with reported(report):
        for family in FAMILIES.values():
            family.warm()
