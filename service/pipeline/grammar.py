"""The grammars of courtesy amounts: a few rules, instantiated for how each currency is written.

Shares are plain guesses at what is common on cheques, not counts of any collection. They become
named weights, so that training can tune them (see ``rules``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from service.pipeline.amount import Role
from service.pipeline.automaton import Grammar, compile_rule
from service.pipeline.rules import (
    DIGITS,
    RUBBISH,
    SPACE,
    End,
    Rule,
    Seq,
    Symbol,
    choice,
    literal,
    many,
    maybe,
    one_of,
    seq,
)

__all__ = ["CURRENCIES", "MOST_DIGITS", "Grammar", "free_grammar", "grammar_for"]

CURRENCIES = ("USD", "GBP", "EUR", "INR")

_NOTHING = Seq(())
_MAJOR = one_of("major", DIGITS, Role.MAJOR)
_FIRST = one_of("first", DIGITS[1:], Role.MAJOR)
_ZERO = one_of("zero", "0", Role.MAJOR)
_CENT = one_of("cent", DIGITS, Role.CENTS)
_SPACE = literal(SPACE)
# How many digits an amount has; cheque books serve currencies of very different size.
_LENGTHS = (0.06, 0.13, 0.17, 0.17, 0.15, 0.13, 0.10, 0.06, 0.02, 0.01)
MOST_DIGITS = len(_LENGTHS)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Digits in groups: the separator, "western" (3, 3, 3) or "indian" (3, 2, 2), how common,
    the decimal marks that go with it, and the currency that it gives away."""

    separator: str
    sizes: str
    share: float
    marks: str
    currency: str | None = None

    def divides(self, left: int) -> bool:
        """True where a separator stands before the last ``left`` digits."""
        if self.sizes == "western":
            return left > 0 and left % 3 == 0
        return left >= 3 and left % 2 == 1

    def tells(self, left: int) -> bool:
        """True where a first separator here is this grouping's own.

        12,345 is grouped alike in all, and counts as western.
        """
        return self.divides(left) and (self.sizes == "western" or left > 3)

    def stands_for(self, other: Grouping, left: int) -> bool:
        """True where a first separator here of this grouping may as well be another one's."""
        return self.separator == other.separator and other.divides(left) and not other.tells(left)


@dataclass(frozen=True, slots=True)
class Style:
    """How amounts are written in a currency.

    name: prefix of the weights; signs: what stands before the number, and how often something
    does; groupings; marks: decimal marks of an ungrouped number, with shares; cents: shares of
    the ways to write cents ("mark", "dash", "apart", "fraction", "crossed", "whole");
    slash: the currency that "/-" gives away, "" where it is not written; after: a sign that may
    follow the number, and the currency that it gives away; only_cents: whether ".50" is written
    (not where a sign ends in a point: "RS.50").
    """

    name: str
    currency: str | None
    signs: tuple[tuple[str, float], ...]
    sign_share: float
    groupings: tuple[Grouping, ...]
    marks: tuple[tuple[str, float], ...]
    cents: tuple[tuple[str, float], ...]
    slash: str | None = ""
    slash_share: float = 0.0
    after: tuple[str, str] | None = None
    only_cents: bool = True


_COMMA = Grouping(",", "western", 0.50, ".")
_POINT = Grouping(".", "western", 0.45, ",")
_GAP = Grouping(SPACE, "western", 0.10, ",.")
_QUOTE = Grouping("'", "western", 0.02, ".,")
_LAKH = Grouping(",", "indian", 0.45, ".")

STYLES = {
    "USD": Style(
        "usd", "USD", (("$", 1.0),), 0.6,
        (_COMMA,),
        ((".", 0.98), (",", 0.02)),
        (("mark", 0.60), ("dash", 0.02), ("apart", 0.08), ("fraction", 0.12),
         ("crossed", 0.01), ("whole", 0.17)),
    ),
    "GBP": Style(
        "gbp", "GBP", (("£", 1.0),), 0.6,
        (_COMMA, replace(_GAP, share=0.01, marks=".")),
        ((".", 0.98), (",", 0.02)),
        (("mark", 0.55), ("dash", 0.20), ("apart", 0.04), ("fraction", 0.02),
         ("crossed", 0.01), ("whole", 0.18)),
    ),
    "EUR": Style(
        "eur", "EUR", (("€", 1.0),), 0.5,
        (replace(_COMMA, share=0.12), replace(_POINT, share=0.40), _GAP, _QUOTE),
        ((",", 0.75), (".", 0.25)),
        (("mark", 0.70), ("dash", 0.04), ("apart", 0.04), ("fraction", 0.02),
         ("crossed", 0.01), ("whole", 0.19)),
        after=("€", "EUR"),
    ),
    "INR": Style(
        "inr", "INR", (("₹", 0.5), ("RS", 0.25), ("RS.", 0.25)), 0.4,
        (replace(_COMMA, share=0.05), _LAKH),
        ((".", 0.98), (",", 0.02)),
        (("mark", 0.36), ("dash", 0.01), ("apart", 0.02), ("fraction", 0.01), ("whole", 0.60)),
        slash="INR", slash_share=0.55, only_cents=False,
    ),
    "free": Style(
        "free", None, (("$", 1.0),), 0.4,
        (replace(_COMMA, share=0.22), replace(_POINT, share=0.34), _GAP, _QUOTE,
         replace(_LAKH, share=0.03, currency="INR")),
        ((",", 0.50), (".", 0.50)),
        (("mark", 0.34), ("dash", 0.04), ("apart", 0.06), ("fraction", 0.06),
         ("crossed", 0.02), ("whole", 0.48)),
        slash="INR", slash_share=0.08, after=("€", "EUR"),
    ),
}  # fmt: skip

# Languages that write 1,234.56, and regions that differ from the rest of their language.
_POINT_LANGUAGES = {"en", "hi", "ja", "zh", "ko", "th", "he", "ur", "bn", "ta", "ga", "mt"}
_COMMA_REGIONS = {"ZA"}
_POINT_REGIONS = {"CH", "LI", "MX", "US", "PR", "DO", "GT", "HN", "NI", "PA", "PE", "SV"}


Weights = tuple[tuple[str, float], ...]


def grammar_for(
    currency: str | None, locale: str | None, labels: tuple[str, ...], weights: Weights = ()
) -> Grammar:
    """The grammar of amounts in a currency, over the recognizer's labels; made once, then kept.

    currency: USD, GBP, EUR, INR, or None for the one that decides itself: currency unknown
    unless a sign other than $, "/-" or Indian grouping says it. locale ("de_AT", "en-IE") settles
    which decimal mark is likely in EUR and None. weights: penalties in place of the rules' own, by
    name (a model card's). Raises ValueError for another currency.
    """
    if currency is not None and currency not in CURRENCIES:
        raise ValueError("grammar: unsupported currency")
    # Callers choose the locale freely, so that it must not be a key of what is kept.
    mark = None if locale is None or currency not in (None, "EUR") else _decimal_mark(locale)
    return _made(currency, mark, labels, weights)


@cache
def _made(
    currency: str | None, mark: str | None, labels: tuple[str, ...], weights: Weights
) -> Grammar:
    name = (currency or "any") + {None: "", ".": "-point", ",": "-comma"}[mark]
    if currency is None:
        return compile_rule(name, _any_currency(mark), labels, weights=dict(weights))
    rule = _field(_with_mark(STYLES[currency], mark))
    return compile_rule(name, rule, labels, weights=dict(weights))


def _decimal_mark(locale: str) -> str:
    language, _, region = locale.replace("-", "_").partition("_")
    if region.upper() in _POINT_REGIONS:
        return "."
    is_point = language.lower() in _POINT_LANGUAGES and region.upper() not in _COMMA_REGIONS
    return "." if is_point else ","


@cache
def free_grammar(labels: tuple[str, ...]) -> Grammar:
    """Any string of symbols, the empty one too: the null hypothesis that nothing is an amount."""
    symbols = "".join(s for s in labels if s != RUBBISH) + SPACE
    anything = many("free", 0.9, one_of("free", symbols))
    return compile_rule("free", seq(maybe("free", 0.95, anything), End()), labels)


def _any_currency(mark: str | None) -> Rule:
    """Currency-free, and beside it one branch a currency in which its sign must stand.

    A $ makes an amount likely to be written as in dollars, but two dozen currencies have it, so
    that it names none.
    """
    free = _with_mark(STYLES["free"], mark)
    with_cents = [c for c in STYLES["USD"].cents if c[0] not in ("whole", "dash")]
    all_of_them = sum(share for _, share in with_cents)
    cents = tuple((way, p / all_of_them) for way, p in with_cents)
    usd = replace(STYLES["USD"], currency=None, cents=cents)
    styles = {**STYLES, "USD": usd, "EUR": _with_mark(STYLES["EUR"], mark)}
    signed = {
        currency: replace(
            styles[currency], name=f"any.{currency.lower()}", sign_share=1.0, after=None
        )
        for currency in CURRENCIES
    }
    every_sign = (("$", 0.7), ("£", 0.1), ("€", 0.1), ("₹", 0.05), ("RS", 0.025), ("RS.", 0.025))
    return choice(
        "any",
        free=(0.58, _positive(free)),
        usd=(0.20, _positive(signed["USD"])),
        gbp=(0.06, _positive(signed["GBP"])),
        eur=(0.06, _positive(signed["EUR"])),
        inr=(0.08, _positive(signed["INR"])),
        minus=(0.02, _minus(replace(free, signs=every_sign))),
    )


def _with_mark(style: Style, mark: str | None) -> Style:
    """The style where one decimal mark is by far the likelier, None: as it is."""
    if mark is None:
        return style
    other = "," if mark == "." else "."
    separators = {mark: 0.02, other: 0.45}
    return replace(
        style,
        marks=((mark, 0.96), (other, 0.04)),
        groupings=tuple(
            replace(g, share=separators.get(g.separator, g.share)) if g.sizes == "western" else g
            for g in style.groupings
        ),
    )


def _field(style: Style) -> Rule:
    """A courtesy amount field: an amount, or with a minus what is not one."""
    return choice(
        f"{style.name}.field", amount=(0.98, _positive(style)), minus=(0.02, _minus(style))
    )


def _positive(style: Style) -> Rule:
    """Fillers, sign, fillers, number: ``**$1,234.56``, ``$ --1234-``."""
    filler = maybe("lead", 0.15, _filler())
    if style.sign_share == 1.0:
        return seq(filler, _sign(style), filler, _number(style))
    bare = 1 - style.sign_share
    return choice(
        f"{style.name}.sign",
        yes=(style.sign_share, seq(filler, _sign(style), filler, _number(style))),
        no=(bare, seq(filler, _number(style))),
    )


def _sign(style: Style) -> Rule:
    options = {f"sign{i}": (share, literal(s)) for i, (s, share) in enumerate(style.signs)}
    return seq(choice(f"{style.name}.which", **options), maybe("sign.gap", 0.3, _SPACE))


def _filler() -> Rule:
    """Ink that keeps others from writing before the number.

    A single dash directly before a number is a minus, never a filler: a run of dashes has two.
    """
    dashes = seq(literal("-"), many("lead.run", 0.6, one_of("lead.run", _LEAD_RUN)))
    opening = many("lead.open", 0.6, one_of("lead.open", _LEAD_OPEN))
    return choice(
        "lead.kind",
        open=(0.8, seq(opening, maybe("lead.dashes", 0.1, dashes))),
        dashes=(0.2, dashes),
    )


_LEAD_OPEN = {"*": 0.45, "=": 0.25, "#": 0.15, "|": 0.06, "x": 0.05, "+": 0.04}
_LEAD_RUN = {"-": 0.6, "=": 0.25, "*": 0.09, "#": 0.04, "|": 0.02}
_TRAIL = {"-": 0.5, "=": 0.2, "*": 0.14, "#": 0.07, "|": 0.03, "x": 0.02, "+": 0.01, ")": 0.03}


def _number(style: Style) -> Rule:
    """The number with all that follows it, to the end of the field."""
    tail = _tail(style, style.marks, style.currency)
    lengths = {
        f"digits{n}": (share, seq(_FIRST, _rest(style, n - 1, frozenset())))
        for n, share in enumerate(_LENGTHS, 1)
    }
    number = choice("length", **lengths)
    zeros = many("zeros", 0.3, _ZERO)
    padded = seq(zeros, choice("zeros.then", number=(0.9, number), end=(0.1, tail)))
    if not style.only_cents:
        return choice(f"{style.name}.number", plain=(0.998, number), padded=(0.002, padded))
    marked = seq(_mark(style, style.marks), _cents(), _after(style, style.currency))
    return choice(
        f"{style.name}.number", plain=(0.988, number), padded=(0.002, padded), cents=(0.01, marked)
    )


@cache
def _rest(style: Style, left: int, passed: frozenset[str]) -> Rule:
    """The last ``left`` digits where no separator has been written yet, and what follows.

    passed: sizes of groupings that would have had a separator before: a later one is unlikely.
    """
    if left == 0:
        return _tail(style, style.marks, style.currency)
    here = {f"by{i}": g for i, g in enumerate(style.groupings) if g.tells(left)}
    further = seq(_MAJOR, _rest(style, left - 1, passed | {g.sizes for g in here.values()}))
    options: dict[str, tuple[float, Rule]] = {}
    for option, grouping in here.items():
        share = grouping.share + sum(
            g.share
            for g in style.groupings
            if grouping.stands_for(g, left) and g.sizes not in passed
        )
        if grouping.sizes in passed:
            share *= 0.0 if grouping.separator == SPACE else 0.04
        if share > 0:
            options[option] = (share, _separated(style, grouping, left))
    if not options:
        return further
    options["no"] = (1 - sum(share for share, _ in options.values()), further)
    sizes = {here[option].sizes for option in options if option in here}
    name = ".".join([style.name, "group", *sorted(sizes), *(f"no-{p}" for p in sorted(passed))])
    return choice(f"{name}.{min(left, 4)}", **options)


@cache
def _separated(style: Style, grouping: Grouping, left: int) -> Rule:
    """A separator, the last ``left`` digits after it, and what follows."""
    return seq(literal(grouping.separator), _MAJOR, _grouped(style, grouping, left - 1))


@cache
def _grouped(style: Style, grouping: Grouping, left: int) -> Rule:
    """The last ``left`` digits within groups: every further separator stands, as a rule."""
    if left == 0:
        marks = tuple((mark, 1 / len(grouping.marks)) for mark in grouping.marks)
        return _tail(style, marks, grouping.currency or style.currency)
    further = seq(_MAJOR, _grouped(style, grouping, left - 1))
    if not grouping.divides(left):
        return further
    separated = _separated(style, grouping, left)
    if grouping.sizes == "indian" or grouping.separator == SPACE:
        return separated
    return choice("group.next", yes=(0.99, separated), no=(0.01, further))


@cache
def _tail(style: Style, marks: Weights, currency: str | None) -> Rule:
    """Cents in one of the ways of writing them, or none, and what follows."""
    after = _after(style, currency)
    mark = _mark(style, marks)
    ways: dict[str, Rule] = {
        "mark": seq(mark, maybe("mark.gap", 0.05, _SPACE), _cents(), after),
        "dash": seq(literal("-"), _cents(), after),
        "apart": seq(_SPACE, _cents(), after),
        "fraction": seq(_fraction(mark), after),
        "crossed": seq(mark, literal("xx"), after),
        "whole": _whole(style, currency),
    }
    return choice(f"{style.name}.cents", **{way: (share, ways[way]) for way, share in style.cents})


def _mark(style: Style, marks: Weights) -> Symbol:
    name = "".join(mark for mark, _ in marks)
    plain = dict(marks) == dict(style.marks)
    return one_of(f"{style.name}.mark" if plain else f"group.mark{name}", dict(marks))


def _cents() -> Rule:
    none = literal("00", Role.CENTS)
    return choice("cents", none=(0.3, none), some=(0.7, seq(_CENT, _CENT)))


def _fraction(mark: Rule) -> Rule:
    """``56/100``, ``xx/100``, ``no/100``, ``--/100``; a gap, dash or mark may stand before it."""
    no = seq(literal("N"), one_of("no", {"O": 0.7, "0": 0.3}))
    return seq(
        choice(
            "fraction.gap",
            gap=(0.5, _SPACE),
            none=(0.4, _NOTHING),
            dash=(0.07, literal("-")),
            mark=(0.03, mark),
        ),
        choice(
            "fraction.cents",
            digits=(0.75, _cents()),
            xx=(0.12, literal("xx")),
            no=(0.10, no),
            dashes=(0.03, literal("--")),
        ),
        literal("/"),
        choice("fraction.whole", hundred=(0.95, literal("100")), xx=(0.05, literal("xx"))),
    )


def _after(style: Style, currency: str | None) -> Rule:
    """What follows cents: fillers, "/-", a sign."""
    marks = one_of("after.mark", {".": 0.7, ",": 0.3})
    trail = many("trail", 0.5, one_of("trail", _TRAIL))
    options: dict[str, tuple[float, Rule]] = {
        "none": (0.87, _NOTHING),
        "fillers": (0.13, seq(maybe("after.marked", 0.1, marks), trail)),
    }
    return _ended(f"{style.name}.after", style, options, currency, 0.05)


def _whole(style: Style, currency: str | None) -> Rule:
    """The end of an amount without cents: ``1234``, ``1234-``, ``1.234.-``, ``1234=``, ``1234/-``.

    The mark is either, whatever separates groups.
    """
    mark = one_of("ending.mark", {".": 0.7, ",": 0.3})
    trail = many("trail", 0.5, one_of("trail", _TRAIL))
    options: dict[str, tuple[float, Rule]] = {
        "none": (0.45, _NOTHING),
        "fillers": (0.28, trail),
        "mark": (0.05, mark),
        "marked": (0.22, seq(mark, trail)),
    }
    return _ended(f"{style.name}.whole", style, options, currency, style.slash_share)


def _ended(
    name: str,
    style: Style,
    options: dict[str, tuple[float, Rule]],
    currency: str | None,
    slash_share: float,
) -> Rule:
    """The options with the currency's End, and those endings that say a currency themselves."""
    ends: dict[str, tuple[float, Rule]] = {}
    if style.slash != "":
        dashes = many("slash", 0.3, one_of("slash", {"-": 0.9, "=": 0.1}))
        ends["slash"] = (slash_share, seq(literal("/"), dashes, End(style.slash)))
    if style.after is not None:
        sign, its_currency = style.after
        gap = maybe("after.gap", 0.5, _SPACE)
        ends["sign"] = (0.1, seq(gap, literal(sign), End(its_currency)))
    others = 1 - sum(share for share, _ in ends.values())
    for option, (share, rule) in options.items():
        ends[option] = (share * others, seq(rule, End(currency)))
    return choice(name, **ends)


def _minus(style: Style) -> Rule:
    """A negative number, as far as it is one: ``-45.00``, ``$-45.00``, ``-$45.00``, ``(45.00)``.

    It is told apart so that the reader can reject it, instead of losing the minus as stray ink.
    A dash on both sides is a pair of fillers: ``-1234-`` is an amount.
    """
    plain = replace(style, name=f"{style.name}.minus", after=None)
    sign = _sign(plain)
    dash, bracket = literal("-"), literal("(")
    dashed, bracketed = (_minus_number(plain, inside) for inside in (False, True))
    return seq(
        maybe("minus.lead", 0.1, many("lead.open", 0.6, one_of("lead.open", _LEAD_OPEN))),
        choice(
            "minus.kind",
            bare=(0.3, seq(dash, dashed)),
            inside=(0.25, seq(sign, dash, dashed)),
            before=(0.25, seq(dash, sign, dashed)),
            bracket=(0.08, seq(bracket, bracketed)),
            sign_bracket=(0.06, seq(sign, bracket, bracketed)),
            bracket_sign=(0.06, seq(bracket, sign, bracketed)),
        ),
    )


def _minus_number(style: Style, bracketed: bool) -> Rule:
    negative = End(style.currency, negative=True)
    closed = seq(literal(")"), negative)
    trail = many("trail", 0.5, one_of("trail", {s: p for s, p in _TRAIL.items() if s != ")"}))
    fillers = seq(trail, End(style.currency))
    mark = one_of("minus.mark", {".": 0.6, ",": 0.4})
    after: Rule = choice("minus.after", none=(0.9, negative), fillers=(0.1, fillers))
    whole: Rule = choice(
        "minus.whole",
        none=(0.6, negative),
        fillers=(0.2, fillers),
        mark=(0.05, seq(mark, negative)),
        marked=(0.15, seq(mark, fillers)),
    )
    if bracketed:
        after = whole = closed
    tail = choice(
        "minus.cents",
        mark=(0.67, seq(mark, _cents(), after)),
        apart=(0.02, seq(_SPACE, _cents(), after)),
        fraction=(0.02, seq(_fraction(mark), after)),
        whole=(0.29, whole),
    )
    lengths = {f"digits{n}": (share, _minus_digits(n, tail)) for n, share in enumerate(_LENGTHS, 1)}
    zeros = many("zeros", 0.3, _ZERO)
    return choice(
        "minus.number",
        plain=(0.97, choice("length", **lengths)),
        zeros=(0.03, seq(zeros, tail)),
    )


def _minus_digits(count: int, tail: Rule) -> Rule:
    """``count`` digits with "," or "." or nothing between groups of three, then the tail."""
    parts: list[Rule] = [_FIRST]
    for left in range(count - 1, 0, -1):
        if left % 3 == 0:
            parts.append(maybe("minus.group", 0.5, one_of("minus.group", {",": 0.6, ".": 0.4})))
        parts.append(_MAJOR)
    return seq(*parts, tail)
