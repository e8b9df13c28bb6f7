"""The forms in which a text can write a number, a boolean or a time, and SQL for their values.

A pattern is read by Python's `re` and by RE2 alike, and matched against the whole cell.
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "boolean", "time"]
# An empty cell where everything else in the column is a number, a time or a truth value; in lower case.
PLACEHOLDERS = (
    *("", "-", "--", "---", "–", "—", "?", "??", ".", "..", "...", "*", "\\n", "na", "n/a", "n.a.", "#n/a"),
    *("#na", "<na>", "nan", "-nan", "nat", "nil", "none", "null", "missing", "unknown", "not available"),
    *("#null!", "#div/0!", "#value!", "#ref!", "#num!", "#name?"),
)


@dataclass(frozen=True)
class Form:
    """`value` is SQL for what the quoted column {0} means; NULL for what does not fit.

    `option` is its name in dataset.formats, where another form may fit the same texts; a `conventional`
    form is used even so. `unit` stands in every cell.
    """

    kind: Kind
    pattern: str
    value: str
    option: str | None = None
    conventional: bool = True
    unit: str = ""

    def fits(self, column: str) -> str:
        """SQL: is a cell of the quoted column written like this?"""
        pattern = self.pattern.replace("'", "''")
        value = self.value.replace("{0}", column)
        return f"CASE WHEN regexp_full_match({column}, '{pattern}') THEN {value} IS NOT NULL END"


# --- numbers

_WHOLE = "(0|[1-9][0-9]*)"  # 007 is a name
_EXPONENT = "([eE][+-]?[0-9]+)?"
# With a plus and seven digits or more it is a telephone number.
_PLUS = "[+](0|[1-9][0-9]{0,5})"
_DECIMAL = f"(-?{_WHOLE}?([.][0-9]*)?|{_PLUS}([.][0-9]*)?|[+][1-9][0-9]*[.][0-9]+|[+][.][0-9]+){_EXPONENT}"
INTEGER = Form("number", f" *(-?{_WHOLE}|{_PLUS}) *", "TRY_CAST({0} AS BIGINT)")
# Longer than an integer can be: digits that a float would lose. They are a name, not a quantity.
DIGITS = Form("text", INTEGER.pattern, "{0}")
DECIMAL = Form(
    "number", f" *({_DECIMAL}|[+-]?(?i:inf|infinity)) *", "TRY_CAST({0} AS DOUBLE)", "decimal-point"
)
PADDED = Form("number", " *[+-]?[0-9]*([.][0-9]*)? *", "TRY_CAST({0} AS DOUBLE)", "decimal-point")

_BLANK = " \u00a0\u202f\u2009"
_MINUS = "[-−]"
_CURRENCIES = (
    *("$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₪", "US$", "R$", "zł", "kr", "Kč", "EUR", "USD", "GBP"),
    *("JPY", "CNY", "INR", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "AUD", "CAD", "NZD", "BRL"),
)


def _number(point: str, mark: str) -> str:
    """A pattern: groups of three or none, a unit before or behind; a minus too, or brackets for it."""
    groups = "|".join(f"([{each}][0-9]{{3}})+" for each in (",.".replace(point, ""), _BLANK, "'’"))
    grouped = f"[1-9][0-9]{{0,2}}({groups})"
    number = f"(({grouped}|{_WHOLE})([{point}][0-9]*)?|[{point}][0-9]+)"
    blanks = f"[{_BLANK}]*"
    if mark:
        sign = "[+−-]?"
        amount = f"({mark}{blanks}{sign}{number}|{number}{blanks}{mark})"
        return f"{blanks}({sign}{blanks}{amount}{_MINUS}?|[(]{amount}[)]){blanks}"
    in_brackets = f"({grouped}([{point}][0-9]*)?|{_WHOLE}[{point}][0-9]+)"  # (415) is no -415
    plus = f"[+]((0|[1-9][0-9]{{0,5}})([{point}][0-9]*)?|[0-9]+[{point}][0-9]+)"
    pattern = f"({_MINUS}?{number}|{plus}){_EXPONENT}|{number}{_MINUS}|[(]{in_brackets}[)]"
    return f"{blanks}({pattern}){blanks}"


def _written(point: str, unit: str) -> Form:
    kept = f"0-9{point}" + ("" if unit else "eE+-")
    digits = f"rtrim(regexp_replace({{0}}, '[^{kept}]', '', 'g'), '-')"
    size = f"abs(TRY_CAST(replace({digits}, ',', '.') AS DOUBLE))"
    return Form(
        "number",
        _number(point, re.escape(unit)),
        f"CASE WHEN regexp_matches({{0}}, '^[^0-9.,]*[(−-]|[−-][{_BLANK}]*$') THEN -{size} ELSE {size} END",
        "decimal-comma" if point == "," else "decimal-point",
        conventional=False,
        unit=unit,
    )


WRITTEN = tuple(_written(point, unit) for unit in ("", "%", *_CURRENCIES) for point in ".,")
_UNIT = f"(%|{'|'.join(map(re.escape, _CURRENCIES))})"
SEVERAL_NUMBERS = Form(
    "number", "|".join(_number(point, mark) for mark in ("", _UNIT) for point in ".,"), "{0}"
)

# --- truth values

BOOLEAN = Form("boolean", " *(?i:true|false) *", "TRY_CAST({0} AS BOOLEAN)")
# Where a person declares them.
ANY_BOOLEAN = Form("boolean", " *(?i:true|false|yes|no|t|f|y|n|1|0) *", "TRY_CAST({0} AS BOOLEAN)")

# --- times

_YEAR, _MONTH, _DAY = "[0-9]{4}", "(0?[1-9]|1[0-2])", "(0?[1-9]|[12][0-9]|3[01])"
_SECONDS = "(:[0-5][0-9]([.][0-9]+)?)?"
_CLOCK = f"([01]?[0-9]|2[0-3]):[0-5][0-9]{_SECONDS}"
_CLOCKS = f"([ T]{_CLOCK}| (0?[1-9]|1[0-2]):[0-5][0-9](:[0-5][0-9])? ?[AaPp][Mm])?"
_ISO = f"({_YEAR}-{_MONTH}-{_DAY}|{_YEAR}/{_MONTH}/{_DAY})"
_ZONE = " ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)"
_LOCAL = "TRY_CAST(replace({0}, '/', '-') AS TIMESTAMP)"
# DuckDB would drop the zone of a timestamp in silence.
_INSTANT = (
    "make_timestamp(epoch_us(TRY_CAST(regexp_replace(regexp_replace(replace({0}, '/', '-'), "
    "' ?(Z|UTC|GMT) *$', '+00:00'), ' +([+-])', '\\1') AS TIMESTAMPTZ)))"
)
ISO = Form("time", f" *{_ISO}([ T]{_CLOCK})? *", _LOCAL)
ZONED = Form("time", f" *{_ISO}[ T]{_CLOCK}{_ZONE} *", _INSTANT)
# Half of them would move by the zone's hours.
MIXED = Form("time", f" *{_ISO}([ T]{_CLOCK}({_ZONE})?)? *", _LOCAL)
YEAR_MONTH = Form("time", " *[12][0-9]{3}-(0[1-9]|1[0-2]) *", "TRY_CAST(trim({0}) || '-01' AS TIMESTAMP)")
# A number, unless it is the time column.
COMPACT = Form(
    "time", " *[12][0-9]{3}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01]) *", "try_strptime(trim({0}), '%Y%m%d')"
)
_HALVES = ("%I:%M:%S %p", "%I:%M %p", "%I:%M:%S%p", "%I:%M%p")
_HOURS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", *_HALVES)


def _strptime(text: str, *days: str, hours: tuple[str, ...] = _HOURS) -> str:
    formats = [f"{day} {hour}".strip() for day in days for hour in ("", *hours)]
    return f"try_strptime({text}, {formats})"


def _ordered(order: str, option: str, separators: str, *, conventional: bool = False) -> Form:
    """Three numbers whose last is a year of four digits."""
    first, second = (_DAY, _MONTH) if order == "dmy" else (_MONTH, _DAY)
    pattern = "|".join(f"{first}[{each}]{second}[{each}]{_YEAR}" for each in separators)
    iso = "\\3-\\2-\\1" if order == "dmy" else "\\3-\\1-\\2"
    text = f"regexp_replace(trim({{0}}), '^([0-9]+).([0-9]+).([0-9]+)', '{iso}')"
    # A cast would pass over PM.
    value = (
        f"CASE WHEN regexp_matches({{0}}, '[Mm] *$') THEN {_strptime(text, '%Y-%m-%d', hours=_HALVES)} "
        f"ELSE TRY_CAST({text} AS TIMESTAMP) END"
    )
    return Form("time", f" *({pattern}){_CLOCKS} *", value, option, conventional)


def _past(time: str) -> str:
    """Of years of two digits 30 to 99 are of the last century, as in spreadsheets; strptime turns at 69."""
    return f"CASE WHEN year({time}) >= 2030 THEN {time} - INTERVAL 100 YEAR ELSE {time} END"


def _two_digits(order: str, option: str) -> Form:
    parts = {"d": _DAY, "m": _MONTH, "y": "[0-9]{2}"}
    pattern = "|".join(sep.join(parts[each] for each in order) for sep in ("/", "[.]"))
    day = "/".join(f"%{each}" for each in order)
    value = _past(_strptime("replace(replace(trim({0}), '.', '/'), 'T', ' ')", day))
    return Form("time", f" *({pattern}){_CLOCKS} *", value, option, conventional=False)


# The month's English name leaves no doubt.
_NAMES = "January|February|March|April|May|June|July|August|September|October|November|December"
_NAME = f"(?i:{_NAMES}|(Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[.]?)"
_WEEKDAY = "(?i:mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(?i:day)?"
_NAMED_CLOCK = "( ([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?( ?[AaPp][Mm])?( (GMT|UTC|Z))?)?"
_NAMED_DAYS = "|".join(
    (
        *(
            f"{_DAY}[ -]{_NAME}[ -]{_YEAR}",
            f"{_DAY}[.]? {_NAME},? {_YEAR}",
            f"{_NAME}[ -]{_DAY},?[ -]{_YEAR}",
        ),
        *(f"{_YEAR}[ -]{_NAME}[ -]{_DAY}", f"{_NAME},?[ -]{_YEAR}", f"{_YEAR}[ -]{_NAME}"),
    )
)
# Without weekday and zone; three letters of the month, and blanks between.
_BARE_NAMED = (
    f"regexp_replace(regexp_replace(regexp_replace(trim({{0}}), '^{_WEEKDAY},? | (GMT|UTC|Z)$', '', 'g'), "
    "'([A-Za-z]{3})[a-z]*', '\\1'), '[ ,.-]+', ' ', 'g')"
)
NAMED = Form(
    "time",
    f" *({_WEEKDAY},? )?({_NAMED_DAYS}){_NAMED_CLOCK} *",
    _strptime(_BARE_NAMED, "%d %b %Y", "%b %d %Y", "%Y %b %d", "%b %Y", "%Y %b"),
)
NAMED_SHORT = Form(
    "time", f" *{_DAY}[ -]{_NAME}[ -][0-9]{{2}}{_NAMED_CLOCK} *", _past(_strptime(_BARE_NAMED, "%d %b %y"))
)
# With dots the day comes first wherever dots are used.
DOTTED = _ordered("dmy", "day-first", ".", conventional=True)
ORDERED = (
    *(_ordered("dmy", "day-first", "/-."), _ordered("mdy", "month-first", "/-.")),
    *(_two_digits("dmy", "day-first"), _two_digits("mdy", "month-first"), _two_digits("ymd", "year-first")),
)
SEVERAL_TIMES = Form("time", "|".join(form.pattern for form in (MIXED, NAMED, NAMED_SHORT, *ORDERED)), "{0}")
# Each cell is a number or a time, but not all in one form: no reading holds for the column.
SEVERAL = (SEVERAL_NUMBERS, SEVERAL_TIMES)

# What most columns are, in the order of preference; then what takes longer to tell.
_FIRST = (INTEGER, DIGITS, DECIMAL, BOOLEAN, ISO, ZONED, MIXED)
COMMON = (COMPACT, *_FIRST)
FORMS = (*_FIRST, YEAR_MONTH, NAMED, NAMED_SHORT, DOTTED, *WRITTEN, *ORDERED, *SEVERAL)


def forms_of(kind: Kind | None, option: str | None, *, key: bool, orders: bool) -> tuple[Form, ...]:
    """What a column may be written in: of its declared kind, and by its option in dataset.formats.

    A key is not padded with zeros: 0005 is not 5. The column that `orders` rows may be as 20250116.
    """
    forms = (*((COMPACT,) if orders else ()), *FORMS)
    if kind == "text":
        return ()
    if kind == "boolean":
        return (BOOLEAN, ANY_BOOLEAN)
    if kind == "number":
        forms = (*FORMS[2:], *(() if key else (PADDED,)))
    elif kind == "time":
        forms = (*FORMS, COMPACT)
    return tuple(
        form
        for form in forms
        if (kind is None or (kind == form.kind and form not in SEVERAL))
        and (option is None or form.option in (None, option))
    )
