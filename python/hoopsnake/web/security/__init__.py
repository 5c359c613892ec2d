"""Security schemes: what a client authenticates with, found, refused and documented."""

from hoopsnake.web._parameters import SecurityScopes
from hoopsnake.web._security_scheme import SecurityScheme
from hoopsnake.web.security.api_key import APIKeyCookie, APIKeyHeader, APIKeyQuery
from hoopsnake.web.security.http import (
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    HTTPDigest,
)
from hoopsnake.web.security.oauth2 import (
    OAuth2,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
)
from hoopsnake.web.security.open_id_connect_url import OpenIdConnect
from hoopsnake.web.security.password_form import (
    OAuth2PasswordRequestForm,
    OAuth2PasswordRequestFormStrict,
)

__all__ = [
    "APIKeyCookie",
    "APIKeyHeader",
    "APIKeyQuery",
    "HTTPAuthorizationCredentials",
    "HTTPBasic",
    "HTTPBasicCredentials",
    "HTTPBearer",
    "HTTPDigest",
    "OAuth2",
    "OAuth2AuthorizationCodeBearer",
    "OAuth2PasswordBearer",
    "OAuth2PasswordRequestForm",
    "OAuth2PasswordRequestFormStrict",
    "OpenIdConnect",
    "SecurityScheme",
    "SecurityScopes",
]
