"""Changes of champion: promote after a comparison, promote by force, roll back."""

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
    """The changes of one model's champion."""

    def __init__(
        self,
        model: str,
        versions: ModelVersions,
        champion_log: ChampionLog,
        start_run: Callable[[Mapping[str, Any]], int],
    ) -> None:
        self._model, self._versions, self._start_run = model, versions, start_run
        self._log = champion_log

    def promote(
        self,
        version: str,
        run_seq: int,
        compared_with: Champion | None,
        reason: str,
        *,
        provisional: bool = False,
        by: str | None = None,
    ) -> Champion:
        """Make a version champion that was compared with exactly the champion `compared_with`.

        by: the person who approved it, for the log; without, this user and host. Raises Conflict if there is
        another champion by now: compare with that one and call again. Raises StaleRun for a run not later
        than the champion's, Blocked for a version that was rolled back, BadInput for the champion itself,
        NotFound for a version without a manifest. The same call again, after it succeeded, returns the same
        champion.
        """
        if is_same_promotion(compared_with, version, run_seq):
            return compared_with
        try:
            check_promotable(version, run_seq, compared_with)
            op: Op = "provisional" if provisional else "promote"
            return self._replace_champion(compared_with, op, version, run_seq, reason, by)
        except (BadInput, Conflict):
            # It may be done already, or refused because of a champion that was replaced meanwhile.
            current = self._log.read()
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
        """Make a version champion whatever the comparison says, under a run number of its own.

        Its files are verified first. Raises BadInput without a reason or for the champion itself, Blocked
        for a version that was rolled back, NotFound or Tampered for one that is not complete, Conflict when
        others keep changing the champion.
        """
        if not reason.strip():
            raise BadInput("a forced promotion needs a reason; it is kept in the log")
        self._versions.verify(version)
        for last in (*(False for _ in range(FORCE_TRIES - 1)), True):
            # A new number each time: the run that was faster may have a later one.
            run_seq = self._start_run({"forced": version, "by": who(), "reason": reason})
            current = self._log.read()
            try:
                check_promotable(version, run_seq, current)
                return self._replace_champion(current, "force", version, run_seq, reason)
            except (Conflict, StaleRun):
                if last:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _replace_champion(
        self,
        current: Champion | None,
        op: Op,
        version: str,
        run_seq: int,
        reason: str,
        by: str | None = None,
    ) -> Champion:
        self._versions.require_promotable(version)
        if current is None:
            self._log.require_vacant()
        else:
            self._log.ensure_logged(current)
        blocked = current.blocked if current else ()
        return self._log.move(
            current, op=op, version=version, run_seq=run_seq, blocked=blocked, reason=reason, by=by
        )

    def rollback(self, to: str | None, reason: str, instead_of: Champion | None = None) -> Champion:
        """Make a former champion champion again, and block the present one from promotion.

        Without `to` it is the one that the present champion replaced when it was promoted, or, if that is
        blocked, the next before it; so two rollbacks go two champions back. Naming a blocked former champion
        in `to` unblocks it. The target's files are verified first. With `instead_of`, only if exactly that
        one is champion. Raises BadInput if there is nothing to go back to or `to` never was champion,
        NotFound or Tampered if its version is damaged, Conflict if the champion was changed meanwhile.
        """
        history = self._log.history()
        if instead_of is not None and (not history or history[-1].txid != instead_of.txid):
            raise Conflict(
                f"the champion of '{self._model}' is no longer {_name(instead_of)}; "
                "see `incumbent models history`"
            )
        if not history:
            raise BadInput(f"model '{self._model}' has no champion yet, so there is nothing to roll back")
        target = check_target(choose_predecessor(history) if to is None else to, history)
        self._versions.verify(target)
        current = self._log.read()
        if current is None or current.txid != history[-1].txid:
            raise Conflict(
                f"the champion of '{self._model}' was changed meanwhile; it is now {_name(current)}"
            )
        self._log.ensure_logged(current)
        blocked = (*(version for version in current.blocked if version != target), current.version)
        return self._log.move(
            current, op="rollback", version=target, run_seq=current.run_seq, blocked=blocked, reason=reason
        )

    def predecessor(self, champion: Champion) -> str | None:
        """Who would be champion without this champion's promotion; None if no version is unblocked."""
        if champion.op != "rollback" and champion.replaced not in champion.blocked:
            return champion.replaced
        return choose_predecessor(self._log.history())


def _name(champion: Champion | None) -> str:
    return f"'{champion.version}' (entry {champion.seq})" if champion else "none"
