"""Twenty webhooks: how long deliveries take, with one receiver that hangs and without it."""

import asyncio
import time
from collections.abc import Sequence
from itertools import product
from typing import Final

from bench.feed.clients import call, create_tickets
from bench.feed.receiver import Receiver
from bench.feed.stage import Results, Stage, percentile, run
from bench.load import LoadFailed
from bench.server import Server

WEBHOOKS: Final = 20
LIMIT: Final = 1.2
EVENTS_PER_SECOND: Final = 5
# The last one hangs in every other run. The delays are those of the others in both.
_HANGING: Final = frozenset({WEBHOOKS})
_OTHERS: Final = range(1, WEBHOOKS)
_TIMEOUT_S: Final = 30


def measure(stage: Stage, results: Results) -> None:
    """Measure both alternately, each time with a new process, and with webhooks that have no history.

    A receiver that hangs occupies four of the twenty requests of a process for 30 seconds: then it has failed often
    enough to be paused.
    """
    seconds = 10 if stage.is_quick else 30
    for number in range(stage.rounds):
        states = (True, False) if number % 2 else (False, True)
        delays = {is_hanging: _delays_of_run(stage, is_hanging=is_hanging, seconds=seconds) for is_hanging in states}
        with_ms, without_ms = (percentile(delays[is_hanging], 0.99) for is_hanging in (True, False))
        results.add(f"one hanging webhook of {WEBHOOKS} : none, the others' p99", with_ms / without_ms, limit=LIMIT)
        for title, is_hanging in (("none hangs", False), ("one hangs", True)):
            results.note(f"delivery of a webhook, {title}: p50", percentile(delays[is_hanging], 0.5), "ms")
            results.note(f"delivery of a webhook, {title}: p99", percentile(delays[is_hanging], 0.99), "ms")
        stage.report(f"webhooks: the others' p99 {with_ms:.1f} : {without_ms:.1f} ms")


def _delays_of_run(stage: Stage, *, is_hanging: bool, seconds: float) -> Sequence[float]:
    with (
        stage.servers.copied(stage.template) as dsn,
        stage.serving(dsn, role="admin", WEBHOOK_ALLOW="127.0.0.0/8") as server,
    ):
        return run(_delays(server, _HANGING if is_hanging else frozenset(), seconds))


async def _delays(server: Server, hanging: frozenset[int], seconds: float) -> Sequence[float]:
    """Return the time from the response to a write until each of the others has it, in ms. Raises LoadFailed."""
    receiver = Receiver(hanging)
    async with receiver.listening() as url:
        for number in range(1, WEBHOOKS + 1):
            await call(server, "POST", "/webhooks", {"url": f"{url}/{number}"}, expected=201)
        await create_tickets(server, per_second=EVENTS_PER_SECOND, seconds=2)  # opens the connections
        answered_at = await create_tickets(server, per_second=EVENTS_PER_SECOND, seconds=seconds)
        expected = set(product(_OTHERS, answered_at))
        deadline = time.monotonic() + _TIMEOUT_S
        while missing := expected - receiver.arrived_at.keys():
            if time.monotonic() > deadline:
                raise LoadFailed(f"{len(missing)} of {len(expected)} deliveries did not arrive")
            await asyncio.sleep(0.05)
        if hanging and not receiver.unanswered:
            raise LoadFailed("nothing was sent to the webhook that hangs")
    return [1e3 * max(0, receiver.arrived_at[number, each] - answered_at[each]) for number, each in expected]
