"""Commands on many keys at once: one piece for each node, so that they cost little more than one command."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from db.cache.scripts import Script
from db.redis.guard import CacheUnavailable, GuardedRedis, lacks_script
from db.redis.multiplexed import Address, Argument, RedisErrorReply


class Batches:
    """Runs commands on many keys. A key whose node does not respond, or replies with an error, has no result."""

    def __init__(self, redis: GuardedRedis) -> None:
        self._redis = redis

    async def clocks(self, keys: Iterable[str], *, timeout_s: float) -> dict[str, int]:
        """Return for each key the time of its node, in milliseconds since 1970."""
        commands = dict.fromkeys(keys, ("TIME",))
        times = await self._on_each_node(commands, timeout_s, once=True)
        return {key: int(time[0]) * 1000 + int(time[1]) // 1000 for key, time in times.items()}

    async def run(
        self, script: Script, calls: Mapping[str, tuple[Argument, ...]], *, timeout_s: float
    ) -> dict[str, Any]:
        """Run a script on each key with its arguments, and return the results by key."""
        commands = {key: ("EVALSHA", script.digest, 1, key, *arguments) for key, arguments in calls.items()}
        results = await self._on_each_node(commands, timeout_s)
        unknown = [key for key, result in results.items() if isinstance(result, RedisErrorReply)]
        if any(lacks_script(results[key]) for key in unknown):
            again = {key: ("EVAL", script.source, 1, key, *calls[key]) for key in unknown}
            results |= await self._on_each_node(again, timeout_s)
        for key in unknown:
            if isinstance(results.get(key), RedisErrorReply):  # the key has moved: the client follows and learns it
                results.pop(key)
                try:
                    results[key] = await self._redis.run(script, key, *calls[key], timeout_s=timeout_s)
                except CacheUnavailable:
                    continue
        return results

    async def _on_each_node(
        self, commands: Mapping[str, tuple[Argument, ...]], timeout_s: float, *, once: bool = False
    ) -> dict[str, Any]:
        """Send the commands to the nodes of their keys; with `once`, one command serves all keys of a node."""
        keys: dict[tuple[str, Address], list[str]] = {}
        for key in commands:
            shard, address = self._redis.locate(key)
            if address is not None:
                keys.setdefault((shard, address), []).append(key)

        async def on(shard: str, address: Address, keys: Sequence[str]) -> dict[str, Any]:
            sent = [commands[key] for key in (keys[:1] if once else keys)]
            try:
                with self._redis.guarded(shard, timeout_s) as until:
                    replies = await self._redis.connections.execute_all(address, sent, until=until)
            except CacheUnavailable:
                return {}
            return dict(zip(keys, replies * len(keys) if once else replies, strict=False))

        found = await asyncio.gather(*(on(*node, of_node) for node, of_node in keys.items()))
        return {key: result for results in found for key, result in results.items()}
