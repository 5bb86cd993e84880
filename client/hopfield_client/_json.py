"""Answers as values that `json.dumps` takes."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import numpy as np


class JsonReady:
    """A base of dataclasses whose fields can be written as JSON."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as values that `json.dumps` takes, also with `allow_nan=False`.

        Arrays are nested lists, times are ISO 8601, models and what else has fields are dictionaries. NaN, infinity and
        masked values are None.
        """
        return fields_of(self)


def fields_of(values: Any) -> dict[str, Any]:
    """The fields of a dataclass, or of a named tuple, as JSON values."""
    names = values._fields if hasattr(values, "_fields") else [field.name for field in fields(values)]
    return {name: json_value(getattr(values, name)) for name in names}


def json_value(value: Any) -> Any:
    """One value as `JsonReady.to_dict` writes it."""
    match value:
        case np.ndarray() if value.dtype.kind in "biu" or (value.dtype.kind == "f" and np.isfinite(value).all()):
            return value.tolist()
        case np.ndarray() | np.generic():
            return json_value(value.tolist())
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return value.isoformat()
        case Mapping():
            return {key: json_value(each) for key, each in value.items()}
        case tuple() if hasattr(value, "_fields"):
            return fields_of(value)
        case list() | tuple():
            return [json_value(each) for each in value]
    return fields_of(value) if is_dataclass(value) else value
