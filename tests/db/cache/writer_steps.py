"""The steps of a writer, as in the write path of the ticket service and in src/db/cache/fence_groups.py."""

from .cache_state import Case, Group, Invalidation, Key, Protocol, State, Step, Steps, Writer, named, number_of
from .redis_steps import invalidate, invalidate_first

_HOLDS_ROW = frozenset({"unsure", "marking", "relying", "ready"})


def begin(case: Case, now: State, me: int, _: Writer) -> Steps:
    """Lock the row, which fixes the next version; then invalidate, so that no reader stores what is about to be old."""
    if any(writer.at in _HOLDS_ROW for writer in now.writers):
        return
    if any(writer.at == "start" for writer in now.writers[: me - 1]):
        return
    writer = Writer("ready", 10 * now.timeline + number_of(now.committed) + 1, is_invalidated=True)
    does = f"writer {me} locks the row for {named(writer.version)}"
    if case.unlocked and now.writers[me - 1].at == "start":
        yield from _decide(case, now, me, writer._replace(at="decided", read=now.committed))
    if not case.protocol.before_commit:
        yield Step(does, now.writer(me, writer))
        return
    invalidation = Invalidation(number_of(writer.version), is_first=True)
    key = arrived(case.protocol, now.key, invalidation)
    yield Step(f"{does} and invalidates", now.writer(me, writer)._replace(key=key))
    if now.losses_left:
        looks = case.protocol.fence and case.protocol.mark_with_commit
        unsure = now.writer(me, writer._replace(at="unsure" if looks else "ready", is_invalidated=False))
        yield Step(f"{does}; Redis does not reply to its invalidation", _sent(case, unsure, invalidation, losses=1))


def _decide(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Read the row without a lock, and invalidate; without a reply, start over with the lock."""
    invalidation = Invalidation(number_of(writer.version), is_first=True)
    does = f"writer {me} reads the row for {named(writer.version)}"
    key = arrived(case.protocol, now.key, invalidation)
    yield Step(f"{does} and invalidates", now.writer(me, writer)._replace(key=key))
    if now.losses_left:
        again = now.writer(me, Writer("start over"))
        yield Step(f"{does}; Redis does not reply to its invalidation", _sent(case, again, invalidation, losses=1))


def save_decided(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Save what was decided without a lock, or start over with the lock if the row is locked or has changed."""
    is_locked = any(other.at in _HOLDS_ROW for other in now.writers)
    is_unchanged = number_of(now.committed) == number_of(writer.read)
    if is_locked or (case.protocol.compare_to_save and not is_unchanged):
        yield Step(f"writer {me} finds the row locked or changed", now.writer(me, Writer("start over")))
        return
    writer = writer._replace(version=10 * now.timeline + number_of(writer.version))
    for step in end(case, now, me, writer._replace(read=0)):
        commits = step.state.writers[me - 1].at == "committed"
        if not commits or writer.read == now.committed:
            yield step
        else:
            lost = f"lost: writer {me} overwrites {named(now.committed)}, which it has not seen"
            yield step._replace(broken=lost)


def look_at_the_group(_: Case, now: State, me: int, writer: Writer) -> Steps:
    """Lock the row of the group: to mark it down with the commit, or, if it is down, in share mode until the commit."""
    if now.group.is_up:
        if not is_marking(now):
            marking = now.writer(me, writer._replace(at="marking"))
            yield Step(f"writer {me} sees the group up and is about to mark it down", marking)
    else:
        relying = writer._replace(at="relying", mark=now.group.marks)
        yield Step(f"writer {me} sees the group down and relies on it", now.writer(me, relying))


def end(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Commit, roll back, or crash."""
    promised = writer.version if case.promise == "committed" else now.promised
    committed = now._replace(committed=writer.version, promised=promised)
    if writer.at == "marking":
        committed, mark = mark_down(committed)
        after = writer._replace(at="committed", mark=mark)
        does = f"commits {named(writer.version)}, and with it the mark"
    else:
        after, does = writer._replace(at="committed"), f"commits {named(writer.version)}"
    yield Step(f"writer {me} {does}", committed.writer(me, after))
    if "roll back" in case.faults:
        yield Step(f"writer {me} rolls back", now.writer(me, writer._replace(at="rolled back", mark=0)))
    if "crash" in case.faults:
        yield Step(f"writer {me} crashes before its commit", now.writer(me, Writer("done")))


def invalidate_again(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Invalidate after the transaction, and acknowledge it if it was committed."""
    is_first = case.protocol.repeat_first and not writer.is_invalidated
    invalidation = Invalidation(number_of(writer.version), is_first)
    is_committed = writer.at == "committed"
    after, does = now, f"writer {me} continues"
    if case.protocol.after_commit:
        after = now._replace(key=arrived(case.protocol, now.key, invalidation))
        does = f"writer {me} invalidates again" if case.protocol.floor else f"writer {me} deletes the key"
    yield _acknowledged(after, me, writer, does) if is_committed else Step(does, after.writer(me, Writer("done")))
    if is_committed and "crash" in case.faults:
        is_gone = writer.is_lost  # with the record by which a repeated request would be recognized
        crashed = Writer("done") if is_gone else Writer("crashed", writer.version)
        yield Step(f"writer {me} crashes after its commit", now.writer(me, crashed))
    may_fail = now.losses_left or (not writer.is_invalidated and "lose invalidation" in case.faults)
    if case.protocol.after_commit and may_fail:
        sent = _sent(case, now, invalidation, losses=int(writer.is_invalidated))
        does = f"writer {me} invalidates again without a reply"
        if not is_committed:
            yield Step(does, sent.writer(me, Writer("done")))
        elif case.protocol.fence and writer.mark:
            yield Step(does, sent.writer(me, writer._replace(at="waiting")))
        elif case.protocol.fence and case.protocol.mark_after_commit:
            yield Step(does, sent.writer(me, writer._replace(at="unmarked")))
        else:
            yield _acknowledged(sent, me, writer, does)


def mark(_: Case, now: State, me: int, writer: Writer) -> Steps:
    """Mark the group down in a transaction of its own, unless it is down."""
    if is_marking(now):
        return
    marked, marks = mark_down(now) if now.group.is_up else (now, now.group.marks)
    does = "marks the group down" if now.group.is_up else "sees the group down"
    waiting = writer._replace(at="waiting", mark=marks)
    yield Step(f"writer {me} {does} in a transaction of its own", marked.writer(me, waiting))


def wait_until_dead(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Wait as long as a fence can live that was renewed on an older reading; after that no such renewal arrives."""
    if not case.protocol.wait:
        yield _acknowledged(now, me, writer, f"writer {me} does not wait")
    elif now.fence is None or now.fence.marks >= writer.mark:
        waited = now
        if case.protocol.window:
            waited = now._replace(readings=tuple(marks for marks in now.readings if marks >= writer.mark))
        if case.protocol.look_again and writer.mark < now.failed_over_at:
            again = waited.writer(me, writer._replace(at="unmarked", mark=0))
            yield Step(f"writer {me} has waited, and sees that PostgreSQL failed over", again)
        else:
            yield _acknowledged(waited, me, writer, f"writer {me} has waited")


def repeat(_: Case, now: State, me: int, writer: Writer) -> Steps:
    """Receive the request again: the transaction is not repeated, and nothing is known about the invalidations."""
    yield Step(f"the request of writer {me} is repeated", now.writer(me, Writer("committed", writer.version)))


def arrived(protocol: Protocol, key: Key, invalidation: Invalidation) -> Key:
    """Return the key after an invalidation."""
    does = invalidate_first if invalidation.is_first else invalidate
    return does(protocol, key, invalidation.number)


def mark_down(now: State) -> tuple[State, int]:
    """Return the state with the group down, and the number of the mark."""
    marks = now.group.marks + 1
    return now._replace(group=Group(is_up=False, marks=marks)), marks


def is_marking(now: State) -> bool:
    """Return whether a writer holds the exclusive lock of the row of the group, until its commit."""
    return any(writer.at == "marking" for writer in now.writers)


def _sent(case: Case, now: State, invalidation: Invalidation, *, losses: int) -> State:
    """Return the state with an invalidation that is not acknowledged: it arrives later, or never."""
    is_late = "late invalidation" in case.faults
    under_way = tuple(sorted({*now.under_way, invalidation})) if is_late else ()
    return now._replace(under_way=under_way, losses_left=now.losses_left - losses)


def _acknowledged(now: State, me: int, writer: Writer, does: str) -> Step:
    after = now.writer(me, Writer("done"))
    if not writer.is_lost:
        after = after._replace(promised=max(now.promised, writer.version))
    return Step(f"{does} and acknowledges {named(writer.version)}", after)


WRITER_STEPS = {
    "start": begin,
    "start over": begin,
    "decided": save_decided,
    "unsure": look_at_the_group,
    "marking": end,
    "relying": end,
    "ready": end,
    "committed": invalidate_again,
    "rolled back": invalidate_again,
    "unmarked": mark,
    "waiting": wait_until_dead,
    "crashed": repeat,
}
