"""Accounts of creators on platforms: connect, pause, resume, remove."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.domain.channels import ChannelAccount
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.fields import Line
from vaultcrm.entrypoints.api.schemas.channels import (
    ChannelIn,
    ChannelOut,
    ChannelPage,
    CreatorIn,
    KindOut,
    KindPage,
    SettingOut,
)
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.connect_channel import (
    Connecting,
    accounts_of,
    connect_channel,
    pause_channel,
    remove_channel,
    resume_channel,
)
from vaultcrm.workflows.parts import Receipt

router = APIRouter(prefix="/api", tags=["Channels"])


@router.get("/channel-kinds")
async def channel_kinds(parts: PartsDep, caller: CallerDep) -> KindPage:
    """What can be connected, and what each needs."""
    return KindPage(
        items=[
            KindOut(
                name=kind.name,
                title=kind.title,
                settings=[
                    SettingOut(
                        name=setting.name,
                        description=setting.description,
                        secret=setting.secret,
                        required=setting.required,
                    )
                    for setting in kind.settings
                ],
            )
            for kind in parts.channels.kinds.values()
        ]
    )


@router.get("/channels")
async def channels(
    parts: PartsDep, caller: CallerDep, creator_id: OneCreator = None
) -> ChannelPage:
    """Accounts, with whether sending over them is paused and why."""
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        found = await accounts_of(parts, connection, creator_ids)
    return ChannelPage(items=[ChannelOut.of(account) for account in found])


@router.post("/channels", response_model=ChannelOut, status_code=201)
async def connect(
    request: Request, body: ChannelIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Connect an account, or connect it anew with other credentials."""

    def encode(account: ChannelAccount) -> str:
        return ChannelOut.of(account).model_dump_json(by_alias=True)

    async def work(receipt: Receipt | None) -> Response:
        account = await connect_channel(
            parts,
            caller,
            Connecting(body.creator_id, body.channel, body.settings, body.send_delay_seconds),
            receipt=receipt,
            encode=encode,
        )
        return json_response(encode(account), 201)

    return await once(request, parts, caller.user_id, work)


@router.post("/channels/{channel}/pause", status_code=204)
async def pause(channel: Line, body: CreatorIn, parts: PartsDep, caller: CallerDep) -> None:
    """Stop sending over a channel; its messages wait."""
    await pause_channel(parts, caller, body.creator_id, channel)


@router.post("/channels/{channel}/resume", status_code=204)
async def resume(channel: Line, body: CreatorIn, parts: PartsDep, caller: CallerDep) -> None:
    """Let sending go on; what waits leaves within a minute."""
    await resume_channel(parts, caller, body.creator_id, channel)


@router.post("/channels/{channel}/remove", status_code=204)
async def remove(channel: Line, body: CreatorIn, parts: PartsDep, caller: CallerDep) -> None:
    """Forget an account and its credentials."""
    await remove_channel(parts, caller, body.creator_id, channel)
