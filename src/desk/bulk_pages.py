"""Bulk changes of the ticked tickets of a list, or of all that match it: tried first, and made after a confirmation."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Response

from desk.desk_request import DeskRequest
from desk.forms import Form, new_key
from desk.problem_words import words_for
from desk.validation import validated
from schemas.bulk import BulkTarget
from services.idempotency import RetryKey

_FIELDS: Final = ("status", "priority", "assignee_id", "group_id")
NONE: Final = "none"
# What a refused ticket is refused with: 409.
_CONFLICT: Final = 409


async def bulk_page(asked: DeskRequest) -> Response:
    """Return the form of a bulk change, for the tickets that the form names."""
    form = await asked.form()
    ids = form.all("id")
    context = {"ids": ids, "query": "" if ids else form.text("query"), "staff": await asked.services.staff.current()}
    return asked.page("bulk.html", context)


async def try_bulk(asked: DeskRequest) -> Response:
    """Return what a bulk change would do, with a button that does it.

    Raises RequestValidationError, and what the service raises.
    """
    form = await asked.form()
    tried = await asked.services.bulk_changes.dry_run(_target(form), asked.principal)
    refused = [
        (asked.text(words_for(each.problem.rpartition("/")[2], _CONFLICT)[0]), each.count, each.ticket_ids)
        for each in tried.refused
    ]
    sent = [(name, value) for name in form for value in form.all(name) if value]
    return asked.page("bulk_try.html", {"tried": tried, "refused": refused, "sent": sent, "key": new_key()})


async def start_bulk(asked: DeskRequest) -> Response:
    """Start a bulk change, and show its progress. Raises RequestValidationError, and what the service raises."""
    form = await asked.form()
    target = _target(form)
    key = RetryKey(form.text("key"), target.model_dump_json().encode()) if form.text("key") else None
    started, _ = await asked.services.bulk_changes.start(target, asked.principal, key=key)
    return asked.redirect(f"desk/bulk/{json.loads(started.body)['id']}")


async def progress_page(asked: DeskRequest, run_id: int) -> Response:
    """Return the progress of a bulk change. Raises BulkRunNotFound."""
    run = await asked.services.bulk_changes.find(run_id, asked.principal)
    refused = [
        (each.ticket_id, asked.text(words_for(each.problem.rpartition("/")[2], _CONFLICT)[0]))
        for each in run.results
        if each.problem is not None
    ]
    is_part = asked.request.query_params.get("part") == "run"
    return asked.page("parts/bulk_run.html" if is_part else "bulk_run.html", {"run": run, "refused": refused})


def _target(form: Form) -> BulkTarget:
    ids = [form_id for form_id in form.all("id") if form_id]
    tickets: Mapping[str, Any] = {"ids": list(map(_number, ids))} if ids else {"query": form.text("query")}
    return validated(BulkTarget, **tickets, action=_action(form))


def _action(form: Form) -> dict[str, Any]:
    """Return the fields that the form sets: an empty one stays as it is, and `none` removes a value."""
    action: dict[str, Any] = {name: form.text(name) for name in _FIELDS if form.text(name)}
    for name in ("assignee_id", "group_id"):
        if action.get(name) == NONE:
            action[name] = None
        elif name == "group_id" and name in action:
            action[name] = form.number(name)
    for name in ("add_tags", "remove_tags"):
        if tags := _tags(form.text(name)):
            action[name] = tags
    return action


def _tags(text: str) -> Sequence[str]:
    return sorted({tag.strip().lower() for tag in text.split(",")} - {""})


def _number(text: str) -> int:
    return Form({"id": [text]}).number("id")
