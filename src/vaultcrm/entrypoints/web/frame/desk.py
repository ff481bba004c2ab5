"""What every page knows about whoever it is shown to: their creators, flags and counts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.controls.limits.windows import windows_at
from vaultcrm.db.pending import Record
from vaultcrm.db.queries import alerts, console, limits
from vaultcrm.db.queries.activity import activity, version_of
from vaultcrm.db.queries.cards import MOST_COUNTED, QueueCounts, queue_counts
from vaultcrm.domain.flags import Flags
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Creator, Role
from vaultcrm.entrypoints.api.context import parts_of
from vaultcrm.entrypoints.web.frame.sessions import Session, SessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.parts import Parts

NEAR_LIMIT = 0.9
"""Share of the day's tokens from which the count is shown as a warning."""


NOBODY = UUID(int=1)
"""No creator and not the installation."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A signed-in person's creators by id, the flags in force, and what waits for them.

    `now` is in the zone of their browser. `version` differs once anything here has changed.
    """

    session: Session
    now: datetime
    creators: Mapping[UUID, Creator]
    flags: Flags
    own_flags: Mapping[UUID, Flags]
    counts: QueueCounts
    waiting: int
    tokens_used: int
    version: str
    unseen_alerts: tuple[Record, ...]

    @property
    def caller(self) -> Caller:
        return self.session.caller

    @property
    def owners(self) -> tuple[UUID, ...]:
        """Those whose doings change the page: the creators, and the installation as the nil id for
        whoever may see what happens in it. For others nobody, whose version changes with the
        installation's flags alone.
        """
        whole = self.caller.all_creators or self.caller.role is Role.ADMIN
        return (*self.creators, NIL if whole else NOBODY)

    @property
    def theme(self) -> str:
        return self.session.theme

    @property
    def csrf(self) -> str:
        return self.session.csrf

    @property
    def has_ai(self) -> bool:
        """Whether AI is on for any of these creators, or would be if there were one."""
        return bool(self.ai_creator_ids) if self.creators else self.flags.enabled

    @property
    def ai_creator_ids(self) -> tuple[UUID, ...]:
        return tuple(creator_id for creator_id in self.creators if self.ai_is_on_for(creator_id))

    def ai_is_on_for(self, creator_id: UUID) -> bool:
        creator = self.creators.get(creator_id)
        return creator is not None and self.flags_of(creator_id).ai_is_on_for(creator.handle)

    def flags_of(self, creator_id: UUID) -> Flags:
        return self.own_flags.get(creator_id, self.flags)

    def creator_name(self, creator_id: UUID) -> str:
        creator = self.creators.get(creator_id)
        return creator.display_name if creator is not None else "the creator"

    @property
    def manages(self) -> bool:
        return self.caller.is_one_of(Role.ADMIN, Role.MANAGER)

    @property
    def alerts(self) -> int:
        """Open alerts that nobody has acknowledged; always none for those who cannot."""
        return len(self.unseen_alerts)

    @property
    def sees_flags(self) -> bool:
        return self.caller.is_one_of(Role.ADMIN)

    @property
    def may_switch_ai(self) -> bool:
        """Whether the one switch that stops all AI is theirs."""
        return self.caller.is_one_of(Role.ADMIN) and self.caller.all_creators

    @property
    def waiting_label(self) -> str:
        return words.phrases.counted(self.waiting)

    @property
    def tokens_are_short(self) -> bool:
        return self.tokens_used >= NEAR_LIMIT * self.flags.max_tokens_per_day


async def desk_of(request: Request, session: SessionDep) -> Desk:
    return await open_desk(parts_of(request), session)


DeskDep = Annotated[Desk, Depends(desk_of)]


async def open_desk(parts: Parts, session: Session) -> Desk:
    """Read what the page's frame shows, in two round trips."""
    caller, now = session.caller, parts.now().astimezone(session.zone)
    wanted = None if caller.all_creators else list(caller.creator_ids)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            creators_sent = await console.creators(connection, wanted)
            overrides_sent = await console.overrides(connection, wanted)
        creators = {creator.id: creator for creator in await creators_sent.answer()}
        overrides = await overrides_sent.answer()
        installation = overrides.pop(NIL, {})
        desk = Desk(
            session=session,
            now=now,
            creators=creators,
            flags=effective_flags(parts.settings, Overrides(installation, {})),
            own_flags={
                creator_id: effective_flags(parts.settings, Overrides(installation, own))
                for creator_id, own in overrides.items()
            },
            counts=QueueCounts(),
            waiting=0,
            tokens_used=0,
            version="",
            unseen_alerts=(),
        )
        async with connection.pipeline():
            counts_sent = await queue_counts(connection, desk.ai_creator_ids, caller.user_id, now)
            waiting_sent = await console.waiting_conversations(connection, list(creators))
            used_sent = await limits.used_today(
                connection, windows_at(parts.now(), parts.settings.agency_time_zone).day
            )
            alerts_sent = await alerts.list_alerts(
                connection, list(creators), is_open=True, before=None, limit=MOST_COUNTED
            )
            activity_sent = await activity(connection, desk.owners, now)
        open_alerts = await alerts_sent.answer() if desk.manages else []
        return replace(
            desk,
            counts=await counts_sent.answer(),
            waiting=await waiting_sent.answer(),
            tokens_used=await used_sent.answer(),
            version=version_of(await activity_sent.answer()),
            unseen_alerts=tuple(each for each in open_alerts if not each["acknowledged_at"]),
        )
