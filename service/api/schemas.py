"""The documents that go over HTTP; the only pydantic models of the service beside its settings."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.options import LOCALES, MAX_REFERENCE, ReadingOptions
from service.pipeline.evidence import Evidence
from service.pipeline.grammar import CURRENCIES

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

    def options(self) -> ReadingOptions:
        """The same as the pipeline takes it; raises ParameterError."""
        return ReadingOptions(
            currency=self.currency,
            locale=self.locale,
            field_only=self.field_only,
            max_error=self.max_error,
            reference=self.reference,
            evidence=self.evidence == "full",
        )


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
    evidence: Evidence | None = Field(
        default=None, description="What the reading rests on, where evidence=full asked for it"
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
        description="Estimate of the seconds until the last item is read; null until one was, and "
        "once the batch has ended"
    )


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


class BatchPage(BaseModel):
    """Some items of a batch, in order."""

    items: list[BatchItem]
    next: int | None = Field(description="`after` of the page that follows, null on the last one")
