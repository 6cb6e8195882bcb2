"""Tickets: the write path, the status machine, reads, lists and search."""
