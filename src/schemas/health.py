"""What the probes answer."""

from typing import Literal

from pydantic import BaseModel, Field

State = Literal["ok", "unavailable"]


class Liveness(BaseModel):
    """The process runs and its event loop turns."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether requests should be sent here, and the state of each part."""

    ready: bool
    database: State = Field(description="Required.")
    cache: State = Field(description="Without it the service is slower, not wrong.")
