"""The model registry on S3: versions, who is champion, runs, claims, scores. The one door for callers.

<model>/versions/<version>/   files and manifest.json, written last: see model_versions
<model>/champion.json, log/   who is in office, and every entry there was: see office, champion
<model>/runs/<run_seq>/       start.json (the fencing token) and what the run leaves
<model>/claims/<digest>.json  leases on pieces of work: see claims
<model>/scores/<partition>.json
"""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from incumbent.errors import BadInput, BadParams, Conflict
from incumbent.params import Params
from incumbent.storage.champion import (
    Blocked,
    Champion,
    StaleRun,
    check_promotable,
    check_target,
    choose_predecessor,
    is_same_promotion,
)
from incumbent.storage.claims import Claim, Claimed, Claims, Done, Running
from incumbent.storage.documents import check_name, dump, load, now
from incumbent.storage.model_versions import ModelVersions
from incumbent.storage.office import Office
from incumbent.storage.s3 import open_store
from incumbent.storage.store import Store

__all__ = [
    "Blocked",
    "Champion",
    "Claim",
    "Claimed",
    "Done",
    "Registry",
    "Running",
    "StaleRun",
    "open_registry",
]


class Registry:
    """The registry of one model.

    Every method raises StorageUnavailable when S3 cannot be used, NotFound when the bucket is missing,
    and Tampered when a document there is not what was written.
    """

    def __init__(self, store: Store, model: str) -> None:
        self.store, self.model = store, check_name(model, "model name")
        self._runs, self._scores = f"{model}/runs/", f"{model}/scores/"
        self._versions, self._office = ModelVersions(store, model), Office(store, model)
        self._claims = Claims(store, model)

    # --- runs

    def start_run(self, about: Mapping[str, Any]) -> int:
        """Draw the next run number: the fencing token by which a later run outranks an earlier one."""
        champion = self.champion()
        last = champion.run_seq if champion else 0
        keys = self.store.list(self._runs, after=self._run(last))
        known = [key.split("/")[2] for key in keys if key.endswith("/start.json")]
        last = max((int(number) for number in known if number.isdecimal()), default=last)
        about = {**about, "at": now(), "token": uuid.uuid4().hex}
        while True:
            last += 1
            if self.store.put_if_absent(f"{self._run(last)}/start.json", dump({**about, "run_seq": last})):
                return last

    def record(self, run_seq: int, name: str, body: bytes) -> str:
        """Keep what a run leaves, such as decision.json; a retry writes it anew. Returns the key."""
        if check_name(name, "record name") == "start.json":
            raise BadParams("start.json is the run's token, which only start_run writes")
        key = f"{self._run(run_seq)}/{name}"
        self.store.put(key, body)
        return key

    def read_record(self, run_seq: int, name: str) -> bytes:
        """What a run left under this name. Raises NotFound."""
        return self.store.get(f"{self._run(run_seq)}/{check_name(name, 'record name')}").body

    # --- versions

    def publish(self, version: str, files: Mapping[str, Path], manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make a version, visible at once or not at all; see ModelVersions.publish. Raises Tampered."""
        return self._versions.publish(version, files, manifest)

    def manifest(self, version: str) -> dict[str, Any]:
        """A version's manifest. Raises NotFound."""
        return self._versions.manifest(version)

    def versions(self) -> list[dict[str, Any]]:
        """The manifests of all complete versions, newest first by their `created`."""
        return self._versions.all()

    def verify(self, version: str) -> dict[str, Any]:
        """Check every stored byte of a version; return its manifest. Raises NotFound, Tampered."""
        return self._versions.verify(version)

    def pull(self, version: str, folder: Path) -> dict[str, Any]:
        """Bring a version into a folder, verified; see ModelVersions.pull. Raises NotFound, Tampered."""
        return self._versions.pull(version, folder)

    # --- the champion

    def champion(self) -> Champion | None:
        """Who is in office."""
        return self._office.read()

    def history(self) -> list[Champion]:
        """Every change of office, oldest first. Raises Tampered if an entry is missing or was altered."""
        return self._office.history()

    def promote(self, version: str, run_seq: int, compared_with: Champion | None, reason: str) -> Champion:
        """Put a version into office that was compared with exactly the champion `compared_with`.

        Raises Conflict if another one is in office by now: compare with that one and call again. Raises
        StaleRun for a run not later than the champion's, Blocked for a version that was rolled back,
        BadInput for the champion itself, NotFound for a version without a manifest. The same call
        again, after it succeeded, returns the same champion.
        """
        current = self._office.read_and_help()
        if current is not None and is_same_promotion(current, version, run_seq):
            return current
        check_promotable(version, run_seq, current)
        if _txid(current) != _txid(compared_with):
            raise Conflict(
                f"the champion of '{self.model}' is now {_name(current)}, but '{version}' was compared with "
                f"{_name(compared_with)}; compare again"
            )
        self.manifest(version)
        blocked = current.blocked if current else ()
        return self._office.move(
            current, op="promote", version=version, run_seq=run_seq, blocked=blocked, reason=reason
        )

    def rollback(self, to: str | None, reason: str) -> Champion:
        """Put a former champion back into office, and block the present one from promotion.

        Without `to` that is the one the present champion replaced when it was promoted, or, if it is
        blocked, the next before it; so two rollbacks go two back. Naming a blocked former champion in
        `to` is a change of mind: it is unblocked. The target's files are verified first. Raises
        BadInput if there is nothing to go back to or `to` never was champion, NotFound or Tampered if
        its version is damaged, Conflict if the champion moved meanwhile.
        """
        history = self.history()
        if not history:
            raise BadInput(f"model '{self.model}' has no champion yet, so there is nothing to roll back")
        target = check_target(choose_predecessor(history) if to is None else to, history)
        self.verify(target)
        current = self._office.read_and_help()
        if current is None or current.txid != history[-1].txid:
            raise Conflict(f"the champion of '{self.model}' moved meanwhile; it is now {_name(current)}")
        blocked = (*(version for version in current.blocked if version != target), current.version)
        return self._office.move(
            current, op="rollback", version=target, run_seq=current.run_seq, blocked=blocked, reason=reason
        )

    # --- claims

    def claim(self, digest: str, run_seq: int, lease_seconds: float) -> Claimed | Running | Done:
        """Take a piece of work, unless another run does it or did it; see Claims.claim."""
        return self._claims.claim(digest, run_seq, lease_seconds)

    def renew(self, claim: Claim) -> Claim:
        """Give a sign of life; go on with the claim returned. Raises Conflict if the work was taken over."""
        return self._claims.renew(claim)

    def finish(self, claim: Claim, outcome: dict[str, Any]) -> None:
        """Mark the work done for good. Raises Conflict if it was taken over."""
        self._claims.finish(claim, outcome)

    def release(self, claim: Claim) -> None:
        """Give the work up undone, so that the next claim gets it at once. Raises Conflict."""
        self._claims.release(claim)

    # --- scores

    def put_score(self, partition: str, body: Mapping[str, Any]) -> None:
        """Keep how the models did on a partition before anything trained on it."""
        key = f"{self._scores}{quote(partition, safe='')}.json"
        self.store.put(key, dump({**body, "partition": partition}))

    def scores(self) -> list[dict[str, Any]]:
        """The series of scores, in the order of the partitions' names."""
        found = self.store.find_all(self.store.list(self._scores))
        return [load(score.body, self.store.url(key)) for key, score in found]

    def _run(self, run_seq: int) -> str:
        return f"{self._runs}{run_seq:012d}"


def open_registry(params: Params) -> Registry:
    """The registry that params.yaml names, for the project's model. Talks to nobody yet."""
    return Registry(open_store(params.registry), params.dataset.name)


def _txid(champion: Champion | None) -> str | None:
    return champion.txid if champion else None


def _name(champion: Champion | None) -> str:
    return f"'{champion.version}' (entry {champion.seq})" if champion else "none"
