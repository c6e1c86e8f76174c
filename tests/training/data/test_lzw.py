"""The .Z decoder against an encoder that works as the compress command does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.lzw import decompress


def compress(data: bytes, most: int = 16) -> bytes:
    """A .Z file of data; codes in groups of eight, a change of width fills its group."""
    out = bytearray(b"\x1f\x9d" + bytes([0x80 | most]))
    table = {bytes([i]): i for i in range(256)}
    free, width = 257, 9
    group: list[int] = []

    def flush(whole: bool) -> None:
        value = sum(code << i * width for i, code in enumerate(group))
        size = width if whole else -(-len(group) * width // 8)
        out.extend(value.to_bytes(width + 2, "little")[:size])
        group.clear()

    word = b""
    for byte in data:
        longer = word + bytes([byte])
        if longer in table:
            word = longer
            continue
        group.append(table[word])
        if len(group) == 8:
            flush(whole=True)
        if free < 1 << most:
            table[longer] = free
            free += 1
            if free - 1 == 1 << width and width < most:
                if group:
                    flush(whole=True)
                width += 1
        word = bytes([byte])
    if word:
        group.append(table[word])
    if group:
        flush(whole=False)
    return bytes(out)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([b"0", b"1", b" 12\n", b".PEN_DOWN\n"]), max_size=3000))
def test_reads_what_was_compressed(words: list[bytes]) -> None:
    data = b"".join(words)
    assert decompress(compress(data)) == data


def test_reads_through_every_width_and_a_full_table() -> None:
    data = bytes((i * i // 7 + i // 3) % 251 for i in range(60_000))
    for most in (9, 12, 16):
        assert decompress(compress(data, most)) == data


@pytest.mark.parametrize("raw", [b"", b"\x1f\x8b\x08", b"\x1f\x9d\x90\xff\xff\xff"])
def test_refuses_what_is_not_one(raw: bytes) -> None:
    with pytest.raises(ValueError, match="compress"):
        decompress(raw)
