"""Evidence of a reading by the shipped model, and the pictures that are drawn of it."""

import base64
import json
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.pipeline.card import SIGNS, Calibration
from service.pipeline.container import ImageLimits
from service.pipeline.evidence import Evidence, calibration_version, canonical, digest
from service.pipeline.explain import draw_evidence
from service.pipeline.looks import CLOSER
from service.pipeline.picture import Label, Picture, Stroke
from service.pipeline.reader import ChequeReader, Reading

ROOT = Path(__file__).resolve().parents[2]
CHEQUE = ROOT / "samples" / "us-personal-01.png"
SURE = ROOT / "samples" / "us-business-01.png"


@pytest.fixture(scope="module")
def reader() -> ChequeReader:
    return ChequeReader(ROOT / "models" / "amounts" / "1")


@pytest.fixture(scope="module")
def reading(reader: ChequeReader) -> Reading:
    return reader.read(CHEQUE.read_bytes(), evidence=True, max_error=0.02)


@pytest.fixture(scope="module")
def evidence(reading: Reading) -> Evidence:
    assert reading.evidence is not None
    return reading.evidence


def test_a_reading_is_the_same_with_evidence(reader: ChequeReader, reading: Reading) -> None:
    plain = reader.read(CHEQUE.read_bytes(), max_error=0.02)
    assert plain.evidence is None
    assert replace(plain, stages={}) == replace(reading, stages={}, evidence=None)


def test_evidence_may_be_wanted_of_what_is_rejected_alone(reader: ChequeReader) -> None:
    sure = reader.read(SURE.read_bytes(), evidence="rejected")
    assert (sure.decision, sure.evidence) == ("accept", None)
    nothing = reader.read(SURE.read_bytes(), evidence="rejected", max_error=1e-6)
    assert nothing.decision == "reject"
    assert nothing.evidence is not None


def test_it_says_what_was_read_of_which_file(evidence: Evidence, reading: Reading) -> None:
    found = evidence.reading
    assert found is not None
    assert (found.amount_minor, found.text) == (reading.amount_minor, reading.text)
    assert found.confidence == pytest.approx(reading.confidence, abs=1e-4)
    assert found.max_error == 0.02
    assert len(evidence.image_sha256) == 64
    assert evidence.grammar_version == reading.grammar_version
    assert evidence.model_version == reading.model_version


def test_the_path_spells_the_reading_and_its_penalties_add_up(
    evidence: Evidence, reading: Reading
) -> None:
    path, sums = evidence.path, evidence.penalty
    assert path is not None
    assert sums is not None
    assert "".join(step.symbol for step in path).split() == (reading.text or "").split()
    assert path[0].src == 0
    assert path[-1].dst == evidence.cuts[-1].number
    assert all(a.dst == b.src for a, b in pairwise(path))
    assert sum(step.recognition for step in path) == pytest.approx(sums.recognition, abs=0.01)
    assert sum(step.segmentation for step in path) == pytest.approx(sums.segmentation, abs=0.01)
    parts = sums.field + sums.segmentation + sums.recognition + sums.grammar
    assert parts == pytest.approx(sums.total, abs=0.001)
    for step in path:
        if step.crop is not None:
            pixels = np.frombuffer(base64.b64decode(step.crop), np.uint8)
            assert cv2.imdecode(pixels, cv2.IMREAD_GRAYSCALE).shape == (32, 32)


def test_cuts_stand_where_the_symbols_part(evidence: Evidence) -> None:
    """The line of a cut on the path passes between the middles of the symbols beside it."""
    steps = [step for step in evidence.path or () if step.box is not None]
    lines = {cut.number: cut.line for cut in evidence.cuts}
    checked = 0
    for left, right in pairwise(steps):
        line = lines[left.dst]
        if left.dst == right.src and line:
            xs, ys = np.array(sorted(line, key=lambda point: point[1])).T
            before, after = (np.mean(step.box or (), axis=0) for step in (left, right))
            assert before[0] < np.interp(before[1], ys, xs)
            assert np.interp(after[1], ys, xs) < after[0]
            checked += 1
    assert checked >= 4


def test_runners_up_differ_where_it_says(evidence: Evidence) -> None:
    assert evidence.runners_up
    for one in evidence.runners_up:
        assert one.behind > 0
        if one.same_field:
            assert one.differences
            assert all(d.instead_of != d.symbols or d.segmentation for d in one.differences)
            assert all(d.src < d.dst for d in one.differences)


def test_anyone_can_check_the_digest(evidence: Evidence) -> None:
    """The digest of what a client gets, after JSON and back, is the one it was sealed with."""
    received = json.loads(json.dumps(asdict(evidence)))
    assert digest(received) == evidence.digest
    received["reading"]["amount_minor"] += 1
    assert digest(received) != evidence.digest


def test_canonical_json_writes_numbers_as_the_standard_does() -> None:
    assert canonical({"b": [1.0, -0.5, 100000.0], "a": "€\n"}) == (
        '{"a":"€\\n","b":[1,-0.5,100000]}'.encode()
    )


def test_a_calibration_has_a_version_of_its_own() -> None:
    one = calibration_version(Calibration(1.0, 0.0))
    assert one == calibration_version(Calibration(1.0, 0.0))
    assert one != calibration_version(Calibration(1.0, 0.1))


def test_a_page_with_nothing_on_it_has_evidence_too(reader: ChequeReader) -> None:
    done, data = cv2.imencode(".png", np.full((400, 900), 250, np.uint8))
    assert done
    found = reader.read(data.tobytes(), evidence=True)
    assert found.evidence is not None
    assert found.evidence.path is None
    assert digest(asdict(found.evidence)) == found.evidence.digest
    drawn = draw_evidence(found.evidence, data.tobytes(), ImageLimits())
    assert "No amount" in drawn.title


@pytest.mark.parametrize("name", ["us-personal-01.png", "us-front-and-back-01.tif"])
def test_it_is_drawn(reader: ChequeReader, name: str) -> None:
    data = (ROOT / "samples" / name).read_bytes()
    evidence = reader.read(data, evidence=True).evidence
    assert evidence is not None
    picture = draw_evidence(evidence, data, ImageLimits())
    texts = [part.text for part in picture.parts if isinstance(part, Label)]
    assert all(one.text in " ".join(texts) for one in evidence.runners_up)
    strokes = [part for part in picture.parts if isinstance(part, Stroke)]
    assert len(strokes) > len(evidence.arcs)
    root = ET.fromstring(picture.to_svg())
    assert root.findall(".//{http://www.w3.org/2000/svg}image")
    png = cv2.imdecode(np.frombuffer(picture.to_png(), np.uint8), cv2.IMREAD_COLOR)
    assert png.shape == (picture.height, picture.width, 3)


def test_text_is_escaped() -> None:
    picture = Picture(100, 40, "a & b", (Label((5, 20), "<script>", (0, 0, 0)),))
    assert ET.fromstring(picture.to_svg())[0].text == "a & b"


@pytest.fixture(scope="module")
def doubtful() -> bytes:
    """A page whose amount is hard to read: blurred, with gaps in it."""
    page = np.full((570, 1300), 255, np.uint8)
    cv2.putText(page, "7 1,46 8.00", (900, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 90, 2)
    return bytes(cv2.imencode(".png", cv2.GaussianBlur(page, (0, 0), 2.5))[1])


def test_an_unsure_reading_is_of_all_looks_together(reader: ChequeReader, doubtful: bytes) -> None:
    reading = reader.read(doubtful, evidence=True)
    evidence = reading.evidence
    assert evidence is not None
    assert 1 < len(evidence.looks) <= 1 + CLOSER
    assert 1 <= evidence.look <= len(evidence.looks)
    assert all(len(ways) == 2 for ways in evidence.looks)
    assert evidence.posterior is not None
    assert 0 < evidence.posterior <= max(share for ways in evidence.looks for share in ways) + 1e-4
    assert reading.posterior == pytest.approx(evidence.posterior, abs=1e-4)
    assert tuple(evidence.signs) == SIGNS
    assert tuple(evidence.signs.values()) == pytest.approx(reading.signs, abs=1e-4)
    assert evidence.path is not None
    assert reading.alternatives[0].amount_minor == reading.amount_minor
    amounts = [one.amount_minor for one in reading.alternatives]
    assert len(set(amounts)) == len(amounts) <= 5
    rest = [one.confidence for one in reading.alternatives[1:]]
    assert rest == sorted(rest, reverse=True)


def test_what_is_rejected_in_any_case_is_looked_at_once(reader: ChequeReader) -> None:
    blank = reader.read((ROOT / "samples" / "us-blank-01.jpg").read_bytes(), evidence=True)
    assert blank.reject_reason == "no_amount_found"
    assert blank.evidence is not None
    assert len(blank.evidence.looks) == 1


def test_a_sure_reading_is_of_one_look(reader: ChequeReader) -> None:
    crop = np.full((60, 300), 255, np.uint8)
    cv2.putText(crop, "1,234.56", (20, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    data = bytes(cv2.imencode(".png", crop)[1])
    evidence = reader.read(data, field_only=True, evidence=True).evidence
    assert evidence is not None
    assert (evidence.look, len(evidence.looks), len(evidence.looks[0])) == (1, 1, 2)
