"""The steps of the renewers, as in src/db/cache/fence.py, and those of the servers and the network."""

from typing import TypeVar

from .cache_state import CURRENT, GONE, Case, Group, Key, Reader, Standby, State, Step, Steps, Writer
from .redis_steps import renew
from .writer_steps import arrived, is_marking, mark_down

Holder = TypeVar("Holder", Key, Reader)


def renew_or_set_up(case: Case, now: State) -> Steps:
    """Renew or make the fence, and let the group come up.

    There may be any number of renewers: for each reading a renewal may arrive, and again, until it is void.
    """
    for marks in now.readings if case.protocol.read_state else (now.group.marks,):
        # What a writer waits for covers the renewals that arrived before the mark; the window adds the readings.
        fence = renew(now.fence, marks if case.protocol.window else now.group.marks)
        does = "makes a new fence" if now.fence is None else "renews the fence"
        yield Step(f"a renewer that read mark {marks} {does}", now._replace(fence=fence))
    is_dead = now.fence is None or now.fence.marks >= now.group.marks
    is_relied_on = case.protocol.share_lock and any(writer.at == "relying" for writer in now.writers)
    if not now.group.is_up and not is_relied_on and (is_dead or not case.protocol.up_when_dead):
        up = now._replace(group=now.group._replace(is_up=True))
        are_void = case.protocol.window and case.protocol.up_when_dead
        kept = () if are_void else now.readings
        yield Step("the group comes up", up._replace(readings=(*kept, now.group.marks)))


def mark_elsewhere(case: Case, now: State) -> Steps:
    """Mark the group down for another ticket of the group."""
    if "mark elsewhere" in case.faults and now.group.is_up and now.group.marks < 2 and not is_marking(now):
        marked, _ = mark_down(now)
        yield Step("the group is marked down for another ticket", marked)


def expire(case: Case, now: State) -> Steps:
    """Evict the key, which also stands for its expiry, or let its lease or the fence expire."""
    later = now._replace(expiries_left=now.expiries_left - 1)
    if now.expiries_left:
        is_needed = not now.key.body and any(writer.at in {"ready", "decided"} for writer in now.writers)
        if now.key != Key() and ("evict floor" in case.faults or ("evict" in case.faults and not is_needed)):
            yield Step("the key is evicted", later._replace(key=Key()))
        if now.key.is_live and "expire lease" in case.faults:
            expired = later._replace(key=now.key._replace(is_live=False))
            yield Step(f"the lease of reader {now.key.lease} expires", expired)
    if now.fence is not None and "expire fence" in case.faults:
        yield Step("the fence expires", _without_fence(now))


def deliver(case: Case, now: State) -> Steps:
    """Let an invalidation arrive that was not acknowledged."""
    for late in now.under_way:
        rest = tuple(other for other in now.under_way if other != late)
        after = now._replace(key=arrived(case.protocol, now.key, late), under_way=rest)
        yield Step(f"the invalidation of number {late.number} arrives late", after)


def fail_over(case: Case, now: State) -> Steps:
    """Promote the replica of Redis, or the standby of PostgreSQL, which may not have received the last changes."""
    if now.replica is not None:
        if now.replica != now.key:
            yield Step("the replica of Redis catches up", now._replace(replica=now.key))
        promoted = now._replace(key=now.replica, replica=None)
        if case.protocol.dies_before_failover:
            promoted = _without_fence(promoted)
        yield Step("the replica of Redis is promoted", promoted)
    if now.standby is not None:
        sent = now.standby._replace(committed=now.committed, group=now.group)
        if now.standby != sent:
            yield Step("the standby of PostgreSQL catches up", now._replace(standby=sent))
        yield Step("the standby of PostgreSQL is promoted", _promoted(case, now, now.standby))


def _without_fence(now: State) -> State:
    """Return the state without the fence; no later fence has its epoch."""
    return now._replace(
        fence=None,
        key=_past(now.key),
        replica=None if now.replica is None else _past(now.replica),
        readers=tuple(map(_past, now.readers)),
    )


def _past(holder: Holder) -> Holder:
    return holder._replace(epoch=GONE) if holder.epoch == CURRENT else holder


def _promoted(case: Case, now: State, standby: Standby) -> State:
    """Return the state with the standby as primary: open transactions are rolled back, and commits may be lost."""
    committed = standby.committed
    marks = now.group.marks + 1 if case.protocol.new_periods else standby.group.marks
    group = Group(standby.group.is_up, marks)
    return now._replace(
        committed=committed,
        promised=min(now.promised, committed),
        group=group,
        readings=tuple(sorted({*now.readings, marks})) if group.is_up else now.readings,
        readers=tuple(reader._replace(needs=min(reader.needs, committed)) for reader in now.readers),
        writers=tuple(_failed_over(case, writer, committed) for writer in now.writers),
        standby=None,
        timeline=1,
        failed_over_at=marks,
    )


def _failed_over(case: Case, writer: Writer, committed: int) -> Writer:
    if writer.at in {"unsure", "marking", "relying", "ready"}:
        return writer._replace(at="rolled back", mark=0)
    if writer.at == "decided" and case.protocol.same_server:
        return writer._replace(at="rolled back", read=0)
    if writer.at in {"committed", "unmarked", "waiting", "crashed"} and writer.version > committed:
        return Writer("done") if writer.at == "crashed" else writer._replace(is_lost=True)
    return writer
