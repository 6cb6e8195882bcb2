"""How long an event takes from the response to its write until a client of a stream has it."""

import asyncio
import time
from typing import Final

from bench.feed.clients import create_tickets, open_stream, rate_of
from bench.feed.stage import Results, Stage, percentile, run
from bench.load import LoadFailed
from bench.server import Server

WRITES_PER_SECOND: Final = 500
LIMIT_MS: Final = 25
OTHER_PROCESS_LIMIT_MS: Final = 100
_TIMEOUT_S: Final = 10


def measure(stage: Stage, results: Results) -> None:
    """Measure a stream of the process that writes, then one of another process on the same database."""
    seconds = 4 if stage.is_quick else 20
    with stage.servers.copied(stage.template) as dsn, stage.serving(dsn) as writing:
        run(create_tickets(writing, per_second=100, seconds=1))
        for _ in range(stage.rounds):
            _add(stage, results, "the process that wrote", LIMIT_MS, run(_delays(writing, writing, seconds)))
        with stage.serving(dsn) as other:
            for _ in range(stage.rounds):
                _add(stage, results, "another process", OTHER_PROCESS_LIMIT_MS, run(_delays(writing, other, seconds)))


async def _delays(writing: Server, streaming: Server, seconds: float) -> tuple[list[float], float]:
    """Return the delay of each event in ms, and how many writes per second there were. Raises LoadFailed."""
    stream = await open_stream(streaming)
    try:
        await asyncio.sleep(1)  # the hub begins to follow the log
        answered_at = await create_tickets(writing, per_second=WRITES_PER_SECOND, seconds=seconds)
        deadline = time.monotonic() + _TIMEOUT_S
        while missing := answered_at.keys() - stream.arrived_at.keys():
            if time.monotonic() > deadline:
                raise LoadFailed(f"the events of {len(missing)} tickets did not arrive")
            await asyncio.sleep(0.05)
    finally:
        stream.close()
    delays = [1e3 * max(0, stream.arrived_at[each] - at) for each, at in answered_at.items()]
    return delays, rate_of(list(answered_at.values()))


def _add(stage: Stage, results: Results, where: str, limit_ms: float, measured: tuple[list[float], float]) -> None:
    delays, rate = measured
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    results.add(f"response to frame in {where}, p99", p99, limit=limit_ms, unit="ms")
    results.note(f"response to frame in {where}: p50", p50, "ms")
    results.note(f"response to frame in {where}: longest", max(delays), "ms")
    results.note(f"response to frame in {where}: writes per second", rate, "")
    stage.report(f"stream of {where}: p50 {p50:.1f} ms, p99 {p99:.1f} ms at {rate:.0f} writes/s")
