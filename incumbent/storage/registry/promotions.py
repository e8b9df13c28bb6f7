"""Who follows whom in office: promote after a comparison, promote by force, roll back."""

from collections.abc import Callable, Mapping
from typing import Any

from incumbent.errors import BadInput, Conflict, StaleRun
from incumbent.storage.registry.champion import (
    Champion,
    Op,
    check_promotable,
    check_target,
    choose_predecessor,
    is_same_promotion,
)
from incumbent.storage.registry.champion_log import ChampionLog
from incumbent.storage.registry.model_versions import ModelVersions
from incumbent.storage.s3.documents import who

FORCE_TRIES = 10


class Promotions:
    """The changes of one model's office."""

    def __init__(
        self,
        model: str,
        versions: ModelVersions,
        office: ChampionLog,
        start_run: Callable[[Mapping[str, Any]], int],
    ) -> None:
        self._model, self._versions, self._office, self._start_run = model, versions, office, start_run

    def promote(self, version: str, run_seq: int, compared_with: Champion | None, reason: str) -> Champion:
        """Put a version into office that was compared with exactly the champion `compared_with`.

        Raises Conflict if another one is in office by now: compare with that one and call again. Raises
        StaleRun for a run not later than the champion's, Blocked for a version that was rolled back,
        BadInput for the champion itself, NotFound for a version without a manifest. The same call
        again, after it succeeded, returns the same champion.
        """
        if is_same_promotion(compared_with, version, run_seq):
            return compared_with
        try:
            check_promotable(version, run_seq, compared_with)
            return self._take_office(compared_with, "promote", version, run_seq, reason)
        except (BadInput, Conflict):
            # It may be done already, or refused because of one who has left meanwhile.
            current = self._office.read()
            if is_same_promotion(current, version, run_seq):
                return current
            if current == compared_with:
                raise
            check_promotable(version, run_seq, current)
            raise Conflict(
                f"the champion of '{self._model}' is now {_name(current)}, but '{version}' was compared with "
                f"{_name(compared_with)}; compare again"
            ) from None

    def force(self, version: str, reason: str) -> Champion:
        """Put a version into office whatever the comparison says, under a run number of its own.

        Its files are verified first. Raises BadInput without a reason or for the champion itself, Blocked
        for a version that was rolled back, NotFound or Tampered for one that is not whole, Conflict when
        others keep moving the champion.
        """
        if not reason.strip():
            raise BadInput("a forced promotion needs a reason; it is kept in the log")
        self._versions.verify(version)
        for last in (*(False for _ in range(FORCE_TRIES - 1)), True):
            # A new number each time: a later run may be who came first.
            run_seq = self._start_run({"forced": version, "by": who(), "reason": reason})
            current = self._office.read()
            try:
                check_promotable(version, run_seq, current)
                return self._take_office(current, "force", version, run_seq, reason)
            except (Conflict, StaleRun):
                if last:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _take_office(
        self, current: Champion | None, op: Op, version: str, run_seq: int, reason: str
    ) -> Champion:
        self._versions.require_promotable(version)
        if current is None:
            self._office.require_vacant()
        else:
            self._office.ensure_logged(current)
        blocked = current.blocked if current else ()
        return self._office.move(
            current, op=op, version=version, run_seq=run_seq, blocked=blocked, reason=reason
        )

    def rollback(self, to: str | None, reason: str, instead_of: Champion | None = None) -> Champion:
        """Put a former champion back into office, and block the present one from promotion.

        Without `to` that is the one the present champion replaced when it was promoted, or, if it is
        blocked, the next before it; so two rollbacks go two back. Naming a blocked former champion in
        `to` is a change of mind: it is unblocked. The target's files are verified first. With
        `instead_of` it happens only if exactly that one is in office. Raises BadInput if there is nothing
        to go back to or `to` never was champion, NotFound or Tampered if its version is damaged, Conflict
        if the champion moved meanwhile.
        """
        history = self._office.history()
        if instead_of is not None and (not history or history[-1].txid != instead_of.txid):
            raise Conflict(f"the champion of '{self._model}' is no longer {_name(instead_of)}; look again")
        if not history:
            raise BadInput(f"model '{self._model}' has no champion yet, so there is nothing to roll back")
        target = check_target(choose_predecessor(history) if to is None else to, history)
        self._versions.verify(target)
        current = self._office.read()
        if current is None or current.txid != history[-1].txid:
            raise Conflict(f"the champion of '{self._model}' moved meanwhile; it is now {_name(current)}")
        self._office.ensure_logged(current)
        blocked = (*(version for version in current.blocked if version != target), current.version)
        return self._office.move(
            current, op="rollback", version=target, run_seq=current.run_seq, blocked=blocked, reason=reason
        )

    def predecessor(self, champion: Champion) -> str | None:
        """Who would be in office without this champion's promotion; None if nobody unblocked."""
        if champion.op != "rollback" and champion.replaced not in champion.blocked:
            return champion.replaced
        return choose_predecessor(self._office.history())


def _name(champion: Champion | None) -> str:
    return f"'{champion.version}' (entry {champion.seq})" if champion else "none"
