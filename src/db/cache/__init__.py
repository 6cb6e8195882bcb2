"""The ticket cache: the floor-and-lease protocol over Redis."""
