"""People who sign in, and browsers without scripts that do so."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx2
from fastapi import FastAPI

from models import Role
from schemas.people import PersonCreate
from services.access.principal import LOCAL_ADMIN
from services.sign_in.services import SignInServices
from services.sign_in.sessions import Browser

PASSWORD = "correct horse battery"
BROWSER = Browser("127.0.0.1", "a test")
FORM = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


@dataclass(frozen=True)
class Account:
    """A person with a password."""

    id: str
    name: str
    email: str
    password: str


def services_of(app: FastAPI) -> SignInServices:
    """Return the services of the sign-in of an application."""
    services: SignInServices = app.state.sign_in
    return services


def browser_of(
    app: FastAPI, url: str = "http://localhost:8000", address: str = "127.0.0.1", **headers: str
) -> httpx2.AsyncClient:
    """Return a browser without cookies, which sends forms as a page of the service does."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 123))
    return httpx2.AsyncClient(transport=transport, base_url=url, headers=FORM | headers)


async def new_account(app: FastAPI, role: Role = Role.AGENT, password: str = PASSWORD) -> Account:
    """Create a person with a password."""
    email = f"{secrets.token_hex(6)}@example.com"
    new = PersonCreate.model_validate({"name": "Alice Liddell", "email": email, "role": role})
    person = await app.state.people.create(new, LOCAL_ADMIN)
    await services_of(app).passwords.set(person.id, password)
    return Account(person.id, person.name, email, password)


async def sign_in(client: httpx2.AsyncClient, account: Account, **fields: Any) -> httpx2.Response:
    """Send the form of the sign-in."""
    form = {"email": account.email, "password": account.password} | fields
    return await client.post("/sign-in", data=form)


@asynccontextmanager
async def signed_in(app: FastAPI, account: Account, **options: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a browser in which a person has signed in."""
    async with browser_of(app, **options) as client:
        response = await sign_in(client, account)
        assert response.status_code == 303, response.text
        yield client


def field(html: str, name: str) -> str:
    """Return the value of an input."""
    found = re.search(rf'<input[^>]*name="{re.escape(name)}"[^>]*value="([^"]*)"', html)
    assert found, name
    return unescape(found[1])
