"""How the demo's end looks in a terminal."""

import os
from typing import Any

from incumbent.cli.options import command, pairs, table
from incumbent.cli.ui import ui_command


def _reasons(row: dict[str, Any]) -> list[str]:
    plan = [f"{row['month']} {row['plan']}: {row['why']}"] if row["why"] else []
    return [*plan, f"{row['month']} {row['decision']}: {row['because']}"]


def as_table(document: dict[str, Any]) -> str:
    """The story's end, for people."""
    header = [
        "month",
        "rows",
        "started by",
        "verdict",
        "plan",
        "champion",
        "challenger",
        "judged on",
        "decision",
        "seconds",
    ]
    lines = [[str(row[name]) for name in header] for row in document["arrivals"]]
    here = os.path.relpath(document["project"])
    return "\n".join(
        [
            "",
            "ROC AUC on days that neither model has learned from, with 95 % intervals",
            table(header, lines),
            "",
            *(line for row in document["arrivals"] for line in _reasons(row)),
            "",
            pairs(
                [
                    ("Prefect UI", f"{document['ui']} (login: {ui_command(here)})"),
                    ("report", document["report"]),
                    ("go on", command("models history", here)),
                    ("stop", command("down", here)),
                ]
            ),
            f"({document['seconds']} seconds)",
        ]
    )
