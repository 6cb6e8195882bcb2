"""The responses of the probes."""

from typing import Literal

from pydantic import BaseModel, Field

DatabaseState = Literal["ok", "unavailable", "read_only"]
MigrationsState = Literal["ok", "behind", "unknown"]
CacheState = Literal["ok", "degraded", "unavailable"]
BackgroundWorkState = Literal["ok", "degraded", "unavailable"]


class Liveness(BaseModel):
    """The process is running and its event loop responds."""

    status: Literal["ok"] = Field(default="ok", description="Always `ok`.")


class Readiness(BaseModel):
    """Whether the service can process requests, and the state of its components."""

    ready: bool = Field(description="True if the service can process requests.")
    stopping: bool = Field(description="True after the process received the signal to stop: send it no new requests.")
    database: DatabaseState = Field(
        description="PostgreSQL, required. `read_only`: it is a standby and accepts no writes."
    )
    migrations: MigrationsState = Field(
        description="The schema of the database, required. `ok`: it has all migrations of this release, or newer ones; "
        "`behind`: it lacks some; `unknown`: it could not be read."
    )
    cache: CacheState = Field(
        description="Redis, optional: without it responses are slower. `degraded`: some of its nodes do not respond; "
        "`unavailable`: none does."
    )
    background: BackgroundWorkState = Field(
        description="The background work of this process. `degraded`: some of it fails and is restarted, but no "
        "request needs it; `unavailable`: work that is required fails."
    )
    failing_work: list[str] = Field(
        description="The names of the background work that fails.", examples=[["refresh-counts"]]
    )
