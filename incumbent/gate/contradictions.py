"""Rows with one key and different targets: worse than a key that is there twice, as one of them is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from incumbent.gate.report import Finding
from incumbent.params import DatasetParams
from incumbent.tables.parquet import read_partition, schema_of
from incumbent.tables.split import text_of

EXAMPLES = 5
UNIQUE = ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique")


def contradictions(
    name: str, path: Path, results: Sequence[dict[str, Any] | None], dataset: DatasetParams
) -> list[Finding]:
    """One warning if keys of the partition have more than one value of the target.

    It goes with a failed expectation that values are unique, which says what becomes of the rows; without one
    among the results nothing is read.
    """
    key, target = dataset.key, dataset.target
    repeated = any(
        each and not each["success"] and each["expectation_config"]["type"] in UNIQUE for each in results
    )
    if not repeated or not key or not {*key, target} <= set(schema_of(path).names):
        return []
    rows = read_partition(path, [*key, target]).drop_duplicates()
    several = rows[rows.duplicated(key, keep=False)].groupby(key, sort=False)[target]
    if several.ngroups == 0:
        return []
    examples = tuple(
        {
            **dict(zip(key, map(text_of, values), strict=True)),
            target: " and ".join(sorted(map(text_of, targets))),
        }
        for values, targets in [*several][:EXAMPLES]
    )
    observed = f"{several.ngroups:,} keys have different {target}, such as {list(examples[:3])}"
    return [
        Finding(
            name, f"a key ({', '.join(key)}) should have one {target}", "warning", False, observed, examples
        )
    ]
