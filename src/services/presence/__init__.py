"""Presence of agents on tickets."""
