"""The pages of requesters: their tickets, with what the services show and permit them."""
