"""The challenger that waits for a person, on S3: who approves it, who refuses it, and when it is too late.

    waiting ──> approved     by a person; then the champion moves, by Promotions.promote
       ├──────> refused      by a person; refusals/<run_seq>.json keeps a copy
       └──────> expired      by a run that made a newer challenger after the one that asked

`pending.json` holds the newest request. Each transition is a compare-and-swap: of an approval and a refusal
at the same time, one counts. A request is void once the champion is not the one that it was compared with.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from incumbent.errors import (
    BadInput,
    Conflict,
    IncumbentError,
    NotFound,
    StaleRun,
    StorageUnavailable,
    Tampered,
)
from incumbent.storage.registry.approval_request import Answer, ApprovalRequest, parse_request
from incumbent.storage.registry.champion import Champion, check_promotable, is_same_promotion
from incumbent.storage.registry.champion_log import ChampionLog
from incumbent.storage.registry.model_versions import ModelVersions, Stored
from incumbent.storage.registry.promotions import Promotions
from incumbent.storage.s3.documents import now, who
from incumbent.storage.s3.store import Object, Store


class Approvals:
    """The requests for approval of one model. All methods raise Tampered for documents that are not ours."""

    def __init__(
        self,
        store: Store,
        model: str,
        versions: ModelVersions,
        champion_log: ChampionLog,
        promotions: Promotions,
    ) -> None:
        self._store, self._model, self._versions = store, model, versions
        self._log, self._promotions = champion_log, promotions
        self._pointer, self._refusals = f"{model}/pending.json", f"{model}/refusals/"

    def latest(self) -> ApprovalRequest | None:
        """The newest request, whatever became of it. One request."""
        stored = self._store.find(self._pointer)
        return None if stored is None else self._parse(self._pointer, stored)

    def waiting(self) -> ApprovalRequest | None:
        """The request that a person can answer now. An approval that died half way waits, too."""
        request = self.latest()
        if request is None or request.refused or request.expired(self._log.read()):
            return None
        return request

    def refusals(self) -> list[ApprovalRequest]:
        """Every refusal, oldest first."""
        kept = {
            key: self._parse(key, each)
            for key, each in self._store.find_all(self._store.list(self._refusals))
        }
        request = self.latest()
        if request and request.refused:  # its copy may be missing, if who refused died
            kept[self._refusal(request)] = request
        return [kept[key] for key in sorted(kept)]

    # --- by a run

    def ask(
        self,
        version: str,
        run_seq: int,
        compared_with: Champion | None,
        reasons: tuple[str, ...],
        *,
        provisional: bool = False,
        asked_by: int | None = None,
    ) -> ApprovalRequest:
        """Let a version that won against exactly `compared_with` wait; it replaces an older run's request.

        run_seq: the run that made it; asked_by: a later run that found it better, as a shadow. The same call
        again returns the same request, and the refusal of a version that was refused. Raises StaleRun for a
        run not later than the champion's or the newest request's, Conflict if there is another champion by
        now, Blocked for a version that was rolled back, NotFound for a version without a manifest or marked
        for deletion.
        """
        check_promotable(version, run_seq, compared_with)
        self._versions.require_promotable(version)
        request = ApprovalRequest(
            version=version,
            run_seq=run_seq,
            champion=compared_with.version if compared_with else None,
            txid=compared_with.txid if compared_with else None,
            at=now(),
            by=who(),
            reasons=reasons,
            answer=None,
            nonce=uuid.uuid4().hex,
            provisional=provisional,
            asked_by=asked_by,
        )
        if refusal := self._store.find(self._refusal(request)):  # a shadow may win again
            return self._parse(self._refusal(request), refusal)
        while (latest := self._put_newest(request)) is None:
            pass  # somebody answered or replaced the request before it
        champion = self._log.read()
        if latest.refused or is_same_promotion(champion, version, run_seq):
            return latest
        if why := latest.expired(champion):
            raise Conflict(f"'{version}' waits in vain: {why}; compare again")
        return latest

    def _put_newest(self, request: ApprovalRequest) -> ApprovalRequest | None:
        latest = self.latest()
        if latest is None:
            return request if self._store.put_if_absent(self._pointer, request.body()) else None
        if latest.settles(request):
            return latest
        if latest.is_newer_than(request):
            raise StaleRun(
                f"run {request.since} may not let '{request.version}' wait for approval: run "
                f"{latest.since} let '{latest.version}' wait, which won as well"
            )
        if latest.refused:
            self._keep_refusal(latest)  # whoever refused it may have died before
        return self._replace(latest, request)

    def expire(self, run_seq: int, why: str) -> None:
        """End the wait of an older run's version, as this run made a newer challenger."""
        while (latest := self.latest()) and latest.answer is None and latest.since < run_seq:
            if self._settle(latest, Answer("expired", f"run {run_seq}", now(), why)):
                return

    # --- by a person

    def approve(self, version: str, reason: str, by: str) -> Champion:
        """Make the version that waits the champion, with the person and the reason in the log.

        Its files are verified first. The same call again, after it succeeded or died half way, returns the
        same champion; so does the approval of a second person. Raises BadInput without a reason and for a
        version that was refused or has expired, NotFound for one that never waited or is marked for deletion,
        Tampered for a damaged one.
        """
        _require_words(reason, by)
        while True:
            request, champion = self.latest(), self._log.read()
            if request and is_same_promotion(champion, version, request.run_seq):
                return champion
            request = self._require_open(request, version, champion)
            answer = request.answer
            if answer is None:
                self._versions.require_promotable(version)
                self._versions.verify(version)
                answer = Answer("approved", by, now(), reason)
                if self._settle(request, answer) is None:
                    continue
            return self._promote(request, answer, champion)

    def refuse(self, version: str, reason: str, by: str) -> ApprovalRequest:
        """End the wait of a version, which then does not become champion; the refusal is kept.

        The same call again returns the first refusal. Raises BadInput without a reason and for a version that
        was approved or has expired, NotFound for one that never waited.
        """
        _require_words(reason, by)
        while True:
            request = self.latest()
            answer = request.answer if request and request.version == version else None
            if request and answer and answer.kind == "refused":
                self._keep_refusal(request)
                return request
            if answer and answer.kind == "approved":
                raise BadInput(
                    f"version '{version}' was approved by {answer.by} at {answer.at}, so it can't be "
                    f"refused; `incumbent models approve {version} --reason TEXT` ends an approval that was "
                    "interrupted, `incumbent models rollback` undoes one"
                )
            request = self._require_open(request, version, self._log.read())
            if refused := self._settle(request, Answer("refused", by, now(), reason)):
                self._keep_refusal(refused)
                return refused

    def _promote(self, request: ApprovalRequest, answer: Answer, champion: Champion | None) -> Champion:
        reason = f"approved: {answer.reason}; {'; '.join(request.reasons)}"
        try:
            return self._promotions.promote(
                request.version,
                request.run_seq,
                champion,
                reason,
                provisional=request.provisional,
                by=answer.by,
            )
        except (Conflict, StaleRun):
            # Another version became champion in between, and this request is void by now.
            self._require_open(request, request.version, self._log.read())
            raise

    def _require_open(
        self, request: ApprovalRequest | None, version: str, champion: Champion | None
    ) -> ApprovalRequest:
        """The request, if it is this version's and a person can still answer it."""
        force = (
            f"to make it champion all the same: `incumbent models promote {version} --force --reason TEXT`"
        )
        refused = {each.version: each.answer for each in self.refusals()}
        waits_again = request is not None and request.version == version and request.answer is None
        if (answer := refused.get(version)) and not waits_again:
            raise BadInput(f"version '{version}' was refused by {answer.by}: {answer.reason}; {force}")
        if request is None or request.version != version:
            raise self._not_waiting(version, request, champion)
        if why := request.expired(champion):
            raise BadInput(
                f"the approval of '{version}' has expired: {why}; `incumbent retrain --strategy full` makes "
                f"a challenger that meets today's champion; {force}"
            )
        return request

    def _not_waiting(
        self, version: str, request: ApprovalRequest | None, champion: Champion | None
    ) -> NotFound:
        waits = "no version waits for approval; see `incumbent models list`"
        if request and not request.refused and not request.expired(champion):
            waits = f"'{request.version}' waits for approval"
        stored = self._versions.stored(version).get(version)
        if stored is None or not stored.complete:
            return NotFound(f"model '{self._model}' has no version '{version}'; {waits}")
        return NotFound(f"version '{version}' of model '{self._model}' does not wait for approval: {waits}")

    # --- in the store

    def problems(self, entries: Sequence[Champion], stored: Mapping[str, Stored]) -> Iterator[str]:
        """What is not as it was written; entries: the log, without a gap; stored: all versions."""
        requests: dict[str, ApprovalRequest] = {}
        for key in (self._pointer, *self._store.list(self._refusals)):
            try:
                if each := self._store.find(key):
                    requests[key] = self._parse(key, each)
            except StorageUnavailable:
                raise
            except IncumbentError as error:
                yield str(error)
        known = {None, *(entry.txid for entry in entries)}
        for key, request in requests.items():
            if request.txid not in known:
                yield f"{self._store.url(key)} names entry '{request.txid}', which the log does not have"
            elif key != self._pointer and (key != self._refusal(request) or not request.refused):
                yield f"{self._store.url(key)} is not a refusal of '{request.version}'"
        latest = requests.get(self._pointer)
        if latest is None:
            return
        if latest.refused and requests.get(self._refusal(latest), latest).stored != latest.stored:
            yield str(self._altered(latest))
        whole = latest.version in stored and stored[latest.version].complete
        if latest.answer is None and not latest.expired(entries[-1] if entries else None) and not whole:
            where = self._versions.url(latest.version)
            yield f"'{latest.version}' waits for approval and is missing at {where}"

    def _settle(self, request: ApprovalRequest, answer: Answer) -> ApprovalRequest | None:
        settled = replace(request, answer=answer, nonce=uuid.uuid4().hex, etag="", stored=b"")
        return self._replace(request, settled)

    def _replace(self, latest: ApprovalRequest, request: ApprovalRequest) -> ApprovalRequest | None:
        """The request as it is stored now; None if somebody else changed `latest` meanwhile."""
        body = request.body()
        try:
            return replace(request, etag=self._store.replace(self._pointer, body, latest.etag), stored=body)
        except Conflict:
            return None

    def _keep_refusal(self, request: ApprovalRequest) -> None:
        key = self._refusal(request)
        if not self._store.put_if_absent(key, request.body()) and self._store.get(key).body != request.body():
            raise self._altered(request)

    def _altered(self, request: ApprovalRequest) -> Tampered:
        copy, pointer = self._store.url(self._refusal(request)), self._store.url(self._pointer)
        return Tampered(f"{copy} differs from {pointer}, whose copy it should be: one of them was altered")

    def _refusal(self, request: ApprovalRequest) -> str:
        return f"{self._refusals}{request.run_seq:012d}.json"

    def _parse(self, key: str, stored: Object) -> ApprovalRequest:
        return parse_request(stored.body, stored.etag, self._store.url(key))


def _require_words(reason: str, by: str) -> None:
    if not reason.strip():
        raise BadInput("an approval and a refusal need a reason; it is kept in the registry")
    if not by.strip():
        raise BadInput("an approval and a refusal need the name of the person who decides")
