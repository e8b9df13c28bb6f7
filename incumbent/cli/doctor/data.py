"""Where data and models are kept: DVC's remote, the registry and the landing prefix."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incumbent.cli.doctor import clocks
from incumbent.cli.doctor.finding import TIMEOUT, Doubtful, Finding, tried
from incumbent.models.environment import describe_environment
from incumbent.params import Params
from incumbent.storage.dataset.landing import Landing
from incumbent.storage.dataset.remotes import try_dvc_remote
from incumbent.storage.registry.identity import require_own_model
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.probe import Probe, probe


def check_storage(project: Path, params: Params) -> Iterator[Finding]:
    """First of all, whether S3 answers: where it does not, nothing else is asked of it."""
    of_s3 = list(check_s3(params.registry.address, lands=params.landing.address is not None))
    yield from of_s3
    if any(finding.check == "S3" and finding.state == "failed" for finding in of_s3):
        return
    yield tried("DVC remote", lambda: f"{try_dvc_remote(project)} takes, returns and deletes objects")
    if params.landing.address:
        yield tried("landing", lambda: _landing(params))
    yield from _check_registry(project, params)


def check_s3(address: str, *, lands: bool) -> Iterator[Finding]:
    """What the registry at this address needs of S3. lands: also of a landing prefix there."""
    with probe(address, TIMEOUT) as s3:
        reached = tried("S3", lambda: f"{s3.reach()} answers for {address}")
        yield reached
        if reached.state == "failed":
            return
        yield tried("S3 clock", lambda: clocks.compare("S3's", s3.skew()))
        allowed = tried("S3 permissions", lambda: _rights(s3))
        yield allowed
        if allowed.state == "ok":
            yield tried("S3 conditional writes", lambda: _conditions(s3, lands))


def _rights(s3: Probe) -> str:
    s3.rights()
    return "may list, write, read and delete; a read returns what was just written"


def _conditions(s3: Probe, lands: bool) -> str:
    s3.conditions()
    if lands and not s3.conditional_delete():
        raise Doubtful(
            "writes are conditional, deletes are not: a file that is overwritten in the landing prefix while "
            "it is taken in can get lost; deliver each file under a name of its own"
        )
    return "a condition that does not hold is refused; of two writers at once one wins"


def _landing(params: Params) -> str:
    landing = Landing(open_store(f"{params.landing.address}/{params.dataset.name}", TIMEOUT))
    return f"{len(landing.waiting())} files wait at {landing.address}"


def _check_registry(project: Path, params: Params) -> Iterator[Finding]:
    manifest: dict[str, Any] = {}

    def champion() -> str:
        require_own_model(params, project)
        registry = open_registry(params, project)
        known = registry.champion()
        if known is None:
            return f"no champion of '{params.dataset.name}' yet"
        manifest.update(registry.manifest(known.version))
        return f"{known.version} is champion; 'incumbent models verify' would read every byte"

    yield tried("registry", champion)
    if manifest:
        yield tried("packages", lambda: _packages(manifest))


def _packages(manifest: dict[str, Any]) -> str:
    made = {"python": manifest["environment"]["python"], **manifest["environment"]["packages"]}
    ours: dict[str, Any] = describe_environment()
    here = {"python": ours["python"], **ours["packages"]}
    others = [f"{name} {made[name]} (here {here.get(name)})" for name in made if made[name] != here.get(name)]
    if others:
        raise Doubtful(
            f"champion {manifest['version']} was made with {', '.join(others)}: another model may come out "
            "of the same data; install these versions, or retrain in full with the ones that are here"
        )
    return f"as champion {manifest['version']} was made with"
