"""The steps of the cache protocol, as `cache_model` lets them follow each other in every order.

A step is what happens at once: one command of Redis or of PostgreSQL, together with what a process then does without
waiting. Each is a function that returns what can come of it.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

NOBODY: Final = 0

Promise = Literal["acknowledged", "committed"]
Fault = Literal["evict", "evict floor", "end lease", "roll back", "crash", "fail load", "lose floor"]


class Protocol(NamedTuple):
    """What the cache does; each broken protocol differs from the real one where it says so."""

    lease_to_fill: bool = True  # a fill is refused unless its reader has the live lease
    compare_to_fill: bool = True  # a fill is refused below the version that the key has
    floor: bool = True  # an invalidation leaves a floor, else it just deletes the key
    before_commit: bool = True  # writers invalidate before the commit
    after_commit: bool = True  # writers invalidate after the commit
    same_lease_to_join: bool = True  # only the load under the very lease that Redis names is joined
    compare_to_join: bool = True  # what it brought is taken only if it is not below the version that Redis named


class Case(NamedTuple):
    """What is checked: every order of the steps of these readers and writers, with these faults.

    Each of `readers` is named after the process it runs in and, by a digit, the release of it: a release stores and
    reads bodies in a form of its own. The key is evicted, or its lease ends, at most `expiries` times in all. Without
    "evict floor", a floor outlives its transaction: its 30 s, and the 10 s after which a writer gives up, see to that.

    The promise is that a read that begins after a write was acknowledged, or even only committed, returns its version
    at least. The latter also rules out that of two reads, one after the other, the later returns the older version.
    """

    name: str
    protocol: Protocol
    promise: Promise
    faults: frozenset[Fault] = frozenset()
    readers: tuple[str, ...] = ("A1", "B1")
    writers: int = 2
    expiries: int = 2


class Key(NamedTuple):
    """What Redis has of the ticket; `Key()` stands for no key at all."""

    version: int = 0  # of the body, or without one the floor
    body: str = ""  # the release in whose form it is, if there is a body
    lease: int = NOBODY  # the reader who took it
    is_live: bool = False  # whether the lease has not ended


class Reader(NamedTuple):
    """One read: `version` and `lease` are those it saw while deciding or joined, later those it loads under."""

    at: Literal["start", "deciding", "joined", "loading", "loaded", "done"] = "start"
    needs: int = 0
    version: int = 0
    lease: int = NOBODY


class Writer(NamedTuple):
    """One write of a version; from "locked" to the end of the transaction it has the row's lock."""

    at: Literal["start", "locked", "ready", "committed", "rolled back", "done"] = "start"
    version: int = 0


class State(NamedTuple):
    """Everything that matters for what may happen next; `promised` is what a read that begins now must return."""

    committed: int
    promised: int
    key: Key
    readers: tuple[Reader, ...]
    writers: tuple[Writer, ...]
    expiries_left: int

    def reader(self, number: int, reader: Reader) -> "State":
        """Return the state with another reader in the place of one."""
        return self._replace(readers=(*self.readers[: number - 1], reader, *self.readers[number:]))

    def writer(self, number: int, writer: Writer) -> "State":
        """Return the state with another writer in the place of one."""
        return self._replace(writers=(*self.writers[: number - 1], writer, *self.writers[number:]))


class Step(NamedTuple):
    """Something that can happen, in words, what is then, and who was told an old version by it."""

    words: str
    then: State
    stale: str = ""


Steps = Iterator[Step]


# What Redis does, as in src/db/cache_scripts.py.


def take_lease(key: Key, reader: int, release: str) -> Key | None:
    """Return the key leased to a reader, None if there is a body to be had or a live lease to wait for."""
    return None if key.body == release or key.is_live else key._replace(lease=reader, is_live=True)


def fill(protocol: Protocol, key: Key, reader: int, version: int, release: str) -> tuple[Key, bool]:
    """Return the key with a body, or as a refusal leaves it, and whether the body was stored."""
    if protocol.lease_to_fill and not (key.lease == reader and key.is_live):
        return key, False
    if protocol.compare_to_fill and version < key.version:
        return release_lease(key, reader), False
    return Key(version, release), True


def release_lease(key: Key, reader: int) -> Key:
    """Return the key without the lease, if it is this reader's."""
    return key._replace(lease=NOBODY, is_live=False) if key.lease == reader else key


def invalidate(protocol: Protocol, key: Key, version: int) -> Key:
    """Return the key with a floor; what it had below that, body and lease, is gone."""
    if not protocol.floor:
        return Key()
    return Key(version) if key.version < version else key


# What a reader does, as in TicketCache._read.


def look(case: Case, now: State, me: int, _: Reader) -> Steps:
    """Ask Redis once, without changing anything."""
    before_me = zip(case.readers[: me - 1], now.readers, strict=False)
    if any(other.at == "start" for name, other in before_me if name == case.readers[me - 1]):
        return
    reader = Reader("deciding", now.promised, now.key.version, now.key.lease)
    if now.key.body == case.readers[me - 1][1]:
        yield _answered(case, now, me, reader, now.key.version, "hits")
    elif case.protocol.lease_to_fill:
        yield Step(f"reader {me} looks and misses", now.reader(me, reader))
    else:
        yield Step(f"reader {me} looks and misses", now.reader(me, Reader("loading", now.promised, lease=me)))


def join_or_ask(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Join a load of its own process, or else ask for the lease."""
    wanted = {reader.lease} if case.protocol.same_lease_to_join else {*range(1, len(now.readers) + 1)}
    flights = [number for number in wanted - {NOBODY, me} if reader.lease and _is_leading(case, now, number, me)]
    for leader in flights:
        joined = reader._replace(at="joined", lease=leader)
        yield Step(f"reader {me}, who saw version {reader.version}, joins reader {leader}", now.reader(me, joined))
    if flights:
        return
    leased = take_lease(now.key, me, case.readers[me - 1][1])
    if leased is not None:
        taken = now.reader(me, Reader("loading", reader.needs, lease=me))
        yield Step(f"reader {me} takes the lease", taken._replace(key=leased))
    elif now.key.body == case.readers[me - 1][1]:
        yield _answered(case, now, me, reader, now.key.version, "hits")
    else:
        seen = reader._replace(version=now.key.version, lease=now.key.lease)
        yield Step(f"reader {me} is told to wait for reader {now.key.lease}", now.reader(me, seen))
        yield Step(f"reader {me} has waited enough", now.reader(me, Reader("loading", reader.needs)))


def load(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Read PostgreSQL; who has no lease answers with that."""
    if reader.lease != me:
        yield _answered(case, now, me, reader, now.committed, "loads, without storing,")
        return
    loaded = reader._replace(at="loaded", version=now.committed)
    yield Step(f"reader {me} loads version {now.committed}", now.reader(me, loaded))
    if "fail load" in case.faults:
        failed = now._replace(key=release_lease(now.key, me)).reader(me, Reader("done"))
        alone = (r._replace(at="loading", lease=NOBODY) if _has_joined(r, me) else r for r in failed.readers)
        yield Step(f"reader {me} fails to load and gives the lease back", failed._replace(readers=(*alone,)))


def store(case: Case, now: State, me: int, reader: Reader) -> Steps:
    """Store what was loaded, if it may be, and answer with it, also those who joined and may take it."""
    filled, is_stored = fill(case.protocol, now.key, me, reader.version, case.readers[me - 1][1])
    after = now._replace(key=filled)
    step = _answered(case, after, me, reader, reader.version, "stores" if is_stored else "is refused to store")
    for number, other in enumerate(now.readers, 1):
        if not _has_joined(other, me) or step.stale:
            continue
        if case.protocol.compare_to_join and reader.version < other.version:
            alone = step.then.reader(number, other._replace(at="loading", lease=NOBODY))
            step = Step(f"{step.words}; too old for reader {number}", alone)
        else:
            shared = _answered(case, step.then, number, other, reader.version, "shares")
            step = shared._replace(words=f"{step.words}; {shared.words}")
    yield step


# What a writer does, as in TicketService._changing.


def lock(case: Case, now: State, me: int, _: Writer) -> Steps:
    """Take the row's lock, under which the next version is known."""
    is_locked = any(writer.at in {"locked", "ready"} for writer in now.writers)
    if is_locked or any(writer.at == "start" for writer in now.writers[: me - 1]):
        return
    version = now.committed + 1
    locked = Writer("locked" if case.protocol.before_commit else "ready", version)
    yield Step(f"writer {me} locks the row for version {version}", now.writer(me, locked))


def put_floor(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Invalidate before the commit, so that nobody stores what is about to be old."""
    ready = now.writer(me, writer._replace(at="ready"))
    key = invalidate(case.protocol, now.key, writer.version)
    yield Step(f"writer {me} puts the floor {writer.version}", ready._replace(key=key))
    if "lose floor" in case.faults:
        yield Step(f"writer {me} can not reach Redis and goes on", ready)


def commit(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """End the transaction, one way or another."""
    promised = writer.version if case.promise == "committed" else now.promised
    committed = now._replace(committed=writer.version, promised=promised)
    yield Step(f"writer {me} commits version {writer.version}", committed.writer(me, writer._replace(at="committed")))
    if "roll back" in case.faults:
        yield Step(f"writer {me} rolls back", now.writer(me, writer._replace(at="rolled back")))
    if "crash" in case.faults:
        yield Step(f"writer {me} dies before its commit", now.writer(me, Writer("done")))


def invalidate_again(case: Case, now: State, me: int, writer: Writer) -> Steps:
    """Invalidate after the transaction, whatever became of it, and acknowledge what was committed."""
    over = now.writer(me, Writer("done"))
    how = "goes on"
    if case.protocol.after_commit:
        how = "invalidates again" if case.protocol.floor else "deletes the key"
        over = over._replace(key=invalidate(case.protocol, now.key, writer.version))
    if writer.at == "rolled back":
        yield Step(f"writer {me} {how}", over)
        return
    over = over._replace(promised=max(now.promised, writer.version))
    yield Step(f"writer {me} {how} and acknowledges version {writer.version}", over)
    if "crash" in case.faults:
        yield Step(f"writer {me} dies after its commit", now.writer(me, Writer("done")))


def expire(case: Case, now: State) -> Steps:
    """Lose the key, by eviction or the end of its time, or end its lease."""
    later = now._replace(expiries_left=now.expiries_left - 1)
    is_needed = not now.key.body and any(writer.at == "ready" for writer in now.writers)
    if now.key != Key() and ("evict floor" in case.faults or ("evict" in case.faults and not is_needed)):
        yield Step("the key is evicted", later._replace(key=Key()))
    if now.key.is_live and "end lease" in case.faults:
        yield Step(f"the lease of reader {now.key.lease} ends", later._replace(key=now.key._replace(is_live=False)))


READER_STEPS: Final = {"start": look, "deciding": join_or_ask, "loading": load, "loaded": store}
WRITER_STEPS: Final = {
    "start": lock,
    "locked": put_floor,
    "ready": commit,
    "committed": invalidate_again,
    "rolled back": invalidate_again,
}


def steps(case: Case, now: State) -> Steps:
    """Return everything that can happen next."""
    for number, reader in enumerate(now.readers, 1):
        if reader.at in READER_STEPS:
            yield from READER_STEPS[reader.at](case, now, number, reader)
    for number, writer in enumerate(now.writers, 1):
        if writer.at in WRITER_STEPS:
            yield from WRITER_STEPS[writer.at](case, now, number, writer)
    if now.expiries_left:
        yield from expire(case, now)


def _answered(case: Case, now: State, me: int, reader: Reader, version: int, how: str) -> Step:
    is_stale = version < reader.needs
    stale = (
        f"stale: reader {me} got version {version}, though version {reader.needs} was {case.promise} before it began"
    )
    return Step(f"reader {me} {how} version {version}", now.reader(me, Reader("done")), stale if is_stale else "")


def _is_leading(case: Case, now: State, leader: int, me: int) -> bool:
    other, is_here = now.readers[leader - 1], case.readers[leader - 1][0] == case.readers[me - 1][0]
    return is_here and other.at in {"loading", "loaded"} and other.lease == leader


def _has_joined(reader: Reader, leader: int) -> bool:
    return reader.at == "joined" and reader.lease == leader
