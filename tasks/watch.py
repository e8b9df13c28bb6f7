"""Check whether the branch's data.dvc, or who is on probation, moved, and announce it if so."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import get_run_logger

from incumbent.errors import BadInput
from incumbent.params import load_params
from incumbent.storage.dataset.arrivals import catch_up
from incumbent.storage.dataset.branch import remembered
from incumbent.storage.dataset.git import commit_of, is_ancestor, last_change
from incumbent.storage.dataset.versions import POINTER, VERSIONED, resolve
from incumbent.tables.partitions import difference
from tasks.announcement import Version, announce, tell_of
from tasks.flow_run import name_flow_run
from tasks.step import enter, retried


@dataclass(frozen=True)
class BranchState:
    """`version` is to be announced, None if nothing moved; `rewound`: it does not descend from `last`.

    `asked`: the caller named the revision, so it says nothing about the branch.
    """

    project: Path
    dataset: str
    last: str | None
    version: Version | None
    rewound: bool
    asked: bool = False

    def to_json(self) -> dict[str, Any]:
        moved = {**self.version.to_json(), "rewound": self.rewound} if self.version else None
        return {"last": self.last, "data": moved}


@retried
def look(project: Path, rev: str | None) -> BranchState:
    """The newest data version of the branch, or of `rev`, against the last one announced."""
    enter(project)
    project = project.resolve()
    dataset, last = load_params(project).dataset.name, remembered(project)[0]
    if rev is None:
        catch_up(project)
    head = commit_of(project, rev or "HEAD")
    commit = last_change(project, head, *VERSIONED)
    if commit is None or last_change(project, head, POINTER) is None:
        raise BadInput(
            f"no commit of {rev or 'the branch'} has a {POINTER}; add data with 'incumbent ingest'"
        )
    if commit == last and rev is None:
        get_run_logger().info("%s is where it was, at %s", POINTER, commit[:10])
        return BranchState(project, dataset, last, None, rewound=False)
    known = is_ancestor(project, last, commit) if last else True
    now = resolve(project, commit)
    before = resolve(project, last).digests if last and known else {}
    version = Version(now, difference(before, now.partitions))
    if not known:
        get_run_logger().warning(
            "%s went from %s to %s, which does not come after it: the branch was rewound or forced",
            POINTER, str(last)[:10], commit[:10],
        )  # fmt: skip
    name_flow_run(f"watch {now.short}", [f"model:{dataset}"])
    return BranchState(project, dataset, last, version, rewound=not known, asked=rev is not None)


@retried
def announce_move(state: BranchState) -> None:
    """Announce; a version announced twice is still one event. The branch is not where a person asked for."""
    if state.version is not None:
        (tell_of if state.asked else announce.fn)(state.project, state.version)
