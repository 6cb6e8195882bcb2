"""The protocol holds in every order of its steps, each part of it is needed, and the scripts behave like the model."""

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
from .cache_steps import NO_LEASE, Case, Key, fill, invalidate, release_lease, take_lease

named = attrgetter("name")

# The last steps of the shortest sequence to a stale read, without the stale read itself.
LAST_STEPS = {
    "plain DEL": ["reader 1 fills version 1", "reader 2 hits version 1"],
    "version only": ["reader 1 fills version 1", "reader 2 hits version 1"],
    "floor only": ["the key is evicted", "reader 1 fills version 1", "reader 2 hits version 1"],
    "lease only": ["writer 1 commits version 2", "reader 2 hits version 1"],
    "no floor before the commit": ["writer 1 commits version 2", "reader 2 hits version 1"],
    "no invalidation after the commit": ["writer 1 continues and acknowledges version 2", "reader 2 hits version 1"],
    "joined load, versions not compared": [
        "reader 2, which found version 2, joins reader 1",
        "reader 1 is refused to fill version 1; reader 2 shares version 1",
    ],
    "joined load, leases not compared": [
        "the key is evicted",
        "reader 3 takes the lease",
        "reader 2 misses",
        "reader 2, which found version 0, joins reader 1",
        "reader 1 is refused to fill version 1; reader 2 shares version 1",
    ],
}


@pytest.mark.parametrize("case", HOLDING, ids=named)
def test_the_protocol_holds_in_every_order(case: Case) -> None:
    assert case.protocol == REAL
    states, path = check(case)
    assert not path, "\n".join(path)
    assert states > 40_000  # guards against a check that explores only a few orders by mistake


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_without_one_part_it_returns_an_overwritten_version(case: Case) -> None:
    _, path = check(case)
    *_, stale = path
    assert stale == f"stale: reader 2 got version 1, although version 2 was {case.promise} before it began"
    expected = LAST_STEPS[case.name]
    assert path[-1 - len(expected) : -1] == expected


@pytest.mark.parametrize("case", BROKEN, ids=named)
def test_the_whole_protocol_survives_the_faults_that_break_the_others(case: Case) -> None:
    assert check(case._replace(protocol=REAL))[1] == []


@pytest.mark.parametrize("case", BEYOND, ids=named)
def test_a_floor_evicted_before_its_commit_allows_stale_reads_only_until_the_acknowledgement(case: Case) -> None:
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


LEASES = [(NO_LEASE, False), (1, True), (1, False), (2, True), (2, False)]
KEYS = [
    Key(version, body, *lease)
    for version, body, lease in product((0, 1, 2), ("", "1", "2"), LEASES)
    if version or not body
]


class Hash:
    """The hash in Redis that a key of the model represents."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    async def put(self, key: Key) -> None:
        """Set the hash to the state of `key`."""
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
        """Return the result of a script."""
        return await self._client.eval(script.source, 1, self._name, *arguments)

    async def key(self) -> Key:
        """Return the state of the hash as a key of the model."""
        version, body, lease, ends_at = await self._client.hmget(self._name, ["v", "s", "l", "x"])
        release = "" if body is None else f"{int(body)}"
        return Key(int(version or 0), release, int(lease or NO_LEASE), int(ends_at or 0) > 1)


async def test_the_scripts_change_every_key_as_the_model_does(redis: Client, redis_settings: Settings) -> None:
    real = Hash(redis, f"{redis_settings.redis_prefix}{{model}}")
    for key in KEYS:
        await real.put(key)
        result = await real.run(LEASE, "1", 1, 5_000)
        leased = take_lease(key, 1, "1")
        assert await real.key() == (leased or key)
        assert result[0] == (b"lease" if leased else b"hit" if key.body == "1" else b"wait")

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
