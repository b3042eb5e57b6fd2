"""The clients at the hub: who they are, who else they may be, merged and separated, told and forgotten."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from core.auth import Bounds, bounds_now, demand_operator
from core.echoes import storage_errors
from core.errors import NotFound, Rejected
from core.operations import Operation
from core.rehearsal import Rehearsal
from orchestrator import merges
from orchestrator.client_list import client_view, list_clients, list_suggestions, settle
from orchestrator.cursors import place_of
from orchestrator.erasure import StoredFile
from orchestrator.hub_arguments import CursorArgument, LimitArgument, ReasonArgument
from orchestrator.hub_client_models import (
    ClientCard,
    ClientLine,
    ClientPage,
    Erased,
    Exported,
    ExportedFile,
    Fact,
    Handle,
    MergeLine,
    MergePage,
    Suggestion,
    SuggestionPage,
)
from orchestrator.hub_parts import HubParts
from orchestrator.hub_views import appeal_line
from orchestrator.store.errors import MergeRefused
from orchestrator.store.text import storable

ClientArgument = Annotated[
    str, Field(pattern=r"^\d{1,18}$", description="From a turn or an appeal", examples=["57"])
]
NumberArgument = Annotated[str, Field(pattern=r"^\d{1,18}$", description="From the list", examples=["12"])]


class ClientDesk:
    """Who the business talks to."""

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._pool = parts.pool

    def operations(self) -> list[Operation]:
        """Models look a client up; the rest is for people, by REST and the command line."""
        client, suggestion = "/api/clients/{client_id}", "/api/client-suggestions/{suggestion_id}"
        merge, undo = "/api/client-merges", "/api/client-merges/{merge_id}/undo"
        people = [
            ("list_clients", "List clients", "GET", "/api/clients", self._list, "read"),
            ("list_suggestions", "List pairs", "GET", "/api/client-suggestions", self._suggestions, "read"),
            ("accept_suggestion", "Two are one", "POST", f"{suggestion}/accept", self._accept, "change"),
            ("dismiss_suggestion", "Two are two", "POST", f"{suggestion}/dismiss", self._dismiss, "change"),
            ("list_merges", "List merges", "GET", f"{client}/merges", self._merges, "read"),
            ("merge_clients", "Merge two clients", "POST", merge, self._merge, "change"),
            ("unmerge_clients", "Undo a merge", "POST", undo, self._unmerge, "change"),
        ]
        whole, export = f"{client}/export", self._export
        path, erase, dry = f"{client}/erase", self._erase, self._rehearse_erase
        return [
            Operation("get_client", "Get a client", "GET", client, self._get, "read"),
            Operation("export_client", "Export", "GET", whole, export, "read", tool=False, needs="manage"),
            Operation(
                "erase_client", "Erase a client", "POST", path, erase, "erase", tool=False, rehearse=dry
            ),
            *(Operation(*one, tool=False) for one in people),  # type: ignore[arg-type]  # rows of one shape
        ]

    async def _get(self, client_id: ClientArgument) -> ClientCard:
        """Get who a client is, when the answer depends on it: accounts, facts and whose, earlier cases."""
        bounds = bounds_now()
        view = await client_view(self._pool, await merges.follow(self._pool, int(client_id)))
        if view is None:
            raise NotFound(f"There is no client {client_id}.")
        return ClientCard(
            client_id=str(view.client.id),
            name_untrusted=view.client.name,
            phone=view.client.phone,
            email_untrusted=view.client.email,
            handles=[Handle(**one) for one in view.handles],
            handles_count=view.handles_count,
            facts=[Fact(**one) for one in view.facts],
            appeals=[appeal_line(one) for one in view.appeals if _is_open_to(bounds, one.id)],
        )

    async def _list(
        self,
        query: Annotated[
            str,
            Field(max_length=200, description="Part of a name, or a phone or handle", examples=["Анна"]),
        ] = "",
        limit: LimitArgument = 20,
        cursor: CursorArgument = "",
    ) -> ClientPage:
        """List clients, the newest first."""
        page = await list_clients(self._pool, query=storable(query), limit=limit, cursor=cursor)
        return ClientPage(clients=[ClientLine(**one) for one in page.rows], next_cursor=page.next_cursor)

    async def _suggestions(
        self,
        which: Annotated[Literal["open", "accepted", "dismissed"], Field(description="Which ones")] = "open",
        limit: LimitArgument = 20,
        cursor: CursorArgument = "",
    ) -> SuggestionPage:
        """List pairs of clients who may be one person, the newest first."""
        page = await list_suggestions(self._pool, state=which, limit=limit, cursor=cursor)
        return SuggestionPage(
            suggestions=[Suggestion(**one) for one in page.rows], next_cursor=page.next_cursor
        )

    async def _accept(
        self,
        suggestion_id: NumberArgument,
        winner_id: Annotated[
            str, Field(pattern=r"^\d{0,18}$", description="Who stays; empty: the older one", examples=["57"])
        ] = "",
    ) -> MergeLine:
        """The two clients of a suggestion are one person: merge them."""
        by = demand_operator()
        pair = await settle(self._pool, int(suggestion_id))
        if pair is None:
            raise NotFound(f"There is no open suggestion {suggestion_id}.")
        winner = int(winner_id or min(pair.clients))
        if winner not in pair.clients:
            raise Rejected(f"The client {winner_id} is none of this suggestion.")
        [loser] = pair.clients - {winner}
        return await self._merged(winner, loser, by=by, why=pair.why)

    async def _dismiss(self, suggestion_id: NumberArgument) -> Suggestion:
        """The two clients of a suggestion are two people: it is not made again."""
        by = demand_operator()
        pair = await settle(self._pool, int(suggestion_id), dismissed_by=by, now=self._parts.now())
        if pair is None:
            raise NotFound(f"There is no open suggestion {suggestion_id}.")
        return Suggestion(**pair.line)

    async def _merges(
        self, client_id: ClientArgument, limit: LimitArgument = 20, cursor: CursorArgument = ""
    ) -> MergePage:
        """List the merges that made a client, the latest first: the order in which they are undone."""
        winner = await merges.follow(self._pool, int(client_id))
        found = await merges.merges_of(self._pool, winner, before=place_of(cursor), limit=limit + 1)
        lines = [_line(one) for one in found[:limit]]
        return MergePage(merges=lines, next_cursor=lines[-1].merge_id if len(found) > limit else "")

    async def _merge(
        self, winner_id: ClientArgument, loser_id: ClientArgument, why: ReasonArgument = ""
    ) -> MergeLine:
        """Make two clients one, the winner; replies go to the chat written from, and it can be undone."""
        return await self._merged(int(winner_id), int(loser_id), by=demand_operator(), why=why)

    async def _merged(self, winner: int, loser: int, *, by: str, why: str) -> MergeLine:
        await self._parts.ended.end_of_clients(winner, loser)  # or nothing is done: channels ask Redis alone
        try:
            made = await merges.merge(self._pool, winner, loser, by=by, why=why, now=self._parts.now())
        except MergeRefused as error:
            raise Rejected(str(error)) from error
        await self._parts.ended.end_of_clients(made.winner_id, made.loser_id)
        return _line(made)

    async def _unmerge(self, merge_id: NumberArgument) -> MergeLine:
        """Undo a merge: what was moved goes back, what came since goes to the side it came from."""
        by = demand_operator()
        try:
            known = await merges.get_merge(self._pool, int(merge_id))
            await self._parts.ended.end_of_clients(known.winner_id, known.loser_id)
            undone = await merges.unmerge(self._pool, int(merge_id), by=by, now=self._parts.now())
        except MergeRefused as error:
            raise Rejected(str(error)) from error
        await self._parts.ended.end_of_clients(undone.winner_id, undone.loser_id)
        return _line(undone)

    async def _export(self, client_id: ClientArgument) -> Exported:
        """Everything that is kept of a client, as it is stored."""
        demand_operator()
        with storage_errors():
            export = await self._parts.erasure.export(int(client_id))
        if export is None:
            raise NotFound(f"There is no client {client_id}.")
        files = [self._file(one) for one in export.files]
        return Exported(**{**asdict(export), "client_id": str(export.client_id), "files": files})

    def _file(self, stored: StoredFile) -> ExportedFile:
        return ExportedFile(
            hash=stored.hash,
            kind=stored.kind,
            name_untrusted=stored.name,
            media_type=stored.media_type,
            size=stored.size,
            url=self._parts.files.address(stored.id) if stored.opens else "",
        )

    async def _erase(
        self,
        client_id: ClientArgument,
        confirm: Annotated[str, Field(max_length=20, description="The client_id once more", examples=["57"])],
    ) -> Erased:
        """Erase a client everywhere, for good. Repeating it finishes what a crash left."""
        by = demand_operator()
        if confirm != client_id:
            raise Rejected("Nothing was erased: confirm must be the client_id once more.")
        with storage_errors():
            report = await self._parts.erasure.erase(int(client_id), by=by)
            await self._parts.ended.end_of_clients(int(client_id))
        if report is None:
            raise NotFound(f"There is no client {client_id}.")
        told = {**asdict(report), "client_id": str(report.client_id)}
        return Erased(**{**told, "finished_at": report.finished_at.isoformat()})

    async def _rehearse_erase(self, *, client_id: str, confirm: str) -> Rehearsal:
        demand_operator()
        if confirm != client_id:
            raise Rejected("Nothing would be erased: confirm must be the client_id once more.")
        with storage_errors():
            kept = await self._parts.erasure.export(int(client_id))
        if kept is None:
            raise NotFound(f"There is no client {client_id}.")
        rows = {name: len(found) for name, found in kept.tables.items()}
        beside = {"in_redis": len(kept.redis) + len(kept.queued), "files": len(kept.files)}
        return Rehearsal(would=f"erase the client {kept.client_id} for good", affects=rows | beside)


def _is_open_to(bounds: Bounds | None, appeal_id: int) -> bool:
    return bounds is None or bounds.appeal_id == str(appeal_id)


def _line(one: merges.Merge) -> MergeLine:
    return MergeLine(
        merge_id=str(one.id),
        winner_id=str(one.winner_id),
        loser_id=str(one.loser_id),
        why_untrusted=one.why,
        merged_by=one.merged_by,
        merged_at=one.merged_at.isoformat(),
        undone_by=one.undone_by or "",
        undone_at=one.undone_at.isoformat() if one.undone_at else "",
    )
