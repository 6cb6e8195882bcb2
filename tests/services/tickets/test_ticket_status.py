import pytest

from core.errors import IllegalTransition
from models import TicketStatus
from services.tickets.ticket_status import INITIAL, TRANSITIONS, allowed_from, ensure_allowed, is_final


def test_every_status_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(TicketStatus)


def test_the_table_has_the_documented_transitions() -> None:
    assert {str(source): {str(target) for target in targets} for source, targets in TRANSITIONS.items()} == {
        "open": {"answered", "closed"},
        "answered": {"awaiting_reply", "closed"},
        "awaiting_reply": {"answered", "closed"},
        "closed": set(),
    }


def test_only_closed_is_final() -> None:
    assert [status for status in TicketStatus if is_final(status)] == [TicketStatus.CLOSED]


def test_every_status_can_be_reached_from_the_initial_one() -> None:
    reached, ahead = {INITIAL}, [INITIAL]
    while ahead:
        for target in TRANSITIONS[ahead.pop()] - reached:
            reached.add(target)
            ahead.append(target)
    assert reached == set(TicketStatus)


@pytest.mark.parametrize("status", TicketStatus)
def test_a_transition_to_the_current_status_is_illegal(status: TicketStatus) -> None:
    with pytest.raises(IllegalTransition) as refused:
        ensure_allowed(status, status)
    assert (refused.value.source, refused.value.target) == (status, status)
    assert refused.value.allowed == tuple(allowed_from(status))
