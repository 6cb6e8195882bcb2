"""The keys of the desk. A test compares them with the attributes `data-command` of the pages and with `keys.js`."""

from typing import Final

from desk.languages import N_

KEYS: Final[tuple[tuple[str, str], ...]] = (
    ("j", N_("Next ticket of the list")),
    ("k", N_("Previous ticket of the list")),
    ("o", N_("Open the ticket")),
    ("x", N_("Tick the ticket")),
    ("b", N_("Change the ticked tickets, or all that match")),
    ("u", N_("Back to the list")),
    ("/", N_("Search")),
    ("f", N_("Filter the list")),
    (".", N_("Load new and changed tickets")),
    ("r", N_("Write a reply")),
    ("n", N_("Write an internal note")),
    ("a", N_("Take or release the ticket")),
    ("z", N_("Undo: call a reply or a note back")),
    ("e", N_("Edit the fields")),
    ("t", N_("Timeline")),
    ("s a", N_("Mark as answered")),
    ("s w", N_("Mark as awaiting reply")),
    ("s c", N_("Close the ticket")),
    ("c", N_("New ticket")),
    ("g q", N_("Queue")),
    ("g m", N_("My tickets")),
    ("g u", N_("Unassigned tickets")),
    ("g a", N_("All tickets")),
    ("g d", N_("My drafts")),
    ("g v", N_("Saved views")),
    ("g c", N_("Canned replies")),
    ("g n", N_("Numbers")),
    ("g s", N_("Administration")),
    ("?", N_("This page")),
    ("Ctrl+Enter", N_("Send what is being written")),
    ("Ctrl+K", N_("All commands")),
    ("Esc", N_("Leave the field or the dialog")),
)
