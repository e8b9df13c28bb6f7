"""Figures in words."""

NAMES = {
    "rows": "the number of rows",
    "repeated": "the share of rows that repeat another's content",
    "run": "the longest stretch of rows with one target",
    "slopes": "how the target follows the columns, as a multiple of before,",
    "domain": "how well a model tells the rows from recent ones (AUC)",
    "recent model": "how well a model of recent rows ranks the target",
    "empty": "the share of empty cells in {}",
    "commonest": "the share of the commonest value in {}",
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
    "new": "the share of values in {} that no earlier partition has",
    "moved": "the share of {} that moved to other values",
    "slope": "how the target follows {}, as a multiple of before,",
    "quantile 0.5": "the median of {}",
}


def describe(figure: str, column: str = "*", *, short: bool = False) -> str:
    """`short`: without the column."""
    if figure.startswith("quantile ") and figure != "quantile 0.5":
        words = f"the {float(figure.split()[1]):.0%} quantile of {{}}"
    elif figure.startswith("with "):
        words = f"the rank correlation of {{}} with '{figure.removeprefix('with ')}'"
    else:
        words = NAMES[figure]
    if short:
        return (
            words.replace(" of {}", "")
            .replace(" in {}", "")
            .replace(" {}", "")
            .removeprefix("the ")
            .rstrip(",")
        )
    return words.format(f"'{column}'")


def number(value: float) -> str:
    """Four digits; whole numbers and great ones in full."""
    if (float(value).is_integer() or abs(value) >= 1000) and abs(value) < 1e15:
        return f"{round(value):,}"
    return f"{value:.4g}"
