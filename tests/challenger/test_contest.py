"""Whom a challenger is compared with, and what is decided, whoever asks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from incumbent.challenger import Challenger, make_full
from incumbent.challenger.contest import Contest, Rival, compare_with
from incumbent.errors import BadData, Tampered
from incumbent.evaluation.decide import Promote, Reject
from incumbent.evaluation.judging_rows import Learned
from incumbent.evaluation.roles import BASELINE
from incumbent.models.model import Model
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from tests.building import changed
from tests.judging import files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("challenger")


@pytest.fixture(scope="module")
def made(folder: Path, thinned: Sequence[Path], quick_params: Params) -> Challenger:
    """Forty trees."""
    return make_full(thinned, quick_params, StudyResult({"num_leaves": 15}, 40, ()), folder)


def rival(version: str, model: Model | Exception, params: Params) -> Rival:
    def load() -> tuple[Model, Learned]:
        if isinstance(model, Exception):
            raise model
        return model, Learned({}, params.split)

    return Rival(version, load)


def test_a_broken_champion_gives_way_to_the_one_before_it(
    made: Challenger, folder: Path, weak: Model, strong: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    rivals = [
        rival("v3", Tampered("model.txt is not what was published"), quick_params),
        rival("v2", BadData("no column 'dep_time'"), quick_params),
        rival("v1", weak, quick_params),
        rival("v0", strong, quick_params),
    ]
    contest, holdout = compare_with(rivals, made, folder, "v4", files(thinned), quick_params)
    assert contest.incumbent == "v1"
    decision = contest.decide(made, "v4", quick_params.promotion)
    assert isinstance(decision, Promote)
    assert decision.because[-2:] == (
        "v3 could not be evaluated: model.txt is not what was published",
        "v2 could not be evaluated: no column 'dep_time'",
    )
    alone, same = compare_with(rivals[2:3], made, folder, "v4", files(thinned), quick_params)
    assert alone.evidence.comparison == contest.evidence.comparison
    assert same.champion.tolist() == holdout.champion.tolist()


def test_without_a_rival_that_can_be_evaluated_the_baseline_is_left(
    made: Challenger, folder: Path, thinned: Sequence[Path], quick_params: Params
) -> None:
    broken = [rival("v1", Tampered("cut short"), quick_params)]
    contest, holdout = compare_with(broken, made, folder, "v2", files(thinned), quick_params)
    assert contest.incumbent == BASELINE
    assert set(holdout.champion) == set(made.prior)
    assert contest.unfit == ("v1 could not be evaluated: cut short",)


def test_rivals_behind_the_first_that_can_be_evaluated_are_never_asked_for(
    made: Challenger, folder: Path, weak: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    def rivals() -> Iterator[Rival]:
        yield rival("v1", weak, quick_params)
        pytest.fail("the history was read")

    assert compare_with(rivals(), made, folder, "v2", files(thinned), quick_params)[0].incumbent == "v1"


def test_the_limits_of_the_model_itself_are_measured(
    made: Challenger, folder: Path, thinned: Sequence[Path], quick_params: Params
) -> None:
    params = changed(quick_params, promotion={"limits": {"max_bytes": 100, "max_microseconds": 1e9}})
    contest, _ = compare_with([], made, folder, "v1", files(thinned), params)
    decision = contest.decide(made, "v1", params.promotion)
    size = (folder / made.file).stat().st_size
    assert isinstance(decision, Reject)
    assert f"the model's size in bytes is {size}, above promotion.limits.max_bytes = 100" in decision.because


def test_what_was_kept_of_a_contest_decides_as_the_contest_does(
    made: Challenger, folder: Path, weak: Model, thinned: Sequence[Path], quick_params: Params
) -> None:
    contest, _ = compare_with(
        [rival("v1", weak, quick_params)],
        made,
        folder,
        "v2",
        files(thinned),
        quick_params,
    )
    kept = Contest.from_json(contest.to_json())
    assert kept.decide(made, "v2", quick_params.promotion) == contest.decide(
        made, "v2", quick_params.promotion
    )
