"""Dataclasses as plain mappings, as JSON and the database take them."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def members_of(value: Any) -> Any:
    """What `dataclasses.asdict` makes of a value, a tenth of the time: what can't change is not
    copied, and tuples hold dataclasses or none."""
    names = _names(value.__class__)
    if names is not None:
        return {name: members_of(getattr(value, name)) for name in names}
    if isinstance(value, tuple) and value and _names(value[0].__class__) is not None:
        return tuple(map(members_of, value))
    return value


@cache
def _names(kind: Any) -> tuple[str, ...] | None:
    """The fields of a dataclass, None for any other type."""
    return tuple(one.name for one in fields(kind)) if is_dataclass(kind) else None
