"""Hooks of schemathesis (`make fuzz-api`): images beside the bytes that it makes up itself."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

_SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"


def _images(*kinds: str) -> st.SearchStrategy[bytes]:
    """Sample cheques of these kinds, whole, cut off and with bytes changed, or any bytes."""
    whole = st.sampled_from(
        [file.read_bytes() for kind in kinds for file in sorted(_SAMPLES.glob(f"us-*.{kind}"))]
    )
    return st.one_of(
        whole,
        st.builds(lambda data, end: data[:end], whole, st.integers(0, 100_000)),
        st.builds(
            lambda data, at, new: data[:at] + new + data[at + len(new) :],
            whole,
            st.integers(0, 2_000),
            st.binary(min_size=1, max_size=8),
        ),
        st.binary(max_size=1_000),
    )


def _archive(files: list[bytes], names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, data in enumerate(files):
            name = names[number % len(names)] if names else ""
            archive.writestr(f"{number}{name}", data)
    return buffer.getvalue()


def _archives() -> st.SearchStrategy[bytes]:
    """ZIP archives of such images under any names, whole, cut off and with bytes changed."""
    names = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4)
    whole = st.builds(_archive, st.lists(_images("png", "tif"), max_size=4), names)
    return st.one_of(
        whole,
        st.builds(lambda data, end: data[:end], whole, st.integers(0, 100_000)),
        st.builds(
            lambda data, at, new: data[: -at - len(new)] + new + data[-at:],
            whole,
            st.integers(1, 400),
            st.binary(min_size=1, max_size=4),
        ),
    )


@schemathesis.deserializer("application/jsonl")
def _lines(_: Any, response: Any) -> Any:
    """A line of JSON, any of them: the schema is that of each."""
    lines = [json.loads(line) for line in response.content.splitlines()]
    return lines[0] if lines else EMPTY


# What the schema of an item takes, where there is none yet.
EMPTY = {
    "number": 0,
    "file": None,
    "reference": None,
    "state": "waiting",
    "reading": None,
    "error": None,
}

schemathesis.openapi.media_type("application/zip", _archives())
schemathesis.openapi.media_type("image/png", _images("png"))
schemathesis.openapi.media_type("image/jpeg", _images("jpg"))
schemathesis.openapi.media_type("image/tiff", _images("tif"))
schemathesis.openapi.format("binary", _images("png", "jpg", "tif"))
