"""Webhooks: the receivers of events."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response
from starlette.exceptions import HTTPException

from desk.admin import deliveries
from desk.admin.area import Act, Area, Change, Listing, Row, Stored, members_of, new_of
from desk.admin.inputs import Input, InputKind, Values, as_values, id_or_text
from desk.admin.options import group_options, staff_options
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import Form, ticket_number
from desk.languages import N_
from desk.validation import validated
from models import EventKind, WebhookDetail, WebhookState
from models.webhook import MAX_IN_FLIGHT
from schemas.webhooks import Webhook, WebhookCreate, WebhookPatch

_TYPES: Final = tuple((kind.value, kind.value) for kind in EventKind)
_DETAILS: Final = (
    (WebhookDetail.THIN.value, N_("Ids and names of what changed")),
    (WebhookDetail.FULL.value, N_("Everything that the owner may see")),
)
_STATES: Final = {
    WebhookState.ON: N_("on"),
    WebhookState.PAUSED: N_("paused"),
    WebhookState.OFF: N_("switched off by the service"),
}
_NEW: Final = (Input("secret", N_("Secret"), hint=N_("Empty: a new one, which is shown once."), max_length=94),)
_INPUTS: Final = (
    Input("url", N_("Address"), is_required=True, hint=N_("With https."), max_length=2_048),
    Input("detail", N_("Content"), InputKind.SELECT, _DETAILS),
    Input("types", N_("Only these events"), InputKind.CHECKS, _TYPES, hint=N_("None: all."), are_names=True),
    Input("tags", N_("Only of tickets with one of these tags"), InputKind.TEXTAREA, hint=N_("One on each line.")),
)
_PAUSE: Final = Act("pause", N_("Pause"), N_("Events wait until the webhook is on again."))
_RESUME: Final = Act("resume", N_("Switch on"), N_("Sending goes on where it stopped."))
_ACTS: Final = (
    Act("test", N_("Send a test"), N_("Sends an event of the type webhook.test and shows the response.")),
    Act("skip", N_("Skip the backlog"), N_("Events that were not sent yet are never sent.")),
    Act("rotate", N_("New secret"), N_("For 24 hours, requests are signed with the old secret too.")),
    Act("delete", N_("Delete"), N_("Nothing is sent any more, and the log of deliveries is deleted.")),
)


class WebhookArea(Area):
    """Webhooks."""

    slug = "webhooks"
    title = N_("Webhooks")
    about = N_("Addresses that events are sent to, and the log of their deliveries.")
    new = N_("New webhook")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return the webhooks in the order of their ids."""
        found = (await admin_services(asked).webhooks.all(asked.principal)).items
        rows = [Row(str(each.id), (each.url, _state(asked, each), str(each.pending))) for each in found]
        return Listing((N_("Address"), N_("State"), N_("Waiting")), rows)

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a webhook."""
        owners = [("", "–"), *await staff_options(asked)]
        owner = Input("principal_id", N_("Owner"), InputKind.SELECT, owners, hint=N_("Empty: you."), are_names=True)
        return (
            *_INPUTS,
            Input(
                "group_ids",
                N_("Only of tickets of these groups"),
                InputKind.CHECKS,
                await group_options(asked),
                are_names=True,
            ),
            Input("max_in_flight", N_("Requests at once"), InputKind.NUMBER, hint=N_("1 to 4.")),
            *((owner, *_NEW) if is_new else ()),
        )

    async def new_values(self, asked: DeskRequest) -> Values:
        """Return the usual values."""
        return as_values({"detail": WebhookDetail.THIN.value, "max_in_flight": MAX_IN_FLIGHT})

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a webhook."""
        webhook = await admin_services(asked).webhooks.find(ticket_number(key), asked.principal)
        staff, clock = await asked.services.staff.current(), asked.clock
        facts = [
            (N_("Owner"), staff.name_of(webhook.principal_id)),
            (N_("State"), _state(asked, webhook)),
            (N_("Waiting"), str(webhook.pending)),
            (N_("Never sent"), str(webhook.missed_events) if webhook.missed_events else ""),
            (N_("Fails since"), "" if webhook.failing_since is None else clock.show(webhook.failing_since).full),
            (N_("Paused until"), "" if webhook.paused_until is None else clock.show(webhook.paused_until).full),
        ]
        return Stored(
            webhook.url,
            as_values(webhook.model_dump(mode="json") | {"tags": "\n".join(webhook.tags)}),
            webhook.version,
            [fact for fact in facts if fact[1]],
            [_PAUSE if webhook.state is WebhookState.ON else _RESUME, *_ACTS],
            [(N_("Deliveries"), deliveries.DELIVERIES)],
        )

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a webhook, and return the page that shows its secret once."""
        others = {name: values.text_or_none(name) for name in ("principal_id", "secret")}
        new = new_of(WebhookCreate, _body(values) | others)
        created = await admin_services(asked).webhooks.create(new, asked.principal)
        return _secret_page(asked, created.id, created.secret)

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a webhook."""
        await _patch(asked, key, change.expected, **members_of(_body(change.values), change.names, {}))

    async def act(self, asked: DeskRequest, key: str, name: str, form: Form) -> Response | None:
        """Do what a button says."""
        webhooks, webhook_id = admin_services(asked).webhooks, ticket_number(key)
        match name:
            case "pause" | "resume" | "skip":
                patch: dict[str, dict[str, Any]] = {
                    "pause": {"state": "paused"},
                    "resume": {"state": "on"},
                    "skip": {"skip_backlog": True},
                }
                await _patch(asked, key, None, **patch[name])
            case "test":
                result = await webhooks.test(webhook_id, asked.principal)
                return asked.page("admin/webhook_test.html", {"result": result, "key": key})
            case "rotate":
                rotated = await webhooks.rotate_secret(webhook_id, asked.principal, expected={form.number("version")})
                return _secret_page(asked, webhook_id, rotated.secret)
            case "delete":
                await webhooks.delete(webhook_id, asked.principal, expected={form.number("version")})
                return asked.redirect("desk/admin/webhooks")
            case "replay" | "replay-delivery":
                return await deliveries.replay(asked, webhook_id, form)
            case _:
                raise HTTPException(404)
        return None

    async def part(self, asked: DeskRequest, key: str, name: str) -> Response:
        """Return the log of deliveries."""
        if name != deliveries.DELIVERIES:
            raise HTTPException(404)
        return await deliveries.deliveries_page(asked, ticket_number(key))


async def _patch(asked: DeskRequest, key: str, expected: set[int] | None, **members: Any) -> None:  # noqa: ANN401 - of a patch
    patch = validated(WebhookPatch, **members)
    await admin_services(asked).webhooks.change(ticket_number(key), patch, asked.principal, expected=expected)


def _secret_page(asked: DeskRequest, webhook_id: int, secret: str) -> Response:
    context = {"secret": secret, "title": N_("Secret of the webhook"), "back": f"desk/admin/webhooks/{webhook_id}"}
    return asked.page("admin/secret.html", context)


def _body(values: Values) -> dict[str, Any]:
    return {
        "url": values.text("url").strip(),
        "detail": values.text("detail"),
        "types": values.get("types", []),
        "tags": [tag.lower() for tag in values.lines("tags")],
        "group_ids": [id_or_text(value) for value in values.get("group_ids", [])],
        "max_in_flight": values.number("max_in_flight"),
    }


def _state(asked: DeskRequest, webhook: Webhook) -> str:
    word = asked.text(_STATES[webhook.state])
    return word if webhook.state_reason is None else f"{word} ({webhook.state_reason})"
