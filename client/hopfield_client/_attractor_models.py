"""The models of attractors, as specs of the wire and back."""

from dataclasses import fields
from typing import Any

from google.protobuf import field_mask_pb2

from hopfield.v1 import memory_pb2
from hopfield_client._arguments import UINT32_MAX, integer, real_number
from hopfield_client._errors import InvalidArgument
from hopfield_client._types import Ring, Sheet

AttractorModel = Ring | Sheet

# The families whose parameters are fields of a model, by their name on the wire.
_MODELS: dict[str, tuple[type[AttractorModel], Any]] = {
    "ring": (Ring, memory_pb2.RingSpec),
    "sheet": (Sheet, memory_pb2.SheetSpec),
}


def spec_of(model: AttractorModel) -> memory_pb2.MemorySpec:
    """The spec of a model.

    Raises:
        InvalidArgument: it is no model, or a parameter is no number of its kind.
    """
    for family, (kind, message) in _MODELS.items():
        if isinstance(model, kind):
            return memory_pb2.MemorySpec(**{family: message(**_parameters(model))})
    known = ", ".join(kind.__name__ for kind, _ in _MODELS.values())
    raise InvalidArgument(f"model is {model!r}; it must be one of {known}", field="model")


def _parameters(model: AttractorModel) -> dict[str, int | float]:
    return {
        field.name: integer(getattr(model, field.name), field.name, 0, UINT32_MAX)
        if field.type is int
        else real_number(getattr(model, field.name), field.name)
        for field in fields(model)
    }


def mask_of(spec: memory_pb2.MemorySpec) -> field_mask_pb2.FieldMask:
    """The paths of all parameters of a spec that was made from a model."""
    family = spec.WhichOneof("family") or ""
    return field_mask_pb2.FieldMask(paths=[f"{family}.{field.name}" for field in fields(_MODELS[family][0])])


def model_of(spec: memory_pb2.MemorySpec) -> AttractorModel | None:
    """The model that a spec was made from; None of a pairwise network, and of what only a later client knows."""
    family = spec.WhichOneof("family")
    if family not in _MODELS:
        return None
    kind, _ = _MODELS[family]
    message = getattr(spec, family)
    return kind(**{field.name: getattr(message, field.name) for field in fields(kind)})
