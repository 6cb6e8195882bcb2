"""The rules: what may be done to a ticket, and how it is written."""
