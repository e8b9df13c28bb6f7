"""Where a full training runs: in this process, or in workers on a Ray cluster that share the rows."""

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Literal

from incumbent.errors import BadParams
from incumbent.params import Params

EngineName = Literal["local", "ray"]


@dataclass(frozen=True)
class Engine:
    """`workers`: processes that train one model together, each on its own share of the rows."""

    name: EngineName = "local"
    workers: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


LOCAL = Engine()


def chosen(name: EngineName, params: Params) -> Engine:
    """Raises BadParams when Ray is not installed, and for parameters that need all rows in one process."""
    if name == "local":
        return LOCAL
    if find_spec("ray") is None:
        raise BadParams("--engine ray needs Ray, which is not installed; pip install 'incumbent[ray]'")
    if unfit := [setting for setting, is_set in _needs_all_rows(params).items() if is_set]:
        raise BadParams(
            f"params.yaml: {'; '.join(unfit)}: needs all training rows in one process, and with "
            "--engine ray no process has them; change it, or use --engine local"
        )
    return Engine("ray", params.retrain.workers)


def _needs_all_rows(params: Params) -> dict[str, bool]:
    imbalance, search = params.imbalance, params.search
    return {
        "retrain.window = 'auto' (give all, or a number)": params.retrain.window == "auto",
        "retrain.replay = 0 (the search learns from that sample)": params.retrain.replay == 0,
        f"imbalance.method = '{imbalance.method}'": imbalance.method is not None,
        f"imbalance.calibrate = '{imbalance.calibrate}'": imbalance.calibrate is not None,
        params.bias.asked: params.bias.column is not None,
        f"segments.by = '{params.segments.by}'": params.segments.by is not None,
        "decision.false_negative": params.decision.false_negative is not None,
        f"features.target = {params.features.target}": bool(params.features.target),
        f"features.function = '{params.features.function}'": params.features.function is not None,
        f"search.scheme = '{search.scheme}'": search.scheme == "time-series",
        f"search.workers = {search.workers}": search.workers > 1,
    }
