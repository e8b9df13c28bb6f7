"""Figures, their values and limits in words that need no knowledge of how they are computed."""

AS_BEFORE = "(1: as before, 0: not at all, -1: the opposite of before)"
SHARE = "the share of "
NAMES = {
    "rows": "the number of rows",
    "repeated": "the share of rows that repeat the content of an earlier row, the key aside",
    "run": "the longest stretch of rows with one and the same target",
    "slopes": f"how well the columns tell the target {AS_BEFORE}",
    "domain": "how well a model tells these rows from the last partitions' (AUC; 0.5: they are alike)",
    "recent model": "how well a model of the last partitions ranks the target (1: as it is, 0.5: by chance, "
    "below: the wrong way round)",
    "empty": "the share of empty cells in {}",
    "commonest": "the share of rows with the most frequent value of {}",
    "negative": "the share of negative numbers in {}",
    "zero": "the share of zeros in {}",
    "whole": "the share of whole numbers in {}",
    "upper": "the share of upper-case texts in {}",
    "lower": "the share of lower-case texts in {}",
    "digits": "the share of texts with digits in {}",
    "distinct": "the number of different values in {}",
    "mean": "the mean of {}",
    "deviation": "the standard deviation of {}",
    "length": "the mean length of the texts in {}",
    "new": "the share of rows whose {} is a value that no earlier partition has",
    "moved": "the share of rows by which the frequencies of the values of {} differ from the usual ones",
    "slope": f"how well {{}} tells the target {AS_BEFORE}",
    "quantile 0.5": "the median of {}",
}
SHORT = {
    "repeated": "rows that repeat another",
    "run": "longest stretch of one target",
    "slopes": "the target by the columns",
    "domain": "unlike the last partitions",
    "recent model": "the target by a recent model",
    "commonest": "share of the most frequent",
    "length": "mean length",
    "new": "share of new values",
    "moved": "frequencies of the values",
    "slope": "the target by this column",
}
"""Where the column stands beside it, and others would be long."""

WITH = "with "


def describe(figure: str, column: str) -> str:
    """A figure in full, with its column."""
    if figure.startswith(WITH):
        return f"the rank correlation of '{column}' with '{figure.removeprefix(WITH)}'"
    return _name(figure).format(f"'{column}'")


def describe_short(figure: str) -> str:
    """The same in a few words, without the column."""
    if figure.startswith(WITH):
        return f"rank correlation with '{figure.removeprefix(WITH)}'"
    words = SHORT.get(figure) or _name(figure)
    return words.replace(" of {}", "").replace(" in {}", "").removeprefix("the ")


def is_figure(name: str) -> bool:
    """Is there a figure of this name?"""
    place = name.removeprefix("quantile ")
    known = name in NAMES or name.startswith(WITH)
    return known or (place != name and place.replace(".", "", 1).isdigit())


def _name(figure: str) -> str:
    place = figure.removeprefix("quantile ")
    return NAMES.get(figure) or f"the {float(place):.0%} quantile of {{}}"


def amount(figure: str, value: float) -> str:
    """A figure's value: a share as percents."""
    if not NAMES.get(figure, "").startswith(SHARE):
        return number(value)
    return f"{100 * value:.3g} %" if value < 0.9995 else "100 %"


def between(figure: str, low: float | None, high: float | None) -> str:
    """What the figure should be; None: without an end; empty without both."""
    if low is None:
        return "" if high is None else f"at most {amount(figure, high)}"
    if high is None:
        return f"at least {amount(figure, low)}"
    return f"{amount(figure, low)} to {amount(figure, high)}"


def number(value: float) -> str:
    """Four digits; whole numbers and great ones in full."""
    if (float(value).is_integer() or abs(value) >= 1000) and abs(value) < 1e15:
        return f"{round(value):,}"
    return f"{value:.4g}"


def count(many: int, noun: str) -> str:
    """So many of them: 1 partition, 1,200 partitions."""
    return f"{many:,} {noun}{'' if many == 1 else 's'}"
