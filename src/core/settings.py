"""The settings: environment variables first, then `.env` in the project's root; each is explained in `.env.example`."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[2]


def async_dsn(dsn: str) -> str:
    """Return the address of a PostgreSQL, `postgresql://…`, with the driver the service uses."""
    scheme, separator, rest = dsn.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("must start with postgresql://")
    return f"postgresql+asyncpg://{rest}"


def _async_secret(dsn: SecretStr) -> SecretStr:
    return SecretStr(async_dsn(dsn.get_secret_value()))


class Settings(BaseSettings):
    """What can be configured. With neither DATABASE_DSN nor REDIS_HOST the embedded servers are started."""

    model_config = SettingsConfigDict(env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_dsn: Annotated[SecretStr, AfterValidator(_async_secret)] | None = None
    database_pool_size: int = Field(default=10, ge=1)
    redis_host: str | None = None
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_prefix: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1)
    data_dir: Path = ROOT / ".data"
