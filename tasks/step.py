"""What every task of a run shares: a name, recorded time, and retries for outages only."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx
from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from incumbent.errors import BadInput, IncumbentError, StorageUnavailable
from incumbent.errors.machine import explain
from incumbent.local.names import require_own_name
from incumbent.params import own_code
from incumbent.storage.dataset.git import require_branch
from tasks.runs import Run, timed
from tasks.usage import metered

# Seconds before a task is tried again.
DELAYS: list[float] = [2, 10, 60]

P = ParamSpec("P")
R = TypeVar("R")


def retried(function: Callable[P, R]) -> "Task[P, R]":
    """A task that is tried again when a server did not answer."""
    return task(
        retries=len(DELAYS),
        retry_delay_seconds=DELAYS,
        retry_condition_fn=is_outage,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(function)


def step(function: Callable[Concatenate[Run, P], R]) -> "Task[Concatenate[Run, P], R]":
    """A retried task whose first argument is the run, in which its time and what it used are recorded."""

    @retried
    @functools.wraps(function)
    def recorded(run: Run, *args: P.args, **kwargs: P.kwargs) -> R:
        with timed(run, function.__name__), metered(run):
            return function(run, *args, **kwargs)

    return recorded


def is_outage(_task: Any, _run: Any, state: Any) -> bool:
    """Retry an outage, of S3 or of Prefect's own server; the same data and the same bug fail the same way, as
    a full disk does.
    """
    error = state.result(raise_on_failure=False)
    return isinstance(error, StorageUnavailable | httpx.TransportError) and explain(error) is None


class KnownErrors(logging.Filter):
    """Prefect logs a traceback with every exception; an error that we explain needs only its sentence."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        reason = explain(error) if error else None
        if reason or isinstance(error, IncumbentError):
            record.msg, record.args, record.exc_info = reason or str(error), (), None
            record.explained = True  # for whoever says it anyway
        return True


def enter(project: Path) -> None:
    """For the first task of a flow: the project's own code can be imported, and errors are explained.

    Raises BadInput where the project is no more.
    """
    without_tracebacks()
    if not project.is_dir():
        raise BadInput(
            f"there is no folder {project.absolute()}: the project was moved or removed after this run was "
            "asked for; where it was moved, the poll finds it, and announces a version without a decision "
            "again after an hour, and 'incumbent retrain' does not wait for that"
        )
    own_code.look_in(project)


def enter_to_commit(project: Path) -> None:
    """The same for a flow that commits to the project's branch, before it takes anything.

    Raises BadInput where HEAD is on no branch, or another project of the workspace has the dataset's name.
    """
    enter(project)
    require_branch(project)
    require_own_name(project)


def without_tracebacks() -> None:
    """Log errors that a user can mend as their one sentence, in the terminal and in the UI."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, KnownErrors) for known in logger.filters):
            logger.addFilter(KnownErrors())
