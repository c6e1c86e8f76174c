"""Pages of which no amount may be accepted: how sure the reader is of them all the same."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.errors import InputError
from service.pipeline.reader import ChequeReader
from training.dataset import Sources
from training.encode import OWN_LIMITS, png
from training.synth.bank import GlyphBank
from training.synth.cheque import REFUSED, make_cheque
from training.synth.hand import HandWriter

FIRST_SEED = 50_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """What became of one page.

    kind: one of REFUSED; accepted: whether its amount was; confidence: in that amount, 0 to 1;
    reason: why it was rejected, or the code of the error where it could not be read as an image.
    """

    kind: str
    seed: int
    accepted: bool
    confidence: float
    reason: str | None


def measure(
    model: Path,
    sources: Sources,
    pages: int,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> list[Refusal]:
    """Read so many pages of held-out writers and layouts, as many of each kind as of the next."""
    reader = ChequeReader(model, OWN_LIMITS)
    hand = HandWriter(GlyphBank.load(sources.data, "valid"))
    kinds = sorted(REFUSED)
    found = []
    for number in range(seed, seed + pages):
        kind = kinds[number % len(kinds)]
        page = make_cheque(FIRST_SEED + number, hand=hand.write, kind=kind, split="valid")
        try:
            reading = reader.read(png(page.image))
        except InputError as error:
            found.append(Refusal(kind, number, False, 0.0, error.code))
        else:
            accepted = reading.decision == "accept"
            found.append(Refusal(kind, number, accepted, reading.confidence, reading.reject_reason))
        progress()
    return found
