"""The place where studies are kept: search.storage."""

from collections.abc import Iterator

from incumbent.cli.doctor.finding import TIMEOUT, Doubtful, Finding, tried
from incumbent.params import Params
from incumbent.search.storage_check import try_postgres


def check_studies(params: Params) -> Iterator[Finding]:
    """Can workers share a study?"""
    yield tried("search.storage", lambda: _storage(params))


def _storage(params: Params) -> str:
    storage, workers = params.search.storage, params.search.workers
    if storage and storage.startswith("postgresql"):
        return try_postgres(storage, TIMEOUT)
    place = storage or "a file of the project"
    if workers > 1:
        raise Doubtful(
            f"search.workers is {workers}, and studies are in {place}: workers on several machines can't "
            "share it; set search.storage to postgresql://USER@HOST/DATABASE unless all run on this machine"
        )
    return f"studies are in {place}, for one machine"
