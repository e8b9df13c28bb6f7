"""Pictures of a run as PNG bytes, for the report and the Prefect UI."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve

CHALLENGER, CHAMPION, FAINT = "#0b6e4f", "#b5651d", "#9aa5a1"


def roc(scores: pd.DataFrame, champion: str, challenger: str) -> bytes:
    """ROC curves on the same held-out rows; scores has columns y, champion, challenger."""
    figure, axes = _axes("False positive rate", "True positive rate")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    for name, column, colour in ((champion, "champion", CHAMPION), (challenger, "challenger", CHALLENGER)):
        fpr, tpr, _ = roc_curve(scores["y"], scores[column])
        axes.plot(fpr, tpr, color=colour, label=name)
    axes.legend(frameon=False)
    return _png(figure)


def reliability(scores: pd.DataFrame, challenger: str) -> bytes:
    """How often the event happened where the challenger gave a probability, in ten equal-sized bins."""
    figure, axes = _axes("Predicted probability", "Observed frequency")
    observed, predicted = calibration_curve(scores["y"], scores["challenger"], n_bins=10, strategy="quantile")
    top = float(max(observed.max(), predicted.max()))
    axes.plot([0, top], [0, top], color=FAINT, linewidth=1)
    axes.plot(predicted, observed, "o-", color=CHALLENGER, label=challenger)
    axes.legend(frameon=False)
    return _png(figure)


def trials(values: Sequence[float], pruned: Sequence[bool]) -> bytes:
    """The study: score of each trial, the best so far, and which trials were cut short."""
    figure, axes = _axes("Trial", "Mean ROC AUC over folds")
    numbers, cut = np.arange(len(values)), np.asarray(pruned, dtype=bool)
    best = np.maximum.accumulate(np.where(cut, -np.inf, values))
    axes.step(numbers, best, where="post", color=FAINT, label="best so far")
    axes.plot(numbers[~cut], np.asarray(values)[~cut], "o", color=CHALLENGER, label="complete")
    axes.plot(numbers[cut], np.asarray(values)[cut], "x", color=CHAMPION, label="pruned")
    axes.legend(frameon=False)
    return _png(figure)


def folds(scores: Sequence[float]) -> bytes:
    """Out-of-fold score of each fold, with their mean."""
    figure, axes = _axes("Fold", "ROC AUC out of fold")
    axes.bar(range(1, len(scores) + 1), scores, color=CHALLENGER, width=0.6)
    axes.axhline(float(np.mean(scores)), color=FAINT, linewidth=1)
    axes.set_ylim(min(scores) - 0.02, max(scores) + 0.02)
    return _png(figure)


def importances(shares: Mapping[str, float], most: int = 15) -> bytes:
    """The features with the largest share of the model's gain."""
    figure, axes = _axes("Share of the gain", "")
    names = list(shares)[:most][::-1]
    axes.barh(names, [shares[name] for name in names], color=CHALLENGER)
    return _png(figure)


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
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
