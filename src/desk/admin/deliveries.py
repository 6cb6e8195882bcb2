"""The log of the deliveries of a webhook, and their replay."""

from typing import Any, Final

from fastapi import Response

from desk.admin.inputs import YES
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.languages import N_
from desk.list_query import begin_of_day
from desk.validation import validated
from models import DeliveryState
from schemas.webhook_deliveries import DeliveryQuery, ReplayCreate

DELIVERIES: Final = "deliveries"
_PER_PAGE: Final = 50
_STATES: Final = {
    DeliveryState.PENDING: N_("waits"),
    DeliveryState.DONE: N_("delivered"),
    DeliveryState.DEAD: N_("failed for good"),
    DeliveryState.SKIPPED: N_("skipped"),
}


async def deliveries_page(asked: DeskRequest, webhook_id: int) -> Response:
    """Return a page of the log; with `replay` in the query, also the progress of a replay."""
    services, query = admin_services(asked), asked.request.query_params
    given = {name: query[name] for name in ("state", "cursor") if query.get(name)}
    wanted = validated(DeliveryQuery, "query", limit=str(_PER_PAGE), **given)
    page = await services.deliveries.page(webhook_id, wanted, asked.principal)
    replay_id = Form({"replay": [query["replay"]]}).number("replay") if query.get("replay") else None
    context = {
        "webhook": await services.webhooks.find(webhook_id, asked.principal),
        "deliveries": [(each, asked.clock.show(each.created_at).full) for each in page.items],
        "states": {state: asked.text(word) for state, word in _STATES.items()},
        "state": given.get("state", ""),
        "next_cursor": page.next_cursor,
        "replay": None if replay_id is None else await services.replays.find(webhook_id, replay_id, asked.principal),
    }
    return asked.page("admin/deliveries.html", context)


async def replay(asked: DeskRequest, webhook_id: int, form: Form) -> Response:
    """Send one delivery again, or the events since a day."""
    services = admin_services(asked)
    path = f"desk/admin/webhooks/{webhook_id}/{DELIVERIES}"
    if form.text("delivery"):
        await services.deliveries.replay(webhook_id, form.number("delivery"), asked.principal)
        return asked.redirect(path)
    since = begin_of_day(form.text("since"), asked.viewer.zone)
    members: dict[str, Any] = {"from": since, "only_dead": form.text("only_dead") == YES}
    new = validated(ReplayCreate, **members)
    started = await services.replays.start(webhook_id, new, asked.principal)
    return asked.redirect(f"{path}?replay={started.id}")
