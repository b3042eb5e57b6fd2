"""MCP Apps (SEP-1865, revision 2026-01-26): views of a service, in clients that show such.

The tool that opens a view answers everybody as ever; a client that shows apps puts the view beside the
answer. What a view alone uses is for the person in front of it, and no tool for models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mcp.server.apps import EXTENSION_ID, Apps, ResourceCsp
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import ClientCapabilities

from core.auth import is_operator
from core.operations import Operation

#: Origins that a view may reach: none. A host may not loosen it.
_NOWHERE = ResourceCsp(connect_domains=[], resource_domains=[], frame_domains=[], base_uri_domains=[])


@dataclass(frozen=True)
class View:
    """A page under `uri` (ui://…), whole in `html`.

    `opens` is the operation that shows it; `uses` are operators' operations, tools for the view alone.
    """

    uri: str
    title: str
    description: str
    html: str
    opens: str
    uses: frozenset[str] = frozenset()

    def meta_of(self, name: str) -> dict[str, Any] | None:
        """What a tool's `_meta` says of the view; None: nothing."""
        if name == self.opens:
            return {"ui": {"resourceUri": self.uri, "visibility": ["model", "app"]}}
        return {"ui": {"resourceUri": self.uri, "visibility": ["app"]}} if name in self.uses else None


def apps_of(views: Sequence[View]) -> Apps:
    """The SDK's extension, which serves the pages and tells clients that there are some."""
    apps = Apps()
    for view in views:
        apps.add_html_resource(
            view.uri,
            view.html,
            name=view.uri.removeprefix("ui://"),
            title=view.title,
            description=view.description,
            csp=_NOWHERE,
            prefers_border=True,
        )
    return apps


def for_views(operations: Sequence[Operation], views: Sequence[View]) -> list[Operation]:
    """The operations as MCP serves them: what a view uses is a tool, too."""
    used = used_by(views)
    return [replace(one, tool=True) if one.name in used else one for one in operations]


def used_by(views: Sequence[View]) -> frozenset[str]:
    """The names of the tools that are for views alone."""
    return frozenset[str]().union(*(view.uses for view in views))


def metas_of(views: Sequence[View], operations: Sequence[Operation]) -> dict[str, dict[str, Any]]:
    """`_meta` by the tool's name."""
    found = {(one.name, view): view.meta_of(one.name) for view in views for one in operations}
    return {name: meta for (name, _), meta in found.items() if meta is not None}


async def models_tools(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware of MCP: what is for a view alone is listed to operators whose client may show one.

    Clients before 2026-07-28 say once what they can, and over HTTP whichever replica comes next has not heard
    it: they may show views. Those that do keep such tools from the model themselves.
    """
    result = await call_next(ctx)
    if ctx.method != "tools/list" or not isinstance(result, dict):
        return result
    if is_operator() and _may_show(ctx.session.client_capabilities):
        return result
    return {**result, "tools": [tool for tool in result["tools"] if not _only_for_a_view(tool)]}


def _may_show(capabilities: ClientCapabilities | None) -> bool:
    return capabilities is None or EXTENSION_ID in (capabilities.extensions or {})


def _only_for_a_view(tool: Mapping[str, Any]) -> bool:
    shown: Mapping[str, Any] = (tool.get("_meta") or {}).get("ui", {})
    return shown.get("visibility") == ["app"]
