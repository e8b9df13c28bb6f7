"""Make a challenger's files: search, full training, update.

The flow, `dvc repro` and `models reproduce` all use this room, so they give the same bytes. Fetching data,
publishing the files and promoting the challenger belong to other rooms.
"""

from incumbent.challenger.challenger import Challenger, open_challenger, open_others
from incumbent.challenger.make import ONNX, REPLAY, make_full, make_update
from incumbent.challenger.study import search, search_share
from incumbent.training.held_out import OUT_OF_SAMPLE

__all__ = [
    "ONNX",
    "OUT_OF_SAMPLE",
    "REPLAY",
    "Challenger",
    "make_full",
    "make_update",
    "open_challenger",
    "open_others",
    "search",
    "search_share",
]
