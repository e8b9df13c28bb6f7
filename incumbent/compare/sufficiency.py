"""Are there rows enough to tell how a figure varies? An interval that can't vary is no evidence."""

import numpy as np

from incumbent.compare.observations import Observations
from incumbent.compare.sampled import Sampled
from incumbent.errors import BadData

ROUNDING = 1e-5  # of a value: what weights of float32 leave where nothing varies
MORE = "later arrivals add rows"


def require_resampling(observations: Observations) -> None:
    """Raises BadData where every row is its own group and no class has a second row to vary with."""
    if observations.codes is None and observations.class_counts and max(observations.class_counts) == 1:
        rows = len(observations.y)
        raise BadData(
            f"{rows} judging rows of {rows} classes, one row each of them: too few to resample; {MORE}"
        )


def require_variation(difference: Sampled, groups: int, confidence: float) -> None:
    """Raises BadData for a difference without error that so few groups may show by chance.

    Where nothing varies the standard error says nothing, so the sign test does: n groups agree by chance with
    probability 2 / 2^n.
    """
    if difference.standard_error > ROUNDING * abs(difference.value) or difference.value == 0:
        return
    if 2 * 0.5**groups > 1 - confidence:
        least = int(np.ceil(1 - np.log2(1 - confidence)))
        raise BadData(
            f"the difference is the same in all of {groups} groups of judging rows: too few to tell how it "
            f"varies, it takes {least} at promotion.confidence = {confidence:g}; {MORE}"
        )
