"""Accounts on platforms: listed with how they are, connected, paused, resumed, forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.adapters.channels.accounts import Kind
from vaultcrm.controls.auth import require_role
from vaultcrm.domain.channels import ChannelAccount
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.connect_channel import (
    Connecting,
    accounts_of,
    connect_channel,
    pause_channel,
    remove_channel,
    resume_channel,
)
from vaultcrm.workflows.parts import Parts

router = APIRouter(prefix="/channels")

MANAGERS = (Role.MANAGER, Role.ADMIN)
DONE: Mapping[str, str] = {
    "connected": "Connected. Give the platform the address that stands beside the account.",
    "pause": "Paused. Messages wait, and what fans write still comes in.",
    "resume": "Goes on. What waits leaves within a minute, in its order.",
    "remove": "Removed, with its credentials. Fans and conversations stay.",
}
_CHANGES = {"pause": pause_channel, "resume": resume_channel, "remove": remove_channel}
LONGEST_DELAY_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Shown:
    """An account as the page shows it: whose, of what kind, and where the platform posts to."""

    account: ChannelAccount
    title: str
    creator_name: str
    address: str
    automates: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form. Secrets are never sent back: they are typed again."""

    creator_id: UUID | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    delay: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    """By field; `form` for what is wrong with the whole."""


@router.get("")
async def channels(parts: PartsDep, desk: DeskDep, done: str | None = None) -> Response:
    """Every account of the caller's creators, with how it is."""
    require_role(desk.caller, *MANAGERS)
    async with parts.pool.connection() as connection:
        accounts = await accounts_of(parts, connection, list(desk.creators))
    shown = [_shown(parts, desk, account) for account in accounts]
    shown.sort(key=lambda one: (one.account.paused_at is None, one.creator_name, one.title))
    return page(
        "channels/channels.html",
        desk=desk,
        here="channels",
        accounts=shown,
        kinds=parts.channels.kinds.values(),
        fixed=sorted(parts.channels.fixed),
        done=DONE.get(done or ""),
        reachable=parts.settings.vaultcrm_base_url.startswith("https://"),
    )


@router.get("/new")
async def new_account(
    parts: PartsDep, desk: DeskDep, kind: str, creator: Annotated[UUID | None, Query()] = None
) -> Response:
    """The form of one kind of account."""
    require_role(desk.caller, *MANAGERS)
    return _form(desk, _kind(parts, kind), Typed(creator or next(iter(desk.creators), None)))


@router.post("/new")
async def connect(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    kind: Annotated[FreeText, Form()],
    creator: Annotated[UUID, Form()],
    delay: Annotated[FreeText, Form()] = "",
) -> Response:
    """Connect an account, or connect it anew; a refusal keeps what is no secret."""
    require_role(session.caller, *MANAGERS)
    known = _kind(parts, kind)
    form = await request.form()
    given = {one.name: str(form.get(one.name, "")).strip() for one in known.settings}
    try:
        wanted = Connecting(
            creator, kind, {name: value for name, value in given.items() if value}, _delay(delay)
        )
        await connect_channel(parts, session.caller, wanted)
    except InvalidInput as refused:
        names = {"delay", *given}
        problems: dict[str, str] = {}
        for problem in refused.problems:
            name = problem.field.rpartition(".")[2]
            problems[name if name in names else "form"] = words.phrases.sentence(problem.reason)
        plain = {one.name: given[one.name] for one in known.settings if not one.secret}
        desk = await open_desk(parts, session)
        typed = Typed(creator, plain, delay, problems)
        return _form(desk, known, typed, HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect("/channels", done="connected")


@router.post("/{creator_id}/{channel}")
async def change(
    parts: PartsDep,
    session: FormSessionDep,
    creator_id: UUID,
    channel: str,
    action: Annotated[Literal["pause", "resume", "remove"], Form()],
) -> Response:
    """Pause an account, let it go on, or forget it."""
    await _CHANGES[action](parts, session.caller, creator_id, channel)
    return redirect("/channels", done=action)


def _shown(parts: Parts, desk: Desk, account: ChannelAccount) -> Shown:
    kind = parts.channels.kinds.get(account.channel)
    creator = desk.creators[account.creator_id]
    base = parts.settings.vaultcrm_base_url.rstrip("/")
    return Shown(
        account,
        title=kind.title if kind else account.channel,
        creator_name=creator.display_name,
        address=f"{base}/api/webhooks/{account.channel}/{quote(creator.handle, safe='')}",
        automates=account.config.get("automatedSending") is True,
    )


def _kind(parts: Parts, name: str) -> Kind:
    if name not in parts.channels.kinds:
        raise NotFound("kind of channel")
    return parts.channels.kinds[name]


def _delay(text: str) -> int | None:
    """Seconds; None for an empty field. Raises InvalidInput."""
    if not text.strip():
        return None
    if not text.strip().isdecimal() or int(text) > LONGEST_DELAY_SECONDS:
        raise InvalidInput(
            FieldProblem("delay", f"a number of seconds, at most {LONGEST_DELAY_SECONDS:,}")
        )
    return int(text)


def _form(desk: Desk, kind: Kind, typed: Typed, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return page("channels/new.html", status, desk=desk, here="channels", kind=kind, typed=typed)
