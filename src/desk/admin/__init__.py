"""The pages of the administration: what admins define, one area for each kind of definition."""
