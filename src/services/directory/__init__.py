"""The directory: people, groups, and the principals that events name."""
