"""The settings, from environment variables and from `.env` in the root of the project, or the file named by ENV_FILE.

An environment variable takes precedence. `.env.example` describes each setting.
"""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.rate import Rate

ROOT = Path(__file__).resolve().parents[2]
# RFC 6454: scheme, host, and the port unless it is that of the scheme.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]*)?")
_DEFAULT_PORTS = (":80", ":443")
ENV_FILE = Path(os.environ.get("ENV_FILE", ROOT / ".env"))


def async_dsn(dsn: str) -> str:
    """Return a libpq connection URI of PostgreSQL in the form that SQLAlchemy and asyncpg accept. Raises ValueError.

    Several hosts are allowed: `postgresql://user@host-1:5432,host-2:5432/database`. The primary among them is used.
    """
    parts = urlsplit(dsn)
    if parts.scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("must start with postgresql://")
    if "," not in parts.netloc and parts.port == 0:
        raise ValueError("must name a port from 1 to 65535")
    user, at, hosts = parts.netloc.rpartition("@")
    query = [("ssl" if name == "sslmode" else name, value) for name, value in parse_qsl(parts.query)]
    if "," in hosts:
        query += [("host", host if ":" in host else f"{host}:5432") for host in hosts.split(",")]
        if "target_session_attrs" not in dict(query):
            query.append(("target_session_attrs", "primary"))
        hosts = ""
    return urlunsplit(("postgresql+asyncpg", f"{user}{at}{hosts}", parts.path, urlencode(query), ""))


def _async_secret(dsn: SecretStr) -> SecretStr:
    return SecretStr(async_dsn(dsn.get_secret_value()))


def _from_root(path: Path) -> Path:
    return ROOT / path


def _node_addresses(nodes: str) -> str:
    for node in nodes.split(","):
        host, _, port = node.strip().partition(":")
        if not host or not (port.isdecimal() or not port):
            raise ValueError("must be host or host:port; several nodes are separated by commas")
    return nodes


def _rate(value: object) -> object:
    return Rate.parse(value) if isinstance(value, str) else value


def _origins(value: object) -> object:
    """Return the origins of a list, in the form in which browsers send them."""
    if not isinstance(value, str):
        return value
    origins = tuple(origin.strip() for origin in value.split(","))
    if not all(_ORIGIN.fullmatch(origin) and not origin.endswith(_DEFAULT_PORTS) for origin in origins):
        raise ValueError("must be origins such as https://desk.example.com, in lower case, separated by commas")
    return origins


def _networks(value: object) -> object:
    """Return the networks of a list. Raises ValueError."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(network.strip()) for network in value.split(","))


def _issuer(name: str) -> str:
    """Return the issuer unchanged: the `iss` claim of a token must equal it exactly."""
    _http_url(name)
    return name


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL that starts with http:// or https://")
    return url.rstrip("/")


class Settings(BaseSettings):
    """The configuration. Without DATABASE_DSN or REDIS_HOST, the commands start an embedded server in its place."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # an error message must not contain a secret
    )

    database_dsn: Annotated[SecretStr, AfterValidator(_async_secret)] | None = None
    database_pool_size: int = Field(default=10, ge=1)
    search_pool_size: int = Field(default=2, ge=1)
    work_pool_size: int = Field(default=4, ge=1)
    search_timeout: float = Field(default=2, ge=0.01, le=5)
    redis_host: Annotated[str, AfterValidator(_node_addresses)] | None = None
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_cluster: bool = True
    redis_username: str | None = None
    redis_password: SecretStr | None = None
    redis_tls: bool = False
    redis_tls_ca_file: FilePath | None = None
    redis_prefix: str = ""
    stale_if_error: bool = True
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1)
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] | None = None
    oidc_audience: str | None = None
    oidc_role_claim: str = "roles"
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    password_sign_in: bool = True
    public_url: Annotated[str, AfterValidator(_http_url)] | None = None
    allow_anonymous: bool = False
    cors_origins: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_origins)] = None
    rate_limit: Annotated[Rate | None, NoDecode, BeforeValidator(_rate)] = None
    auth_failure_limit: Annotated[Rate, NoDecode, BeforeValidator(_rate)] = Rate(10, 60)
    max_concurrent_requests: int = Field(default=100, ge=1)
    slow_client_timeout: float = Field(default=10, gt=0, le=600)
    request_timeout: float = Field(default=10, ge=1, le=600)
    undo_send: int = Field(default=10, ge=0, le=60)
    max_streams: int = Field(default=1000, ge=1)
    event_retention_days: int = Field(default=90, ge=1, le=36_500)
    webhook_allow: Annotated[tuple[IPv4Network | IPv6Network, ...] | None, NoDecode, BeforeValidator(_networks)] = None
    auto_close_after: int = Field(default=604_800, ge=0, le=315_360_000)
    auto_close_notice: int = Field(default=172_800, ge=0, le=315_360_000)
    work: Literal["inline", "off"] = "inline"
    worker_metrics_port: int = Field(default=0, ge=0, le=65535)
    startup_timeout: float = Field(default=10, ge=0)
    migration_timeout: float = Field(default=60, ge=0)
    shutdown_delay: float = Field(default=0, ge=0, le=600)
    log_format: Literal["auto", "json", "text"] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)] = "info"
    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(_http_url)] | None = None
    data_dir: Annotated[Path, AfterValidator(_from_root)] = ROOT / ".data"

    @model_validator(mode="after")
    def _standalone_redis_has_one_node(self) -> Self:
        if not self.redis_cluster and len(self.redis_nodes) > 1:
            raise ValueError("REDIS_HOST must name one server when REDIS_CLUSTER is false")
        return self

    @model_validator(mode="after")
    def _issuer_and_audience_come_together(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise ValueError("OIDC_ISSUER and OIDC_AUDIENCE must be set together")
        return self

    @model_validator(mode="after")
    def _people_can_sign_in(self) -> Self:
        if self.oidc_client_id is not None and self.oidc_issuer is None:
            raise ValueError("OIDC_CLIENT_ID requires OIDC_ISSUER")
        if not self.password_sign_in and self.oidc_client_id is None:
            raise ValueError("PASSWORD_SIGN_IN=false requires OIDC_CLIENT_ID")
        return self

    @property
    def redis_nodes(self) -> list[tuple[str, int]]:
        """The host and port of each node in REDIS_HOST; REDIS_PORT is the default port."""
        parts = (node.strip().partition(":") for node in (self.redis_host or "").split(","))
        return [(host, int(port or self.redis_port)) for host, _, port in parts if host]


def describe_errors(error: ValidationError) -> str:
    """Return one line that names the invalid settings and the reasons, without their values."""
    reasons = (f"{''.join(f'{name}: ' for name in part['loc']).upper()}{part['msg']}" for part in error.errors())
    return f"the settings are invalid: {'; '.join(reasons)}"
