"""The steps of a reader, as in `TicketCache` of src/db/cache/ticket_cache.py.

A load from PostgreSQL that begins after the read began is never stale. So a reader that loads without the lease is done
at once, and one that has the lease is only of interest for what it stores and shares.
"""

from .cache_state import NO_EPOCH, NO_LEASE, Case, Reader, State, Step, Steps, named, number_of
from .redis_steps import fill, has_epoch, release_lease, take_lease


def look_up(case: Case, now: State, me: int, _: Reader) -> Steps:
    """Read the key: find a body, or the load of another reader of the process; otherwise take the lease, or load.

    A reader that waits for the lease of another one looks again, and later loads without a fill.
    """
    if _is_after_its_twin(case, now, me):
        return
    key, release = now.key, _release(case, me)
    has_body = bool(key.body) and key.schema == release
    if not case.protocol.fence_last:
        found = Reader("looked", now.promised, epoch=_epoch(now))
        yield Step(f"reader {me} reads the fence", now.reader(me, found))
    elif has_body:
        found = Reader("looked", now.promised, key.body, key.epoch)
        yield Step(f"reader {me} finds {named(key.body)}", now.reader(me, found))
    elif any(_loads_to_join(case, now, me, key.lease)):
        found = Reader("looked", now.promised, key.version, lease=key.lease)
        yield Step(f"reader {me} finds the lease of reader {key.lease}", now.reader(me, found))
    if not case.protocol.lease_to_fill:
        if not has_body:
            yield Step(f"reader {me} misses", now.reader(me, _leading(now, me)))
        return
    reply, leased = take_lease(case.protocol, key, now.fence, me, release)
    if reply == "lease":
        taken = now.reader(me, _leading(now, me))
        yield Step(f"reader {me} misses and takes the lease", taken._replace(key=leased))
    elif reply != "hit":
        why = "does not wait longer" if reply == "wait" else "finds no fence"
        yield Step(f"reader {me} {why} and loads {named(now.committed)} without a fill", now.reader(me, Reader("done")))


def look_at_the_fence(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Read the fence, which allows a hit or to join a load. Otherwise read on as if the read began now."""
    if not case.protocol.fence_last:
        if now.key.body and now.key.epoch == reader.epoch:
            yield returned(case, now, me, reader, now.key.body, "reads the key and hits")
        return
    if reader.lease == NO_LEASE and has_epoch(case.protocol, now.fence, reader.epoch):
        yield returned(case, now, me, reader, reader.version, "hits")
        return
    joinable = [
        number
        for number in _loads_to_join(case, now, me, reader.lease)
        if not case.protocol.fence_to_join or has_epoch(case.protocol, now.fence, now.readers[number - 1].epoch)
    ]
    for leader in joinable:
        joined = now.reader(me, reader._replace(at="joined", lease=leader))
        yield Step(f"reader {me}, which found number {reader.version}, joins reader {leader}", joined)
    if not joinable:
        yield Step(f"reader {me} may not use what it found and looks again", now.reader(me, Reader()))


def load(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Read from PostgreSQL."""
    loaded = now.reader(me, reader._replace(at="loaded", version=now.committed))
    yield Step(f"reader {me} loads {named(now.committed)}", loaded)
    if "fail load" in case.faults:
        failed = now._replace(key=release_lease(now.key, me)).reader(me, Reader("done"))
        alone = (Reader("done") if _has_joined(other, me) else other for other in failed.readers)
        yield Step(f"reader {me} fails to load and releases the lease", failed._replace(readers=(*alone,)))


def fill_and_return(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Fill the cache if allowed, and return the result, also to the readers that joined if it is new enough."""
    epoch = reader.epoch if case.protocol.epoch_of_lease else _epoch(now)
    filled, is_stored = fill(case.protocol, now.key, me, reader.version, _release(case, me), epoch)
    after = now._replace(key=filled)
    step = returned(case, after, me, reader, reader.version, "fills" if is_stored else "is refused to fill")
    for number, other in enumerate(now.readers, 1):
        if not _has_joined(other, me) or step.broken:
            continue
        if case.protocol.compare_to_join and number_of(reader.version) < other.version:
            alone = step.state.reader(number, Reader("done"))
            step = Step(f"{step.description}; too old for reader {number}", alone)
        else:
            shared = returned(case, step.state, number, other, reader.version, "shares")
            step = shared._replace(description=f"{step.description}; {shared.description}")
    yield step


def returned(case: Case, now: State, me: int, reader: Reader, version: int, action: str) -> Step:
    """Return the step that ends a read, with the description of a stale read if it is one."""
    stale = (
        f"stale: reader {me} got {named(version)}, although {named(reader.needs)} was {case.promise} before it began"
    )
    done = now.reader(me, Reader("done"))
    return Step(f"reader {me} {action} {named(version)}", done, stale if version < reader.needs else "")


def _leading(now: State, me: int) -> Reader:
    return Reader("loading", lease=me, epoch=_epoch(now))


def _epoch(now: State) -> int:
    return now.fence.epoch if now.fence else NO_EPOCH


def _release(case: Case, me: int) -> str:
    return case.readers[me - 1][1]


def _is_after_its_twin(case: Case, now: State, me: int) -> bool:
    """Of readers that differ in their number only, the lower number begins first."""
    processes = [name[0] for name in case.readers]
    mine = case.readers[me - 1]
    for name, other in zip(case.readers[: me - 1], now.readers, strict=False):
        are_alone = processes.count(name[0]) == processes.count(mine[0]) == 1
        if other.at == "start" and (name == mine or (are_alone and name[1] == mine[1])):
            return True
    return False


def _loads_to_join(case: Case, now: State, me: int, lease: int) -> list[int]:
    """Return the loads of the same process that a reader may join which found this lease."""
    if lease == NO_LEASE:
        return []
    leases = [lease] if case.protocol.same_lease_to_join else range(1, len(now.readers) + 1)
    return [number for number in leases if number != me and _is_leading(case, now, number, me)]


def _is_leading(case: Case, now: State, leader: int, me: int) -> bool:
    other, is_here = now.readers[leader - 1], case.readers[leader - 1][0] == case.readers[me - 1][0]
    return is_here and other.at in {"loading", "loaded"}


def _has_joined(reader: Reader, leader: int) -> bool:
    return reader.at == "joined" and reader.lease == leader


READER_STEPS = {"start": look_up, "looked": look_at_the_fence, "loading": load, "loaded": fill_and_return}
