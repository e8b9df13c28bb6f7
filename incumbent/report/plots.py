"""Pictures as PNG bytes: of a run, for its report and the Prefect UI, and of the gate's history."""

import io
import textwrap
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from incumbent.compare import Calibration

CHALLENGER, CHAMPION, FAINT, WRONG = "#0b6e4f", "#b5651d", "#9aa5a1", "#a3262c"
MOST_NAMES, LONGEST, LINE = 12, 20, 40
"""Names of partitions below a picture, letters of a name beside an axis, and of a line."""
GREATEST = 1e300

Range = tuple[float | None, float | None]
"""Least and greatest; None: without an end."""


def roc(y: np.ndarray, champion: np.ndarray, challenger: np.ndarray, names: tuple[str, str]) -> bytes:
    """ROC curves of two binary scores (n,) on the same judging rows; names of champion and challenger."""
    from sklearn.metrics import roc_curve

    figure, axes = _axes("False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    for name, predicted, colour in ((names[0], champion, CHAMPION), (names[1], challenger, CHALLENGER)):
        fpr, tpr, _ = roc_curve(y, predicted)
        axes.plot(fpr, tpr, color=colour, label=name)
    axes.legend(frameon=False)
    return _png(figure)


def reliability(curve: Calibration, challenger: str) -> bytes:
    """Reliability curve: frequency of the event by the challenger's probability, in equally filled bins."""
    figure, axes = _axes("Predicted probability", "Observed frequency")
    predicted, observed = [each.predicted for each in curve.bins], [each.observed for each in curve.bins]
    top = max(*predicted, *observed)
    axes.plot([0, top], [0, top], color=FAINT, linewidth=1)
    axes.plot(predicted, observed, "o-", color=CHALLENGER, label=challenger)
    axes.legend(frameon=False)
    return _png(figure)


def confusion(y: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> bytes:
    """Confusion matrix: share of each true class (row) by the challenger's class (column); predicted:
    (n, classes)."""
    from sklearn.metrics import confusion_matrix

    figure, axes = _axes("Predicted class", "True class")
    shares = confusion_matrix(y, predicted.argmax(axis=1), labels=range(len(classes)), normalize="true")
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    names = [*map(_label, classes)]
    axes.set_xticks(range(len(classes)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), names)
    return _png(figure)


def residuals(y: np.ndarray, champion: np.ndarray, challenger: np.ndarray, names: tuple[str, str]) -> bytes:
    """Distribution of the absolute errors of both models, (n,) each, as cumulative shares."""
    figure, axes = _axes("Absolute error", "Share of rows within it")
    shares = np.arange(1, len(y) + 1) / len(y)
    for name, predicted, colour in ((names[0], champion, CHAMPION), (names[1], challenger, CHALLENGER)):
        axes.plot(np.sort(np.abs(predicted - y)), shares, color=colour, label=name)
    axes.legend(frameon=False)
    return _png(figure)


def trials(values: Sequence[float], pruned: Sequence[bool]) -> bytes:
    """The study: score of each trial, the best so far, and which trials were pruned."""
    figure, axes = _axes("Trial", "Mean score over folds (greater is better)")
    numbers, cut = np.arange(len(values)), np.asarray(pruned, dtype=bool)
    best = np.maximum.accumulate(np.where(cut, -np.inf, values))
    axes.step(numbers, best, where="post", color=FAINT, label="best so far")
    axes.plot(numbers[~cut], np.asarray(values)[~cut], "o", color=CHALLENGER, label="complete")
    axes.plot(numbers[cut], np.asarray(values)[cut], "x", color=CHAMPION, label="pruned")
    axes.legend(frameon=False)
    return _png(figure)


def folds(scores: Sequence[float], metric: str) -> bytes:
    """Out-of-fold score of each fold, with their mean."""
    figure, axes = _axes("Fold", f"{metric} out of fold")
    axes.bar(range(1, len(scores) + 1), scores, color=CHALLENGER, width=0.6)
    axes.axhline(float(np.mean(scores)), color=FAINT, linewidth=1)
    room = 0.25 * (max(scores) - min(scores)) or abs(scores[0]) * 0.1 or 1.0
    axes.set_ylim(min(scores) - room, max(scores) + room)
    return _png(figure)


def importances(shares: Mapping[str, float], axis: str = "Share of the gain", most: int = 15) -> bytes:
    """The features with the largest share of the model's gain, or a study's options with another `axis`."""
    figure, axes = _axes(axis, "")
    names = list(shares)[:most][::-1]
    axes.barh(range(len(names)), [shares[name] for name in names], color=CHALLENGER)
    axes.set_yticks(range(len(names)), [*map(_label, names)])
    return _png(figure)


def history(
    values: Mapping[str, float | None],
    new: tuple[str, float] | None,
    usual: Range,
    outer: Range,
    what: str,
) -> bytes:
    """A figure over partitions, what it should be and, by name and value, what the `new` one has.

    usual: the range in which it should be; outer: beyond it, it is suspicious. An end may be None.
    """
    figure, axes = _axes("", textwrap.fill(_plain(what), LINE))
    numbers, names = [*map(_drawable, values.values())], [*values]
    axes.plot(range(len(numbers)), numbers, "o-", color=CHALLENGER, markersize=4, label="accepted before")
    if new is not None:
        axes.plot([len(numbers)], [_drawable(new[1])], "D", color=WRONG, label="new")
        names.append(new[0])
    least, greatest = _span([*numbers, *map(_drawable, (*(new[1:] if new else ()), *usual, *outer))])
    axes.set_ylim(least, greatest)
    if usual != (None, None):
        low, high = usual
        band = least if low is None else _drawable(low), greatest if high is None else _drawable(high)
        axes.axhspan(*band, color=CHALLENGER, alpha=0.12, linewidth=0, label="should be")
    if ends := [_drawable(each) for each in outer if each is not None]:
        across = axes.get_yaxis_transform()
        style = {"colors": CHAMPION, "linestyles": "--", "linewidth": 1}
        axes.hlines(ends, 0, 1, label="suspicious beyond", transform=across, **style)
    # Not all names have room; the last is always there.
    step = -(-len(names) // MOST_NAMES)
    shown = range((len(names) - 1) % step, len(names), step)
    labels = [_plain(names[place].removesuffix(".parquet")[-LONGEST:]) for place in shown]
    axes.set_xticks(shown, labels, rotation=45, ha="right")
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    return _png(figure)


def _drawable(value: float | None) -> float:
    """NaN leaves a gap; an axis can't reach the greatest floats."""
    return np.nan if value is None else max(-GREATEST, min(GREATEST, value))


def _span(values: Sequence[float]) -> tuple[float, float]:
    """All of these but NaN, with some room."""
    numbers = [value for value in values if not np.isnan(value)]
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    room = 0.06 * (high - low) or abs(low) * 0.1 or 1.0
    return low - room, high + room


def _plain(text: str) -> str:
    """A name from the data, of which nothing is a formula."""
    return text.replace("$", r"\$")


def _label(name: str) -> str:
    """A name beside an axis; of a long one beginning and end, as a picture has room for no more."""
    if len(name) > LONGEST:
        name = f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 :]}"
    return _plain(name)


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    # Figure without pyplot: no global state, so runs can draw side by side.
    figure = Figure(figsize=(5.2, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the font has no letter of some scripts
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
