"""The status machine, as responses show it."""

from pydantic import BaseModel, Field

from models import TicketStatus


class Workflow(BaseModel):
    """The status machine of tickets."""

    initial: TicketStatus = Field(description="The status of a new ticket.", examples=["open"])
    transitions: dict[TicketStatus, list[TicketStatus]] = Field(
        description="Each status with the statuses that it can change to; an empty list marks a final status.",
        examples=[{"open": ["answered", "closed"], "closed": []}],
    )
    mermaid: str = Field(
        description="The same transitions as a Mermaid state diagram.",
        examples=["stateDiagram-v2\n    [*] --> open\n    open --> closed\n    closed --> [*]"],
    )
