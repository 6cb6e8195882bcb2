"""Second factors: one-time codes of an authenticator (TOTP, RFC 6238), and recovery codes in its place."""

import re
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from pyotp import TOTP, random_base32

from core.sign_in_errors import Refusal, SignInRefused
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from services.secret_box import SecretBox
from services.sign_in import credential_statements as sql

ISSUER: Final = "Tickets"
PERIOD_S: Final = 30
# The clocks of a telephone and of the server differ: the code before and the one after the current one count too.
DRIFT_STEPS: Final = 1
RECOVERY_CODES: Final = 10

_CODE: Final = re.compile(r"[0-9]{6}")
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 characters, without those that look alike
_RECOVERY_CODE: Final = re.compile(f"[{_ALPHABET}]{{16}}")


class SecondFactors:
    """Prepares, confirms, checks and removes second factors.

    Every method raises DatabaseUnavailable and DeadlineExceeded; those that write also raise OutcomeUnknown.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._box = SecretBox(database, key="sign-in", purpose=b"TOTP secret")

    async def prepare(self, person_id: str) -> None:
        """Store a new secret, to be confirmed by a code. Raises SignInRefused without a password or with a factor."""
        sealed = await self._box.seal(random_base32().encode())
        async with self._database.transaction() as connection:
            row = await connection.one_or_none(sql.LOCK, person_id=person_id)
            if row is None or row.password_hash is None or row.has_totp:
                raise SignInRefused(Refusal.NO_SECOND_FACTOR)
            await connection.run(sql.PREPARE_TOTP, person_id=person_id, totp_secret=sealed)

    async def prepared_secret(self, row: Row) -> str | None:
        """Return the secret of a second factor that waits to be confirmed, in base 32; None without one.

        `row` is that of `credential_statements.OF_PERSON`.
        """
        return None if row.totp_secret is None or row.has_totp else (await self._box.open(row.totp_secret)).decode()

    async def confirm(self, person_id: str, code: str) -> Sequence[str]:
        """Begin to require the prepared second factor, and return new recovery codes. Raises SignInRefused."""
        async with self._database.transaction() as connection:
            row = await connection.one_or_none(sql.LOCK, person_id=person_id)
            if row is None or row.totp_secret is None or row.has_totp:
                raise SignInRefused(Refusal.NO_SECOND_FACTOR)
            step = await self._step_of(row, _plain(code))
            if step is None:
                raise SignInRefused(Refusal.WRONG_CODE)
            await connection.run(sql.CONFIRM_TOTP, person_id=person_id, totp_step=step)
            return await _new_codes(connection, person_id)

    async def renew_codes(self, person_id: str) -> Sequence[str]:
        """Replace the recovery codes, and return the new ones. Raises SignInRefused."""
        async with self._database.transaction() as connection:
            row = await connection.one_or_none(sql.LOCK, person_id=person_id)
            if row is None or not row.has_totp:
                raise SignInRefused(Refusal.NO_SECOND_FACTOR)
            return await _new_codes(connection, person_id)

    async def remove(self, person_id: str) -> None:
        """Require no second factor from now on, and void the recovery codes."""
        async with self._database.transaction() as connection:
            await connection.run(sql.REMOVE_TOTP, person_id=person_id)
            await connection.run(sql.REMOVE_CODES, person_id=person_id)

    async def use(self, connection: Session, row: Row, code: str) -> bool:
        """Return whether a code is right, and void it. `row` is that of `credential_statements.LOCK`, still locked."""
        plain = _plain(code)
        if _RECOVERY_CODE.fullmatch(plain):
            used = await connection.one_or_none(sql.USE_CODE, person_id=row.person_id, code_hash=_hash(plain))
            return used is not None
        step = await self._step_of(row, plain)
        if step is None:
            return False
        await connection.run(sql.USE_STEP, person_id=row.person_id, totp_step=step)
        return True

    async def _step_of(self, row: Row, code: str) -> int | None:
        """Return the time step of a code that is right and was not used; None for any other."""
        if not _CODE.fullmatch(code):
            return None
        totp = TOTP((await self._box.open(row.totp_secret)).decode(), interval=PERIOD_S)
        now = int(time.time() // PERIOD_S)
        right = [
            step
            for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1)
            if compare_digest(totp.at(datetime.fromtimestamp(step * PERIOD_S, UTC)), code)
        ]
        return next((step for step in right if row.totp_step is None or step > row.totp_step), None)


def uri_of(secret: str, account: str) -> str:
    """Return the `otpauth:` URI of a secret, which authenticators read from a QR code."""
    return TOTP(secret, interval=PERIOD_S).provisioning_uri(name=account, issuer_name=ISSUER)


async def _new_codes(connection: Session, person_id: str) -> Sequence[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(16)) for _ in range(RECOVERY_CODES)]
    await connection.run(sql.REMOVE_CODES, person_id=person_id)
    await connection.run(sql.ADD_CODES, person_id=person_id, hashes=[_hash(code) for code in codes])
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def _plain(code: str) -> str:
    """Return a code without the spaces and hyphens that people type."""
    return re.sub(r"[\s-]", "", code[:100]).lower()


def _hash(code: str) -> bytes:
    """Return the hash of a recovery code. It needs no key stretching: 80 random bits cannot be guessed."""
    return sha256(code.encode()).digest()
