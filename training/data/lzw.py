"""Reading files of the Unix `compress` command (.Z), as the UCI archive has them."""

_MAGIC = b"\x1f\x9d"
_CLEAR = 256


def decompress(raw: bytes) -> bytes:
    """The content of a .Z file; raises ValueError where it is not one or is broken."""
    if len(raw) < 3 or raw[:2] != _MAGIC or not 9 <= raw[2] & 0x1F <= 16:
        raise ValueError("not a file of the compress command")
    most, blocks = raw[2] & 0x1F, bool(raw[2] & 0x80)
    table = [bytes([i]) for i in range(256)] + ([b""] if blocks else [])
    first_free = len(table)
    out: list[bytes] = []
    width, before = 9, b""
    # Codes come in groups of eight, so that a group of width w takes w bytes; a change of
    # width drops the rest of its group.
    group, bit, total = 3, 0, 8 * len(raw)
    while 8 * group + bit + width <= total:
        at = group + bit // 8
        code = int.from_bytes(raw[at : at + 3], "little") >> (bit % 8) & ((1 << width) - 1)
        bit += width
        if blocks and code == _CLEAR:
            del table[first_free:]
            group, bit, width, before = _next_group(group, bit, width), 0, 9, b""
            continue
        if code > len(table) or (code == len(table) and not before):
            raise ValueError("a code of the compressed file is out of range")
        entry = table[code] if code < len(table) else before + before[:1]
        out.append(entry)
        if before and len(table) < 1 << most:
            table.append(before + entry[:1])
        before = entry
        if len(table) >= 1 << width and width < most:
            group, bit, width = _next_group(group, bit, width), 0, width + 1
        elif bit == 8 * width:
            group, bit = group + width, 0
    return b"".join(out)


def _next_group(group: int, bit: int, width: int) -> int:
    """The byte behind the whole groups of eight codes that bit reaches into."""
    return group + -(-bit // (8 * width)) * width
