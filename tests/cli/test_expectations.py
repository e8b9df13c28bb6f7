"""`incumbent expectations` and `gate --explain`: the gate's history as tables and pictures; no server."""

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.cli.sparkline import sparkline
from incumbent.gate.probation import Suspension, Suspicion
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.probation import changing
from incumbent.storage.dataset.versions import PROBATION, resolve
from tests.commands import IDENTITY, called

MONTHS = 8
NAMES = [f"2026-{month:02d}.parquet" for month in range(1, MONTHS + 1)]


def month(number: int) -> pd.DataFrame:
    """500 readings; their `level` rises by a degree a month."""
    rng = np.random.default_rng(number)
    days = pd.Timestamp(2026, number, 1) + pd.to_timedelta(rng.integers(0, 28, 500), unit="D")
    level, city = rng.normal(50 + number, 5, 500), rng.choice(["Köln", "東京", "Ulm"], 500)
    return pd.DataFrame({"day": days, "level": level, "Stadt": city, "wet": rng.integers(0, 2, 500)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a partition a month, as `init` makes it."""
    folder = tmp_path_factory.mktemp("levels")
    pd.concat(month(number) for number in range(1, MONTHS + 1)).to_csv(folder / "levels.csv", index=False)
    asked = ("init", "--data", folder / "levels.csv", "--target", "wet", "--time", "day")
    done = called(*asked, project=folder / "river")
    assert done.code == 0, done.err
    return folder / "river"


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(made, tmp_path / "river"))


def suspend(project: Path, *names: str, about: str = "level") -> None:
    """Put partitions on probation, as an arrival does."""
    digests, why = resolve(project).digests, (Suspicion(about, "level should be less", "more"),)
    changes = {name: Suspension(digests[name], "2026-09-01T00:00:00Z", why) for name in names}
    document = changing(project, changes)[PROBATION]
    assert callable(document)
    (project / PROBATION).write_text(str(document(None)))
    commit(project)


def commit(project: Path, path: str = "expectations") -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        git(project, "add", "--all", path)
        git(project, "commit", "--quiet", "--message", "Change by hand")


def line(text: str, start: str) -> str:
    [one] = [each for each in text.splitlines() if each.startswith(start)]
    return one


def test_profiles_are_shown_for_each_partition_and_column_with_a_picture(made: Path) -> None:
    shown = called("expectations", "profile", project=made)
    assert shown.code == 0, shown.err
    assert "river: 8 partitions, 2026-01.parquet to 2026-08.parquet; limits learned from 8" in shown.out
    assert "500" in line(shown.out, "2026-08.parquet")
    assert re.search("▁[▁-█]{6}█  mean 57", line(shown.out, "level"))
    assert "text" in line(shown.out, "Stadt")
    assert max(map(len, shown.out.splitlines())) <= 120


def test_one_column_is_shown_with_all_its_figures_and_limits(made: Path) -> None:
    shown = called("expectations", "profile", "--column", "level", project=made)
    assert shown.code == 0, shown.err
    assert re.search(r"median +▁[▁-█]{6}█ +5\d\.\d+ +\d\S* to \S+ +\S+ to ", line(shown.out, "median"))
    document = called("expectations", "profile", "--column", "level", "--json", project=made).json
    [median] = [each for each in document["figures"] if each["figure"] == "quantile 0.5"]
    assert list(median["values"]) == NAMES
    limits = median["limits"]
    assert limits["least"] <= limits["low"] < min(median["values"].values())
    assert limits["greatest"] > limits["high"] > max(median["values"].values())
    assert {each["column"] for each in document["figures"]} == {"level"}
    assert not (made / PROBATION).exists()


def test_partitions_on_probation_are_marked_and_teach_nothing(project: Path) -> None:
    suspend(project, "2026-07.parquet")
    shown = called("expectations", "profile", project=project)
    assert line(shown.out, "2026-07.parquet").endswith("on probation")
    assert line(shown.out, "2026-08.parquet").endswith("–")
    picture = called("expectations", "profile", "--column", "level", project=project)
    head, marks = line(picture.out, "figure"), line(picture.out, "on probation")
    assert marks.index("▲") == head.index("over time") + NAMES.index("2026-07.parquet")
    learned = called("expectations", "learn", "--json", project=project)
    assert learned.code == 0, learned.err
    assert learned.json["partitions"] == [name for name in NAMES if name != "2026-07.parquet"]


def test_all_on_probation_teach_nothing_and_change_nothing(project: Path) -> None:
    suspend(project, *NAMES)
    head = git(project, "rev-parse", "HEAD")
    refused = called("expectations", "learn", project=project)
    assert (refused.code, git(project, "rev-parse", "HEAD")) == (1, head)
    assert "every partition is on probation" in refused.err


@pytest.mark.parametrize("command", [["profile", "--column", "depth"], ["profile"]])
def test_what_has_no_profile_is_said_in_a_line(project: Path, command: list[str]) -> None:
    if command == ["profile"]:
        shutil.rmtree(project / "expectations" / "profiles")
    refused = called("expectations", *command, project=project)
    assert (refused.code, refused.out) == (1, "")
    expected = (
        "no profile has a column 'depth'; they have ['Stadt', 'level', 'wet']"
        if command[1:]
        else ("'incumbent expectations learn' makes them")
    )
    assert expected in refused.err


def test_a_damaged_profile_is_named_with_the_way_out(project: Path) -> None:
    path = project / "expectations" / "profiles" / "2026-03.json"
    path.write_text(path.read_text()[:100])
    for command in (["profile"], ["learn"]):
        refused = called("expectations", *command, project=project)
        assert (refused.code, refused.out) == (1, "")
        assert f"{path} is no profile of a partition" in refused.err
    path.unlink()
    commit(project)
    assert called("expectations", "learn", "--json", project=project).json["profiles_made"] == [
        "expectations/profiles/2026-03.json"
    ]


@pytest.mark.parametrize("damage", ['"reference": {', '"limits": [', "{"])
def test_a_damaged_learned_suite_is_named_and_made_anew(project: Path, damage: str) -> None:
    suite = project / "expectations" / "river.learned.json"
    before = suite.read_text()
    suite.write_text(
        before.replace(damage, damage.replace("re", "?").replace("li", "?").replace("{", "?{"), 1)
    )
    commit(project)
    for command in (["expectations", "profile"], ["gate", str(project / "data" / NAMES[0])]):
        refused = called(*command, project=project)
        assert (refused.code, refused.out) == (1, "")
        assert f"{suite} is no" in refused.err
    assert called("expectations", "learn", project=project).code == 0
    assert suite.read_text() == before


def test_without_anything_learned_explain_says_how_to_learn(project: Path) -> None:
    (project / "expectations" / "river.learned.json").unlink()
    done = called("gate", "--explain", project / "data" / NAMES[0], project=project)
    assert (done.code, done.out.splitlines()[0]) == (0, "pass: 500 rows")
    assert "'incumbent expectations learn' makes them from the data" in done.err


@pytest.mark.parametrize(
    ("values", "picture"),
    [
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█", id="rising"),
        pytest.param([0.5, 0.5], "▁▁", id="always the same"),
        pytest.param([None, -1.7e308, None, 1.7e308], "·▁·█", id="gaps, and great numbers"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_a_sparkline_goes_from_the_least_to_the_greatest(values: list[float | None], picture: str) -> None:
    assert sparkline(values) == picture


def test_a_project_without_a_history_learns_the_same_from_its_data(project: Path) -> None:
    suite = project / "expectations" / "river.learned.json"
    before = {path: path.read_bytes() for path in (suite, *project.glob("expectations/profiles/*.json"))}
    shutil.rmtree(project / "expectations" / "profiles")
    suite.unlink()
    commit(project)
    first = called("expectations", "learn", project=project)
    assert first.code == 0, first.err
    assert "limits learned from 8 partitions, 8 profiles made: expectations/river.learned.json" in first.out
    assert {path: path.read_bytes() for path in before} == before
    assert git(project, "status", "--porcelain") == ""
    head = git(project, "rev-parse", "HEAD")
    assert git(project, "log", "-1", "--format=%s") == "Learn the gate's limits anew"
    again = called("expectations", "learn", project=project)
    assert (again.code, git(project, "rev-parse", "HEAD")) == (0, head)
    assert "as before, nothing to commit" in again.out


def test_what_was_pushed_without_ingest_is_learned_and_pushed(project: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin.git"
    git(project, "clone", "--quiet", "--bare", ".", str(origin))
    git(project, "remote", "add", "origin", str(origin))
    branch = git(project, "branch", "--show-current")
    git(project, "fetch", "--quiet", "origin")
    git(project, "branch", "--quiet", f"--set-upstream-to=origin/{branch}")
    month(9).to_parquet(project / "data" / "2026-09.parquet", index=False)
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", "data"], cwd=project, check=True)
    commit(project, "data.dvc")
    git(project, "push", "--quiet")
    learned = called("expectations", "learn", "--json", project=project)
    assert learned.code == 0, learned.err
    assert learned.json["partitions"] == [*NAMES, "2026-09.parquet"]
    assert learned.json["profiles_made"] == ["expectations/profiles/2026-09.json"]
    assert git(origin, "rev-parse", branch) == git(project, "rev-parse", "HEAD") == learned.json["rev"]
    sensors = json.loads((project / "expectations" / "profiles" / "2026-09.json").read_text())["sensors"]
    assert "domain" in sensors


def test_an_edit_that_is_not_committed_is_no_victim_of_learning(project: Path) -> None:
    suite = project / "expectations" / "river.learned.json"
    edited = suite.read_text().replace('"notes"', '"my notes"')
    suite.write_text(edited)
    refused = called("expectations", "learn", project=project)
    assert (refused.code, suite.read_text()) == (1, edited)
    assert "has changes that are not committed" in refused.err


def test_a_finding_is_explained_by_the_history_it_was_judged_by(made: Path, tmp_path: Path) -> None:
    month(9).assign(level=month(9)["level"] + 40).to_csv(tmp_path / "2026-09.csv", index=False)
    plain = called("gate", tmp_path / "2026-09.csv", project=made)
    shown = called("gate", "--explain", tmp_path / "2026-09.csv", project=made)
    assert (shown.code, plain.code) == (0, 0), shown.err
    assert shown.out.startswith("probation: 500 rows\n")
    assert re.search(
        r"\n  [▁-▃]{8} → █  the .* of 'level': \d+.*; it should be .* to .*, and is suspicious unless",
        shown.out,
    )
    assert [each for each in plain.out.splitlines() if each not in shown.out.splitlines()] == []
    page = made / ".incumbent" / "gate.html"
    assert shown.out.endswith(f"as pictures: {page}\n")
    text = page.read_text()
    assert text.count("data:image/png;base64,") == shown.out.count(" → ") > 0
    assert "The gate: probation" in text
    assert git(made, "status", "--porcelain") == ""


def test_an_explanation_has_its_numbers_in_json(made: Path, tmp_path: Path) -> None:
    frame = month(9).assign(level=month(9)["level"] / 1000)
    frame.to_parquet(tmp_path / "2026-09.parquet", index=False)
    done = called("gate", "--explain", "--json", tmp_path / "2026-09.parquet", project=made)
    assert done.code == 3
    [unit] = [each for each in done.json["explained"] if "the unit of 'level' must stay" in each["finding"]]
    assert (unit["severity"], unit["column"], unit["figure"]) == ("critical", "level", "quantile 0.5")
    assert list(unit["values"]) == NAMES
    assert unit["value"] < 0.1 < unit["limits"]["low"] < min(unit["values"].values())
    assert Path(done.json["page"]).is_file()
    del done.json["explained"]
    assert json.loads(called("gate", "--json", tmp_path / "2026-09.parquet", project=made).out).items() <= (
        done.json.items()
    )


def test_a_column_that_is_gone_is_explained_without_a_value(made: Path, tmp_path: Path) -> None:
    params = made / "params.yaml"
    declared = params.read_text()
    undeclared = re.sub(r'    "Stadt": text\n', "", declared)
    assert undeclared != declared
    params.write_text(undeclared)
    month(9).drop(columns="Stadt").to_csv(tmp_path / "2026-09.csv", index=False)
    done = called("gate", "--explain", tmp_path / "2026-09.csv", project=made)
    params.write_text(declared)
    assert done.code == 3
    assert "column 'Stadt' must be there" in done.out
    assert " → ·  the share of empty cells in 'Stadt': none" in done.out


STRANGE = 'price {"€"}, [$x_{]\x1b[2J\n'


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A project of a single partition, and its rows."""
    folder, rng = tmp_path_factory.mktemp("single"), np.random.default_rng(0)
    rows = pd.DataFrame({STRANGE: rng.normal(5, 1, 600), "city": rng.choice(["Köln", "Ulm", "Bern"], 600)})
    rows = rows.assign(y=np.arange(600) % 2, note=rng.choice(["n" * 300, "m" * 200], 600))
    rows.to_parquet(folder / "one.parquet", index=False)
    done = called("init", "--data", folder / "one.parquet", "--target", "y", project=folder / "shop")
    assert done.code == 0, done.err
    return folder / "shop", rows


def test_a_rule_that_is_no_limit_shows_none(single: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    project, rows = single
    rows.assign(city="Ulm").to_parquet(tmp_path / "two.parquet", index=False)
    done = called("gate", "--explain", tmp_path / "two.parquet", project=project)
    assert done.code == 3
    assert "column 'city' must vary" in done.out
    assert done.out.splitlines()[2] == "  █ → ▁  the number of different values in 'city': 1"


def test_names_in_the_data_are_neither_formulas_nor_commands(
    single: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    project, rows = single
    rows.assign(**{STRANGE: rows[STRANGE] * 2e5}).to_parquet(tmp_path / "two.parquet", index=False)
    done = called("gate", "--explain", tmp_path / "two.parquet", project=project)
    assert "quantile of 'price" in done.out
    assert "data:image/png" in (project / ".incumbent" / "gate.html").read_text()
    plain = called("gate", tmp_path / "two.parquet", project=project)
    shown = called("expectations", "profile", project=project)
    assert "\x1b" not in done.out + plain.out + shown.out
    assert max(map(len, shown.out.splitlines())) <= 120


def test_a_file_as_usual_and_one_that_other_rules_block_have_nothing_to_explain(
    made: Path, tmp_path: Path
) -> None:
    month(9).to_csv(tmp_path / "2026-09.csv", index=False)
    usual = called("gate", "--explain", tmp_path / "2026-09.csv", project=made)
    assert (usual.code, usual.out.splitlines()[0]) == (0, "pass: 500 rows")
    assert "Nothing is other than it was." in (made / ".incumbent" / "gate.html").read_text()
    month(9).assign(wet=[7, *month(9)["wet"][1:]]).to_csv(tmp_path / "<b>.csv", index=False)
    blocked = called("gate", "--explain", tmp_path / "<b>.csv", project=made)
    assert (blocked.code, " → " in blocked.out) == (3, False)
    page = (made / ".incumbent" / "gate.html").read_text()
    assert "Not judged by a history" in page
    assert "wet holds" in page
    assert "<b>" not in page


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text('{"half')])
def test_what_is_gone_or_damaged_is_made_anew(project: Path, damage: Callable[[Path], object]) -> None:
    suite = project / "expectations" / "river.learned.json"
    kept = suite.read_text()
    damage(suite)
    done = called("expectations", "learn", project=project)
    assert (done.code, suite.read_text()) == (0, kept), done.err


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        pytest.param("river.learned.json", ('"least": ', '"least": "nine", "was": '), "least", id="a limit"),
        pytest.param("river.learned.json", ('"repeated": ', '"repeated": "x", "z":'), "repeated", id="share"),
        pytest.param("profiles/2026-03.json", ('"rows": ', '"rows": "many", "z": '), "rows", id="a profile"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_named_with_the_way_out(
    project: Path, file: str, change: tuple[str, str], words: str
) -> None:
    path = project / "expectations" / file
    path.write_text(path.read_text().replace(*change, 1))
    refused = called("expectations", "profile", project=project)
    assert (refused.code, refused.out) == (1, "")
    assert str(path) in refused.err
    assert f"{words} is '" in refused.err
    assert "'incumbent expectations learn' makes it anew" in refused.err


def edit(path: Path, place: Sequence[str | int], value: Any) -> None:
    """Set a value in a JSON document; None: remove it."""
    document = part = json.loads(path.read_text())
    *above, last = place
    for each in above:
        part = part[each]
    if value is None:
        del part[last]
    else:
        part[last] = value
    path.write_text(json.dumps(document))


LEVEL = ("columns", "level")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (["rows"], -5, "rows is -5: input should be greater than or equal to 0"),
        ([*LEVEL, "mean"], math.inf, "columns.level.mean is inf: input should be a finite number"),
        ([*LEVEL, "mean"], math.nan, "columns.level.mean is nan: input should be a finite number"),
        ([*LEVEL, "deviation"], -3, "columns.level.deviation is -3"),
        ([*LEVEL, "quantiles"], [1, 2], "quantiles is [1, 2]: input should be 7 numbers in ascending order"),
        ([*LEVEL, "quantiles"], [7, 6, 5, 4, 3, 2, 1], "input should be 7 numbers in ascending order"),
        ([*LEVEL, "correlations"], {"wet": 7}, "correlations.wet is 7: input should be less than or equal"),
        ([*LEVEL, "shares", "zero"], -3, "columns.level.shares.zero is -3"),
        (["columns", "wet", "categories"], {"x": 1.0}, "could not convert string to float: 'x'"),
    ],
)
def test_a_value_that_no_profile_can_have_is_named_and_teaches_nothing(
    project: Path, place: list[str | int], value: Any, words: str
) -> None:
    path = project / "expectations" / "profiles" / "2026-03.json"
    edit(path, place, value)
    commit(project)
    for command in ("profile", "learn"):
        refused = called("expectations", command, project=project)
        assert (refused.code, refused.out) == (1, "")
        assert f"{path} is no profile of a partition" in refused.err
        assert words in refused.err


def first(suite: Mapping[str, Any], kind: str) -> int:
    return next(place for place, each in enumerate(suite["expectations"]) if kind in each["type"])


@pytest.mark.parametrize(
    ("kind", "place", "value", "words"),
    [
        ("row_count", ["kwargs", "min_value"], 9e9, "rows of '*': low is 9000000000.0, and high "),
        ("stdev", ["kwargs", "max_value"], math.nan, "deviation of 'level': low is "),
        ("stdev", ["kwargs", "min_value"], 1e9, "deviation of 'level': low is 1000000000.0, and high "),
        ("stdev", ["kwargs", "column"], "depth", "'depth' has limits, but is no column in `reference`"),
        ("stdev", ["meta", "incumbent_learned", 0, "deviation"], 0, "deviation is 0: input should be"),
    ],
)
def test_a_limit_that_none_can_be_is_named_and_judges_nothing(
    project: Path, kind: str, place: list[str | int], value: Any, words: str
) -> None:
    path = project / "expectations" / "river.learned.json"
    where = first(json.loads(path.read_text()), kind)
    edit(path, ["expectations", where, *place], value)
    refused = called("gate", project / "data" / NAMES[0], project=project)
    assert (refused.code, refused.out) == (1, "")
    assert f"{path} is no learned suite" in refused.err
    assert words in refused.err


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(["rows"], 501, id="another number"),
        pytest.param(LEVEL, None, id="a column less"),
        pytest.param(["md5"], "0" * 32, id="of other bytes"),
    ],
)
def test_limits_are_learned_from_no_profile_with_changes_that_are_not_committed(
    project: Path, place: list[str | int], value: Any
) -> None:
    path = project / "expectations" / "profiles" / "2026-03.json"
    edit(path, place, value)
    before = git(project, "rev-parse", "HEAD")
    refused = called("expectations", "learn", project=project)
    assert (refused.code, refused.out) == (1, "")
    assert f"{path} has changes that are not committed; commit or restore it first" in refused.err
    assert git(project, "rev-parse", "HEAD") == before


@pytest.mark.parametrize("text", ["", '{"name": "river.lea', "[]", "null"])
def test_a_truncated_learned_suite_is_told_with_the_way_out(project: Path, text: str) -> None:
    path = project / "expectations" / "river.learned.json"
    path.write_text(text)
    for command in (["expectations", "profile"], ["gate", str(project / "data" / NAMES[0])]):
        refused = called(*command, project=project)
        assert (refused.code, refused.out) == (1, "")
        assert f"{path} is no learned suite" in refused.err
        assert "'incumbent expectations learn' makes it anew" in refused.err


def test_the_gate_says_what_it_did_not_check(project: Path) -> None:
    path = project / "expectations" / "river.learned.json"
    path.write_text(path.read_text().replace("column_stdev", "column_stdef"))
    (project / "expectations" / "profiles" / "2026-03.json").unlink()
    done = called("gate", str(project / "data" / NAMES[0]), project=project)
    assert "not checked: expect_column_stdef_to_be_between in 'river.learned', unknown here" in done.err
    assert "the profiles of 1 partition are missing (2026-03.parquet first)" in done.err
    profile = project / "expectations" / "profiles" / "2026-04.json"
    profile.write_text("{")
    done = called("gate", str(project / "data" / NAMES[0]), project=project)
    assert f"the limits are not compared with the profiles: {profile} is no profile" in done.err


def test_of_several_files_each_line_names_its_own(made: Path, tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        month(9).assign(level=-1.0).to_csv(tmp_path / folder / "2026-09.csv", index=False)
    files = [tmp_path / folder / "2026-09.csv" for folder in ("one", "other")]
    done = called("gate", *files, project=made)
    assert done.code == 3
    for file in files:
        assert f"critical: {file}: column 'level' must vary" in done.out
    assert f"critical: {files[0].name}: column" in called("gate", files[0], project=made).out


def test_probations_are_listed_without_a_stack(project: Path) -> None:
    suspend(project, "2026-03.parquet")
    done = called("quarantine", "list", project=project)
    assert done.code == 0
    assert line(done.out, "2026-03.parquet").endswith("level should be less: more")
    assert "which files and rows are in quarantine is not known without S3" in done.err


def test_a_file_that_is_named_twice_is_counted_once_and_each_of_several_has_its_line(
    made: Path, tmp_path: Path
) -> None:
    for number in (9, 10):
        month(number).to_csv(tmp_path / f"2026-{number:02d}.csv", index=False)
    files = [tmp_path / f"2026-{number:02d}.csv" for number in (9, 10)]
    assert called("gate", files[0], files[0], project=made).out == "pass: 500 rows\n"
    both = called("gate", tmp_path, *files, project=made)
    assert both.out.splitlines() == [
        "pass: 1,000 rows in 2 files",
        f"pass: {files[0]}: 500 rows",
        f"pass: {files[1]}: 500 rows",
    ]
    document = called("gate", *files, "--json", project=made).json
    assert document["files"][1] == {"file": str(files[1]), "verdict": "pass", "rows": 500}


def test_the_gate_says_that_two_are_news(project: Path, tmp_path: Path) -> None:
    """September is on probation for a new town, and October has as much of it."""
    names = ("2026-09.parquet", "2026-10.parquet")
    for number, name in zip((9, 10), names, strict=True):
        frame = month(number)
        frame["Stadt"] = frame["Stadt"].mask(np.arange(500) % 5 == 0, "Bonn")
        frame.to_parquet(tmp_path / name, index=False)
    alone = called("gate", tmp_path / names[1], project=project)
    assert alone.out.startswith("probation: 500 rows\n"), alone.out
    shutil.copyfile(tmp_path / names[0], project / "data" / names[0])
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", "data"], cwd=project, check=True)
    commit(project, "data.dvc")
    suspend(project, names[0], about="history of Stadt: 'Bonn'")
    done = called("gate", tmp_path / names[1], project=project)
    assert done.out.startswith("warn: 500 rows\n"), done.out
    assert "; 2026-09.parquet shows the same: two are news" in done.out
    accepted = "'incumbent ingest' would accept it, and release 2026-09.parquet, too"
    assert f"2026-10.parquet: {accepted}" in done.err
    for word, name in (("probation", names[0]), ("warn", names[1])):
        assert called("gate", tmp_path / name, "--json", project=project).json["verdict"] == word
