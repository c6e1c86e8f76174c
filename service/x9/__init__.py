"""Image cash letters: X9.37 (DSTU 2003) and ANSI X9.100-187 files, read and written as streams.

`layout` holds the standard's records as data, `framing` finds their boundaries, `records` their
fields, `check` what deviates, `letter` puts items, images and totals together, `writer` and
`adjust` write.
"""
