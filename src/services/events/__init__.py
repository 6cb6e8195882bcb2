"""The event log: one order of the events of all tickets, which readers follow by position."""
