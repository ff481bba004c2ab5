"""Tells pages that something has changed, so that they ask again: server-sent events.

One look a second at the database serves everybody who is connected to this process. A page gives
the version that it was made from, and a connection that was lost the last one that it heard of, so
nothing that happens in between is missed. What has changed is not said: the page asks for it, and
gets what its reader may see.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from vaultcrm.db.queries.activity import activity, version_of
from vaultcrm.db.row_scope import EVERYTHING, seeing
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.frame.desk import DeskDep
from vaultcrm.entrypoints.web.frame.pages import HEADERS
from vaultcrm.workflows.parts import Parts

router = APIRouter()

LOOK_SECONDS = 1.0
LONGEST_SILENCE = 15
"""Looks after which a comment is sent, so that a connection that is gone is noticed."""


class Live:
    """Looks once a second at the creators that somebody watches, as long as somebody does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._watched: Counter[UUID] = Counter()
        self._versions: Mapping[UUID, str] = {}
        self._looked = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None
        self._stopping = False

    async def changes(self, creator_ids: tuple[UUID, ...], seen: str) -> AsyncIterator[str | None]:
        """Each new version of these creators, and None where it is time for a sign of life."""
        self._watched.update(creator_ids)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        silence = 0
        try:
            while not self._stopping:
                async with self._looked:
                    await self._looked.wait()
                version = self._version(creator_ids)
                silence += 1
                if version not in {None, seen}:
                    seen, silence = str(version), 0
                    yield version
                elif silence >= LONGEST_SILENCE:
                    silence = 0
                    yield None
        finally:
            self._watched.subtract(creator_ids)
            self._watched += Counter()

    def _version(self, creator_ids: tuple[UUID, ...]) -> str | None:
        """None until all of them have been looked at."""
        if not self._versions.keys() >= set(creator_ids):
            return None
        return version_of({each: self._versions[each] for each in creator_ids})

    async def _look_on(self) -> None:
        try:
            while self._watched and not self._stopping:
                # A database that does not answer has said nothing new.
                with contextlib.suppress(OperationalError, PoolTimeout), seeing(EVERYTHING):
                    async with self._parts.pool.connection() as connection:
                        sent = await activity(connection, list(self._watched), self._parts.now())
                        self._versions = await sent.answer()
                async with self._looked:
                    self._looked.notify_all()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._looking = None

    def stop(self) -> None:
        """End every stream within a second: a server that stops waits for what it serves."""
        self._stopping = True


@router.get("/live")
async def live(
    request: Request,
    desk: DeskDep,
    parts: PartsDep,
    seen: str = "",
    last_event_id: str | None = Header(default=None),
) -> StreamingResponse:
    """`changed`, whenever something has happened to this person's creators or the installation."""
    watching: Live = request.app.state.live
    creator_ids = desk.owners

    async def events() -> AsyncIterator[str]:
        yield ": connected\n\n"
        async for version in watching.changes(creator_ids, last_event_id or seen):
            yield ": still here\n\n" if version is None else _changed(version)

    return StreamingResponse(events(), media_type="text/event-stream", headers=dict(HEADERS))


def _changed(version: str) -> str:
    return f"event: changed\nid: {version}\ndata: {version}\n\n"
