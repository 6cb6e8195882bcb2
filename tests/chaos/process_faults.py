"""Random faults of the service's processes: one loses Redis while the others do not, is frozen, or is killed."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from chaos.history import History
from chaos.instances import Instance
from support.redis_proxy import RedisConnections
from support.service_process import ServiceProcess

_CUTS: dict[str, Callable[[RedisConnections], None]] = {
    "nothing arrives": RedisConnections.pause,
    "no reply arrives": RedisConnections.pause_replies,
    "connections refused": RedisConnections.refuse,
}


@dataclass
class ProcessFaults:
    """Causes the faults and records them. At the end of each, the processes are as before."""

    instances: Sequence[Instance]
    dice: Random
    history: History

    async def cut_connections(self, *, until: float) -> None:
        """Cut one random instance after the other off from Redis, until a time of `time.monotonic()`.

        What was held up arrives late, or not at all if the connections were refused.
        """
        while True:
            await asyncio.sleep(self.dice.uniform(0.2, 2))
            if time.monotonic() > until:
                return
            instance, name = self.dice.choice(self.instances), self.dice.choice(list(_CUTS))
            with self.history.during(f"instance cut off from Redis: {name}"):
                _CUTS[name](instance.connections)
                await asyncio.sleep(self.dice.choice([self.dice.uniform(0.02, 0.3), self.dice.uniform(0.3, 3)]))
                instance.connections.resume()

    async def harm_processes(self, *, until: float) -> None:
        """Freeze or kill one process after the other, until a time of `time.monotonic()`."""
        rounds = 0
        while True:
            await asyncio.sleep(self.dice.uniform(0.5, 3))
            if time.monotonic() > until:
                return
            if rounds % 3 == 0:
                await self.kill_one()
            else:
                await self.freeze_one()
            rounds += 1

    async def kill_one(self) -> None:
        """Kill a random process, and start it again."""
        instance, service = self._some_process()
        with self.history.during(f"process of instance {instance.number} killed"):
            instance.counted.update(await instance.cache_events() - instance.counted)
            service.kill()
            await asyncio.to_thread(service.start)

    async def freeze_one(self) -> None:
        """Freeze a random process for up to two seconds."""
        _, service = self._some_process()
        with self.history.during("process frozen"):
            service.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(self.dice.uniform(0.05, 2))
            finally:
                service.send_signal(signal.SIGCONT)

    def _some_process(self) -> tuple[Instance, ServiceProcess]:
        instance = self.dice.choice([each for each in self.instances if each.service is not None])
        assert instance.service is not None
        return instance, instance.service
