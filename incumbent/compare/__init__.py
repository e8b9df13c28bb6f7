"""Champion against challenger on the same rows, which neither was trained on. Arrays in, frozen values out.

The statistics of the decision: `compare` is the paired test of the deciding metric, `compare_slices` the same
on parts of the rows, `confidence_sequence` pools arrivals that are looked at again and again; `calibration`
and `fairness` measure what guardrails limit.
"""

from incumbent.compare.anytime import ArrivalGain, ConfidenceSequence, confidence_sequence, critical_value
from incumbent.compare.calibration import Bin, Calibration, calibration
from incumbent.compare.fairness import Fairness, GroupRates, fairness
from incumbent.compare.forecast import Forecast, forecast, suffices
from incumbent.compare.paired import compare, estimate, score, try_compare
from incumbent.compare.result import Comparison, Incomparable, Interval
from incumbent.compare.slices import SliceComparison, compare_slices
from incumbent.compare.sums import as_decisions

__all__ = [
    "ArrivalGain",
    "Bin",
    "Calibration",
    "Comparison",
    "ConfidenceSequence",
    "Fairness",
    "Forecast",
    "GroupRates",
    "Incomparable",
    "Interval",
    "SliceComparison",
    "as_decisions",
    "calibration",
    "compare",
    "compare_slices",
    "confidence_sequence",
    "critical_value",
    "estimate",
    "fairness",
    "forecast",
    "score",
    "suffices",
    "try_compare",
]
