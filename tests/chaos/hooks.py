"""Webhooks, and their receiver, which fails, hangs, forgets, answers late, and is gone."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

import httpx2
from standardwebhooks import Webhook, WebhookVerificationError

from chaos.readers import Calm
from chaos.reading import Reading, Seen
from support.factories import JSON
from webhooks.receiver import Delivery, Receiver, Reply

# The sender waits for a second: see working.py.
LATE_S: Final = (0.05, 0.6)
HANGING_S: Final = (1.0, 3.0)
_DOWN_S: Final = (0.2, 2.0)
_GONE: Final = 410
_UNAVAILABLE: Final = 503
_MAX_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.25


@dataclass
class Hook:
    """A webhook: what it got, and how its receiver behaves. It is gone from `gone_at` until the end of the storm."""

    reading: Reading
    webhook_id: int
    verifier: Webhook
    gone_at: float = math.inf
    down_until: float = 0
    was_gone: bool = field(default=False)


class ChaoticReceiver:
    """Behaves at random for each request, until it is calm."""

    def __init__(self, receiver: Receiver, dice: Random, calm: Calm) -> None:
        self._receiver = receiver
        self._dice = dice
        self._calm = calm
        self.hooks: dict[str, Hook] = {}
        receiver.behaviour = self._receive

    async def add(self, client: httpx2.AsyncClient, headers: dict[str, str], reading: Reading, owner: str) -> Hook:
        """Create a webhook of an owner and return it."""
        path = f"/{len(self.hooks)}"
        url = self._receiver.url.rpartition("/")[0] + path
        body = {"url": url, "detail": reading.detail, "principal_id": owner}
        response = await client.post("/webhooks", json=body, headers=headers)
        assert response.status_code == 201, response.text
        webhook = response.json()
        hook = self.hooks[path] = Hook(reading, webhook["id"], Webhook(webhook["secret"]))
        return hook

    async def _receive(self, delivery: Delivery) -> Reply:
        hook = self.hooks[delivery.path]
        seen = Seen(delivery.event, at=time.monotonic(), accepted_at=math.inf)
        hook.reading.seen.append(seen)
        place = len(hook.reading.seen) - 1
        self._receiver.deliveries.clear()
        _verify(hook, delivery, seen)
        reply = await self._reply(hook)
        hook.reading.counts[f"answered {reply.status}"] += 1
        if 200 <= reply.status < 300:
            hook.reading.seen[place] = replace(seen, accepted_at=time.monotonic())
        return reply

    async def _reply(self, hook: Hook) -> Reply:
        if self._calm.is_calm:
            return Reply()
        now, luck = time.monotonic(), self._dice.random()
        if now > hook.gone_at:
            hook.was_gone = True
            return Reply(_GONE)
        if luck < 0.004:
            hook.down_until = now + self._dice.uniform(*_DOWN_S)
        if now < hook.down_until:
            luck /= 8  # one of the failures below
        if luck < 0.05:
            return Reply(500)
        if luck < 0.07:
            hook.reading.counts["hung"] += 1
            await asyncio.sleep(self._dice.uniform(*HANGING_S))
            return Reply(self._dice.choice([204, 500]))
        if luck < 0.11:
            hook.reading.counts["forgot"] += 1
            raise ConnectionResetError
        if luck < 0.125:
            return Reply(429, {"Retry-After": "1"})
        if luck < 0.2:
            hook.reading.counts["answered late"] += 1
            await asyncio.sleep(self._dice.uniform(*LATE_S))
        return Reply(self._dice.choice([200, 204]))


def _verify(hook: Hook, delivery: Delivery, seen: Seen) -> None:
    ticket_id, version = seen.id
    if delivery.id != f"evt_{ticket_id}_{version}":
        hook.reading.refusals.append(f"the message {delivery.id} has the event {seen.event['id']}")
    try:
        hook.verifier.verify(delivery.body, delivery.headers)
    except WebhookVerificationError as error:
        hook.reading.refusals.append(f"the signature of {delivery.id}: {error}")


async def switch_on(client: httpx2.AsyncClient, headers: dict[str, str], hook: Hook) -> None:
    """Check that the service switched a webhook off because its receiver was gone, and switch it on again."""
    webhook = await _request(client, "GET", f"/webhooks/{hook.webhook_id}", headers)
    if (webhook["state"], webhook["state_reason"], hook.was_gone) != ("off", "gone", True):
        hook.reading.refusals.append(f"it was gone, but it is {webhook['state']} ({webhook['state_reason']})")
    hook.reading.counts["events before it was off"] = len(hook.reading.accepted())
    await _request(client, "PATCH", f"/webhooks/{hook.webhook_id}", headers, {"state": "on"})


async def check_states(client: httpx2.AsyncClient, headers: dict[str, str], hooks: Sequence[Hook]) -> None:
    """Check that each webhook is on, and that nothing is dead or missed."""
    for hook in hooks:
        path = f"/webhooks/{hook.webhook_id}"
        webhook = await _request(client, "GET", path, headers)
        if webhook["state"] != "on" or webhook["missed_events"]:
            hook.reading.refusals.append(f"in the end it is {webhook['state']} and missed {webhook['missed_events']}")
        if dead := (await _request(client, "GET", f"{path}/deliveries?state=dead", headers))["items"]:
            hook.reading.refusals.append(f"in the end deliveries are dead: {dead[:3]}")


async def _request(
    client: httpx2.AsyncClient, method: str, path: str, headers: dict[str, str], body: JSON | None = None
) -> JSON:
    """Return the body of a response; connections that the storm has broken may take some attempts."""
    for _ in range(_MAX_ATTEMPTS):
        response = await client.request(method, path, headers=headers, json=body)
        if response.status_code != _UNAVAILABLE:
            break
        await asyncio.sleep(_PAUSE_S)
    assert response.status_code == 200, response.text
    found: JSON = response.json()
    return found
