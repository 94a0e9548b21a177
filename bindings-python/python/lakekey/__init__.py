"""Database credentials that rotate by themselves, for Databricks Lakebase.

Importing this starts no thread, reads no environment and imports no driver. ``lakekey.psycopg`` has the pools.
"""

from ._client import Client, ConnectOptions
from ._default import (
    aconnect_params,
    aconninfo,
    acredential,
    atoken,
    connect_params,
    conninfo,
    credential,
    default_client,
)
from ._explain import explain
from ._explanation import Explanation
from ._lakekey import Credential, __version__, token
from .errors import (
    ApiError,
    AuthError,
    CancelledError,
    ClosedError,
    ConfigError,
    ConninfoError,
    CredentialError,
    InternalError,
    LakekeyError,
    LakekeyTimeout,
    LoginError,
    ResolveError,
    TargetError,
    TransportError,
)

__all__ = [
    "ApiError",
    "AuthError",
    "CancelledError",
    "Client",
    "ClosedError",
    "ConfigError",
    "ConnectOptions",
    "ConninfoError",
    "Credential",
    "CredentialError",
    "Explanation",
    "InternalError",
    "LakekeyError",
    "LakekeyTimeout",
    "LoginError",
    "ResolveError",
    "TargetError",
    "TransportError",
    "__version__",
    "aconnect_params",
    "aconninfo",
    "acredential",
    "atoken",
    "connect_params",
    "conninfo",
    "credential",
    "default_client",
    "explain",
    "token",
]
