"""The keys command names the choices when an argument is wrong or missing. It needs no database for this."""

import re

import pytest

from commands import keys


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("create --name crm --role king", r"argument --role: .*'king'.*agent.*requester.*monitor"),
        ("create --name crm", r"--role \{admin,agent,requester,monitor\}.*are required: --role"),
        ("create --name crm --role requester", r"--role requester requires --email"),
        ("create --name crm --role agent --scopes read,king", r"argument --scopes: .*read, comment, write, admin"),
        ("delete", r"error: .*'delete'.*create.*list.*revoke"),
        ("", r"error: a command is missing: create, list or revoke"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_choices(
    arguments: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["keys", *arguments.split()])
    with pytest.raises(SystemExit) as exit_:
        keys.main()
    assert exit_.value.code == 2
    printed = capsys.readouterr().err
    assert re.search(message, printed, re.DOTALL), printed
