"""Bulk changes."""
