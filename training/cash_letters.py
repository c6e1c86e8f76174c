"""Synthetic cash letters with known errors: how many wrong amounts are flagged, and right ones.

Items are US cheques as banks exchange them: cut on a scanner, 200 dpi, bitonal, TIFF G4. Some
records state another amount than is written, as keying and captured digits go wrong. The file is
written and read back as any other, and every item judged by the rule that is served.
"""

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from service.errors import InputError
from service.options import ReadingOptions, read_cheque
from service.pipeline.decision import uncalibrated
from service.pipeline.reader import ChequeReader
from service.x9.evidence import item_options, without_numbers
from service.x9.letter import CashLetterFile
from service.x9.writer import Writer
from training.letter_outcomes import Judged, load
from training.synth.bank import GlyphBank
from training.synth.cheque import SyntheticCheque, is_legible, make_cheque
from training.synth.hand import HandWriter

FIRST_SEED: Final = 7_000_000
LAYOUTS: Final = ("us-personal", "us-business")
_LAYOUT_SHARES: Final = (0.7, 0.3)
ERRORS: Final = ("digit", "swap", "lost", "added", "other")
_LARGEST: Final = 10**10 - 1
_ROUTING: Final = "122000661"
_BUNDLE: Final = 25
_APART: Final = 1_000_000_000


def handwriting(data: Path | None) -> HandWriter | None:
    """The writers held out, of the sets in a folder; None where there is none."""
    return None if data is None else HandWriter(GlyphBank.load(data, "valid"))


def make_item(seed: int, hand: HandWriter | None) -> tuple[SyntheticCheque, bytes]:
    """A cheque and its image as a file; hand: writes the amounts, None: fonts like handwriting."""
    rng = np.random.default_rng(seed)
    layout = LAYOUTS[int(rng.choice(len(LAYOUTS), p=_LAYOUT_SHARES))]
    write = hand.write if hand else None
    for attempt in range(20):
        cheque = make_cheque(
            seed + attempt * _APART, hand=write, layout=layout, way="cut", dpi=200.0,
            split="valid", bitonal=True,
        )  # fmt: skip
        # Banks turn cheques the right way up, and an item's amount has ten digits. An image that no
        # person could read it in is none that they exchange.
        fits = 0 < (cheque.amount_minor or 0) <= _LARGEST
        if fits and not cheque.turned and is_legible(cheque):
            break
    out = io.BytesIO()
    Image.fromarray(cheque.image).convert("1", dither=Image.Dither.NONE).save(
        out, "TIFF", compression="group4", dpi=(200, 200)
    )
    return cheque, out.getvalue()


def wrong_amount(rng: np.random.Generator, amount: int, error: str) -> int:
    """Another amount that a record may state: a digit wrong, two swapped, one lost or added, or
    the amount of another cheque."""
    digits = str(amount)
    while True:
        place = int(rng.integers(len(digits)))
        digit = str(int(rng.integers(10)))
        if error == "digit":
            found = digits[:place] + digit + digits[place + 1 :]
        elif error == "swap" and len(set(digits)) > 1:
            place = min(place, len(digits) - 2)
            found = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
        elif error == "lost" and len(digits) > 1:
            found = digits[:place] + digits[place + 1 :]
        elif error == "added" and len(digits) < 10:
            found = digits[:place] + digit + digits[place:]
        else:
            found = str(int(np.exp(rng.uniform(np.log(500), np.log(2_000_000)))))
        if found and int(found) not in (0, amount):
            return int(found)


def write_letter(
    path: Path,
    images: Sequence[bytes],
    amounts: Sequence[int],
    seeds: Sequence[int],
    codelines: Sequence[str],
) -> None:
    """A cash letter of these items; their sequence numbers are the seeds."""
    with path.open("wb") as file:
        writer = Writer(file)
        writer.make("01", {
            "Standard Level": "35", "Test File Indicator": "T", "File Creation Date": "20240501",
            "Immediate Destination Routing Number": _ROUTING, "Resend Indicator": "N",
            "Immediate Origin Routing Number": _ROUTING, "File Creation Time": "1200",
        })  # fmt: skip
        head: dict[str, str | int | bytes] = {
            "Collection Type Indicator": "01", "Destination Routing Number": _ROUTING,
            "ECE Institution Routing Number": _ROUTING,
        }  # fmt: skip
        writer.make("10", head | {
            "Cash Letter Business Date": "20240501", "Cash Letter Creation Date": "20240501",
            "Cash Letter Creation Time": "1200", "Cash Letter Record Type Indicator": "I",
            "Cash Letter Documentation Type Indicator": "G", "Cash Letter ID": "SYNTHETI",
        })  # fmt: skip
        for first in range(0, len(images), _BUNDLE):
            part = slice(first, first + _BUNDLE)
            writer.make("20", head | {
                "Bundle Business Date": "20240501", "Bundle Creation Date": "20240501",
                "Bundle ID": str(first), "Bundle Sequence Number": str(first // _BUNDLE + 1),
            })  # fmt: skip
            for image, amount, seed, codeline in zip(
                images[part], amounts[part], seeds[part], codelines[part], strict=True
            ):
                _write_item(writer, image, amount, seed, codeline)
            writer.make("70", {
                "Items Within Bundle Count": len(images[part]),
                "Bundle Total Amount": sum(amounts[part]),
                "Images Within Bundle Count": len(images[part]),
            })  # fmt: skip
        writer.make("90", {
            "Bundle Count": -(-len(images) // _BUNDLE),
            "Items Within Cash Letter Count": len(images), "Cash Letter Total Amount": sum(amounts),
            "Images Within Cash Letter Count": len(images),
        })  # fmt: skip
        writer.make("99", {
            "Cash Letter Count": 1, "Total Record Count": writer.records + 1,
            "Total Item Count": len(images), "File Total Amount": sum(amounts),
        })  # fmt: skip


def _codeline(text: str) -> dict[str, str | int | bytes]:
    """A codeline's fields: the routing number T...T, on-us after it, auxiliary on-us before."""
    found = re.fullmatch(r"(?:U(\d+)U )?T(\d{9})T (\d+)U ?(\d*)", text)
    auxiliary, routing, account, serial = found.groups() if found else ("", _ROUTING, "", "")
    return {
        "Auxiliary On-Us": auxiliary or "", "Payor Bank Routing Number": routing[:8],
        "Payor Bank Routing Number Check Digit": routing[8:], "On-Us": f"{account}/{serial}",
    }  # fmt: skip


def _write_item(writer: Writer, image: bytes, amount: int, seed: int, codeline: str) -> None:
    sequence = f"{seed:015d}"
    writer.make("25", _codeline(codeline) | {
        "Item Amount": amount,
        "ECE Institution Item Sequence Number": sequence, "Documentation Type Indicator": "G",
        "BOFD Indicator": "Y", "Check Detail Record Addendum Count": 0,
    })  # fmt: skip
    writer.make("50", {
        "Image Indicator": "1", "Image Creator Routing Number": _ROUTING,
        "Image Creator Date": "20240501", "Image View Format Indicator": "00",
        "Image View Compression Algorithm Identifier": "00",
        "Image View Data Size": len(image), "View Side Indicator": "0", "View Descriptor": "00",
    })  # fmt: skip
    writer.make("52", {
        "ECE Institution Routing Number": _ROUTING, "Bundle Business Date": "20240501",
        "ECE Institution Item Sequence Number": sequence, "Clipping Origin": "0",
        "Image Data": image,
    })  # fmt: skip


def measure(
    model: Path,
    data: Path | None,
    folder: Path,
    items: int,
    wrong: int,
    seed: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> list[Judged]:
    """Make, write, read and judge items; `wrong` of them with a wrong amount in the record.

    data: the folder of the handwriting sets, None writes by hand in fonts. folder: gets the cash
    letter and judged.jsonl, which holds the outcomes so far, so that a run that was broken off goes
    on; it belongs to one state of the reader.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hand = handwriting(data)
    rng = np.random.default_rng(seed)
    flawed = {
        int(place): ERRORS[n % len(ERRORS)]
        for n, place in enumerate(rng.choice(items, wrong, replace=False))
    }
    kept = folder / "judged.jsonl"
    known = load(kept)
    reader = ChequeReader(model)
    found: list[Judged] = []
    for first in range(0, items, _BUNDLE):
        places = range(first, min(first + _BUNDLE, items))
        if all((FIRST_SEED + seed + place) in known for place in places):
            found += [known[FIRST_SEED + seed + place] for place in places]
            progress(len(found))
            continue
        cheques, images, stated = {}, [], []
        for place in places:
            number = FIRST_SEED + seed + place
            cheque, image = make_item(number, hand)
            cheques[number] = cheque
            images.append(image)
            amount = cheque.amount_minor or 0
            error = flawed.get(place, "")
            made = np.random.default_rng([seed, place])
            stated.append(wrong_amount(made, amount, error) if error else amount)
        seeds = list(cheques)
        path = folder / f"letter-{first:05d}.x937"
        write_letter(path, images, stated, seeds, [one.codeline for one in cheques.values()])
        with path.open("rb") as stream, kept.open("a") as lines, path.open("rb") as pictures:
            for item in CashLetterFile(stream).items():
                number = int(item.sequence)
                one = known.get(number)
                if one is None:
                    view = item.view("front")
                    assert view is not None
                    pictures.seek(view.start)
                    front = pictures.read(view.size)
                    error = flawed.get(number - FIRST_SEED - seed, "")
                    stated_minor = item.amount_minor or 0
                    numbers = item.micr_numbers
                    one = _judged(
                        reader, number, cheques[number], error, stated_minor, numbers, front
                    )
                    lines.write(json.dumps(asdict(one)) + "\n")
                    lines.flush()
                found.append(one)
                progress(len(found))
    return found


def _judged(
    reader: ChequeReader,
    seed: int,
    cheque: SyntheticCheque,
    error: str,
    stated: int,
    numbers: tuple[str, ...],
    front: bytes,
) -> Judged:
    written, hand = cheque.amount_minor or 0, not cheque.machine
    try:
        reading = read_cheque(reader, front, item_options(ReadingOptions(), stated))
    except InputError:
        return Judged(
            seed, hand, error, written, stated, None, 0.0, 0.0, 0.0, 0.0, None, 0, (), numbers,
            "unread",
        )  # fmt: skip
    said = without_numbers(reading, numbers).stated
    assert said is not None
    defects = tuple(one.defect for one in reading.usability if one.present)
    return Judged(
        seed, hand, error, written, stated, said.likeliest_minor, said.likeliest_confidence,
        uncalibrated(said.likeliest_confidence, reader.calibration(field_only=False)),
        said.confidence, said.penalty, said.odds, said.looks, defects, numbers, said.verdict,
    )  # fmt: skip
