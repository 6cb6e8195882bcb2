"""Pydantic models of request bodies, queries and responses."""
