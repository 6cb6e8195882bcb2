"""The clocks of a ticket as its row stores them: the columns `sla`, `sla_terms`, `sla_state` and `due_at`."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from models import ClockKind, SlaState
from schemas.clocks import ClockState, SlaClock
from services.sla.clocks import Clock, Clocks, Terms

_CLOCKS: Final = TypeAdapter(list[SlaClock])
_COMPUTED: Final = {"state", "remaining_s"}


def clocks_of(stored: str | None) -> tuple[Clock, ...]:
    """Return the clocks in the column `sla`."""
    if stored is None:
        return ()
    return tuple(_clock_of(clock) for clock in _CLOCKS.validate_json(stored))


def terms_of(stored: str | None) -> Terms | None:
    """Return the terms in the column `sla_terms`."""
    return None if stored is None else terms_of_json(from_json(stored))


def terms_of_json(terms: Mapping[str, Any] | None) -> Terms | None:
    """Return the terms that a member of an event has."""
    if terms is None:
        return None
    budgets = {kind: terms[f"{kind}_s"] for kind in ClockKind if terms[f"{kind}_s"] is not None}
    return Terms(terms["policy_id"], terms["calendar_id"], budgets)


def terms_as_json(terms: Terms | None) -> dict[str, int | None] | None:
    """Return the terms as the column `sla_terms` and the members of events have them."""
    if terms is None:
        return None
    budgets = {f"{kind}_s": terms.budgets.get(kind) for kind in ClockKind}
    return {"policy_id": terms.policy_id, "calendar_id": terms.calendar_id, **budgets}


def columns_of(clocks: Clocks, terms: Terms | None) -> Mapping[str, Any]:
    """Return the values of the columns."""
    promised = terms_as_json(terms)
    running = [clock.due_at for clock in clocks if clock.due_at is not None]
    return {
        "sla": _CLOCKS.dump_json([_shown(clock) for clock in clocks]).decode() if clocks else None,
        "sla_terms": None if promised is None else to_json(promised).decode(),
        "sla_state": _worst_of(clocks),
        "due_at": min(running, default=None),
    }


def _worst_of(clocks: Clocks) -> SlaState | None:
    clocks = [clock for clock in clocks if not clock.is_suspended]
    if any(clock.breached_at is not None for clock in clocks):
        return SlaState.BREACHED
    is_at_risk = any(clock.warned_at is not None and clock.met_at is None for clock in clocks)
    return SlaState.AT_RISK if is_at_risk else None


def _shown(clock: Clock) -> SlaClock:
    members = {name: getattr(clock, name) for name in SlaClock.model_fields if name not in _COMPUTED}
    # Rounded down: what is left is never shown as more than it is.
    return SlaClock(state=_state_of(clock), remaining_s=int((clock.budget_s - clock.spent_s) // 1), **members)


def _clock_of(clock: SlaClock) -> Clock:
    members = clock.model_dump(exclude=_COMPUTED)
    return Clock(**members, is_suspended=clock.state is ClockState.SUSPENDED)


def _state_of(clock: Clock) -> ClockState:
    if clock.is_suspended:
        return ClockState.SUSPENDED
    if clock.breached_at is not None:
        return ClockState.BREACHED
    if clock.met_at is not None:
        return ClockState.MET
    return ClockState.PAUSED if clock.running_since is None else ClockState.RUNNING
