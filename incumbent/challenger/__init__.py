"""Make a challenger and let it meet the champion.

The flow, `dvc repro` and `models reproduce` all come through here, so they give the same bytes and the same
verdict. Where files come from and what becomes of a verdict is not known.
"""

from incumbent.challenger.challenger import Challenger, open_challenger, open_others
from incumbent.challenger.make import ONNX, REPLAY, make_full, make_update, search, search_share

__all__ = [
    "ONNX",
    "REPLAY",
    "Challenger",
    "make_full",
    "make_update",
    "open_challenger",
    "open_others",
    "search",
    "search_share",
]
