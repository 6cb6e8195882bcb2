"""Drafts of replies and notes."""
