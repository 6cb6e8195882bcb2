"""Reads the final state of the database."""

import json

import asyncpg

from chaos.history import Event, Final, State


async def finals(dsn: str) -> dict[int, Final]:
    """Return the final state of each ticket in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        tickets = await connection.fetch("SELECT id, version, status, subject, comment_count FROM tickets")
        events = await connection.fetch("SELECT ticket_id, version, data FROM ticket_events ORDER BY 1, 2")
        comments = await connection.fetch("SELECT id, ticket_id, text FROM comments ORDER BY id")
    finally:
        await connection.close()
    texts = {row["id"]: row["text"] for row in comments}
    events_of: dict[int, list[tuple[int, dict[str, object]]]] = {row["id"]: [] for row in tickets}
    comments_of: dict[int, list[str]] = {row["id"]: [] for row in tickets}
    for row in events:
        events_of[row["ticket_id"]].append((row["version"], json.loads(row["data"])))
    for row in comments:
        comments_of[row["ticket_id"]].append(row["text"])
    finals = {}
    for row in tickets:
        its, texts_of = events_of[row["id"]], comments_of[row["id"]]
        last = texts_of[-1] if texts_of else None
        state = State(row["status"], row["subject"], row["comment_count"], last)
        rows = [_event(version, data, texts, _first_subject(its, row["subject"])) for version, data in its]
        finals[row["id"]] = Final(row["id"], row["version"], state, rows, texts_of)
    return finals


def _event(version: int, data: dict[str, object], texts: dict[int, str], first_subject: str) -> Event:
    moved: tuple[str, str] | None = None
    match data.get("status"):
        case {"from": str(before), "to": str(after)}:
            moved = (before, after)
    match data:
        case {"comment_id": int(comment_id)}:
            return Event(version, texts.get(comment_id), is_comment=True, moved=moved)
        case {"subject": {"to": str(subject)}}:
            return Event(version, subject, moved=moved)
        case _:
            return Event(version, first_subject if version == 1 else None, moved=moved)


def _first_subject(events: list[tuple[int, dict[str, object]]], now: str) -> str:
    for _, data in events:
        match data.get("subject"):
            case {"from": str(subject)}:
                return subject
    return now


async def group_marks(dsn: str) -> tuple[int, int]:
    """Return how often fence groups were marked down, and how many are down now."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT state, downs FROM fence_groups")
    finally:
        await connection.close()
    return sum(row["downs"] for row in rows), sum(row["state"] == "down" for row in rows)
