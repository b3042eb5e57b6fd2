"""A real authorization server, made of Authlib: discovery, registration, PKCE, and JWTs for a resource.

Two tenants share its signing keys, as with hosted providers: only the issuer's path tells them apart.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import AuthorizationServer, JsonPayload, JsonRequest, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.models import AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7591 import ClientRegistrationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SCOPES = ("read", "answer", "send", "manage")


@dataclass
class Registered(ClientMixin):
    """A public client that registered itself."""

    client_id: str
    redirect_uris: Sequence[str]

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Person:
    """Who sits at the browser, and what they allow: the scopes that were asked for, or fewer."""

    name: str = "anna"
    allows: Sequence[str] = SCOPES
    claims: Mapping[str, Any] = field(default_factory=dict)

    def get_user_id(self) -> str:
        return self.name


@dataclass
class Code(AuthorizationCodeMixin):
    """An authorization code and what it was given for."""

    code: str
    client_id: str
    redirect_uri: str
    scope: str
    resource: str
    person: Person
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        asked, person = request.payload.data, request.user
        scopes = [one for one in (asked.get("scope") or "").split() if one in person.allows]
        self.server.codes[code] = Code(
            code,
            asked["client_id"],
            asked["redirect_uri"],
            " ".join(scopes),
            asked.get("resource", ""),
            person,
            asked["code_challenge"],
            asked["code_challenge_method"],
        )

    def query_authorization_code(self, code: str, client: Registered) -> Code | None:
        found: Code | None = self.server.codes.get(code)
        return found if found and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> Person:
        self.server.resource = authorization_code.resource
        return authorization_code.person


class _Registration(ClientRegistrationEndpoint):
    def authenticate_token(self, request: JsonRequest) -> str:
        return "anybody"

    def get_server_metadata(self) -> Mapping[str, Any]:
        return {}

    def generate_client_secret(self, request: JsonRequest) -> str:
        return ""

    def save_client(
        self, client_info: Mapping[str, Any], client_metadata: Mapping[str, Any], _: object
    ) -> None:
        name = client_info["client_id"]
        self.server.clients[name] = Registered(name, client_metadata["redirect_uris"])


class _AccessTokens(JWTBearerTokenGenerator):
    def __init__(self, server: "_Tenant") -> None:
        super().__init__(server.issuer)
        self._server = server

    def get_jwks(self) -> RSAKey:
        return self._server.signing

    def get_audiences(self, client: object, user: object, scope: object) -> str:
        return self._server.resource

    def get_extra_claims(
        self, client: object, grant_type: object, user: Person, scope: object
    ) -> Mapping[str, Any]:
        return user.claims


class _Json(JsonPayload):
    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = dict(told)

    @property
    def data(self) -> dict[str, Any]:
        return self._told


class _Tenant(AuthorizationServer):
    """One issuer."""

    def __init__(self, issuer: str, signing: RSAKey) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self.issuer = issuer
        self.signing = signing
        self.resource = ""
        self.clients: dict[str, Registered] = {}
        self.codes: dict[str, Code] = {}
        self.register_grant(_CodeGrant, [CodeChallenge(required=True)])
        self.register_endpoint(_Registration)
        self.register_token_generator("default", _AccessTokens(self))

    def query_client(self, client_id: str) -> Registered | None:
        return self.clients.get(client_id)

    def save_token(self, token: object, request: object) -> None:
        """JWTs are kept nowhere."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def create_json_request(self, request: JsonRequest) -> JsonRequest:
        return request

    def handle_response(self, status: int, body: object, headers: Sequence[tuple[str, str]]) -> Response:
        return Response(json.dumps(body) if body else "", status, dict(headers))

    def metadata(self) -> Mapping[str, Any]:
        told = AuthorizationServerMetadata(
            issuer=self.issuer,
            authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token",
            registration_endpoint=f"{self.issuer}/register",
            jwks_uri=f"{self.issuer}/jwks",
            scopes_supported=list(SCOPES),
            response_types_supported=["code"],
            grant_types_supported=["authorization_code"],
            token_endpoint_auth_methods_supported=["none"],
            code_challenge_methods_supported=["S256"],
        )
        return dict(told)


class _Form(OAuth2Request):
    """A request as Authlib reads it."""

    def __init__(self, method: str, uri: str, sent: Mapping[str, str]) -> None:
        super().__init__(method, uri)
        self.payload = BasicOAuth2Payload(dict(sent))
        self._sent = sent

    @property
    def args(self) -> Mapping[str, str]:
        return self._sent

    @property
    def form(self) -> Mapping[str, str]:
        return self._sent


class Issuer:
    """The server: `url` is where it is reached; `person` sits at the browser and agrees at once."""

    def __init__(self, url: str) -> None:
        self.person = Person()
        self.keys = [new_key("first")]
        self.asked: list[str] = []
        self.tenants = {name: _Tenant(f"{url}/{name}", self.keys[0]) for name in ("acme", "other")}
        self.app = Starlette(routes=[route for one in self.tenants.values() for route in self._routes(one)])

    @property
    def acme(self) -> _Tenant:
        return self.tenants["acme"]

    def rotate(self) -> None:
        """Sign with a new key; the old one stays published."""
        self.keys.append(new_key("second"))
        for tenant in self.tenants.values():
            tenant.signing = self.keys[-1]

    def _routes(self, tenant: _Tenant) -> list[Route]:
        path = "/" + tenant.issuer.rpartition("/")[2]
        return [
            Route(get_well_known_url(tenant.issuer), partial(self._metadata, tenant)),
            Route(f"{path}/jwks", self._jwks),
            Route(f"{path}/register", partial(self._register, tenant), methods=["POST"]),
            Route(f"{path}/authorize", partial(self._authorize, tenant)),
            Route(f"{path}/token", partial(self._token, tenant), methods=["POST"]),
        ]

    async def _metadata(self, tenant: _Tenant, _: Request) -> Response:
        self.asked.append("metadata")
        return JSONResponse(tenant.metadata())

    async def _jwks(self, _: Request) -> Response:
        self.asked.append("jwks")
        return JSONResponse(KeySet([*self.keys]).as_dict(private=False))

    async def _register(self, tenant: _Tenant, request: Request) -> Response:
        asked = JsonRequest(request.method, str(request.url))
        asked.payload = _Json(await request.json())
        answer: Response = tenant.create_endpoint_response("client_registration", asked)
        return answer

    async def _authorize(self, tenant: _Tenant, request: Request) -> Response:
        asked = _Form(request.method, str(request.url), request.query_params)
        asked.user = self.person
        grant = tenant.get_consent_grant(asked, self.person)
        answer: Response = tenant.create_authorization_response(asked, self.person, grant)
        return answer

    async def _token(self, tenant: _Tenant, request: Request) -> Response:
        sent = dict(parse_qsl((await request.body()).decode()))
        answer: Response = tenant.create_token_response(_Form(request.method, str(request.url), sent))
        return answer


def new_key(name: str) -> RSAKey:
    """A signing key of this id."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"}, private=True)
