"""Custom fields: their definitions, and the validation of their values."""
