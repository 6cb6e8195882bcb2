"""What happens by itself: service levels, automatic closing, rules and reminders."""
