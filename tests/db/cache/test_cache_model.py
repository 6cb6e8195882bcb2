"""The protocol holds in every order of its steps, each of its parts is needed, and Redis does what the model says."""

from collections.abc import AsyncIterator
from itertools import product
from operator import attrgetter
from typing import Any

import pytest

from core.settings import Settings
from db.cache.scripts import FILL, INVALIDATE, LEASE, RELEASE, Script
from db.redis.client import Client, connect
from support.factories import settings_for

from .cache_model import BEYOND, BROKEN, HOLDING, REAL, check, main
from .cache_steps import NOBODY, Case, Key, fill, invalidate, release_lease, take_lease

named = attrgetter("name")

# How the shortest way to a stale read must end, beside the stale read itself.
LAST_STEPS = {
    "plain DEL": ["reader 1 stores version 1", "reader 2 hits version 1"],
    "version only": ["reader 1 stores version 1", "reader 2 hits version 1"],
    "floor only": ["the key is evicted", "reader 1 stores version 1", "reader 2 hits version 1"],
    "lease only": ["writer 1 commits version 2", "reader 2 hits version 1"],
    "no floor before the commit": ["writer 1 commits version 2", "reader 2 hits version 1"],
    "no invalidation after the commit": ["writer 1 goes on and acknowledges version 2", "reader 2 hits version 1"],
    "shared flight, versions not compared": [
        "reader 2, who saw version 2, joins reader 1",
        "reader 1 is refused to store version 1; reader 2 shares version 1",
    ],
    "shared flight, leases not compared": [
        "the key is evicted",
        "reader 3 takes the lease",
        "reader 2 looks and misses",
        "reader 2, who saw version 0, joins reader 1",
        "reader 1 is refused to store version 1; reader 2 shares version 1",
    ],
}


@pytest.mark.parametrize("case", HOLDING, ids=named)
def test_the_protocol_holds_in_every_order(case: Case) -> None:
    assert case.protocol == REAL
    states, way = check(case)
    assert not way, "\n".join(way)
    assert states > 40_000  # so many orders, and not by mistake only a few, were seen


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_without_one_of_its_parts_it_serves_what_was_overwritten(case: Case) -> None:
    _, way = check(case)
    *_, stale = way
    assert stale == f"stale: reader 2 got version 1, though version 2 was {case.promise} before it began"
    expected = LAST_STEPS[case.name]
    assert way[-1 - len(expected) : -1] == expected


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_what_shows_a_missing_part_is_no_fault_of_the_protocol(case: Case) -> None:
    assert check(case._replace(protocol=REAL))[1] == []


@pytest.mark.parametrize("case", BEYOND, ids=named)
def test_a_floor_lost_before_its_commit_bends_the_promise_until_the_acknowledgement_only(case: Case) -> None:
    assert check(case)[1][-3:-1] == ["writer 1 commits version 2", "reader 2 hits version 1"]
    assert check(case._replace(promise="acknowledged"))[1] == []


def test_the_table_shows_every_case(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{main.__module__}.HOLDING", ())
    main()
    printed = capsys.readouterr().out
    assert all(f"  {case.name} " in printed for case in (*BROKEN, *BEYOND))
    assert printed.count("      stale: reader 2 got version 1") == len(BROKEN) + len(BEYOND)


@pytest.fixture
def redis_settings(redis_address: tuple[str, int]) -> Settings:
    return settings_for("postgresql://nobody@127.0.0.1/nothing", *redis_address)


@pytest.fixture
async def redis(redis_settings: Settings) -> AsyncIterator[Client]:
    client = connect(redis_settings)
    yield client
    await client.aclose()


LEASES = [(NOBODY, False), (1, True), (1, False), (2, True), (2, False)]
KEYS = [
    Key(version, body, *lease)
    for version, body, lease in product((0, 1, 2), ("", "1", "2"), LEASES)
    if version or not body
]


class Hash:
    """A key of the model as a hash in Redis."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    async def put(self, key: Key) -> None:
        """Make the hash what the key is."""
        fields: list[str | int] = []
        if key.version:
            fields += ["v", key.version]
        if key.body:
            fields += ["b", "body", "s", key.body]
        if key.lease:
            fields += ["l", key.lease, "x", 2**52 if key.is_live else 1]
        await self._client.delete(self._name)
        if fields:
            await self._client.hset(self._name, items=fields)

    async def run(self, script: Script, *arguments: str | int) -> Any:
        """Return what a script answers."""
        return await self._client.eval(script.source, 1, self._name, *arguments)

    async def key(self) -> Key:
        """Return the key that the hash is."""
        version, body, lease, ends_at = await self._client.hmget(self._name, ["v", "s", "l", "x"])
        release = "" if body is None else f"{int(body)}"
        return Key(int(version or 0), release, int(lease or NOBODY), int(ends_at or 0) > 1)


async def test_redis_does_with_every_key_what_the_model_does(redis: Client, redis_settings: Settings) -> None:
    real = Hash(redis, f"{redis_settings.redis_prefix}{{model}}")
    for key in KEYS:
        await real.put(key)
        answer = await real.run(LEASE, "1", 1, 5_000)
        leased = take_lease(key, 1, "1")
        assert await real.key() == (leased or key)
        assert answer[0] == (b"lease" if leased else b"hit" if key.body == "1" else b"wait")

        for version in (1, 2):
            await real.put(key)
            filled, is_stored = fill(REAL, key, 1, version, "1")
            assert await real.run(FILL, "1", 1, version, "body", 60_000) == is_stored
            assert await real.key() == filled

        for version in (1, 2, 3):
            await real.put(key)
            await real.run(INVALIDATE, version, 30_000)
            assert await real.key() == invalidate(REAL, key, version)

        await real.put(key)
        await real.run(RELEASE, 1)
        assert await real.key() == release_lease(key, 1)
