"""What `incumbent init` shows of a new table: each column, what becomes of it, what to look at."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from incumbent.cli.commands import app

ROWS = 400
RNG = np.random.default_rng(7)
REPAID = RNG.permutation(np.resize(["yes", "no"], ROWS))
IDENTITY = {
    f"GIT_{who}_{what}": "tests@incumbent.invalid"
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}


def loans(**more: Any) -> pd.DataFrame:
    return pd.DataFrame({"income": RNG.normal(3000, 500, ROWS), "repaid": REPAID, **more})


def init(folder: Path, frame: pd.DataFrame, *options: str) -> tuple[str, dict[str, Any]]:
    """What it prints for people, and the document of --json."""
    frame.to_parquet(folder / "loans.parquet", index=False)
    asked = ["init", "--data", str(folder / "loans.parquet"), "--target", "repaid", *options]
    runner = CliRunner(env=IDENTITY)
    printed = runner.invoke(app, [*asked, "--project", str(folder / "for-people")], catch_exceptions=False)
    document = runner.invoke(
        app, [*asked, "--json", "--project", str(folder / "json")], catch_exceptions=False
    )
    assert (printed.exit_code, document.exit_code) == (0, 0)
    return printed.stdout, json.loads(document.stdout)


def warned(document: dict[str, Any], column: str | None) -> str:
    return "\n".join(each["text"] for each in document["warnings"] if each["column"] == column)


def test_each_column_is_told_with_what_becomes_of_it(tmp_path: Path) -> None:
    opened = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(ROWS) // 4, unit="D")
    frame = loans(
        loan=np.arange(ROWS) + 7,
        opened=opened,
        seen=opened,
        city=np.resize(["Köln", "東京"], ROWS),
        name=[f"person {number}" for number in range(ROWS)],
        later=[None] * ROWS,
        age=np.where(np.arange(ROWS) < 100, np.nan, 40.5),
        married=np.resize([True, False], ROWS),
    )
    printed, document = init(tmp_path, frame, "--key", "loan", "--time", "opened")
    columns = {each["column"]: each for each in document["columns"]}
    assert list(columns) == list(frame)
    assert {name: each["becomes"] for name, each in columns.items()} == {
        "income": "feature",
        "repaid": "target",
        "loan": "key",
        "opened": "time",
        "seen": "unused",
        "city": "category",
        "name": "dropped",
        "later": "unused",
        "age": "feature",
        "married": "feature",
    }
    assert (columns["age"]["empty"], columns["age"]["share_empty"], columns["age"]["example"]) == (
        100,
        0.25,
        "40.5",
    )
    assert columns["opened"]["example"] == "2025-01-01"
    assert "'yes'" in columns["repaid"]["why"]
    lines = printed.splitlines()
    assert lines[0].split() == ["column", "kind", "empty", "example", "becomes", "why"]
    assert next(line for line in lines if line.startswith("age")).split()[:5] == [
        "age", "number", "25.0%", "40.5", "feature",
    ]  # fmt: skip
    assert "look at  later: empty so far" in printed


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        pytest.param(["$1,234", "$99,000", "$12"], "looks like numbers, such as '$1,234'", id="currency"),
        pytest.param(["12,5 %", "7 %"], "looks like numbers", id="percent"),
        pytest.param(["01067", "80331"], "", id="postcodes"),
        pytest.param(["1.2.3", "1.10.0"], "", id="versions"),
        pytest.param(["2025-01-01", "2025-02-01"], "", id="dates"),
        pytest.param(["low", "12"], "", id="mostly words"),
        pytest.param([*map(str, range(1, 30)), "unknown"], "but not 'unknown'", id="all but one"),
    ],
)
def test_text_that_looks_like_numbers_is_warned_of(tmp_path: Path, values: list[str], warning: str) -> None:
    _, document = init(tmp_path, loans(amount=np.resize(values, ROWS)))
    assert warning in warned(document, "amount")
    assert bool(warning) == bool(warned(document, "amount"))


def test_an_id_that_is_no_key_is_warned_of(tmp_path: Path) -> None:
    frame = loans(loan=np.arange(ROWS), customer_id=np.arange(ROWS) // 4, paid=np.arange(ROWS) // 4)
    _, document = init(tmp_path, frame)
    assert "name it: --key loan" in warned(document, "loan")
    assert "an ID by its name, and it becomes a feature" in warned(document, "customer_id")
    assert warned(document, "paid") == ""


def test_a_possible_leak_and_a_time_that_orders_nothing_are_warned_of(tmp_path: Path) -> None:
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(ROWS) // 4, unit="D")
    _, document = init(tmp_path, loans(day=days, paid=(REPAID == "yes") * 100 + RNG.normal(size=ROWS)))
    assert "--time day" in warned(document, "day")
    assert "perhaps a leak: an AUC of 1.000 with repaid" in warned(document, "paid")


def test_a_leak_shows_although_no_single_day_has_rows_enough_to_tell(tmp_path: Path) -> None:
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(ROWS) // 10, unit="D")
    frame = loans(day=days, paid=(REPAID == "yes") * 100 + RNG.normal(size=ROWS))
    _, document = init(tmp_path, frame, "--time", "day")
    assert len(document["data"]["partitions"]) == 40
    assert "perhaps a leak: " in warned(document, "paid")


def test_an_ordinary_table_gives_nothing_to_look_at(tmp_path: Path) -> None:
    _, document = init(tmp_path, loans(city=np.resize(["Bern", "Ulm"], ROWS)))
    assert document["warnings"] == []


def test_values_of_a_file_cannot_drive_the_terminal_or_break_the_table(tmp_path: Path) -> None:
    printed, document = init(tmp_path, loans(**{"bad\x1b[2J\nname": np.resize(["\x1b[31mred\nline"], ROWS)}))
    assert "\x1b" not in printed
    table = printed.split("\n\n")[0].splitlines()
    assert len(table) == 1 + len(document["columns"])


def test_the_same_thing_in_many_columns_is_one_line_for_people(tmp_path: Path) -> None:
    cells = {f"a{n}": np.resize([f"{n + 1},5", "2,5"], ROWS) for n in range(60)}
    loans(**cells, when=np.resize(["01/02/2025"], ROWS)).to_csv(tmp_path / "loans.csv", index=False)
    asked = ["init", "--data", str(tmp_path / "loans.csv"), "--target", "repaid"]
    runner = CliRunner(env=IDENTITY)
    printed = runner.invoke(app, [*asked, "--project", str(tmp_path / "people")], catch_exceptions=False)
    [commas] = [line for line in printed.stdout.splitlines() if "decimal comma" in line]
    assert (
        commas
        == "look at  a0, a1, a2 and 57 more columns: read as numbers with a decimal comma, such as '1,5'"
    )
    [dates] = [line for line in printed.stdout.splitlines() if "day first or month first" in line]
    assert dates.startswith("look at  when: dates such as '01/02/2025'")
    document = runner.invoke(app, [*asked, "--json", "--project", str(tmp_path / "json")])
    assert "decimal comma" in warned(json.loads(document.stdout), "a59")
