"""A model of the publisher of the event log, checked over every order of its steps. Start here to learn the protocol.

    writer      take a transaction id → write the event of the next version, with the lock of the ticket → commit, or
                abort
    publisher   lock → read the state of the last round → take a snapshot, give positions to what it sees and the state
                has not seen → commit; or it is killed at any step

A transaction may have its id long before it writes its event, and commit long after. A snapshot is that of PostgreSQL:
`xmax` is one more than the highest id that has ended, and `xip` are the lower ids that have not ended.

The promises: at any time, the log has positions without gaps, committed events only, each at most once, and the
versions of each ticket ascend. An event that was committed before the transaction of another one began comes before
that one. When all writers have ended, one more round publishes everything that is missing, however the rounds before it
ended.

`check` explores every order of the steps, and returns the shortest that breaks a promise, if one exists.
`publisher_cases.py` has the protocols that are checked. `python tests/events/explore.py` prints all results.
"""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

Way = Literal["snapshots", "highest id", "oldest transaction"]


class Protocol(NamedTuple):
    """The parts of the protocol; each can be left out."""

    way: Way = "snapshots"
    lock: bool = True
    lock_before_state: bool = True  # the state is read after the lock is taken
    under_way: bool = True  # the transactions of `xip` are looked up too
    same_snapshot: bool = True  # the state keeps the snapshot of the statement that reads the events
    by_time: bool = True  # the events of one round are sorted by time and version, and not by transaction id
    with_state: bool = True  # the positions and the state are committed together


class Case(NamedTuple):
    """One check: each writer changes one ticket, given by a letter; each publisher begins so many rounds."""

    name: str
    protocol: Protocol = Protocol()
    tickets: str = "AAB"
    rounds: tuple[int, ...] = (2, 1)
    aborts: int = 1
    kills: int = 1


class Snapshot(NamedTuple):
    """Which transactions had ended: those below `xmax` that are not in `xip`."""

    xmax: int = 1
    xip: tuple[int, ...] = ()


class Seen(NamedTuple):
    """What a round leaves for the next one; the two last members are those of the broken ways."""

    snapshot: Snapshot = Snapshot()
    last: int = 0  # the highest position
    number: int = 0  # the highest number of an event, or the transaction up to which all had ended


class Writer(NamedTuple):
    """One transaction. `number` is drawn from a sequence, as the time is, when the event is written."""

    at: Literal["start", "began", "wrote", "committed", "aborted"] = "start"
    xid: int = 0
    number: int = 0
    version: int = 0
    after: tuple[int, ...] = ()  # the writers that had committed before it began


class Publisher(NamedTuple):
    """One round. `state` is what it read, `added` and `left` are what it commits."""

    at: Literal["idle", "locked", "read", "logged", "noted"] = "idle"
    rounds: int = 0
    state: Seen = Seen()
    added: tuple[tuple[int, int], ...] = ()
    left: Seen = Seen()


class State(NamedTuple):
    """The state of the model. The log has pairs of a position and the number of a writer, in the order of commits."""

    writers: tuple[Writer, ...]
    publishers: tuple[Publisher, ...]
    log: tuple[tuple[int, int], ...] = ()
    seen: Seen = Seen()
    next_xid: int = 1
    next_number: int = 1
    ended: int = 0  # the highest transaction id that has ended
    aborts: int = 0
    kills: int = 0

    def writer(self, me: int, writer: Writer) -> "State":
        """Return the state with one writer replaced."""
        return self._replace(writers=(*self.writers[:me], writer, *self.writers[me + 1 :]))

    def publisher(self, me: int, publisher: Publisher) -> "State":
        """Return the state with one publisher replaced."""
        return self._replace(publishers=(*self.publishers[:me], publisher, *self.publishers[me + 1 :]))


Steps = Iterator[tuple[str, State]]
Trail = tuple["Trail", str] | None


def check(case: Case) -> tuple[int, list[str]]:
    """Return the number of states, and the shortest sequence of steps that breaks a promise; empty if all hold."""
    publishers = tuple(Publisher(rounds=rounds) for rounds in case.rounds)
    first = State((Writer(),) * len(case.tickets), publishers, aborts=case.aborts, kills=case.kills)
    seen = {first}
    queue: deque[tuple[State, Trail]] = deque([(first, None)])
    while queue:
        now, trail = queue.popleft()
        if broken := broken_promise(case, now):
            return len(seen), [*_descriptions(trail), broken]
        for description, state in steps(case, now):
            if state not in seen:
                seen.add(state)
                queue.append((state, (trail, description)))
    return len(seen), []


def broken_promise(case: Case, now: State) -> str:
    """Return which promise the log breaks; empty if none."""
    positions = [position for position, _ in now.log]
    if len({writer for _, writer in now.log}) < len(now.log):
        return "an event is published twice"
    if sorted(positions) != list(range(1, len(positions) + 1)):
        return "two events have one position, or a position is missing"
    order = [writer for _, writer in sorted(now.log)]
    if any(now.writers[writer].at != "committed" for writer in order):
        return "an event is published that is not committed"
    for ticket in set(case.tickets):
        versions = [now.writers[writer].version for writer in order if case.tickets[writer] == ticket]
        if any(later < earlier for earlier, later in pairwise(versions)):
            return "the versions of a ticket descend"
    if any(later in now.writers[earlier].after for at, earlier in enumerate(order) for later in order[at:]):
        return "an event comes before one that was committed before it began"
    return _lost(case, now)


def _lost(case: Case, now: State) -> str:
    """Return whether a last round would leave a committed event out for ever."""
    if any(each.at not in {"committed", "aborted"} for each in now.writers):
        return ""
    if any(each.at != "idle" for each in now.publishers):
        return ""
    published = {writer for _, writer in (*now.log, *_added(case.protocol, now, now.seen))}
    if any(each.at == "committed" and me not in published for me, each in enumerate(now.writers)):
        return "an event is never published"
    return ""


def steps(case: Case, now: State) -> Steps:
    """Return every step that is possible next, with its description."""
    for me in range(len(now.writers)):
        yield from _writer_steps(case, now, me)
    for me in range(len(now.publishers)):
        yield from _publisher_steps(case, now, me)


def _writer_steps(case: Case, now: State, me: int) -> Steps:
    writer, name = now.writers[me], f"writer {me + 1}"
    if writer.at == "start":
        after = tuple(other for other, each in enumerate(now.writers) if each.at == "committed")
        began = now.writer(me, Writer("began", now.next_xid, after=after))
        yield f"{name} takes transaction {now.next_xid}", began._replace(next_xid=now.next_xid + 1)
    elif writer.at == "began":
        of_ticket = [each for each, ticket in zip(now.writers, case.tickets, strict=True) if ticket == case.tickets[me]]
        if not any(each.at == "wrote" for each in of_ticket):
            version = 1 + sum(each.at == "committed" for each in of_ticket)
            wrote = now.writer(me, writer._replace(at="wrote", number=now.next_number, version=version))
            does = f"{name} writes version {version} of ticket {case.tickets[me]}"
            yield does, wrote._replace(next_number=now.next_number + 1)
    elif writer.at == "wrote":
        ended = now._replace(ended=max(now.ended, writer.xid))
        yield f"{name} commits", ended.writer(me, writer._replace(at="committed"))
        if now.aborts:
            yield f"{name} aborts", ended.writer(me, writer._replace(at="aborted"))._replace(aborts=now.aborts - 1)


def _publisher_steps(case: Case, now: State, me: int) -> Steps:
    protocol, publisher, name = case.protocol, now.publishers[me], f"publisher {me + 1}"
    first, second = ("locked", "read") if protocol.lock_before_state else ("read", "locked")
    if publisher.at == "idle" and publisher.rounds:
        begun = publisher._replace(rounds=publisher.rounds - 1)
        yield from _lock_or_read(protocol, now, me, begun, first)
    elif publisher.at == first:
        yield from _lock_or_read(protocol, now, me, publisher, second)
    elif publisher.at == second:
        yield from _log(protocol, now, me)
    elif publisher.at in {"logged", "noted"}:
        yield from _end(protocol, now, me)
    if publisher.at != "idle" and now.kills:
        yield f"{name} is killed", now.publisher(me, Publisher(rounds=publisher.rounds))._replace(kills=now.kills - 1)


def _lock_or_read(protocol: Protocol, now: State, me: int, publisher: Publisher, what: str) -> Steps:
    if what == "read":
        read = publisher._replace(at="read", state=now.seen)
        yield f"publisher {me + 1} reads the state", now.publisher(me, read)
    elif not protocol.lock or not any(_holds_lock(protocol, each) for each in now.publishers):
        yield f"publisher {me + 1} takes the lock", now.publisher(me, publisher._replace(at="locked"))


def _holds_lock(protocol: Protocol, publisher: Publisher) -> bool:
    return publisher.at not in ({"idle"} if protocol.lock_before_state else {"idle", "read"})


def _log(protocol: Protocol, now: State, me: int) -> Steps:
    """Carry out the third statement: its snapshot, the positions, and the new state, which are not visible yet."""
    publisher = now.publishers[me]
    added = _added(protocol, now, publisher.state)
    number = _horizon(now) if protocol.way == "oldest transaction" else publisher.state.number
    if protocol.way == "highest id":
        number = max((now.writers[writer].number for _, writer in added), default=number)
    left = Seen(_snapshot(now), publisher.state.last + len(added), number)
    logged = publisher._replace(at="logged", state=Seen(), added=added, left=left if added else publisher.state)
    yield f"publisher {me + 1} logs {len(added)} events", now.publisher(me, logged)


def _end(protocol: Protocol, now: State, me: int) -> Steps:
    """Make what the third statement did visible, as far as there is anything."""
    publisher, name = now.publishers[me], f"publisher {me + 1}"
    if publisher.at == "logged" and not protocol.same_snapshot:
        left = publisher.left._replace(snapshot=_snapshot(now))
        yield f"{name} notes another snapshot", now.publisher(me, publisher._replace(at="noted", left=left))
        return
    ended = Publisher(rounds=publisher.rounds)
    logged = now._replace(log=(*now.log, *publisher.added)).publisher(me, ended)
    yield f"{name} commits", logged._replace(seen=publisher.left) if publisher.added else logged
    if publisher.added and not protocol.with_state:
        yield f"{name} commits the positions, and is killed", logged


def _added(protocol: Protocol, now: State, state: Seen) -> tuple[tuple[int, int], ...]:
    """Return what a round that read this state publishes now."""
    committed = [me for me, writer in enumerate(now.writers) if writer.at == "committed"]
    fresh = [me for me in committed if _is_fresh(protocol, now, now.writers[me], state)]
    if protocol.way == "snapshots" and protocol.by_time:
        fresh.sort(key=lambda me: now.writers[me].number)
    else:
        fresh.sort(key=lambda me: now.writers[me].number if protocol.way == "highest id" else now.writers[me].xid)
    return tuple((state.last + at, me) for at, me in enumerate(fresh, 1))


def _is_fresh(protocol: Protocol, now: State, writer: Writer, state: Seen) -> bool:
    if protocol.way == "highest id":
        return writer.number > state.number
    if protocol.way == "oldest transaction":
        return state.number <= writer.xid < _horizon(now)
    return writer.xid >= state.snapshot.xmax or (protocol.under_way and writer.xid in state.snapshot.xip)


def _snapshot(now: State) -> Snapshot:
    xmax = now.ended + 1
    return Snapshot(xmax, tuple(sorted(xid for xid in _running(now) if xid < xmax)))


def _horizon(now: State) -> int:
    """Return the oldest transaction that runs: all below it have ended."""
    return min(_running(now), default=now.ended + 1)


def _running(now: State) -> list[int]:
    return [writer.xid for writer in now.writers if writer.at in {"began", "wrote"}]


def _descriptions(trail: Trail) -> list[str]:
    return [] if trail is None else [*_descriptions(trail[0]), trail[1]]
