"""What a search chooses: the options of each learner, and what search.space makes of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Value = int | float | bool


class Range(NamedTuple):
    """Numbers from low to high, both included; whole ones where `whole`; log: drawn on a log scale."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


Space = Mapping[str, Range | Value]


@dataclass(frozen=True)
class Option:
    """What a learner takes: numbers from least to most, whole ones where `whole`; above: least is too little.
    least None: true or false.

    usual: what a search draws it from, or its value in every trial; None: the learner's own value, unless
    search.space says otherwise. log: the scale of a range that does not name one. aliases: its other names.
    """

    least: float | None
    most: float = math.inf
    whole: bool = False
    above: bool = False
    log: bool = False
    usual: tuple[float, float] | Value | None = None
    aliases: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        if self.least is None:
            return "true or false"
        kind = "a whole number" if self.whole else "a number"
        start = f"above {self.least:g}" if self.above else f"from {self.least:g}"
        return f"{kind} {start}{'' if math.isinf(self.most) else f' to {self.most:g}'}"

    def takes(self, value: Any) -> bool:
        if self.least is None or isinstance(value, bool):
            return self.least is None and isinstance(value, bool)
        if not isinstance(value, int if self.whole else int | float) or not math.isfinite(value):
            return False
        return (value > self.least if self.above else value >= self.least) and value <= self.most


LIGHTGBM = {
    "learning_rate": Option(0, above=True, log=True, usual=(0.05, 0.2), aliases=("eta", "shrinkage_rate")),
    "num_leaves": Option(
        2,
        131_072,
        whole=True,
        log=True,
        usual=(15, 63),
        aliases=("max_leaf", "max_leaf_nodes", "max_leaves", "num_leaf"),
    ),
    "min_child_samples": Option(
        0,
        whole=True,
        log=True,
        usual=(20, 400),
        aliases=("min_data_in_leaf", "min_data", "min_data_per_leaf", "min_samples_leaf"),
    ),
    "feature_fraction": Option(
        0, 1, above=True, usual=(0.3, 0.8), aliases=("colsample_bytree", "sub_feature")
    ),
    "bagging_fraction": Option(
        0, 1, above=True, usual=(0.5, 1.0), aliases=("bagging", "sub_row", "subsample")
    ),
    "bagging_freq": Option(0, whole=True, usual=1, aliases=("subsample_freq",)),
    "lambda_l2": Option(
        0, log=True, usual=(1e-3, 100.0), aliases=("l2_regularization", "lambda", "reg_lambda")
    ),
    "lambda_l1": Option(0, log=True, aliases=("l1_regularization", "reg_alpha")),
    "max_depth": Option(1, whole=True),
    "min_gain_to_split": Option(0, aliases=("min_split_gain",)),
    "min_sum_hessian_in_leaf": Option(
        0,
        log=True,
        aliases=("min_child_weight", "min_hessian", "min_sum_hessian", "min_sum_hessian_per_leaf"),
    ),
    "max_delta_step": Option(0, aliases=("max_leaf_output", "max_tree_output")),
    "path_smooth": Option(0, log=True),
    "feature_fraction_bynode": Option(0, 1, above=True, aliases=("colsample_bynode", "sub_feature_bynode")),
    "extra_trees": Option(None, aliases=("extra_tree",)),
    "cat_smooth": Option(0, log=True),
    "cat_l2": Option(0, log=True),
    "max_cat_threshold": Option(1, whole=True, log=True),
    "max_cat_to_onehot": Option(1, whole=True),
    "min_data_per_group": Option(1, whole=True, log=True),
}
TORCH = {
    "rate": Option(0, 1, above=True, log=True, usual=(5e-4, 1e-2)),
    "width": Option(1, 65_536, whole=True, log=True, usual=(32, 256)),
    "depth": Option(1, 100, whole=True, usual=(1, 3)),
    "dropout": Option(0, 0.95, usual=(0.0, 0.4)),
    "decay": Option(0, log=True, usual=(1e-5, 1e-1)),
}
OPTIONS: Mapping[str, Mapping[str, Option]] = {"lightgbm": LIGHTGBM, "torch": TORCH}


def space_of(learner: str, asked: Mapping[str, Any], fixed: Mapping[str, Any]) -> Space:
    """What a search of this learner draws: its usual ranges, or those of search.space in their place.

    asked: search.space; fixed: learner.options. Raises ValueError for a space that does not fit.
    """
    options = OPTIONS[learner]
    for name in asked:
        _require_free(name, learner, fixed)
    return {
        name: _read(name, asked[name], option) if name in asked else _usual(option)
        for name, option in options.items()
        if name in asked or option.usual is not None
    }


def _require_free(name: str, learner: str, fixed: Mapping[str, Any]) -> None:
    options = OPTIONS[learner]
    if name not in options:
        own = [known for known, option in options.items() if name in option.aliases]
        hint = f"it is called {own[0]} here" if own else f"{learner} can search {', '.join(options)}"
        raise ValueError(f"search.space names '{name}': {hint}")
    if twice := sorted({name, *options[name].aliases} & fixed.keys()):
        raise ValueError(
            f"search.space.{name} and learner.options.{twice[0]} = {fixed[twice[0]]!r} are the same option; "
            "keep one of them"
        )


def _usual(option: Option) -> Range | Value:
    if isinstance(option.usual, tuple):
        return Range(*option.usual, option.log, option.whole)
    assert option.usual is not None
    return option.usual


def _read(name: str, asked: Any, option: Option) -> Range | Value:
    """A value, [low, high] or {low, high, log}."""
    place = f"search.space.{name} = {asked!r}"
    if not isinstance(asked, list | dict):
        _require(place, (asked,), option)
        return asked if option.whole or option.least is None else float(asked)
    low, high, log = _bounds(place, asked, option)
    _require(place, (low, high), option)
    if low >= high:
        raise ValueError(f"{place}: low must be below high; a value alone fixes the option")
    if log and low <= 0:
        raise ValueError(f"{place}: a logarithmic scale begins above 0")
    return Range(low, high, option.log and low > 0 if log is None else log, option.whole)


def _bounds(place: str, asked: Any, option: Option) -> tuple[Any, Any, bool | None]:
    """Low, high, and whether the scale is logarithmic if that is said."""
    if option.least is None:
        raise ValueError(f"{place}: it is {option.words}, not a range")
    match asked:
        case [low, high]:
            return low, high, None
        case {"low": low, "high": high, "log": bool(log), **rest} if not rest:
            return low, high, log
        case {"low": low, "high": high, **rest} if not rest:
            return low, high, None
    raise ValueError(
        f"{place}: a range is [low, high], or with its scale {{low: 1, high: 9, log: true}}; a list of "
        "values belongs into search.grid"
    )


def _require(place: str, values: tuple[Any, ...], option: Option) -> None:
    if not all(option.takes(each) for each in values):
        raise ValueError(f"{place}: it is {option.words}")
