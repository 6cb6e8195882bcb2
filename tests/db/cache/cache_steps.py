"""The steps of the cache protocol, which `cache_model` executes in every order.

A step is atomic: one command of Redis or PostgreSQL, and what the process does after it without waiting. Each step is a
function that yields its possible results.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

NO_LEASE: Final = 0

Promise = Literal["acknowledged", "committed"]
Fault = Literal["evict", "evict floor", "expire lease", "roll back", "crash", "fail load", "lose floor"]


class Protocol(NamedTuple):
    """The rules of the cache. A broken protocol sets one or more of them to False."""

    lease_to_fill: bool = True  # a fill is refused unless its reader has the lease
    compare_to_fill: bool = True  # a fill is refused if its version is below the floor
    floor: bool = True  # an invalidation sets a floor; otherwise it only deletes the key
    before_commit: bool = True  # writers invalidate before the commit
    after_commit: bool = True  # writers invalidate after the commit
    same_lease_to_join: bool = True  # a reader joins only the load whose lease is in Redis
    compare_to_join: bool = True  # it takes the result only if that is not below the version in Redis


class Case(NamedTuple):
    """One check: every order of the steps of these readers and writers, with these faults.

    The name of a reader is its process, a letter, and its release, a digit. Each release stores and reads bodies of its
    own schema. The key is evicted, or its lease expires, at most `expiries` times in total. Without the fault "evict
    floor", a floor outlives its transaction: the floor lives for 30 s, and a writer aborts after 10 s.

    The promise: a read that begins after a write was "acknowledged", or already when it is "committed", returns at
    least the version of that write. With "committed", a later read also never returns an older version than an earlier
    one.
    """

    name: str
    protocol: Protocol
    promise: Promise
    faults: frozenset[Fault] = frozenset()
    readers: tuple[str, ...] = ("A1", "B1")
    writers: int = 2
    expiries: int = 2


class Key(NamedTuple):
    """The key of the ticket in Redis; `Key()` means that the key does not exist."""

    version: int = 0  # of the body; without a body, the floor
    body: str = ""  # the release that stored it; empty without a body
    lease: int = NO_LEASE  # the reader that took it
    is_live: bool = False  # whether the lease has not expired


class Reader(NamedTuple):
    """One read. `version` and `lease` are those that it found in the key; later the lease under which it loads."""

    at: Literal["start", "deciding", "joined", "loading", "loaded", "done"] = "start"
    needs: int = 0
    version: int = 0
    lease: int = NO_LEASE


class Writer(NamedTuple):
    """One write. From "locked" to the end of its transaction it holds the lock of the row."""

    at: Literal["start", "locked", "ready", "committed", "rolled back", "done"] = "start"
    version: int = 0


class State(NamedTuple):
    """The state of the model; `promised` is the lowest version that a read beginning now may return."""

    committed: int
    promised: int
    key: Key
    readers: tuple[Reader, ...]
    writers: tuple[Writer, ...]
    expiries_left: int

    def reader(self, number: int, reader: Reader) -> "State":
        """Return the state with one reader replaced."""
        return self._replace(readers=(*self.readers[: number - 1], reader, *self.readers[number:]))

    def writer(self, number: int, writer: Writer) -> "State":
        """Return the state with one writer replaced."""
        return self._replace(writers=(*self.writers[: number - 1], writer, *self.writers[number:]))


class Step(NamedTuple):
    """A possible step: its description, the state after it, and a description of the stale read that it causes."""

    description: str
    state: State
    stale: str = ""


Steps = Iterator[Step]


# Steps of Redis, as in src/db/cache/scripts.py.


def take_lease(key: Key, reader: int, release: str) -> Key | None:
    """Return the key with the lease of a reader; None if it has a body or an unexpired lease."""
    return None if key.body == release or key.is_live else key._replace(lease=reader, is_live=True)


def fill(protocol: Protocol, key: Key, reader: int, version: int, release: str) -> tuple[Key, bool]:
    """Return the key after a fill, and whether the body was stored."""
    if protocol.lease_to_fill and not (key.lease == reader and key.is_live):
        return key, False
    if protocol.compare_to_fill and version < key.version:
        return release_lease(key, reader), False
    return Key(version, release), True


def release_lease(key: Key, reader: int) -> Key:
    """Return the key without the lease of this reader."""
    return key._replace(lease=NO_LEASE, is_live=False) if key.lease == reader else key


def invalidate(protocol: Protocol, key: Key, version: int) -> Key:
    """Return the key with the floor raised; an older body and the lease are dropped."""
    if not protocol.floor:
        return Key()
    return Key(version) if key.version < version else key


# Steps of a reader, as in TicketCache._read.


def look_up(case: Case, now: State, me: int, _: Reader) -> Steps:
    """Read the key, without changing it."""
    before_me = zip(case.readers[: me - 1], now.readers, strict=False)
    if any(other.at == "start" for name, other in before_me if name == case.readers[me - 1]):
        return
    reader = Reader("deciding", now.promised, now.key.version, now.key.lease)
    if now.key.body == case.readers[me - 1][1]:
        yield _returned(case, now, me, reader, now.key.version, "hits")
    elif case.protocol.lease_to_fill:
        yield Step(f"reader {me} misses", now.reader(me, reader))
    else:
        yield Step(f"reader {me} misses", now.reader(me, Reader("loading", now.promised, lease=me)))


def join_or_lease(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Join a load of the same process; otherwise take the lease, or wait for the lease of another reader."""
    leases = {reader.lease} if case.protocol.same_lease_to_join else {*range(1, len(now.readers) + 1)}
    loads = [number for number in leases - {NO_LEASE, me} if reader.lease and _is_leading(case, now, number, me)]
    for leader in loads:
        joined = reader._replace(at="joined", lease=leader)
        yield Step(f"reader {me}, which found version {reader.version}, joins reader {leader}", now.reader(me, joined))
    if loads:
        return
    leased = take_lease(now.key, me, case.readers[me - 1][1])
    if leased is not None:
        taken = now.reader(me, Reader("loading", reader.needs, lease=me))
        yield Step(f"reader {me} takes the lease", taken._replace(key=leased))
    elif now.key.body == case.readers[me - 1][1]:
        yield _returned(case, now, me, reader, now.key.version, "hits")
    else:
        waiting = reader._replace(version=now.key.version, lease=now.key.lease)
        yield Step(f"reader {me} waits for reader {now.key.lease}", now.reader(me, waiting))
        yield Step(f"reader {me} stops waiting", now.reader(me, Reader("loading", reader.needs)))


def load(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Read from PostgreSQL. A reader without the lease returns the result."""
    if reader.lease != me:
        yield _returned(case, now, me, reader, now.committed, "loads, without a fill,")
        return
    loaded = reader._replace(at="loaded", version=now.committed)
    yield Step(f"reader {me} loads version {now.committed}", now.reader(me, loaded))
    if "fail load" in case.faults:
        failed = now._replace(key=release_lease(now.key, me)).reader(me, Reader("done"))
        alone = (r._replace(at="loading", lease=NO_LEASE) if _has_joined(r, me) else r for r in failed.readers)
        yield Step(f"reader {me} fails to load and releases the lease", failed._replace(readers=(*alone,)))


def fill_and_return(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Fill the cache if allowed, and return the result, also to the readers that joined if it is new enough."""
    filled, is_stored = fill(case.protocol, now.key, me, reader.version, case.readers[me - 1][1])
    after = now._replace(key=filled)
    step = _returned(case, after, me, reader, reader.version, "fills" if is_stored else "is refused to fill")
    for number, other in enumerate(now.readers, 1):
        if not _has_joined(other, me) or step.stale:
            continue
        if case.protocol.compare_to_join and reader.version < other.version:
            alone = step.state.reader(number, other._replace(at="loading", lease=NO_LEASE))
            step = Step(f"{step.description}; too old for reader {number}", alone)
        else:
            shared = _returned(case, step.state, number, other, reader.version, "shares")
            step = shared._replace(description=f"{step.description}; {shared.description}")
    yield step


# Steps of a writer, as in the write path of the ticket service.


def lock(case: Case, now: State, me: int, _: Writer) -> Steps:
    """Lock the row; the lock fixes the next version."""
    is_locked = any(writer.at in {"locked", "ready"} for writer in now.writers)
    if is_locked or any(writer.at == "start" for writer in now.writers[: me - 1]):
        return
    version = now.committed + 1
    locked = Writer("locked" if case.protocol.before_commit else "ready", version)
    yield Step(f"writer {me} locks the row for version {version}", now.writer(me, locked))


def raise_floor(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Invalidate before the commit, so that no reader stores a version that is about to become old."""
    ready = now.writer(me, writer._replace(at="ready"))
    key = invalidate(case.protocol, now.key, writer.version)
    yield Step(f"writer {me} raises the floor to {writer.version}", ready._replace(key=key))
    if "lose floor" in case.faults:
        yield Step(f"writer {me} cannot reach Redis and continues", ready)


def commit(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Commit, roll back, or crash."""
    promised = writer.version if case.promise == "committed" else now.promised
    committed = now._replace(committed=writer.version, promised=promised)
    yield Step(f"writer {me} commits version {writer.version}", committed.writer(me, writer._replace(at="committed")))
    if "roll back" in case.faults:
        yield Step(f"writer {me} rolls back", now.writer(me, writer._replace(at="rolled back")))
    if "crash" in case.faults:
        yield Step(f"writer {me} crashes before its commit", now.writer(me, Writer("done")))


def invalidate_again(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Invalidate after the transaction, and acknowledge it if it was committed."""
    ended = now.writer(me, Writer("done"))
    action = "continues"
    if case.protocol.after_commit:
        action = "invalidates again" if case.protocol.floor else "deletes the key"
        ended = ended._replace(key=invalidate(case.protocol, now.key, writer.version))
    if writer.at == "rolled back":
        yield Step(f"writer {me} {action}", ended)
        return
    ended = ended._replace(promised=max(now.promised, writer.version))
    yield Step(f"writer {me} {action} and acknowledges version {writer.version}", ended)
    if "crash" in case.faults:
        yield Step(f"writer {me} crashes after its commit", now.writer(me, Writer("done")))


def expire(case: Case, now: State) -> Steps:
    """Evict the key, which also stands for its expiry, or let its lease expire."""
    later = now._replace(expiries_left=now.expiries_left - 1)
    is_needed = not now.key.body and any(writer.at == "ready" for writer in now.writers)
    if now.key != Key() and ("evict floor" in case.faults or ("evict" in case.faults and not is_needed)):
        yield Step("the key is evicted", later._replace(key=Key()))
    if now.key.is_live and "expire lease" in case.faults:
        yield Step(f"the lease of reader {now.key.lease} expires", later._replace(key=now.key._replace(is_live=False)))


READER_STEPS: Final = {"start": look_up, "deciding": join_or_lease, "loading": load, "loaded": fill_and_return}
WRITER_STEPS: Final = {
    "start": lock,
    "locked": raise_floor,
    "ready": commit,
    "committed": invalidate_again,
    "rolled back": invalidate_again,
}


def steps(case: Case, now: State) -> Steps:
    """Return every step that is possible next."""
    for number, reader in enumerate(now.readers, 1):
        if reader.at in READER_STEPS:
            yield from READER_STEPS[reader.at](case, now, number, reader)
    for number, writer in enumerate(now.writers, 1):
        if writer.at in WRITER_STEPS:
            yield from WRITER_STEPS[writer.at](case, now, number, writer)
    if now.expiries_left:
        yield from expire(case, now)


def _returned(case: Case, now: State, me: int, reader: Reader, version: int, action: str) -> Step:
    is_stale = version < reader.needs
    stale = (
        f"stale: reader {me} got version {version}, although version {reader.needs} was {case.promise} before it began"
    )
    return Step(f"reader {me} {action} version {version}", now.reader(me, Reader("done")), stale if is_stale else "")


def _is_leading(case: Case, now: State, leader: int, me: int) -> bool:
    other, is_here = now.readers[leader - 1], case.readers[leader - 1][0] == case.readers[me - 1][0]
    return is_here and other.at in {"loading", "loaded"} and other.lease == leader


def _has_joined(reader: Reader, leader: int) -> bool:
    return reader.at == "joined" and reader.lease == leader
