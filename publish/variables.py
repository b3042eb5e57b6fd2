"""The environment variables of a server, read off its settings classes."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from core.registry import Service
from core.settings import ServiceSettings
from core.vendor_settings import VendorSettings
from launcher.settings import BridgeSettings
from launcher.vendors import vendor_of

Kind = Literal["string", "number", "boolean"]

#: Of all services, those that mean something over stdio. REDIS_URL is brought by `eldoleado stdio`.
_COMMON = ("redis_url", "mcp_stdio_mode", "mcp_profile")
_NOT_NEEDED = frozenset({"REDIS_URL"})
#: What only matters to a service that webhooks reach.
_OF_WEBHOOKS = frozenset({"VK_CONFIRMATION", "WHATSAPP_WEBHOOK_AUTH_HEADER"})


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `default` is "" where there is none; `choices` is empty where anything may stand."""

    name: str
    description: str
    required: bool
    secret: bool
    kind: Kind
    default: str
    choices: tuple[str, ...]


def of_channel(channel: Service) -> list[Variable]:
    """Of one account over stdio: the words that only prove webhooks are made for it."""
    made = {*vendor_of(channel.channel).kept, *_OF_WEBHOOKS}
    vendor = [one for one in _of(settings_of(channel)) if one.name not in made]
    common = [one for one in _of(ServiceSettings) if one.name.lower() in _COMMON]
    return sorted(vendor, key=lambda one: not one.required) + common


def of_hub() -> list[Variable]:
    """Of the bridge to a hub."""
    return list(_of(BridgeSettings))


def settings_of(channel: Service) -> type[VendorSettings]:
    """The class that reads an account of this messenger."""
    module = import_module(f"{channel.package}.settings")
    found = (
        one for one in vars(module).values() if isinstance(one, type) and issubclass(one, VendorSettings)
    )
    return next(one for one in found if one.__module__ == module.__name__)


def _of(settings: type[BaseSettings]) -> Iterator[Variable]:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        yield _variable(f"{prefix}{name}".upper(), field)


def _variable(name: str, field: FieldInfo) -> Variable:
    types = _types(field.annotation)
    return Variable(
        name,
        description=field.description or "",
        required=field.is_required() and name not in _NOT_NEEDED,
        secret=SecretStr in types,
        kind=_kind(types),
        default=_default(field),
        choices=tuple(str(one) for one in types if isinstance(one, str)),
    )


def _types(annotation: Any) -> tuple[Any, ...]:
    """A type, or what a union, an annotation or a literal is made of."""
    if get_origin(annotation) is None:
        return (annotation,)
    return tuple(part for argument in get_args(annotation) for part in _types(argument))


def _kind(types: tuple[Any, ...]) -> Kind:
    if bool in types:
        return "boolean"
    return "number" if {int, float} & {one for one in types if isinstance(one, type)} else "string"


def _default(field: FieldInfo) -> str:
    value = None if field.is_required() else field.default
    if isinstance(value, SecretStr):
        return ""
    if isinstance(value, enum.Enum):
        value = value.value
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
