"""What the probes answer."""

from typing import Literal

from pydantic import BaseModel, Field

DatabaseState = Literal["ok", "unavailable", "read_only"]
MigrationsState = Literal["ok", "behind", "unknown"]
CacheState = Literal["ok", "degraded", "unavailable"]


class Liveness(BaseModel):
    """The process runs and its event loop turns."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether requests should be sent here, and the state of each part."""

    ready: bool
    stopping: bool = Field(description="True once the process was told to stop: send it nothing more.")
    database: DatabaseState = Field(description="Required, and writable: `read_only` is a standby.")
    migrations: MigrationsState = Field(
        description="Required: `behind` lacks a migration of this release, `unknown` could not be asked. A database "
        "that a newer release migrated is `ok`."
    )
    cache: CacheState = Field(
        description="Without it the service is slower, not wrong: `degraded` lacks some of its nodes, "
        "`unavailable` all of them."
    )
