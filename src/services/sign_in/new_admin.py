"""The first admin as the form of the set-up names them."""

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from core.sign_in_errors import Refusal, SignInRefused
from models import Role
from schemas.people import PersonCreate
from services.sign_in.password_hashes import ensure_fit

_REASONS: Final = {"name": Refusal.INVALID_NAME, "email": Refusal.INVALID_EMAIL}


@dataclass(frozen=True, slots=True)
class NewAdmin:
    """The fields of the form, not checked yet."""

    name: str
    email: str
    password: str
    repeated: str
    language: str

    def checked(self) -> PersonCreate:
        """Return the person. Raises SignInRefused for a field that does not fit."""
        try:
            person = PersonCreate(name=self.name, email=self.email, role=Role.ADMIN, language=self.language)
        except ValidationError as error:
            raise SignInRefused(_REASONS[str(error.errors()[0]["loc"][0])]) from None
        if self.password != self.repeated:
            raise SignInRefused(Refusal.PASSWORDS_DIFFER)
        ensure_fit(self.password, person.name, person.email)
        return person
