"""What kind of network a memory is to be: the spec of a new one, and the changes to one that exists."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from google.protobuf import field_mask_pb2
from numpy.typing import ArrayLike

from hopfield.v1 import memory_pb2
from hopfield_client._arguments import UINT32_MAX, flag, integer, not_negative, real_numbers
from hopfield_client._errors import InvalidArgument
from hopfield_client._model_specs import mask_of, spec_of
from hopfield_client._models import Model, PatternModel
from hopfield_client._types import Coding, LearningRule, Normalization
from hopfield_client._words import CODINGS, NORMALIZATIONS, RULES, number

DEFAULT_KAPPA = 1.0
DEFAULT_MAX_SWEEPS = 1000
DEFAULTS = {
    "rule": "hebbian",
    "normalization": "neurons",
    "thresholds": None,
    "self_coupling": False,
    "coding": "bipolar",
    "kappa": DEFAULT_KAPPA,
    "max_sweeps": DEFAULT_MAX_SWEEPS,
}
"""Of the parameters that only the classical network has."""


def new_spec(
    neurons: int,
    *,
    model: PatternModel | None,
    rule: LearningRule,
    normalization: Normalization,
    thresholds: ArrayLike | None,
    self_coupling: bool,
    coding: Coding,
    kappa: float,
    max_sweeps: int,
) -> memory_pb2.MemorySpec:
    """The spec of a new memory.

    Raises:
        InvalidArgument: an unknown word, a number out of range, thresholds that do not fit, or a parameter that the model does not have.
    """
    if model is not None:
        given = {
            "rule": rule,
            "normalization": normalization,
            "thresholds": thresholds,
            "self_coupling": self_coupling,
            "coding": coding,
            "kappa": kappa,
            "max_sweeps": max_sweeps,
        }
        refuse_beside(model, given, DEFAULTS)
        return spec_of(model, neurons=neurons)
    pairwise = memory_pb2.PairwiseSpec(
        neurons=neurons,
        rule=_rule(rule),
        thresholds=[] if thresholds is None else thresholds_of(thresholds, neurons),
        self_coupling=flag(self_coupling, "self_coupling"),
        coding=coding_of(coding),
    )
    # What only some rules have is refused with the others, so that their defaults must travel as nothing.
    if (scale := _normalization(normalization)) != memory_pb2.NORMALIZATION_NEURONS:
        pairwise.normalization = scale
    margin, sweeps = not_negative(kappa, "kappa"), _max_sweeps(max_sweeps)
    if rule == "perceptron" or margin != DEFAULT_KAPPA:
        pairwise.kappa = margin
    if rule == "perceptron" or sweeps != DEFAULT_MAX_SWEEPS:
        pairwise.max_sweeps = sweeps
    return memory_pb2.MemorySpec(pairwise=pairwise)


def changed_spec(
    neurons: int | None,
    *,
    model: PatternModel | None,
    rule: LearningRule | None,
    normalization: Normalization | None,
    thresholds: ArrayLike | None,
    self_coupling: bool | None,
    kappa: float | None,
    max_sweeps: int | None,
) -> tuple[memory_pb2.MemorySpec, field_mask_pb2.FieldMask]:
    """What is to change, and the paths that say so; None leaves a parameter as it is.

    Args:
        neurons: N, where the handle knows it.
        model: as all that follow, the new value.
        rule: see above.
        normalization: see above.
        thresholds: see above; all zero are none.
        self_coupling: see above.
        kappa: see above.
        max_sweeps: see above.

    Raises:
        InvalidArgument: nothing is to change; an unknown word, a number out of range, thresholds that do not fit, or a parameter that
            the model does not have.
    """
    new: dict[str, Any] = {
        "rule": None if rule is None else _rule(rule),
        "normalization": None if normalization is None else _normalization(normalization),
        "thresholds": None if thresholds is None else thresholds_of(thresholds, neurons),
        "self_coupling": None if self_coupling is None else flag(self_coupling, "self_coupling"),
        "kappa": None if kappa is None else not_negative(kappa, "kappa"),
        "max_sweeps": None if max_sweeps is None else _max_sweeps(max_sweeps),
    }
    changes = {name: value for name, value in new.items() if value is not None}
    if model is not None:
        refuse_beside(model, changes, {})
        return spec_of(model), mask_of(model)
    if not changes:
        raise InvalidArgument(f"nothing is to change: give at least one of model, {', '.join(new)}")
    mask = field_mask_pb2.FieldMask(paths=[f"pairwise.{name}" for name in changes])
    return memory_pb2.MemorySpec(pairwise=memory_pb2.PairwiseSpec(**changes)), mask


def refuse_beside(model: Model, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Refuses parameters of other networks beside a model.

    Args:
        model: of the memory.
        given: the parameters.
        defaults: what they are where they are left out; None where nothing stands here.

    Raises:
        InvalidArgument: one was not left out.
    """
    for name, value in given.items():
        default = defaults.get(name)
        # Arrays compare in ways of their own.
        if (value is not None) if default is None else (value != default):
            raise InvalidArgument(f"{name} is given, which a memory of {model!r} does not have", field=name)


def coding_of(coding: Coding) -> Any:
    """The number of a coding on the wire, one of two values.

    Raises:
        InvalidArgument: no such coding.
    """
    return number(CODINGS, coding, "coding", without=("real",))


def thresholds_of(thresholds: ArrayLike, neurons: int | None) -> list[float]:
    """One number a neuron, in an array of any shape, or a single one for them all; none at all where all are zero.

    Raises:
        InvalidArgument: they are no real numbers, or not as many as there are neurons; a single one that is not zero, where it
            is not known how many neurons there are.
    """
    array = real_numbers(thresholds, "thresholds")
    if array.ndim and neurons is not None and array.size != neurons:
        raise InvalidArgument(f"{array.size} thresholds for {neurons} neurons", field="thresholds")
    if not array.any():
        return []
    if not array.ndim:
        if neurons is None:
            raise InvalidArgument(
                f"thresholds is {array}, the same for every neuron, and this handle does not know how many there are: pass "
                "one a neuron, or tell client.memory the shape",
                field="thresholds",
            )
        array = np.full(neurons, array)
    result: list[float] = array.ravel().tolist()
    return result


def _rule(rule: LearningRule) -> Any:
    return number(RULES, rule, "rule", without=("imported",))


def _normalization(normalization: Normalization) -> Any:
    return number(NORMALIZATIONS, normalization, "normalization")


def _max_sweeps(max_sweeps: int) -> int:
    return integer(max_sweeps, "max_sweeps", 1, UINT32_MAX)
