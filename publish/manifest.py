"""manifest.json of a bundle: MCPB 0.4, started by the client's own uv."""

from typing import Any

from core.app import VERSION
from publish.products import Product
from publish.variables import Variable

ENTRY = "server.py"


def manifest(product: Product) -> dict[str, Any]:
    """The whole file."""
    asked = [one for one in product.variables if _is_asked(one)]
    return {
        "manifest_version": "0.4",
        "name": product.name,
        "display_name": product.title,
        "version": VERSION,
        "description": product.description,
        "long_description": product.about,
        "author": {"name": "Eldoleado Channels contributors"},
        "license": "MIT",
        "keywords": ["messaging", "customers", "support"],
        "server": {
            "type": "uv",
            "entry_point": ENTRY,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", ENTRY],
                "env": {one.name: f"${{user_config.{one.name.lower()}}}" for one in asked},
            },
        },
        "tools_generated": True,
        "user_config": {one.name.lower(): _asked(one) for one in asked},
        "compatibility": {"platforms": ["darwin", "linux"], "runtimes": {"python": ">=3.11"}},
    }


def _is_asked(one: Variable) -> bool:
    """Figures that have a good default are not."""
    return one.required or one.kind == "string"


def _asked(one: Variable) -> dict[str, Any]:
    """An empty answer means our own default, which is told in words: a client would fill it in."""
    told = [one.description, f"one of {', '.join(one.choices)}" if one.choices else ""]
    told += [f"empty: {one.default}" if one.default else ""]
    field: dict[str, Any] = {
        "type": one.kind,
        "title": one.name.replace("_", " ").capitalize(),
        "description": "; ".join(filter(None, told)),
        "required": one.required,
    }
    if one.secret:
        field["sensitive"] = True
    return field if one.required else {**field, "default": ""}
