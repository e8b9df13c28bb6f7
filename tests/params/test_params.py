"""params.yaml: what is accepted, and how precisely everything else is refused."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from incumbent.errors import BadParams
from incumbent.params import Params, SearchParams, load_params
from tests.building import ROOT, changed, toy_params

GOOD = (ROOT / "params.yaml").read_text(encoding="utf-8")


def write(folder: Path, text: str) -> Path:
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    return folder


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"params.yaml holds {old!r} {GOOD.count(old)} times"
    return GOOD.replace(old, new)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadParams) as caught:
        load_params(write(folder, text))
    message = str(caught.value)
    assert str(folder / "params.yaml") in message
    for noise in ("Traceback", "pydantic", "site-packages", "<class"):
        assert noise not in message
    return message


def test_the_repositorys_own_parameters_load() -> None:
    params = load_params(ROOT)
    assert (params.dataset.name, params.dataset.target, params.task) == ("flights", "late", "binary")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param(
            "seed: 2013",
            "seed: 2013\nsede: 1",
            ["unknown key 'sede'", "allowed here: dataset, task, split"],
            id="unknown key at the top",
        ),
        pytest.param(
            "  floor: 0.6",
            "  floor: 0.6\n  gain: 1",
            ["unknown key 'promotion.gain'", "allowed here: metric, threshold, margin, probability"],
            id="unknown key in a section",
        ),
        pytest.param(
            "  floor: 0.6",
            "  floor: 0.6\n  internal: 1",
            ["unknown key 'promotion.internal'", "metric, threshold"],
            id="unknown key that begins like a type's name",
        ),
        pytest.param(
            "  trials: 8", '  trials: "8"', ["search.trials = '8'", "valid integer"], id="text for an integer"
        ),
        pytest.param(
            "  trials: 8", "  trials: 8.5", ["search.trials = 8.5", "integer"], id="fraction for an integer"
        ),
        pytest.param(
            "  trials: 8", "  trials: 8.0", ["search.trials = 8.0", "integer"], id="float for an integer"
        ),
        pytest.param(
            "  trials: 8", "  trials: true", ["search.trials = True", "integer"], id="bool for an integer"
        ),
        pytest.param(
            "  trials: 8", "  trials:", ["search.trials = None", "integer"], id="nothing for an integer"
        ),
        pytest.param(
            "  floor: 0.6", "  floor: low", ["promotion.floor = 'low'", "number"], id="a word for a number"
        ),
        pytest.param("  by: [date]", "  by: date", ["split.by = 'date'", "list"], id="a word for a list"),
        pytest.param(
            "  by: [date]", "  by: [date, 1]", ["split.by.1 = 1", "string"], id="a number among names"
        ),
        pytest.param(
            "  positive: true", "  positive: 1.5", ["dataset.positive = 1.5"], id="a float as the class"
        ),
        pytest.param(
            "  by: [date]",
            "  by: [date]\n  holdout: 0.5",
            ["split.holdout = 0.5", "less than 0.5"],
            id="half of the rows held out",
        ),
        pytest.param(
            "  by: [date]",
            "  by: [date]\n  holdout: -0.1",
            ["split.holdout = -0.1", "greater than or equal to 0"],
            id="less than nothing held out",
        ),
        pytest.param(
            "  folds: 5",
            "  folds: 5\n  storage: postgresql://optuna:secret@db/optuna",
            ["search.storage may hold no password", "PGPASSWORD"],
            id="a password that every manifest would tell",
        ),
        pytest.param(
            "  folds: 5",
            "  folds: 5\n  storage: studies.db",
            ["search.storage = 'studies.db'", "pattern"],
            id="a storage that is no URL",
        ),
        pytest.param("  folds: 5", "  folds: 1", ["search.folds = 1", "equal to 2"], id="one fold"),
        pytest.param(
            "seed: 2013",
            "seed: 2013\ntracking: {sinks: mlflow}",
            ["tracking.sinks = 'mlflow'", "should be a list, such as [a, b]"],
            id="one tracker for a list",
        ),
        pytest.param("seed: 2013", "seed: -1", ["seed = -1", "equal to 0"], id="negative seed"),
        pytest.param(
            "seed: 2013", "seed: 2147483648", ["seed = 2147483648", "less than 2147483648"], id="huge seed"
        ),
        pytest.param(
            "  confidence: 0.95",
            "  confidence: 95",
            ["promotion.confidence = 95", "less than 1"],
            id="confidence in per cent",
        ),
        pytest.param(
            "  by: [date]",
            "  by: [date]\n  holdout: .nan",
            ["split.holdout = nan", "finite"],
            id="not a number",
        ),
        pytest.param("  floor: 0.6", "  floor: .inf", ["promotion.floor = inf", "finite"], id="infinity"),
        pytest.param(
            "  strategy: tpe", "  strategy: bayes", ["search.strategy = 'bayes'", "'tpe'"], id="a strategy"
        ),
        pytest.param(
            "  name: lightgbm", "  name: xgboost", ["learner.name = 'xgboost'", "'lightgbm'"], id="a learner"
        ),
        pytest.param(
            "  metric: roc_auc",
            "  metric: rmse",
            ["promotion.metric 'rmse'", "'binary'", "roc_auc"],
            id="a metric of another task",
        ),
        pytest.param(
            "address: s3://incumbent/registry",
            "address: /var/registry",
            ["registry.address = '/var/registry'", "s3://"],
            id="a registry that is not on S3",
        ),
        pytest.param(
            "  name: flights  ",
            "  name: My Flights  ",
            ["dataset.name = 'My Flights'", "a-z0-9"],
            id="a name that is no key",
        ),
        pytest.param(
            "  target: late  ", "  # target: late", ["'dataset.target' is missing"], id="no target named"
        ),
        pytest.param("task: binary", "task: ranking", ["task = 'ranking'", "'binary'"], id="a task"),
        pytest.param(
            "task: binary", "task:\n  kind: binary", ["task = {'kind'", "'binary'"], id="task a map"
        ),
        pytest.param(
            "key: [time_hour, carrier, flight]",
            "key: [late]",
            ["dataset.target 'late'", "can't be a key"],
            id="target among the keys",
        ),
        pytest.param(
            "drop: [date]", "drop: [date, late]", ["dataset.target 'late'"], id="target among the dropped"
        ),
        pytest.param(
            "categorical: []", "categorical: [late]", ["dataset.target 'late'"], id="target as a feature"
        ),
        pytest.param(
            "  by: [date]",
            "  by: []",
            ["search.scheme 'stratified-group'", "split.by"],
            id="groups in the search that the split does not name",
        ),
        pytest.param("  gap: 0", "  gap: -1", ["search.gap = -1", "a number of rows"], id="a negative gap"),
        pytest.param("  gap: 0", "  gap: 1.5", ["search.gap = 1.5", "14 days"], id="a gap of half a row"),
        pytest.param("  gap: 0", "  gap: true", ["search.gap = True", "14 days"], id="a gap that is a word"),
        pytest.param("  gap: 0", "  gap: 14d", ["search.gap = '14d'", "14 days"], id="a short unit"),
        pytest.param("  gap: 0", "  gap: 0 days", ["search.gap = '0 days'", "0 for none"], id="no time"),
        pytest.param("  gap: 0", "  gap: 2 months", ["'2 months'", "weeks"], id="a unit of no fixed length"),
        pytest.param(
            "  gap: 0", "  gap: 9999999 days", ["'9999999 days'", "36 hours"], id="longer than history"
        ),
        pytest.param("seed: 2013", "seed: 1\nseed: 2", ['duplicate key "seed"', "line"], id="a key twice"),
        pytest.param(
            "  trials: 8", "  trials: 8\n  trials: 9", ['duplicate key "trials"'], id="a nested key twice"
        ),
        pytest.param(
            "seed: 2013",
            "seed: !!python/object/apply:os.getpid []",
            ["not valid YAML", "python/object/apply:os.getpid"],
            id="a tag that runs Python",
        ),
        pytest.param("seed: 2013", "seed: !own 3", ["not valid YAML", "!own"], id="a tag of one's own"),
        pytest.param("seed: 2013", "seed: [1, 2", ["not valid YAML", "line"], id="an open bracket"),
        pytest.param("  trials: 8", "\ttrials: 8", ["not valid YAML", "\\t", "line"], id="a tab as indent"),
        pytest.param("seed: 2013", "seed: 2013-02-30", ["not valid YAML", "day"], id="a date that is none"),
        pytest.param("seed: 2013", "seed: 1\n---\nseed: 2", ["not valid YAML", "single"], id="two documents"),
        pytest.param("seed: 2013", "1: 2", ["1 = 1", "strings"], id="a number as a key"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, told: list[str]
) -> None:
    message = refusal(tmp_path, edited(old, new))
    for part in told:
        assert part in message


@pytest.mark.parametrize(
    ("promotion", "told"),
    [
        pytest.param({"fairness": {"column": "origin"}}, "fairness.column", id="fairness"),
        pytest.param({"limits": {"max_calibration_error": 0.1}}, "max_calibration_error", id="calibration"),
    ],
)
def test_what_only_classes_have_is_refused_for_numbers(
    flights_params: Params, promotion: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError, match=f"{told}: measured on classes"):
        changed(flights_params, task="regression", promotion={"metric": "rmse", **promotion})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "not NoneType", id="an empty file"),
        pytest.param("- a\n- b\n", "not list", id="a list"),
        pytest.param("hello", "not str", id="a word"),
        pytest.param("dataset: 3\nregistry: {address: s3://a/b}", "dataset = 3", id="a number for a section"),
        pytest.param("registry: {address: s3://a/b}", "'dataset' is missing", id="no dataset"),
        pytest.param(
            GOOD.replace("registry:", "# registry:").replace("  address:", "# address:"),
            "'registry' is missing",
            id="no registry",
        ),
        pytest.param(GOOD.replace("  address:", "  # address:"), "registry = None", id="no address"),
        pytest.param("a: " + "[" * 700 + "]" * 700, "not valid YAML", id="nested 700 deep"),
    ],
)
def test_a_file_without_the_needed_sections_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        pytest.param({"segments": {"by": "regoin"}}, "segments.by names 'regoin'", id="segments.by"),
        pytest.param({"split": {"by": ["region", "Region"]}}, "split.by names 'Region'", id="split.by"),
        pytest.param({"dataset": {"key": ["regions"]}}, "dataset.key names 'regions'", id="dataset.key"),
    ],
)
def test_a_misspelt_column_is_refused_with_the_one_that_may_be_meant(
    sections: dict[str, Any], said: str
) -> None:
    columns = {"region": "text", "y": "number"}
    declared = changed(toy_params(), dataset={"columns": columns})
    hint = "; is it 'region'? Correct the name, or declare the column; there are region, y"
    with pytest.raises(ValidationError) as caught:
        changed(declared, **{**sections, "dataset": {**sections.get("dataset", {}), "columns": columns}})
    assert f"{said}, which is no column in dataset.columns{hint}" in str(caught.value)


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param({"columns": {}}, id="nothing is declared"),
        pytest.param({"columns": {"größe": "number", "y": "number"}}, id="declared"),
    ],
)
def test_a_column_that_is_declared_or_may_be_there_is_taken(dataset: dict[str, Any]) -> None:
    named = {"split": {"by": ["größe"]}, "segments": {"by": "größe"}}
    assert changed(toy_params(), dataset=dataset, **named).segments.by == "größe"


def test_a_column_that_a_function_adds_may_tell_the_segments() -> None:
    columns = {"y": "number", "city": "text"}
    added = changed(
        toy_params(),
        dataset={"columns": columns},
        segments={"by": "zone"},
        features={"function": "own:zones"},
    )
    assert added.segments.by == "zone"


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    first, second = refusal(tmp_path, edited("  trials: 8", "  trials: 0\n  fold: 3")).splitlines()
    assert "search.trials = 0" in first
    assert "unknown key 'search.fold'" in second


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(BadParams, match=r"params\.yaml is not valid YAML: 'utf-8'"):
        load_params(tmp_path)


def test_a_project_without_params_is_refused_with_its_path_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadParams, match="--project") as caught:
        load_params(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_a_file_instead_of_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParams, match=r"there is no folder .*params\.yaml"):
        load_params(write(tmp_path, GOOD) / "params.yaml")


def test_a_folder_called_params_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(BadParams, match=r"no params\.yaml in"):
        load_params(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "section", "key", "value"),
    [
        pytest.param("  floor: 0.6", "  floor: 1e-3", "promotion", "floor", 0.001, id="an exponent"),
        pytest.param("  floor: 0.6", "  floor: 0", "promotion", "floor", 0.0, id="an integer as a float"),
        pytest.param("  target: late  ", "  target: no  ", "dataset", "target", "no", id="no is a word"),
        pytest.param("  gap: 0", "  gap: 24", "search", "gap", 24, id="a gap in rows"),
        pytest.param("  gap: 0", "  gap: 14 days", "search", "gap", "14 days", id="a gap in time"),
        pytest.param("  positive: true", "  positive: 1", "dataset", "positive", 1, id="a number as class"),
        pytest.param("  positive: true", '  positive: "1"', "dataset", "positive", "1", id="text as class"),
    ],
)
def test_a_value_means_what_it_looks_like(
    tmp_path: Path, old: str, new: str, section: str, key: str, value: object
) -> None:
    read = getattr(getattr(load_params(write(tmp_path, edited(old, new))), section), key)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("gap", "rows", "time"),
    [
        (0, 0, None),
        (24, 24, None),
        ("1 minute", 0, timedelta(minutes=1)),
        ("36 hours", 0, timedelta(hours=36)),
        ("14 days", 0, timedelta(days=14)),
        ("2 weeks", 0, timedelta(days=14)),
    ],
)
def test_a_gap_is_of_rows_or_of_time(gap: int | str, rows: int, time: timedelta | None) -> None:
    search = SearchParams(gap=gap)
    assert (search.gap_in_rows, search.gap_in_time) == (rows, time)


def test_a_gap_in_time_needs_a_column_of_times(tmp_path: Path) -> None:
    timed = edited("  gap: 0", "  gap: 14 days")
    told = refusal(tmp_path, timed.replace("  time: time_hour", "  # time: time_hour"))
    assert "search.gap = '14 days' needs dataset.time, in which it is measured; name the column" in told
    columns = "{time_hour: text, carrier: text, flight: number, date: time, late: boolean, hour: number}"
    told = refusal(tmp_path, timed.replace("  time: time_hour", f"  time: hour\n  columns: {columns}"))
    assert "dataset.time = 'hour', and dataset.columns declares that as number; give the gap as" in told


def test_another_gap_calls_for_another_model(flights_params: Params) -> None:
    before = flights_params.model_dump(mode="json")
    timed = changed(flights_params, search={"gap": "14 days"})
    assert timed.shaping_changes(before) == ("search",)
    assert timed.shaping_changes(timed.model_dump(mode="json")) == ()


def test_a_bomb_of_aliases_is_refused_in_a_few_lines(tmp_path: Path) -> None:
    levels = [f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]" for n in range(1, 6)]
    bomb = "\n".join(["k0: &k0 [x]", *levels, "registry: *k5"])
    assert len(refusal(tmp_path, bomb)) < 5000


def test_parameters_can_not_be_changed(flights_params: Params) -> None:
    with pytest.raises(ValidationError):
        flights_params.search.trials = 9


# One other valid value for everything that has two.
OTHERS: dict[str, dict[str, Any]] = {
    "dataset": {
        "name": "trips",
        "target": "delayed",
        "positive": 1,
        "key": ["time_hour", "flight", "carrier"],
        "time": None,
        "drop": [],
        "categorical": ["month"],
        "columns": dict.fromkeys(["late", "date", "time_hour", "carrier", "flight", "origin"], "text"),
        "rare_classes": "drop",
        "classes": [True, False],
        "formats": {"distance": "decimal-comma"},
    },
    "split": {"by": ["date", "origin"], "holdout": 0.21},
    "segments": {"by": "carrier", "min_rows": 1999},
    "retrain": {
        "min_rows": 999,
        "max_decay": 0.04,
        "max_drift": 0.4,
        "max_total_drift": 1.1,
        "max_unseen": 0.06,
        "max_updates": 7,
        "max_growth": 0.6,
        "window": 3,
        "replay": 1,
        "workers": 3,
    },
    "clean": {
        "duplicates": False,
        "trim": False,
        "case": "lower",
        "impossible": {"temp": {"min": -80.0}},
        "clip": {"distance": [0.01, 0.99]},
        "missing": {"temp": "median"},
    },
    "learner": {
        "threads": 2,
        "rounds": 201,
        "patience": 21,
        "update_rounds": 11,
        "update_rate": 0.06,
        "refit_decay": 0.8,
        "device": "gpu",
        "checkpoint": 50,
        "options": {"max_bin": 127},
    },
    "search": {
        "rows": 50_000,
        "trials": 9,
        "folds": 4,
        "scheme": "stratified",
        "strategy": "random",
        "timeout": 60.0,
        "stall": 5,
        "grid": {"num_leaves": [15]},
        "space": {"num_leaves": [15, 31]},
        "gap": 10,
        "storage": "postgresql://optuna@db/optuna",
        "workers": 2,
    },
    "promotion": {
        "metric": "f1",
        "threshold": 0.4,
        "margin": 0.001,
        "confidence": 0.9,
        "floor": 0.61,
        "window": 4,
        "seeds": 3,
        "resamples": 500,
        "slices": {"columns": ["origin"]},
        "fairness": {"column": "carrier"},
        "limits": {"max_bytes": 1000},
        "auto_rollback": True,
        "probability": 0.9,
        "guarantee": "lifetime",
        "worthwhile": 0.01,
        "provisional": True,
        "approve": "always",
    },
    "features": {
        "dates": {"time_hour": ["hour"]},
        "ratios": {"pace": ["distance", "hour"]},
        "frequency": ["carrier"],
        "target": ["dest"],
        "smoothing": 10.0,
        "lags": {"columns": ["distance"], "by": ["carrier", "date"]},
        "function": "mine:build",
    },
    "imbalance": {"method": "weights", "calibrate": "sigmoid"},
    "bias": {"reweigh": "origin", "reduce": "carrier", "constraint": "equalized_odds", "grid": 25},
    "decision": {"false_positive": 2.0, "false_negative": 5.0},
    "gate": {"false_alarms": 0.1, "max_quarantined": 0.1, "suspicious": "warn"},
    "monitor": {"days": 7, "min_rows": 50},
    "landing": {
        "address": "s3://incumbent/arrivals",
        "partition": "day",
        "zone": "Europe/Berlin",
        "late": "append",
    },
    "registry": {"address": "s3://incumbent/other", "signing_key": "key.pem", "public_key": "public.pem"},
}


def with_two_values(section: type[BaseModel]) -> set[str]:
    return {
        name
        for name, field in section.model_fields.items()
        if not (get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1)
    }


@pytest.mark.parametrize("section", OTHERS)
def test_the_digest_changes_with_every_value_of_a_section(flights_params: Params, section: str) -> None:
    assert OTHERS[section].keys() == with_two_values(type(getattr(flights_params, section)))
    # Rare classes are for many classes alone.
    many = {"task": "multiclass", "promotion": {"metric": "log_loss"}}
    before = changed(flights_params, **many) if section == "dataset" else flights_params
    digests = [
        changed(before, **{section: {name: value}}).digest() for name, value in OTHERS[section].items()
    ]
    assert len({*digests, before.digest()}) == len(digests) + 1


def test_the_digest_changes_with_the_seed(flights_params: Params) -> None:
    assert with_two_values(Params) == {*OTHERS, "task", "seed", "tracking", "cost"}
    assert changed(flights_params, seed=1).digest() != flights_params.digest()


def test_who_is_told_of_a_run_calls_for_no_new_run(flights_params: Params) -> None:
    assert changed(flights_params, tracking={"sinks": ["mlflow"]}).digest() == flights_params.digest()


def test_how_files_are_read_calls_for_no_new_model(flights_params: Params) -> None:
    before = flights_params.model_dump(mode="json")
    read_alike = changed(flights_params, dataset={"formats": {"distance": "decimal-comma"}})
    assert read_alike.shaping_changes(before) == ()
    del before["dataset"]["formats"]  # a manifest from before there was the key
    assert flights_params.shaping_changes(before) == ()


def test_a_manifest_from_before_there_was_a_bound_calls_for_no_new_model(flights_params: Params) -> None:
    before = flights_params.model_dump(mode="json")
    del before["search"]["rows"]
    assert flights_params.shaping_changes(before) == ()
    assert changed(flights_params, search={"rows": 50_000}).shaping_changes(before) == ("search",)


def test_only_sections_that_shape_a_model_call_for_a_new_one(flights_params: Params) -> None:
    alone = {"bias": {"reduce": "carrier"}, "dataset": {"drop": ["carrier"]}}
    told = {
        name: changed(flights_params, **{name: values}).shaping_changes(
            flights_params.model_dump(mode="json")
        )
        for name, values in {**OTHERS, **alone, "seed": 1}.items()
    }
    shaping = {
        "dataset",
        "split",
        "clean",
        "features",
        "imbalance",
        "bias",
        "decision",
        "segments",
        "learner",
        "search",
        "seed",
    }
    expected = {name: (name,) if name in shaping else () for name in told}
    assert told == {
        **expected,
        "promotion": ("promotion.metric",),
        "retrain": ("retrain.window",),
    }


def test_who_searches_and_where_it_is_written_down_shapes_no_model(flights_params: Params) -> None:
    before = flights_params.model_dump(mode="json")
    other = changed(flights_params, search={"storage": "sqlite:///elsewhere.db", "workers": 3})
    assert other.shaping_changes(before) == ()
    for name in ("storage", "workers"):  # a manifest from before there were these
        del before["search"][name]
    assert other.shaping_changes(before) == ()


def test_the_digest_does_not_change_with_comments_order_or_style(
    tmp_path: Path, flights_params: Params
) -> None:
    yaml = YAML(typ="safe", pure=True)
    tree = yaml.load(GOOD)
    backwards = {name: tree[name] for name in reversed(tree)}
    backwards["promotion"] = {name: tree["promotion"][name] for name in reversed(tree["promotion"])}
    backwards["decision"] = {"false_positive": 1}
    with (tmp_path / "params.yaml").open("w") as file:
        file.write("# no comment of the original\n")
        yaml.dump(backwards, file)
    assert (tmp_path / "params.yaml").read_text() != GOOD
    assert load_params(tmp_path).digest() == flights_params.digest()


def test_the_digest_does_not_change_with_the_order_of_options(flights_params: Params) -> None:
    forth, back = {"max_bin": 127, "path_smooth": 1.0}, {"path_smooth": 1.0, "max_bin": 127}
    digests = {changed(flights_params, learner={"options": each}).digest() for each in (forth, back)}
    assert len(digests) == 1


def test_a_value_left_out_has_the_same_digest_as_its_default(flights_params: Params, tmp_path: Path) -> None:
    text = edited(
        "  probability: 0.8          # that the challenger is better; from it on it takes office\n", ""
    )
    assert load_params(write(tmp_path, text)).digest() == flights_params.digest()
