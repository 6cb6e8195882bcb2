"""Merges: nothing that either side changed is lost, and only a field that both have changed is a conflict."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk.merge import CUSTOM, base_of, flat, merge, merged_list, nested, public_comments
from schemas.events import Event

NAMES = ["subject", "text", "priority", "assignee_id", f"{CUSTOM}device", f"{CUSTOM}floor"]
VALUES = st.none() | st.sampled_from(["a", "b", "c", "d"])
TICKETS = st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))
TAGS = st.lists(st.sampled_from("abcdef"), unique=True).map(sorted)


def an_event(version: int, data: dict[str, Any], kind: str = "changed") -> Event:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return Event.model_validate({"version": version, "type": kind, "data": data, "actor": "a", "created_at": at})


@given(TICKETS, TICKETS, TICKETS)
def test_each_change_of_one_side_is_kept(base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]) -> None:
    merged = merge(base, theirs, mine)
    conflicts = {conflict.field for conflict in merged.conflicts}
    result = theirs | dict(merged.changes)
    for name in NAMES:
        if name in conflicts:
            assert len({base[name], theirs[name], mine[name]}) == 3
        elif mine[name] == base[name]:
            assert result[name] == theirs[name]
        else:
            assert result[name] == mine[name]


@given(TICKETS, TICKETS)
def test_without_changes_of_theirs_all_of_mine_is_saved(base: dict[str, Any], mine: dict[str, Any]) -> None:
    merged = merge(base, base, mine)
    assert not merged.conflicts
    assert base | dict(merged.changes) == mine


@given(TICKETS, TICKETS)
def test_a_form_that_changed_nothing_changes_nothing(base: dict[str, Any], theirs: dict[str, Any]) -> None:
    merged = merge(base, theirs, base)
    assert (dict(merged.changes), list(merged.conflicts)) == ({}, [])


@given(TAGS, TAGS, TAGS)
def test_tags_never_conflict(base: list[str], theirs: list[str], mine: list[str]) -> None:
    merged = merge({"tags": base}, {"tags": theirs}, {"tags": mine})
    assert not merged.conflicts
    result = set(dict(merged.changes).get("tags", theirs))
    added = (set(theirs) | set(mine)) - set(base)
    removed = (set(base) - set(theirs)) | (set(base) - set(mine))
    assert result == (set(base) | added) - removed


@given(TAGS, TAGS, TAGS)
def test_lists_merge_alike_whichever_side_saves_first(base: list[str], one: list[str], other: list[str]) -> None:
    assert merged_list(base, one, other) == merged_list(base, other, one)


@given(TICKETS, st.lists(TICKETS, max_size=5))
def test_the_base_is_what_the_events_began_with(base: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    events, now = [], base
    for version, after in enumerate(steps, start=2):
        changes = {name: {"from": now[name], "to": after[name]} for name in NAMES if now[name] != after[name]}
        events.append(an_event(version, nested(changes)))
        now = after
    assert base_of(now, events) == base


@given(st.dictionaries(st.sampled_from(["device", "floor"]), st.integers()), st.text())
def test_custom_fields_stand_beside_the_others_and_go_back(custom: dict[str, int], subject: str) -> None:
    values = flat({"subject": subject, "custom": custom}, ["subject"])
    expected: dict[str, Any] = {"subject": subject} | ({"custom": custom} if custom else {})
    assert nested(values) == expected


def test_only_public_comments_hold_a_reply_back() -> None:
    events = [
        an_event(2, {"comment_id": 7}, "commented"),
        an_event(3, {"comment_id": 8}, "noted"),
        an_event(4, {"tags": {"from": [], "to": ["vip"]}}),
    ]
    assert public_comments(events) == [7]
