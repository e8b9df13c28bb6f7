"""Where studies are kept, so that one goes on after a crash and several processes can share one.

A trial of a study has a number; its slot tells which of the budget's trials it is. They differ only after a
worker of a shared study died: its trial failed, and a copy with a higher number takes its slot.
"""

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages import RetryHeartbeatStaleTrialCallback as Retry
from optuna.trial import FrozenTrial, TrialState

from incumbent.errors import BadParams, NotFound, StorageUnavailable
from incumbent.params import Params

FILE = "studies.db"
# Seconds. A trial whose worker gave no sign of life for GRACE is given to another one.
HEARTBEAT, GRACE = 10, 60
# A trial that no worker survives, for want of memory say, must not end them all.
RETRIES = 3
# Seconds that a process waits while another one writes to the same SQLite file.
PATIENCE = 60


@dataclass(frozen=True)
class StudyRef:
    """Where a study is kept: the URL of Optuna's storage, and the study's name there."""

    address: str
    name: str


def address_of(project: Path, storage: str | None) -> str:
    """`search.storage`, or the project's own file."""
    return storage or f"sqlite:///{(project / '.incumbent' / FILE).resolve()}"


def study_ref(project: Path, params: Params, work: str) -> StudyRef:
    """The place of the study of this work (hex): whoever claims the work has the study to itself."""
    return StudyRef(address_of(project, params.search.storage), f"{params.dataset.name}-{work[:16]}")


def open_study(place: StudyRef | None, sampler: BaseSampler) -> optuna.Study:
    """The study that is kept there, made if need be; without a place one that is forgotten."""
    return optuna.create_study(
        storage=_storage(place.address) if place else InMemoryStorage(),
        study_name=place.name if place else None,
        sampler=sampler,
        direction="maximize",
        load_if_exists=True,
    )


def join_study(place: StudyRef, sampler: BaseSampler) -> optuna.Study:
    """The study that another process opened. Raises NotFound when this one does not see it."""
    try:
        return optuna.load_study(storage=_storage(place.address), study_name=place.name, sampler=sampler)
    except KeyError as error:
        raise NotFound(
            f"no study '{place.name}' at {place.address}; workers on several machines share one by "
            "search.storage"
        ) from error


def make_storage(address: str) -> None:
    """Make the tables, where they are missing: readers expect them."""
    with explained():
        _storage(address)


def without_unfinished(study: optuna.Study, place: StudyRef) -> optuna.Study:
    """The study as it was before the trials that a dead process left half done.

    For a study that is searched by one process alone: made anew of its finished trials, it goes on exactly
    as if nothing had happened. A death in here costs those trials, nothing else.
    """
    trials = study.get_trials()
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if len(finished) < len(trials):
        optuna.delete_study(study_name=place.name, storage=_storage(place.address))
        study = open_study(place, study.sampler)
        study.add_trials(finished)
    return study


def retry_failed(study: optuna.Study) -> None:
    """Queue again what failed in a shared study while nobody was left to see it."""
    trials = study.get_trials()
    with quiet():
        retried = {number for trial in trials for number in Retry.retry_history(trial)}
    for trial in trials:
        if trial.state == TrialState.FAIL and trial.number not in retried and trial.params:
            _retry(study, trial)


def give_back(study: optuna.Study, number: int) -> None:
    """Fail a trial of one's own, and queue it again; that it was given back is not its fault."""
    study.tell(number, state=TrialState.FAIL)
    with quiet():
        Retry()(study, study.trials[number])


def fail_silent(study: optuna.Study) -> None:
    """Fail the trials whose worker gave no sign of life, and queue them again."""
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
    """A storage that fails, at any moment of a study, as our error."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except (DBAPIError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise StorageUnavailable(
            f"the study's storage did not answer or refused us: {reason}; see to it, or correct "
            "search.storage, and run it again"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna warns that some parts may still change; our versions are pinned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _storage(address: str) -> BaseStorage:
    from sqlalchemy.exc import ArgumentError

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
            # Else who writes waits for who reads, for up to PATIENCE: the dashboard, another worker, or a
            # thread of the same process that was told to end while it read.
            with storage.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        return storage
    except (ImportError, ArgumentError) as error:  # also of a dialect that there is none of
        raise BadParams(
            f"search.storage can't be opened: {error}; for postgresql:// install 'incumbent[postgres]'"
        ) from error


def _retry(study: optuna.Study, trial: FrozenTrial) -> None:
    with quiet():
        Retry(max_retry=RETRIES)(study, trial)
