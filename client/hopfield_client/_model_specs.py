"""Models as specs of the wire, and back."""

from dataclasses import fields
from typing import Any

from google.protobuf import field_mask_pb2

from hopfield.v1 import memory_pb2
from hopfield_client._errors import InvalidArgument
from hopfield_client._models import Dense, Model, Modern, Ring, Sheet

# By the name of their family on the wire, where fields have the names that they have here.
_MODELS: dict[str, type[Model]] = {"dense": Dense, "modern": Modern, "ring": Ring, "sheet": Sheet}


def spec_of(model: Model, **more: int) -> memory_pb2.MemorySpec:
    """The spec of a model.

    Args:
        model: of a memory.
        more: fields that are no part of it.

    Raises:
        InvalidArgument: it is no model.
    """
    parameters = {name: getattr(model, name) for name in _names(model)}
    given = {name: value for name, value in parameters.items() if value is not None}
    return memory_pb2.MemorySpec(**{_family(model): {**given, **more}})


def mask_of(model: Model) -> field_mask_pb2.FieldMask:
    """The paths of all that a model says."""
    family = _family(model)
    return field_mask_pb2.FieldMask(paths=[f"{family}.{name}" for name in _names(model)])


def model_of(spec: memory_pb2.MemorySpec) -> Model | None:
    """The model that a spec was made from; None of a pairwise network, and of what only a later client knows."""
    family = spec.WhichOneof("family")
    if family not in _MODELS:
        return None
    kind = _MODELS[family]
    known = {field.name for field in fields(kind)}
    set_there: list[tuple[Any, Any]] = getattr(spec, family).ListFields()
    return kind(**{field.name: value for field, value in set_there if field.name in known})


def _family(model: Model) -> str:
    for family, kind in _MODELS.items():
        if isinstance(model, kind):
            return family
    known = ", ".join(kind.__name__ for kind in _MODELS.values())
    raise InvalidArgument(f"model is {model!r}; it must be one of {known}, or None", field="model")


def _names(model: Model) -> list[str]:
    return [field.name for field in fields(_MODELS[_family(model)])]
