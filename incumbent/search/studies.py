"""Storage of studies, so that a study can resume after a crash and several processes can share one.

A trial has a number, and a slot: its position in the budget of trials. They differ only after a worker of a
shared study died: its trial failed, and a copy with a higher number takes its slot.
"""

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages import RetryHeartbeatStaleTrialCallback as Retry
from optuna.trial import FrozenTrial, TrialState

from incumbent.errors import BadParams, NotFound, StorageUnavailable
from incumbent.params import Params

FILE = "studies.db"
# Seconds. A trial whose worker sent no heartbeat for GRACE goes to another worker.
HEARTBEAT, GRACE = 10, 60
# Limited, as a trial that kills every worker, by taking all memory say, must not end the study.
RETRIES = 3
# Seconds that a process waits while another one writes to the same SQLite file.
PATIENCE = 60


@dataclass(frozen=True)
class StudyRef:
    """Address of a study: the URL of Optuna's storage, and the study's name there."""

    address: str
    name: str


def address_of(project: Path, storage: str | None) -> str:
    """`search.storage`, else the project's own file."""
    return storage or f"sqlite:///{(project / '.incumbent' / FILE).resolve()}"


def study_ref(project: Path, params: Params, work: str) -> StudyRef:
    """The study of this work (hex): whoever has claimed the work is alone with the study."""
    return StudyRef(address_of(project, params.search.storage), f"{params.dataset.name}-{work[:16]}")


def open_study(ref: StudyRef | None, sampler: BaseSampler) -> optuna.Study:
    """Open the study, or create it; without a reference, create one in memory."""
    return optuna.create_study(
        storage=_storage(ref.address) if ref else InMemoryStorage(),
        study_name=ref.name if ref else None,
        sampler=sampler,
        direction="maximize",
        load_if_exists=True,
    )


def join_study(ref: StudyRef, sampler: BaseSampler) -> optuna.Study:
    """Open a study that another process created. Raises NotFound when this machine has none of that name."""
    try:
        return optuna.load_study(storage=_storage(ref.address), study_name=ref.name, sampler=sampler)
    except KeyError as error:
        raise NotFound(
            f"no study '{ref.name}' at {ref.address}; workers on several machines share one by search.storage"
        ) from error


def make_storage(address: str) -> None:
    """Create the tables where they are missing: readers expect them."""
    with explained():
        _storage(address)


def without_unfinished(study: optuna.Study, ref: StudyRef) -> optuna.Study:
    """The study without the unfinished trials of a dead process.

    For a study of a single process: created anew from its finished trials, it goes on exactly as if there had
    been no crash. A crash in here loses those trials, nothing else.
    """
    trials = study.get_trials()
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if len(finished) < len(trials):
        optuna.delete_study(study_name=ref.name, storage=_storage(ref.address))
        study = open_study(ref, study.sampler)
        study.add_trials(finished)
    return study


def retry_failed(study: optuna.Study) -> None:
    """Queue again the failed trials of a shared study that no worker was left to retry."""
    trials = study.get_trials()
    with quiet():
        retried = {number for trial in trials for number in Retry.retry_history(trial)}
    for trial in trials:
        if trial.state == TrialState.FAIL and trial.number not in retried and trial.params:
            _retry(study, trial)


def give_back(study: optuna.Study, number: int) -> None:
    """Fail one's own trial and queue it again, without counting it as a retry."""
    study.tell(number, state=TrialState.FAIL)
    with quiet():
        Retry()(study, study.trials[number])


def fail_silent(study: optuna.Study, awaited: set[int]) -> None:
    """Fail the trials whose worker sent no heartbeat, and queue them again.

    Optuna takes a trial for silent only after a first heartbeat, and a worker can die before it: whoever
    waits for a trial sends one in its name, once. `awaited` are the ids of those trials, and grows.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    storage: Any = study._storage
    for trial_id in {trial._trial_id for trial in running} - awaited:
        storage.record_heartbeat(trial_id)
        awaited.add(trial_id)
    with quiet():
        optuna.storages.fail_stale_trials(study)


def slots(study: optuna.Study) -> dict[int, int]:
    """Number -> slot of every trial. Beyond the budget when workers began too many at once."""
    places: dict[int, int] = {}
    begun = itertools.count()
    with quiet():
        for trial in sorted(study.get_trials(deepcopy=False), key=lambda each: each.number):
            failed = Retry.retried_trial_number(trial)
            places[trial.number] = next(begun) if failed is None else places[failed]
    return places


@contextmanager
def explained() -> Iterator[None]:
    """Raise StorageUnavailable when the study's storage fails."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (DBAPIError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise StorageUnavailable(
            f"the study's storage did not answer or refused the connection: {reason}; start it, or correct "
            "search.storage, and run it again"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Optuna's warnings that some parts may still change; our versions are pinned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _storage(address: str) -> BaseStorage:
    from sqlalchemy.exc import ArgumentError

    address = with_driver(address)
    sqlite = address.startswith("sqlite")
    try:
        with quiet():
            storage = RDBStorage(
                address,
                engine_kwargs={"connect_args": {"timeout": PATIENCE}} if sqlite else {"pool_pre_ping": True},
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=_retry,
            )
        if sqlite:
            # Without WAL, a writer waits up to PATIENCE for readers: the dashboard, another worker, or a
            # thread of the same process that was stopped in the middle of a read.
            with storage.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        return storage
    except (ImportError, ArgumentError) as error:  # also for a dialect that does not exist
        raise unusable(error) from error


def with_driver(address: str) -> str:
    """The address with the driver that we install: SQLAlchemy 2.0 would look for psycopg2, 2.1 does not."""
    return address.replace("postgresql://", "postgresql+psycopg://", 1)


def unusable(error: Exception) -> BadParams:
    """What to raise for an address of no database, or without a driver for it."""
    return BadParams(
        f"search.storage can't be opened: {error}; for postgresql:// install 'incumbent[postgres]'"
    )


def _retry(study: optuna.Study, trial: FrozenTrial) -> None:
    with quiet():
        Retry(max_retry=RETRIES)(study, trial)
