"""Business logic: tickets, access and operation."""
