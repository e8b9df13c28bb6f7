"""Draw a trial's options from the space of a search."""

from typing import TYPE_CHECKING, Any

from incumbent.params import Range, Space

if TYPE_CHECKING:
    import optuna


def draw(space: Space, trial: "optuna.Trial") -> dict[str, Any]:
    """The options of this trial; the values that are no ranges as they are."""
    return {
        name: _drawn(name, each, trial) if isinstance(each, Range) else each for name, each in space.items()
    }


def _drawn(name: str, among: Range, trial: "optuna.Trial") -> int | float:
    if among.whole:
        return trial.suggest_int(name, int(among.low), int(among.high), log=among.log)
    return trial.suggest_float(name, among.low, among.high, log=among.log)
