"""What a caller may say about a cheque beside its image, checked once for every way in.

The ways in are the command line and HTTP.
"""

from dataclasses import dataclass
from typing import Protocol

from service import tracing
from service.errors import ParameterError
from service.pipeline.grammar import CURRENCIES
from service.pipeline.reader import Evident, Reading

MAX_REFERENCE = 200
LARGEST_STATED = 10**14 - 1

# How numbers are written where cheques in the currencies read are drawn. A closed list: a grammar
# is built, and kept, for each locale that is asked for.
LOCALES = (
    "de-AT", "de-CH", "de-DE", "el-GR", "en-AU", "en-CA", "en-GB", "en-IE", "en-IN", "en-MT",
    "en-NZ", "en-US", "en-ZA", "es-AR", "es-BO", "es-CL", "es-CO", "es-CR", "es-DO", "es-EC",
    "es-ES", "es-GT", "es-HN", "es-MX", "es-NI", "es-PA", "es-PE", "es-PR", "es-PY", "es-SV",
    "es-US", "es-UY", "es-VE", "fi-FI", "fr-BE", "fr-CA", "fr-CH", "fr-FR", "fr-LU", "hi-IN",
    "it-CH", "it-IT", "nl-BE", "nl-NL", "pt-BR", "pt-PT",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How to read one cheque.

    currency: ISO 4217, one of CURRENCIES; None lets the reader decide. locale: one of LOCALES,
    settles the decimal mark where the currency doesn't; None leaves it open. field_only: the image
    is the cropped courtesy amount. max_error: the largest share of wrong amounts among accepted
    ones that the caller can bear, between 0 and 1; None takes the service's setting. reference: the
    caller's own name for the cheque, handed back with the reading. stated: the amount in minor
    units that a record states of the cheque, to be compared with what is written. evidence: the
    reading carries what it rests on, or does where it is rejected. Raises ParameterError for
    anything else.
    """

    currency: str | None = None
    locale: str | None = None
    field_only: bool = False
    max_error: float | None = None
    reference: str | None = None
    stated: int | None = None
    evidence: Evident = False

    def __post_init__(self) -> None:
        if self.currency is not None and self.currency not in CURRENCIES:
            raise ParameterError("currency", f"currency must be one of {', '.join(CURRENCIES)}")
        if self.locale is not None and self.locale not in LOCALES:
            raise ParameterError("locale", f"locale must be one of {', '.join(LOCALES)}")
        if self.max_error is not None and not 0 < self.max_error < 1:
            raise ParameterError("max_error", "max_error must be between 0 and 1, both excluded")
        if self.stated is not None and not 0 <= self.stated <= LARGEST_STATED:
            raise ParameterError("stated", "stated must be an amount in minor units")
        if self.reference is not None and not _is_reference(self.reference):
            raise ParameterError(
                "reference", f"reference must be 1 to {MAX_REFERENCE} printable characters"
            )


class Reader(Protocol):
    """What the ways in see of the pipeline; `read` is called from several threads at once."""

    @property
    def model_version(self) -> str:
        """Name and version of the model that reads."""
        ...

    def read(
        self,
        data: bytes,
        *,
        currency: str | None = None,
        locale: str | None = None,
        field_only: bool = False,
        max_error: float | None = None,
        reference: str | None = None,
        stated: int | None = None,
        evidence: Evident = False,
    ) -> Reading:
        """Read the file of one cheque; stated: the amount a record states; raises InputError."""
        ...


def read_cheque(reader: Reader, data: bytes, options: ReadingOptions) -> Reading:
    """Read one cheque as its options say; raises InputError."""
    started = tracing.now()
    with tracing.span("read", {"cheque.field_only": options.field_only}) as made:
        reading = reader.read(
            data,
            currency=options.currency,
            locale=options.locale,
            field_only=options.field_only,
            max_error=options.max_error,
            reference=options.reference,
            stated=options.stated,
            evidence=options.evidence,
        )
        tracing.tell_reading(made, reading, started)
    return reading


def _is_reference(text: str) -> bool:
    return 0 < len(text) <= MAX_REFERENCE and text.isprintable()
