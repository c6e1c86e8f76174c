"""The table of records made ready: places of fields, a pattern that a good record matches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from service.x9.tables import TABLES

Standard = Literal["x9.37", "x9.100-187"]
Usage = Literal["M", "C"]

MAX_RECORD: Final = 117 + 9_999 + 99_999 + 9_999_999
"""The longest record that the standards' length fields allow: an image view data record."""

_MARKS: Final = {"-": "x9.37", "+": "x9.100-187"}
_CLASSES: Final = {
    "A": "[A-Za-z ]", "AN": "[A-Za-z0-9 ]", "ANS": "[ -~]", "NB": "[0-9 ]", "NBSM": r"[0-9 *\-]",
    "NBSMOS": r"[0-9 *\-/]", "NS": "[!-@ \\[-`{-~]", "B": "[ ]", "Binary": r"[\x00-\xff]",
}  # fmt: skip
_FORMS: Final = {
    "Date": "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])",
    "Time": "(?:[01][0-9]|2[0-3])[0-5][0-9]",
}
NUMBERS: Final = frozenset({"Amount", "Count"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its standard name, first byte from 0 where that is fixed, its width in bytes or
    the name of the field that holds it, type and usage as in `tables`."""

    name: str
    start: int | None
    width: int | str
    type: str
    usage: Usage

    @property
    def end(self) -> int:
        """The byte after a field of fixed place and width."""
        assert self.start is not None
        assert isinstance(self.width, int)
        return self.start + self.width

    def pattern(self) -> re.Pattern[bytes]:
        """What a good value looks like, in ASCII."""
        return _field_pattern(self)


@dataclass(frozen=True, slots=True)
class Layout:
    """A record's layout under one standard.

    variant: its name where a type has several at once. size: bytes of the whole record, None where
    it varies. head: what a good record's fields of fixed place match, in ASCII. routings: where
    routing numbers with their check digits stand. places: of the fields of fixed place.
    """

    type: str
    variant: str
    name: str
    fields: tuple[Field, ...]
    size: int | None
    head: re.Pattern[bytes]
    routings: tuple[tuple[str, int], ...]
    places: dict[str, tuple[int, int]]

    def field(self, name: str) -> Field:
        """The field of that name; raises KeyError."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


@lru_cache(maxsize=256)
def _field_pattern(field: Field) -> re.Pattern[bytes]:
    return re.compile(_expression(field).encode("latin-1"))


def _expression(field: Field) -> str:
    width = field.width
    assert isinstance(width, int)
    if field.type in _CLASSES:
        some = "" if field.usage == "C" or field.type in ("B", "Binary") else f"(?! {{{width}}})"
        return f"{some}{_CLASSES[field.type]}{{{width}}}"
    digits = _FORMS.get(field.type, f"[0-9]{{{width}}}")
    return digits if field.usage == "M" else f"(?:{digits}| {{{width}}})"


def _fields(text: str, standard: Standard) -> Iterator[Field]:
    start: int | None = 0
    for line in text.strip().splitlines():
        bare = line.strip()
        if bare[0] in _MARKS:
            if _MARKS[bare[0]] != standard:
                continue
            bare = bare[1:].strip()
        found = re.fullmatch(r"(.+?)\s+(\d+|=.+?) (\w+) ([MC])", bare)
        assert found is not None, bare
        name, wide, kind, usage = found.groups()
        width = int(wide) if wide.isdecimal() else wide.removeprefix("=")
        yield Field(name, start, width, kind, "M" if usage == "M" else "C")
        start = start + width if start is not None and isinstance(width, int) else None


def _layout(type_: str, variant: str, name: str, text: str, standard: Standard) -> Layout:
    fields = tuple(_fields(text, standard))
    fixed = [one for one in fields if one.start is not None and isinstance(one.width, int)]
    expression = "".join(_expression(one) for one in fixed)
    last = fields[-1]
    whole = last.start is not None and isinstance(last.width, int)
    routings = [
        (one.name, one.start) for one in fixed if one.type == "Routing" and one.start is not None
    ]
    # Of the drawee the number and its check digit are fields of their own.
    routings += [
        (one.name, one.start - 8)
        for one in fixed
        if one.name.endswith("Check Digit") and one.start is not None
    ]
    return Layout(
        type_,
        variant,
        name,
        fields,
        last.end if whole else None,
        re.compile(expression.encode("latin-1")),
        tuple(routings),
        {one.name: (one.start, one.end) for one in fixed if one.start is not None},
    )


LAYOUTS: Final[dict[Standard, dict[tuple[str, str], Layout]]] = {
    standard: {
        (type_, variant): _layout(type_, variant, name, text, standard)
        for type_, variant, name, text in TABLES
    }
    for standard in ("x9.37", "x9.100-187")
}
TYPES: Final = frozenset(type_ for type_, *_ in TABLES)
_SINGLE: Final = {
    standard: {type_: layout for (type_, variant), layout in layouts.items() if not variant}
    for standard, layouts in LAYOUTS.items()
}
_LONG_CREDIT: Final = 96


def layout_of(type_: str, standard: Standard, text: bytes) -> Layout | None:
    """The layout of a record; text: its bytes in ASCII. None for a type that is not known."""
    found = _SINGLE[standard].get(type_)
    if found is not None or type_ not in TYPES:
        return found
    layouts = LAYOUTS[standard]
    if type_ == "62":
        return layouts["62", "100" if len(text) >= _LONG_CREDIT else "80"]
    credit, reconciliation = layouts["61", "credit"], layouts["61", "reconciliation"]
    return max((credit, reconciliation), key=lambda one: _likeness(one, text))


def _likeness(layout: Layout, text: bytes) -> int:
    """How many of a record's fields look as a layout has them; a right check digit counts more."""
    like = sum(
        field.pattern().fullmatch(text[field.start : field.end]) is not None
        for field in layout.fields
    )
    return like + sum(4 * checks(text[start : start + 9]) for _, start in layout.routings)


@lru_cache(maxsize=65536)
def checks(routing: bytes) -> bool:
    """Whether 9 digits are a routing number with its check digit."""
    if len(routing) != 9 or not routing.isdigit():
        return False
    digits = zip(_WEIGHTS, routing, strict=True)
    return sum(weight * (digit - 48) for weight, digit in digits) % 10 == 0


_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1)


def standard_of(level: bytes) -> Standard:
    """The standard that a file header's Standard Level names: 01 to 03 are X9.37."""
    return "x9.37" if not level.isdigit() or int(level) < 10 else "x9.100-187"
