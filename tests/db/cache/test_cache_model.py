"""The protocol holds in every order of its steps, and each part of it is needed."""

from operator import attrgetter

import pytest

from .cache_cases import BEYOND, BROKEN, HOLDING, OVERWRITING, REAL, UNLOCKED
from .cache_model import check, main
from .cache_state import Case

named = attrgetter("name")

HITS_1 = ["reader 2 finds version 1", "reader 2 hits version 1"]
HITS_2 = ["reader 2 finds version 2", "reader 2 hits version 2"]
JOINS = "reader 1 is refused to fill version 1; reader 2 shares version 1"
ACKNOWLEDGES = "writer 1 has waited and acknowledges version 2"
NO_REPLY = "writer 1 invalidates again without a reply"

# The last steps of the shortest sequence to a stale read, without the stale read itself.
LAST_STEPS = {
    "plain DEL": ["reader 1 fills version 1", *HITS_1],
    "version only": ["reader 1 fills version 1", *HITS_1],
    "floor only": ["the key is evicted", "reader 1 fills version 1", *HITS_1],
    "lease only": ["writer 1 commits version 2", *HITS_1],
    "no floor before the commit": ["writer 1 commits version 2", *HITS_1],
    "no invalidation after the commit": ["writer 1 continues and acknowledges version 2", *HITS_1],
    "joins, versions not compared": ["reader 2, which found number 2, joins reader 1", JOINS],
    "joins, leases not compared": [
        "the key is evicted",
        "reader 3 misses and takes the lease",
        "reader 2 finds the lease of reader 3",
        "reader 2, which found number 0, joins reader 1",
        JOINS,
    ],
    "joins, fence not compared": [
        "the fence expires",
        ACKNOWLEDGES,
        "reader 2 finds the lease of reader 1",
        "reader 2, which found number 0, joins reader 1",
        "reader 1 fills version 1; reader 2 shares version 1",
    ],
    "no fence": [f"{NO_REPLY} and acknowledges version 2", *HITS_1],
    "bodies without epoch": [
        "the fence expires",
        ACKNOWLEDGES,
        "reader 2 finds version 1",
        "the group comes up",
        "a renewer that read mark 1 makes a new fence",
        "reader 2 hits version 1",
    ],
    "epoch of the fill": [
        ACKNOWLEDGES,
        "the group comes up",
        "a renewer that read mark 1 makes a new fence",
        "reader 1 fills version 1",
        *HITS_1,
    ],
    "fence read before the key": [
        "writer 1 invalidates again and acknowledges version 2",
        "reader 2 reads the fence",
        "the replica of Redis is promoted",
        "reader 2 reads the key and hits version 1",
    ],
    "fence survives a failover": [
        "writer 1 invalidates again and acknowledges version 2",
        "the replica of Redis is promoted",
        *HITS_1,
    ],
    "renews without reading the state": ["a renewer that read mark 1 renews the fence", ACKNOWLEDGES, *HITS_1],
    "a renewal may arrive at any time": ["a renewer that read mark 0 renews the fence", ACKNOWLEDGES, *HITS_1],
    "group never marked": ["writer 1 commits version 2", f"{NO_REPLY} and acknowledges version 2", *HITS_1],
    "second invalidation lost, not marked": [
        "reader 1 fills version 1",
        "writer 1 commits version 2",
        f"{NO_REPLY} and acknowledges version 2",
        *HITS_1,
    ],
    "acknowledges without waiting": ["writer 1 does not wait and acknowledges version 2", *HITS_1],
    "comes up while a writer relies on it": [
        "writer 1 sees the group down and relies on it",
        "the group comes up",
        "a renewer that read mark 1 makes a new fence",
        "reader 1 misses and takes the lease",
        "reader 1 loads version 1",
        "reader 1 fills version 1",
        "writer 1 commits version 2",
        NO_REPLY,
        ACKNOWLEDGES,
        *HITS_1,
    ],
    "comes up before the fence is dead": [
        "the group comes up",
        "a renewer that read mark 1 renews the fence",
        ACKNOWLEDGES,
        *HITS_1,
    ],
    "number used again, body kept": [
        "reader 1 fills version 2",
        "the standby of PostgreSQL is promoted",
        "writer 2 locks the row for version 2' and invalidates",
        "writer 2 commits version 2'",
        "writer 2 invalidates again and acknowledges version 2'",
        *HITS_2,
    ],
    "number used again, lease kept": [
        "writer 2 locks the row for version 2' and invalidates",
        "reader 1 fills version 2",
        "writer 2 commits version 2'",
        "writer 2 invalidates again and acknowledges version 2'",
        *HITS_2,
    ],
    "number used again, first invalidation lost": [
        "writer 2 commits version 2', and with it the mark",
        "writer 2 invalidates again and acknowledges version 2'",
        *HITS_2,
    ],
    "mark known from before a failover": [
        "the standby of PostgreSQL is promoted",
        "writer 1 locks the row for version 2'; Redis does not reply to its invalidation",
        "writer 1 sees the group down and relies on it",
        "writer 1 commits version 2'",
        NO_REPLY,
        "writer 1 has waited and acknowledges version 2'",
        *HITS_1,
    ],
    "mark lost by a failover": [
        "writer 1 marks the group down in a transaction of its own",
        "the standby of PostgreSQL is promoted",
        "a renewer that read mark 2 renews the fence",
        ACKNOWLEDGES,
        *HITS_1,
    ],
}

# The version that is returned and the one that is promised, where these are not 1 and 2. A number with a prime was used
# before, by a commit that was lost.
STALE = {
    "number used again, body kept": ("2", "2'"),
    "number used again, lease kept": ("2", "2'"),
    "number used again, first invalidation lost": ("2", "2'"),
    "mark known from before a failover": ("1", "2'"),
}


@pytest.mark.parametrize("case", UNLOCKED, ids=named)
def test_the_protocol_holds_for_changes_that_are_decided_without_a_lock(case: Case) -> None:
    assert case.protocol == REAL
    states, path = check(case)
    assert not path, "\n".join(path)
    assert states > 10_000


@pytest.mark.parametrize("case", OVERWRITING, ids=named)
def test_without_one_part_a_change_overwrites_another_unseen(case: Case) -> None:
    assert check(case)[1][-1].startswith("lost: writer 2 overwrites version 2")
    assert check(case._replace(protocol=REAL))[1] == []


@pytest.mark.parametrize("case", HOLDING, ids=named)
def test_the_protocol_holds_in_every_order(case: Case) -> None:
    assert case.protocol == REAL
    states, path = check(case)
    assert not path, "\n".join(path)
    assert states > 20_000  # guards against a check that explores only a few orders by mistake


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_without_one_part_it_returns_an_overwritten_version(case: Case) -> None:
    _, path = check(case)
    *_, stale = path
    old, new = STALE.get(case.name, ("1", "2"))
    assert stale == f"stale: reader 2 got version {old}, although version {new} was {case.promise} before it began"
    expected = LAST_STEPS[case.name]
    assert path[-1 - len(expected) : -1] == expected


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_the_whole_protocol_survives_the_faults_that_break_the_others(case: Case) -> None:
    assert check(case._replace(protocol=REAL))[1] == []


@pytest.mark.parametrize("case", BEYOND, ids=named)
def test_without_its_floor_a_commit_allows_stale_reads_only_until_the_acknowledgement(case: Case) -> None:
    *_, commit, finds, hits, stale = check(case)[1]
    assert commit.startswith("writer 1 commits version 2")
    assert [finds, hits] == HITS_1
    assert stale == "stale: reader 2 got version 1, although version 2 was committed before it began"
    assert check(case._replace(promise="acknowledged"))[1] == []


def test_the_table_shows_every_case(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    full = (HOLDING[0]._replace(name="a large case", writers=0),)
    for name, cases in (("HOLDING", ()), ("UNLOCKED", ()), ("FULL", full), ("BROKEN", BROKEN[:12])):
        monkeypatch.setattr(f"{main.__module__}.{name}", cases)
    main()
    printed = capsys.readouterr().out
    assert all(f"  {case.name} " in printed for case in (*BROKEN[:12], *BEYOND))
    assert printed.count("      stale: reader 2 got version 1") == 12 + len(BEYOND)
    assert "a large case" not in printed
    main(full=True)
    assert "a large case" in capsys.readouterr().out
