"""Links between tickets, merges and follow-ups: changes that concern several tickets."""
