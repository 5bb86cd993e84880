"""What tells two specs apart, in words."""

from dataclasses import fields
from enum import Enum
from typing import Any, cast

from hopfield_service.core.network import Spec


def differences(existing: Spec, asked: Spec) -> dict[str, str]:
    """Compare two specs parameter by parameter.

    Args:
        existing: the spec of the memory that is there.
        asked: the spec that the caller asks for.

    Returns:
        A sentence for each parameter that differs, by its name. Of specs of two families only the family is compared.
    """
    if existing.family != asked.family:
        return {"family": f"family is {existing.family} ({asked.family} was asked for)"}
    pairs = {
        field.name: (getattr(existing, field.name), getattr(asked, field.name))
        for field in fields(cast("Any", existing))
        if field.init
    }
    return {name: _sentence(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]}


def _sentence(name: str, existing: Any, asked: Any) -> str:
    if not (isinstance(existing, tuple) and isinstance(asked, tuple)):
        return f"{name} is {_word(existing)} ({_word(asked)} was asked for)"
    # Thresholds may be thousands: an empty tuple stands for zeros.
    if not asked:
        return f"{name} are set (none were asked for)"
    if not existing:
        return f"{name} are all zero (others were asked for)"
    if len(existing) != len(asked):
        return f"{name} are {len(existing)} ({len(asked)} were asked for)"
    first = next(k for k, pair in enumerate(zip(existing, asked, strict=True)) if pair[0] != pair[1])
    return f"{name}[{first}] is {existing[first]:g} ({asked[first]:g} was asked for)"


def _word(value: Any) -> str:
    """A value as callers write it: a word of the .proto in lower case, a number as it is."""
    if isinstance(value, Enum):
        return str(value.value) if isinstance(value.value, str) else value.name.lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
