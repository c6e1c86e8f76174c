"""Hooks of schemathesis (`make fuzz-api`): images beside the bytes that it makes up itself."""

from pathlib import Path

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


schemathesis.openapi.media_type("image/png", _images("png"))
schemathesis.openapi.media_type("image/jpeg", _images("jpg"))
schemathesis.openapi.media_type("image/tiff", _images("tif"))
schemathesis.openapi.format("binary", _images("png", "jpg", "tif"))
