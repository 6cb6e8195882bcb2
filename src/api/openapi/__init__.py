"""The OpenAPI document: schemas, responses, headers, examples, code samples."""

from typing import Any

JSON = dict[str, Any]
"""A part of the document."""
