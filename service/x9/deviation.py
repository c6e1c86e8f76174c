"""What may be wrong in a file, and under which profile it sets the item concerned aside."""

from dataclasses import dataclass
from typing import Final, Literal

Code = Literal[
    "addendum_count", "after_file_control", "bad_check_digit", "duplicate_sequence_number",
    "image_missing", "image_size", "image_unknown_format", "invalid_field", "length_too_large",
    "lying_length", "missing_field", "missing_record", "mixed_encodings", "no_detail_for_image",
    "out_of_order", "padding", "reserved_not_blank", "second_image_of_a_side", "short_record",
    "truncated", "unknown_record", "unreadable_bytes", "wrong_length", "wrong_length_prefix",
    "wrong_total",
]  # fmt: skip

MESSAGES: Final[dict[Code, str]] = {
    "addendum_count": "the number of addenda is not the one stated",
    "after_file_control": "a record stands after the file control record",
    "bad_check_digit": "the routing number's check digit is wrong",
    "duplicate_sequence_number": "an item before this one has the same sequence number",
    "image_missing": "the item has no image data",
    "image_size": "the image is not of the size stated",
    "image_unknown_format": "the image data is no TIFF, JPEG or PNG",
    "invalid_field": "the field holds what it may not",
    "length_too_large": "the length prefix names more than a record may have",
    "lying_length": "a length inside the record is not true",
    "missing_field": "a mandatory field is blank",
    "missing_record": "the record that must stand before this place is missing",
    "mixed_encodings": "the record is not in the encoding of the file",
    "no_detail_for_image": "image data without an image view detail record",
    "out_of_order": "the record may not stand here",
    "padding": "bytes that only fill up",
    "reserved_not_blank": "a reserved field is not blank",
    "second_image_of_a_side": "the item has more than one image of this side",
    "short_record": "the record ends before its last field",
    "truncated": "the file ends inside the record",
    "unknown_record": "the type of the record is not known; it is kept as it is",
    "unreadable_bytes": "bytes that belong to no record were passed over",
    "wrong_length": "the record is longer than its layout",
    "wrong_length_prefix": "the length prefix is wrong; the record was measured by what it holds",
    "wrong_total": "the total is not that of the records",
}

ProfileName = Literal["lenient", "exchange", "strict"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One departure from the standard; it never holds what the record says.

    record: the record's number from 1; offset: of its first byte in the file. type: the record's,
    "" for bytes that are none; field: the standard's name. item: the number of the item that it
    belongs to, if it belongs to one.
    """

    code: Code
    record: int
    offset: int
    type: str
    field: str | None = None
    item: int | None = None

    @property
    def message(self) -> str:
        """The deviation in a few words."""
        return MESSAGES[self.code]


@dataclass(frozen=True, slots=True)
class Profile:
    """Which deviations set an item aside, so that it is not read; all are reported anyway.

    fields: the fields that count for `invalid_field` and `missing_field`, None for every one.
    """

    name: ProfileName
    quarantining: frozenset[Code]
    fields: frozenset[str] | None

    def sets_aside(self, deviation: Deviation) -> bool:
        """Whether an item with this deviation is not to be read."""
        if deviation.code not in self.quarantining:
            return False
        named = deviation.code in ("invalid_field", "missing_field") and self.fields is not None
        return not named or deviation.field in (self.fields or ())


_BROKEN: Final[frozenset[Code]] = frozenset(
    {"image_missing", "image_unknown_format", "lying_length", "truncated", "short_record",
     "invalid_field", "missing_field"}
)  # fmt: skip
_EXCHANGE: Final[frozenset[Code]] = _BROKEN | {
    "addendum_count", "bad_check_digit", "duplicate_sequence_number", "image_size",
    "mixed_encodings", "no_detail_for_image", "second_image_of_a_side", "wrong_length",
    "wrong_length_prefix",
}  # fmt: skip

PROFILES: Final[dict[ProfileName, Profile]] = {
    "lenient": Profile("lenient", _BROKEN, frozenset({"Item Amount"})),
    "exchange": Profile("exchange", _EXCHANGE, None),
    "strict": Profile("strict", frozenset(MESSAGES), None),
}
