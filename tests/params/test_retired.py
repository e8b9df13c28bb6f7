"""Keys of earlier releases: an old params.yaml and an old manifest still load, and the owner is told."""

import logging
from pathlib import Path

import pytest

from incumbent.params import Params, load_params
from tests.building import ROOT

GOOD = (ROOT / "params.yaml").read_text(encoding="utf-8")


def test_a_retired_key_is_told_once_with_what_does_its_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(GOOD.replace("  floor: 0.6\n", "  floor: 0.6\n  audit_window: 5\n"), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert [load_params(tmp_path) for _ in range(3)] == [load_params(ROOT)] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: promotion.audit_window has no effect any more: hindsight counts all arrivals since the "
        "champion took office; remove the line"
    ]


def test_an_old_manifests_parameters_load() -> None:
    document = load_params(ROOT).model_dump(mode="json")
    document["promotion"]["audit_window"] = 5
    assert Params.model_validate(document) == load_params(ROOT)


@pytest.mark.parametrize("section", ["promotion: 5", "promotion:"])
def test_a_section_that_is_none_is_refused_as_ever(tmp_path: Path, section: str) -> None:
    from incumbent.errors import BadParams

    (tmp_path / "params.yaml").write_text(f"{section}\n", encoding="utf-8")
    with pytest.raises(BadParams, match="promotion"):
        load_params(tmp_path)
