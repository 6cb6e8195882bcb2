"""Checks what the readers of events got against the database, and lists the violations.

The log has each event of the history once, at positions without a gap, and the versions of a ticket ascend. Each reader
has every event that it may see at least once, none that it may not see, always with the same content, which is that of
the history. Pages and streams are in the order of the log; what is repeated after an interruption comes after events of
the same connection that precede it. Of webhooks, the first request with a version comes after the receiver has accepted
the earlier ones of its ticket.
"""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from chaos.reading import Detail, Id, Logged, Reading, Seen

_SHOWN = 5


def log_violations(history: Collection[Id], log: Sequence[tuple[int, Id]]) -> Iterator[str]:
    """Compare the log, pairs of a position and an event by position, with the events of the history."""
    ids = [event for _, event in log]
    if missing := set(history) - set(ids):
        yield f"the log lacks {_some(missing)}"
    if unknown := set(ids) - set(history):
        yield f"the log has {_some(unknown)}, which the history lacks"
    if len(ids) != len(set(ids)):
        yield f"the log has {len(ids) - len(set(ids))} events twice"
    positions = [position for position, _ in log]
    if positions != list(range(1, len(log) + 1)):
        yield "the positions of the log have gaps"
    latest: dict[int, int] = defaultdict(int)
    for position, (ticket_id, version) in log:
        if version <= latest[ticket_id]:
            yield f"at position {position}, version {version} of ticket {ticket_id} follows version {latest[ticket_id]}"
        latest[ticket_id] = version


def reader_violations(reading: Reading, log: Sequence[Logged]) -> Iterator[str]:
    """Check one reader against the events of the log."""
    known = {event.id: event for event in log}
    expected = {event.id for event in log if reading.may_see(event)}
    yield from (f"{reading.name} was refused: {refusal}" for refusal in reading.refusals[:_SHOWN])
    if lost := expected - reading.accepted():
        yield f"{reading.name} lacks {_some(lost)}"
    arrived = {seen.id for seen in reading.seen}
    if invented := arrived - known.keys():
        yield f"{reading.name} got {_some(invented)}, which the history lacks"
    if leaked := (arrived & known.keys()) - expected:
        yield f"{reading.name} got {_some(leaked)}, which it may not see"
    yield from (f"{reading.name}: {message}" for message in _content_violations(reading, known))
    order = _log_order(reading.seen) if reading.is_in_log_order else _ticket_order(reading.seen, expected)
    yield from (f"{reading.name}: {message}" for message in order)


def _content_violations(reading: Reading, known: dict[Id, Logged]) -> Iterator[str]:
    contents: dict[Id, str] = {}
    for seen in reading.seen:
        content = json.dumps(seen.event, sort_keys=True)
        first = contents.setdefault(seen.id, content)
        if content != first:
            yield f"{seen.event['id']} came again with another content: {content} after {first}"
        elif seen.id in known and (difference := _difference(reading, seen, known[seen.id])):
            yield difference


def _difference(reading: Reading, seen: Seen, logged: Logged) -> str | None:
    """Return what an event of the history differs in from the one that arrived; None for nothing."""
    event, data = seen.event, dict(seen.event["data"])
    comment = data.pop("comment", None)
    if seen.position != logged.position:
        return f"{event['id']} came as number {seen.position} of the log, and is number {logged.position}"
    version = event.get("ticketversion")
    if logged.ticket_id == 0:
        logged_subject, logged_version = str(logged.internal["webhook_id"]), None
    else:
        logged_subject, logged_version = str(logged.ticket_id), logged.version
    if (event["subject"], version) != (logged_subject, logged_version):
        return f"{event['id']} came for version {version} of {event['subject']}"
    expected = reading.data_of(logged)
    if data != expected:
        return f"{event['id']} came with {data}, but the history has {expected}"
    has_comment = reading.detail is Detail.FULL and "comment_id" in expected
    if (comment is not None) != has_comment or (comment and comment["id"] != expected["comment_id"]):
        return f"{event['id']} came with the comment {comment}"
    return None


def _log_order(arrived: Sequence[Seen]) -> Iterator[str]:
    newest: dict[int, int] = {}
    first = 0
    had: set[Id] = set()
    for seen in arrived:
        if seen.position <= newest.get(seen.connection, 0):
            yield f"{seen.event['id']} (number {seen.position}) came after number {newest[seen.connection]}"
        elif seen.id not in had and seen.position <= first:
            yield f"{seen.event['id']} (number {seen.position}) first came after number {first}"
        newest[seen.connection] = max(seen.position, newest.get(seen.connection, 0))
        first = max(seen.position, first)
        had.add(seen.id)


def _ticket_order(arrived: Sequence[Seen], expected: Collection[Id]) -> Iterator[str]:
    versions: dict[int, list[int]] = defaultdict(list)
    for ticket_id, version in sorted(expected):
        versions[ticket_id].append(version)
    accepted_at: dict[Id, float] = {}
    for seen in arrived:
        accepted_at[seen.id] = min(seen.accepted_at, accepted_at.get(seen.id, math.inf))
    checked: set[Id] = set()
    for seen in arrived:
        if seen.id in checked:
            continue
        checked.add(seen.id)
        ticket_id, version = seen.id
        earlier = [each for each in versions[ticket_id] if each < version]
        if early := [each for each in earlier if accepted_at.get((ticket_id, each), math.inf) > seen.at]:
            yield f"{seen.event['id']} came before its receiver had accepted the versions {early[:_SHOWN]}"


def _some(events: Collection[Id]) -> str:
    shown = ", ".join(f"{ticket_id}.{version}" for ticket_id, version in sorted(events)[:_SHOWN])
    return f"{len(events)} events ({shown}{', …' if len(events) > _SHOWN else ''})"
