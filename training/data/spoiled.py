"""Recorded characters that are not what their label says: strokes missing, or another character.

They were listed by looking at those training and validation samples that a recognizer was sure to
be something else; what a person might have meant by the label stayed in. Test samples are
never left out.
"""

import json
from pathlib import Path

from training.data.glyphs import GlyphSet

_LIST = Path(__file__).with_name("spoiled.json")


def sound(held: GlyphSet) -> GlyphSet:
    """A whole set, as loaded, without its spoiled training and validation samples."""
    spoiled = set(json.loads(_LIST.read_text()).get(held.name, []))
    return held.take([row for row in range(len(held)) if row not in spoiled])
