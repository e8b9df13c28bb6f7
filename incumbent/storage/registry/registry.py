"""The model registry on S3: versions, who is champion, runs, claims, scores. The interface for callers.

<model>/versions/<version>/   files and manifest.json, written last: see model_versions
<model>/champion.json, log/   the champion, and every entry there was: see champion_log, champion
<model>/pending.json, refusals/   the challenger that waits for a person: see approvals
<model>/runs/<run_seq>/       start.json (the fencing token) and the run's records
<model>/claims/<digest>.json  leases on pieces of work: see claims
<model>/scores/<partition>.json
"""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from incumbent.errors import BadInput, BadParams, Tampered
from incumbent.params import Params
from incumbent.storage.registry.approvals import Approvals
from incumbent.storage.registry.audit import find_problems
from incumbent.storage.registry.champion import Champion, champion_at
from incumbent.storage.registry.champion_log import ChampionLog
from incumbent.storage.registry.claims import Claim, Claimed, Claims, Done, Running
from incumbent.storage.registry.deletion import GRACE, Fate, collect, needed_versions
from incumbent.storage.registry.model_versions import ModelVersions
from incumbent.storage.registry.promotions import Promotions
from incumbent.storage.registry.signing import Signatures
from incumbent.storage.registry.tombstones import Tombstones
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.documents import check_name, dump, load, now
from incumbent.storage.s3.store import Store

__all__ = [
    "Champion",
    "Claim",
    "Claimed",
    "Done",
    "Registry",
    "Running",
    "champion_at",
    "open_registry",
]

RUN = re.compile(r"\d{12}/")


class Registry:
    """The registry of one model.

    Every method raises StorageUnavailable when S3 cannot be used, NotFound when the bucket is missing,
    and Tampered when a document there is not what was written.
    """

    def __init__(self, store: Store, model: str, signatures: Signatures | None = None) -> None:
        self.store, self.model = store, check_name(model, "model name")
        self._runs, self._scores = f"{model}/runs/", f"{model}/scores/"
        self._versions = ModelVersions(store, model, signatures or Signatures())
        self._champion_log, self._claims = ChampionLog(store, model), Claims(store, model)
        self._promotions = Promotions(model, self._versions, self._champion_log, self.start_run)
        self.approvals = Approvals(store, model, self._versions, self._champion_log, self._promotions)

    def url(self, version: str) -> str:
        """Where a version is, for messages."""
        return self.store.url(f"{self.model}/versions/{version}/")

    # --- runs

    def start_run(self, about: Mapping[str, Any]) -> int:
        """Draw the next run number: the fencing token that lets a later run overrule an earlier one."""
        champion = self.champion()
        last = self._last_run(champion.run_seq if champion else 0)
        about = {**about, "at": now(), "token": uuid.uuid4().hex}
        while True:
            last += 1
            if self.store.put_if_absent(f"{self._run(last)}/start.json", dump({**about, "run_seq": last})):
                return last

    def _last_run(self, known: int) -> int:
        """The highest number drawn, searched from a known one; few requests even for many runs between."""
        last, step = known, 1
        while self._drawn(last + step):
            last, step = last + step, 2 * step
        while step > 1:
            step //= 2
            if self._drawn(last + step):
                last += step
        return last

    def _drawn(self, run_seq: int) -> bool:
        """Is there a run of this number or of a higher one?"""
        # "~" sorts after all keys of the run before. With the folder's name alone, servers differ.
        key = next(self.store.list(self._runs, after=f"{self._run(run_seq - 1)}~", page_size=1), "")
        return RUN.match(key.removeprefix(self._runs)) is not None

    def record(self, run_seq: int, name: str, body: bytes) -> str:
        """Store a record of a run, such as decision.json; a retry overwrites it. Returns the key."""
        if check_name(name, "record name") == "start.json":
            raise BadParams("start.json is the run's token, which only start_run writes")
        key = f"{self._run(run_seq)}/{name}"
        self.store.put(key, body)
        return key

    def page(self, run_seq: int, name: str, html: str) -> str:
        """Store a page of a run; returns a link for a browser, good for a week."""
        return self.store.link(self.record(run_seq, name, html.encode()), "text/html; charset=utf-8")

    def read_record(self, run_seq: int, name: str) -> bytes:
        """The run's record of this name. Raises NotFound."""
        return self.store.get(f"{self._run(run_seq)}/{check_name(name, 'record name')}").body

    def records(self, name: str, since: int = 0) -> Iterator[bytes]:
        """The records of this name of all runs after `since` that have one, in the order of the runs."""
        wanted, first = f"/{check_name(name, 'record name')}", f"{self._run(since)}/~"
        keys = [key for key in self.store.list(self._runs) if key > first and key.endswith(wanted)]
        yield from (stored.body for _, stored in self.store.find_all(keys))

    # --- versions

    def publish(self, version: str, files: Mapping[str, Path], manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make a version, visible at once or not at all; see ModelVersions.publish. Raises Tampered."""
        return self._versions.publish(version, files, manifest)

    def manifest(self, version: str) -> dict[str, Any]:
        """A version's manifest. Raises NotFound."""
        return self._versions.manifest(version)

    def lineage(self, version: str) -> list[dict[str, Any]]:
        """The manifests of a version, its parent, and so on back to the full training."""
        chain = [self.manifest(version)]
        while (parent := chain[-1]["parent"]) is not None:
            chain.append(self.manifest(parent))
        return chain

    def versions(self) -> list[dict[str, Any]]:
        """The manifests of all complete versions, newest first by their `created`."""
        return self._versions.all()

    def newest_version(self) -> dict[str, Any] | None:
        """The manifest of the newest version that a run made; None before the first."""
        return next(self._versions.since(0), None)

    def verify(self, version: str) -> dict[str, Any]:
        """Check every stored byte of a version; return its manifest. Raises NotFound, Tampered."""
        return self._versions.verify(version)

    def pull(self, version: str, folder: Path) -> dict[str, Any]:
        """Download a version into a folder, verified; see ModelVersions.pull. Raises NotFound, Tampered."""
        return self._versions.pull(version, folder)

    def checked(self, version: str, body: bytes) -> dict[str, Any]:
        """Parse a manifest kept outside the registry, if it is complete and signed. Raises Tampered."""
        return self._versions.checked(version, body)

    def gc(self, keep: int, *, dry_run: bool = False, grace: timedelta = GRACE) -> list[Fate]:
        """Mark versions that nobody needs for deletion, and delete those marked long ago; see deletion.py.

        Kept are the newest `keep`, all that ever were champion, the shadow, the one that waits for approval,
        and the parents of these. Raises BadInput for a `keep` below zero.
        """
        if keep < 0:
            raise BadInput(f"--keep {keep}: the number of versions to keep can't be below zero")
        stored_versions, clock = self._versions.stored(), self.store.clock()
        needed = needed_versions(self._versions.all(), history := self.history(), keep)
        if held := self.last_held(history[-1]) if history else None:
            needed.setdefault(held, "the shadow: the challenger held last, which arrivals still judge")
        if request := self.approvals.waiting():
            needed.setdefault(request.version, "waits for approval")
        tombstones = Tombstones(self.store, self.model)
        return collect(
            self._versions, tombstones, stored_versions, needed, clock=clock, dry_run=dry_run, grace=grace
        )

    def problems(self) -> list[str]:
        """Everything in the registry that is not as it was written, one sentence each; empty when sound."""
        return list(find_problems(self._versions, self._champion_log, self.approvals))

    # --- the champion

    def champion(self, known: Champion | None = None) -> Champion | None:
        """The current champion. One request, whose answer has no body while it is still the `known` one."""
        return self._champion_log.read(known)

    def history(self) -> list[Champion]:
        """Every change of champion, oldest first. Raises Tampered if an entry is missing or was altered."""
        return self._champion_log.history()

    def promote(
        self,
        version: str,
        run_seq: int,
        compared_with: Champion | None,
        reason: str,
        *,
        provisional: bool = False,
    ) -> Champion:
        """Make a version champion that was compared with exactly `compared_with`; see Promotions.promote.

        Six requests. Raises Conflict, StaleRun, Blocked, BadInput, NotFound, Tampered.
        """
        return self._promotions.promote(version, run_seq, compared_with, reason, provisional=provisional)

    def force(self, version: str, reason: str) -> Champion:
        """Make a version champion whatever a comparison says; see Promotions.force. Raises Conflict, Blocked,
        BadInput, NotFound, Tampered."""
        return self._promotions.force(version, reason)

    def rollback(self, to: str | None, reason: str, instead_of: Champion | None = None) -> Champion:
        """Make a former champion champion again, and block the present one; see Promotions.rollback. Raises
        BadInput, NotFound, Tampered, Conflict."""
        return self._promotions.rollback(to, reason, instead_of)

    def predecessor(self, champion: Champion) -> str | None:
        """Who would be champion without this champion's promotion; None if no version is unblocked."""
        return self._promotions.predecessor(champion)

    def last_held(self, champion: Champion) -> str | None:
        """The shadow: the newest version that was compared with this champion and held."""
        for manifest in self._versions.since(champion.run_seq):
            if manifest.get("run_seq") is None:
                continue  # brought in by hand, not by a run
            decision = self.decisions([manifest["run_seq"]]).get(manifest["run_seq"])
            # Without one, that run has not decided yet, or never will.
            if decision and decision["kind"] == "hold" and manifest["version"] not in champion.blocked:
                return str(manifest["version"])
        return None

    def decisions(self, runs: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Run -> its decision, with kind and reasons; without the runs that have not decided."""
        keys = {f"{self._run(run_seq)}/decision.json": run_seq for run_seq in runs}
        decided: dict[int, dict[str, Any]] = {}
        for key, stored in self.store.find_all(keys):
            try:
                decision = json.loads(stored.body)["decision"]
                decided[keys[key]] = {**decision, "kind": str(decision["kind"])}
            except (ValueError, LookupError, TypeError) as error:
                raise Tampered(
                    f"{self.store.url(key)} is not a decision as runs write it: {error!r}"
                ) from error
        return decided

    # --- claims

    def claim(self, digest: str, run_seq: int, lease_seconds: float) -> Claimed | Running | Done:
        """Take a piece of work, unless another run does it or did it; see Claims.claim."""
        return self._claims.claim(digest, run_seq, lease_seconds)

    def look_at_claim(self, digest: str, lease_seconds: float) -> Running | Done | None:
        """What `claim` would answer, but None where it would give the work. Changes nothing."""
        return self._claims.look(digest, lease_seconds)

    def decided_by(self, digest: str) -> int | None:
        """The run that finished this piece of work; None if none did."""
        return self._claims.decided_by(digest)

    def renew(self, claim: Claim) -> Claim:
        """Send a heartbeat; go on with the claim returned. Raises Conflict if the work was taken over."""
        return self._claims.renew(claim)

    def check_claim(self, digest: str, run_seq: int, lease_seconds: float) -> None:
        """Raise Conflict for a run that lost its lease: it may not promote."""
        self._claims.require(digest, run_seq, lease_seconds)

    def finish(self, claim: Claim, outcome: dict[str, Any]) -> None:
        """Mark the work done for good. Raises Conflict if it was taken over."""
        self._claims.finish(claim, outcome)

    def release(self, claim: Claim) -> None:
        """Give the unfinished work up, so that the next claim gets it at once. Raises Conflict."""
        self._claims.release(claim)

    # --- scores

    def put_score(self, partition: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Store the models' scores on a partition before anything trained on it; returns the document."""
        document = {**body, "partition": partition}
        self.store.put(self._score(partition), dump(document))
        return document

    def scores(self, partitions: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The existing scores of these partitions, or of all, in the order of the names."""
        keys = self.store.list(self._scores) if partitions is None else map(self._score, sorted(partitions))
        return [load(score.body, self.store.url(key)) for key, score in self.store.find_all(keys)]

    def _score(self, partition: str) -> str:
        return f"{self._scores}{quote(partition, safe='')}.json"

    def _run(self, run_seq: int) -> str:
        return f"{self._runs}{run_seq:012d}"


def open_registry(params: Params, project: Path) -> Registry:
    """The registry that params.yaml names, for the project's model. Sends nothing yet.

    Raises BadParams for a bad address or key file.
    """
    keys = Signatures.of(params.registry, project)
    return Registry(open_store(params.registry.address), params.dataset.name, keys)
