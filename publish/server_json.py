"""server.json of the MCP registry: what a server is, where it may run, and what it must be told."""

import hashlib
from pathlib import Path
from typing import Any

from core.app import VERSION
from publish.products import Product
from publish.variables import Variable

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
#: Whose servers these are is known when somebody publishes them (docs/publishing.md).
NAMESPACE = "com.example"
RELEASES = "https://example.com/releases"


def server_json(
    product: Product, *, namespace: str = NAMESPACE, releases: str = RELEASES, bundle: Path | None = None
) -> dict[str, Any]:
    """The whole file. With the bundle its hash, which the registry asks for."""
    return {
        "$schema": SCHEMA,
        "name": f"{namespace}/{product.name}",
        "title": product.title,
        "description": product.description,
        "version": VERSION,
        "packages": [_package(product, releases, bundle)],
        "remotes": [_remote(product)],
    }


def _package(product: Product, releases: str, bundle: Path | None) -> dict[str, Any]:
    file = f"{product.name}-{VERSION}.mcpb"
    package: dict[str, Any] = {"registryType": "mcpb", "identifier": f"{releases}/v{VERSION}/{file}"}
    if bundle is not None:
        package["fileSha256"] = hashlib.sha256(bundle.read_bytes()).hexdigest()
    variables = [{"name": one.name, **_input(one)} for one in product.variables]
    return {**package, "transport": {"type": "stdio"}, "environmentVariables": variables}


def _input(one: Variable) -> dict[str, Any]:
    field: dict[str, Any] = {
        "description": one.description,
        "format": one.kind,
        "isRequired": one.required,
        "isSecret": one.secret,
    }
    more = {"default": one.default, "choices": list(one.choices)}
    return field | {name: value for name, value in more.items() if value}


def _remote(product: Product) -> dict[str, Any]:
    """Everybody runs their own: the host and the key are asked for."""
    return {
        "type": "streamable-http",
        "url": "https://{host}/mcp",
        "variables": {
            "host": {
                "description": f"public name of your server; a proxy leads it to port {product.port}",
                "isRequired": True,
                "placeholder": "mcp.example.com",
            }
        },
        "headers": [
            {
                "name": "Authorization",
                "description": "a key of API_KEYS at that server",
                "value": "Bearer {key}",
                "isRequired": True,
                "isSecret": True,
                "variables": {
                    "key": {
                        "description": "a key of API_KEYS at that server",
                        "isRequired": True,
                        "isSecret": True,
                    }
                },
            }
        ],
    }
