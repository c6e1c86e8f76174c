"""The documents that go over HTTP; the only pydantic models of the service beside its settings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from service.desk.members import is_queue
from service.errors import ParameterError
from service.options import LARGEST_STATED, LOCALES, MAX_REFERENCE, ReadingOptions
from service.pipeline.evidence import Evidence
from service.pipeline.grammar import CURRENCIES

# The largest number that a database counts to, and texts as one can look for them.
_LARGEST: Final = 2**31 - 1
ItemNumber = Annotated[int, Field(ge=0, le=_LARGEST)]
After = Annotated[
    int, Field(ge=-1, le=_LARGEST, description="Number of the last item of the page before")
]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]

Point = Annotated[
    tuple[float, float], Field(description="x, y in pixels of the image as a viewer shows it")
]
Polygon = Annotated[
    list[Point], Field(min_length=4, max_length=4, description="Clockwise from the top left")
]


class ReadingParameters(BaseModel):
    """Query parameters of a reading; any other is refused."""

    model_config = ConfigDict(extra="forbid")

    currency: str | None = Field(
        None,
        description="ISO 4217 code of the cheque's currency; without it the reader decides",
        examples=["USD"],
        json_schema_extra={"enum": [*CURRENCIES]},
    )
    locale: str | None = Field(
        None,
        description="How numbers are written where the cheque comes from; settles the decimal mark",
        examples=["en-US"],
        json_schema_extra={"enum": [*LOCALES]},
    )
    field_only: bool = Field(False, description="The image is the cropped courtesy amount")
    max_error: float | None = Field(
        None,
        description="Largest share of wrong amounts among accepted ones; the service's setting if "
        "left out",
        examples=[0.01],
        json_schema_extra={"exclusiveMinimum": 0, "exclusiveMaximum": 1},
    )
    evidence: Literal["none", "full"] = Field(
        "none",
        description="full: return what the reading rests on: fields, cuts, the winning path, the "
        "runners-up, versions and a digest; for batches with each item's own address",
    )
    reference: str | None = Field(
        None,
        description="The caller's own name for the cheque, returned with the reading",
        examples=["batch-7/0042"],
        json_schema_extra={"minLength": 1, "maxLength": MAX_REFERENCE},
    )

    desk: bool | None = Field(
        None,
        description="Whether a rejected cheque goes to the review desk; if left out, those of "
        "batches do and single ones do not",
    )
    queue: str = Field(
        "default",
        description="Queue of the review desk that it goes to",
        json_schema_extra={"pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
    )

    def desk_queue(self, *, usual: bool) -> str | None:
        """The queue of the desk that is wanted, None for none; raises ParameterError.

        usual: whether it is wanted where the caller does not say.
        """
        if not is_queue(self.queue):
            raise ParameterError("queue", "queue is no name of a queue")
        return self.queue if (usual if self.desk is None else self.desk) else None

    def options(self) -> ReadingOptions:
        """The same as the pipeline takes it; raises ParameterError."""
        return self._options(None)

    def _options(self, stated: int | None) -> ReadingOptions:
        return ReadingOptions(
            currency=self.currency,
            locale=self.locale,
            field_only=self.field_only,
            max_error=self.max_error,
            reference=self.reference,
            stated=stated,
            evidence=self.evidence == "full",
        )


class StatedParameters(ReadingParameters):
    """Query parameters of a single reading."""

    stated: int | None = Field(
        None,
        ge=0,
        le=LARGEST_STATED,
        description="Amount in minor units that a record states of the cheque; the answer says how "
        "well the image bears it out",
        examples=[123456],
    )

    def options(self) -> ReadingOptions:
        """The same as the pipeline takes it; raises ParameterError."""
        return self._options(self.stated)


class Alternative(BaseModel):
    """An amount that the cheque may hold."""

    model_config = ConfigDict(from_attributes=True)

    amount_minor: int = Field(description="Amount in minor units", examples=[123456])
    currency: str | None = Field(description="ISO 4217 code", examples=["USD"])
    text: str = Field(description="The symbols as written", examples=["$1,234.56"])
    digits: str = Field(description="The digits of the text in order", examples=["123456"])
    confidence: float = Field(ge=0, le=1, description="Probability that this is the amount")


class SymbolBox(BaseModel):
    """A symbol of the amount, and where it stands."""

    model_config = ConfigDict(from_attributes=True)

    symbol: str = Field(examples=["$"])
    box: Polygon


class Stated(BaseModel):
    """An amount that a record states, against what is written on the cheque."""

    model_config = ConfigDict(from_attributes=True)

    amount_minor: int = Field(description="The amount stated", examples=[123456])
    confidence: float = Field(ge=0, le=1, description="Probability that it is the amount written")
    penalty: float = Field(
        ge=0,
        description="Natural logarithm of how many times more probable the likeliest amount is",
    )
    verdict: Literal["agrees", "disagrees", "unread"] = Field(
        description="unread: the image does not tell"
    )
    odds: float | None = Field(
        None,
        description="Natural logarithm of how many times more probable the image is if the record "
        "is wrong; null where nothing was read",
    )
    wrong: float | None = Field(
        None, ge=0, le=1, description="Probability that the record is wrong, if 2 % of all are"
    )
    likeliest_minor: int | None = Field(
        None, description="The most probable amount over all looks at the image"
    )
    likeliest_confidence: float = Field(0.0, ge=0, le=1, description="Its probability")
    looks: int = Field(1, ge=1, description="How often the image was looked at")


class Measured(BaseModel):
    """One possible defect of an image, as the exchange rules name them."""

    model_config = ConfigDict(from_attributes=True)

    defect: Literal[
        "partial_image", "excessive_skew", "too_light", "too_dark", "undersize", "oversize",
        "below_minimum_resolution", "streaks_or_bands", "front_and_back_swapped",
        "illegible_amount",
    ]  # fmt: skip
    value: float | None = Field(description="What was measured; null where it could not be")
    limit: float = Field(description="What it was compared with")
    present: bool


class Decision(BaseModel):
    """What clerks decided; the reading stays as it was."""

    id: str
    kind: Literal["amount", "not_a_cheque", "words_differ", "illegible"]
    amount_minor: int | None = Field(description="The amount keyed, where kind is amount")
    currency: str | None = Field(description="ISO 4217 code")
    clerks: list[str] = Field(description="Names of those who agree")
    reading_sha256: str = Field(
        description="Of the reading it is linked to: SHA-256 of its JSON as stored, names sorted"
    )
    at: datetime


class Reading(BaseModel):
    """What was read on one cheque. A rejected reading still carries its best amount."""

    model_config = ConfigDict(from_attributes=True)

    amount_minor: int | None = Field(
        description="Amount in minor units, hundredths where the currency is unknown; null where "
        "nothing looks like an amount"
    )
    currency: str | None = Field(description="ISO 4217 code, null where nothing tells")
    text: str | None = Field(description="The symbols of the amount as written")
    digits: str | None = Field(
        description="The digits of the text in order, a fraction's denominator left out"
    )
    confidence: float = Field(ge=0, le=1, description="Probability that the amount is right")
    decision: Literal["accept", "reject"] = Field(description="reject: a person should look")
    reject_reason: str | None = Field(description="Why a rejected reading was rejected")
    alternatives: list[Alternative] = Field(
        description="The most probable amounts, the reading's own first"
    )
    field_box: Polygon | None = Field(description="Where the amount stands")
    symbols: list[SymbolBox] = Field(description="The symbols that were read, in order")
    pages: int = Field(ge=1, description="Pages in the file; the first one was read")
    segments: int = Field(ge=0, description="Pieces of ink that the recognizer looked at")
    model_version: str = Field(description="Model that read")
    grammar_version: str = Field(description="Grammar that the amount was read with")
    stages: dict[str, float] = Field(description="Seconds spent in each stage of the pipeline")
    reference: str | None = Field(description="The caller's own name for the cheque")
    stated: Stated | None = Field(
        None, description="How well the image bears out the amount that was stated; null if none"
    )
    usability: list[Measured] = Field(
        [], description="What was measured of the image where an amount was stated"
    )
    evidence: Evidence | None = Field(
        default=None, description="What the reading rests on, where evidence=full asked for it"
    )
    desk_item: str | None = Field(
        default=None,
        description="Where desk=true sent it to the review desk: ask GET /v1/readings/{desk_item} "
        "for what was decided",
    )


class ParameterFault(BaseModel):
    """What is wrong with one parameter."""

    parameter: str
    message: str


class Problem(BaseModel):
    """A failure, as RFC 9457 has it; `code` is for programs, `detail` for people."""

    type: str = Field(examples=["urn:cheque-reader:problem:truncated_image"])
    title: str = Field(examples=["The image is cut short"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the file ends inside its pixel data"])
    code: str = Field(examples=["truncated_image"])
    request_id: str | None = Field(
        None,
        description="Also in the X-Request-ID header and in the log",
        examples=["0f6f3a4f0b9f4f5c9d5f6a1f1f0c7a55"],
    )
    errors: list[ParameterFault] | None = Field(None, description="The parameters at fault")


class Health(BaseModel):
    """Whether the process lives, or is ready for work."""

    status: Literal["alive", "ready"]
    model_version: str = Field(examples=["amounts/1"])


class BatchParameters(ReadingParameters):
    """Query parameters of a batch; any other is refused. `reference` names the whole batch."""

    pages: Literal["first", "items", "front_back"] = Field(
        "first",
        description="What a TIFF of several pages holds: one cheque on its first page, a cheque on "
        "every page, or the front and the back of a cheque on every two",
    )
    webhook: str | None = Field(
        None,
        description="URL that is told, with a signed POST, when the batch has ended",
        examples=["https://hooks.example.com/cheques"],
    )


class BatchCounts(BaseModel):
    """How many items of a batch are in each state."""

    model_config = ConfigDict(from_attributes=True)

    waiting: int = Field(ge=0, description="Not read yet")
    accepted: int = Field(ge=0, description="Read, and the amount accepted")
    rejected: int = Field(ge=0, description="Read, but a person should look")
    failed: int = Field(ge=0, description="Not readable; the item has an error")
    cancelled: int = Field(ge=0, description="Not read, because the batch was cancelled")


class DeskCounts(BaseModel):
    """How many items of a batch the review desk has."""

    waiting: int = Field(ge=0, description="Not decided yet")
    decided: int = Field(ge=0, description="Decided; the items hold what")


class Batch(BaseModel):
    """A batch and how far it is."""

    id: str
    state: Literal["running", "completed", "cancelled"]
    reference: str | None = Field(description="The caller's own name for the batch")
    items: int = Field(ge=1, description="Items in the batch")
    counts: BatchCounts
    created_at: datetime
    ended_at: datetime | None
    eta_seconds: float | None = Field(
        description="Estimate of the seconds until the last item is read, at the pace of the last "
        "minute; null while nothing of it was read, and once the batch has ended"
    )
    desk: DeskCounts | None = Field(description="null where nothing of it goes to the review desk")


class ItemError(BaseModel):
    """Why an item was not read."""

    code: str = Field(examples=["truncated_image"])
    message: str = Field(examples=["the file ends inside its pixel data"])


class BatchItem(BaseModel):
    """An item of a batch: its reading once it was read, or what is wrong with it."""

    number: int = Field(ge=0, description="Place in the batch, from 0, in the order sent")
    file: str | None = Field(description="The file's name, as sent")
    reference: str | None = Field(description="The caller's own name for the item, else the batch")
    state: Literal["waiting", "accepted", "rejected", "failed", "cancelled"]
    reading: Reading | None
    error: ItemError | None
    decision: Decision | None = Field(None, description="Of the review desk, once there is one")


class BatchPage(BaseModel):
    """Some items of a batch, in order."""

    items: list[BatchItem]
    next: int | None = Field(description="`after` of the page that follows, null on the last one")


class Deviation(BaseModel):
    """A departure from the standard; it never holds what the record says."""

    code: str = Field(examples=["wrong_total"])
    message: str
    record: int = Field(ge=0, description="Number of the record, from 1")
    offset: int = Field(ge=0, description="Its first byte in the file")
    type: str = Field(description="Type of the record", examples=["70"])
    field: str | None = Field(description="The field, as the standard names it")
    item: int | None = Field(description="Number in the file of the item that it belongs to")


class Total(BaseModel):
    """A total of a control record, against what its records add up to."""

    record: int
    offset: int
    type: str = Field(examples=["90"])
    field: str = Field(examples=["Cash Letter Total Amount"])
    stated: int | None
    found: int
    also: int | None = Field(description="What else may be stated: credits counted")
    right: bool


class Verdicts(BaseModel):
    """How many items have each verdict."""

    agrees: int = Field(ge=0)
    disagrees: int = Field(ge=0)
    unread: int = Field(ge=0)


class CashLetter(BaseModel):
    """An X9.37 or X9.100-187 file of a batch."""

    letter: int = Field(ge=0, description="Place among the cash letters of the batch")
    file: str | None
    reference: str | None
    standard: Literal["x9.37", "x9.100-187"]
    encoding: Literal["ascii", "ebcdic"]
    framing: Literal["big-endian", "little-endian", "descriptor", "none"] = Field(
        description="How the lengths of records are given"
    )
    records: int
    cash_letters: int
    bundles: int
    items: int
    quarantined: int = Field(description="Items that are set aside and not read")
    images: int
    counts: dict[str, int] = Field(description="Records by type")
    deviation_counts: dict[str, int] = Field(description="Deviations by code")
    deviations: list[Deviation] = Field(description="The first 1000 of them")
    totals: list[Total] = Field(description="Those of 90 and 99, and those of 70 that are wrong")
    verdicts: Verdicts
    waiting: int = Field(ge=0, description="Items without a result yet")


class CashLetterImage(BaseModel):
    """An image of an item."""

    side: Literal["front", "back"]
    record: int
    size: int
    format: str | None = Field(description="tiff, jpeg or png; null where it is none of them")


class CashLetterItem(BaseModel):
    """A cheque, return or credit of a cash letter, against its record."""

    number: int = Field(ge=0, description="Number in the batch")
    record: int = Field(description="Number of its record in the file, from 1")
    offset: int
    type: str = Field(examples=["25"])
    kind: Literal["check", "return", "credit"]
    amount_minor: int | None = Field(description="The amount in the record")
    sequence_number: str
    routing_number: str
    cash_letter: int
    bundle: int
    quarantined: bool
    images: list[CashLetterImage]
    deviations: list[Deviation]
    verdict: Literal["agrees", "disagrees", "unread"] | None = Field(
        description="Null until there is a result"
    )
    reading: Reading | None
    error: ItemError | None


class CashLetterPage(BaseModel):
    """Some items of a cash letter, in order."""

    items: list[CashLetterItem]
    next: int | None = Field(description="`after` of the page that follows, null on the last one")


class Adjustment(BaseModel):
    """Which amounts an adjusted copy has."""

    model_config = ConfigDict(extra="forbid")

    amounts: dict[int, Annotated[int, Field(ge=0, le=LARGEST_STATED)]] = Field(
        default_factory=dict, description="New amounts in minor units, by the items' numbers"
    )
    as_read: bool = Field(False, description="Items that disagree get the amount that was read")


class ReviewedReading(BaseModel):
    """A single reading that went to the review desk."""

    reading: Reading
    decision: Decision | None = Field(description="null until there is one")


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignIn(_Said):
    """What a clerk signs in with."""

    name: Text = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=200)


class DeskQueue(BaseModel):
    """A queue that the caller sees."""

    name: str
    waiting: int = Field(ge=0)


class DeskSession(BaseModel):
    """Who is signed in."""

    name: str
    lead: bool = Field(description="May see the dashboard")
    csrf: str = Field(description="To be sent as X-CSRF-Token with all that changes something")
    queues: list[DeskQueue]
    undo_seconds: float
    lease_seconds: float


class Take(_Said):
    """Which items to lease."""

    queue: Text | None = Field(None, max_length=64, description="null: any that the caller sees")
    order: Literal["oldest", "largest"] = "oldest"
    most: int = Field(1, ge=1, le=10)


class Guess(BaseModel):
    """An amount that the reader thinks of."""

    amount_minor: int
    currency: str | None
    text: str


class DeskItem(BaseModel):
    """A cheque to look at, leased to the caller."""

    batch: str
    number: int
    queue: str
    lease: str
    until: datetime = Field(description="The lease ends then, if it is not renewed")
    reference: str | None
    locale: str | None
    currency: str | None
    field_only: bool
    field_box: Polygon | None = Field(description="In pixels of the original image")
    guesses: list[Guess] = Field(description="The likeliest first")


class DeskItems(BaseModel):
    """Items that were leased; none where nothing waits that the caller may have."""

    items: list[DeskItem]
    queues: list[DeskQueue]


class Leases(_Said):
    """Leases by their tokens."""

    leases: list[Annotated[Text, Field(max_length=64)]] = Field(max_length=10)


class OneLease(_Said):
    """A lease by its token."""

    lease: Text = Field(max_length=64)


class Keying(_Said):
    """What a clerk says of a cheque."""

    lease: Text = Field(max_length=64)
    kind: Literal["amount", "not_a_cheque", "words_differ", "illegible"]
    amount_minor: int | None = Field(None, ge=0, le=10**15)
    currency: str | None = Field(None, pattern="^[A-Z]{3}$")


class Keyed(BaseModel):
    """What came of a keying."""

    keying: str = Field(description="By which it can be undone")
    decision: Decision | None = Field(description="null where another clerk has to key it too")


class Undo(_Said):
    """A keying to take back."""

    keying: Text = Field(max_length=64)


class DeskRate(BaseModel):
    """Part of a whole, as counted."""

    model_config = ConfigDict(from_attributes=True)

    part: int
    whole: int
    share: float | None


class DeskError(BaseModel):
    """Errors among accepted items that clerks keyed unannounced."""

    model_config = ConfigDict(from_attributes=True)

    wrong: int
    audited: int
    low: float = Field(description="Of the 95 % interval of the share")
    high: float


class DeskSlice(BaseModel):
    """Figures of one day, of one source, or of all."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    read: DeskRate = Field(description="Accepted, of all that was read")
    error: DeskError
    reasons: dict[str, int] = Field(description="Rejected readings by reason")


class DeskBar(BaseModel):
    """Readings within a range of confidence."""

    model_config = ConfigDict(from_attributes=True)

    low: float
    high: float
    count: int
    expected: float | None = Field(description="Share of the calibration sample in this range")


class DeskDrift(BaseModel):
    """How far the last 7 days are from the calibration sample."""

    model_config = ConfigDict(from_attributes=True)

    index: float | None = Field(description="Population stability index of the confidences")
    readings: int
    drifted: bool


class DeskFigures(BaseModel):
    """The dashboard of the review desk."""

    model_config = ConfigDict(from_attributes=True)

    total: DeskSlice
    days: list[DeskSlice]
    sources: list[DeskSlice]
    histogram: list[DeskBar]
    drift: DeskDrift
    kinds: dict[str, int] = Field(description="Decisions by what clerks said")
    agreed: DeskRate = Field(description="Rejected readings whose amount was right, of all keyed")


_EVIDENCE = TypeAdapter(Evidence)


def evidence_of(members: Mapping[str, Any]) -> Evidence:
    """Evidence of its members as JSON has them; raises ValidationError."""
    return _EVIDENCE.validate_python(members)
