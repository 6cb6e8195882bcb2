"""Programs that some tests need and that a machine may not have."""

import os
import shutil

import pytest


def require_program(*names: str) -> str:
    """Return the path of the first of these programs that is installed.

    Without any of them the test is skipped. Where `CI` is `true` it fails: there, `.ci/install-programs` installs them.
    """
    found = next(filter(None, map(shutil.which, names)), None)
    if found is not None:
        return found
    reason = f"{' or '.join(names)} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
