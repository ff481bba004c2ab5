"""`vaultcrm channel …`: creators' accounts on platforms."""

import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from vaultcrm.entrypoints.cli.environment import run, say, settings_or_exit, stdout

if TYPE_CHECKING:
    from uuid import UUID

    from vaultcrm.adapters.channels.accounts import Kind, Setting
    from vaultcrm.domain.channels import ChannelAccount
    from vaultcrm.domain.people import Caller
    from vaultcrm.settings import Settings
    from vaultcrm.workflows.parts import Parts

T = TypeVar("T")

channels = typer.Typer(no_args_is_help=True, add_completion=False)

Handle = Annotated[str, typer.Argument(metavar="CREATOR", help="the creator's handle")]
KindName = Annotated[
    str, typer.Argument(metavar="KIND", help="webhook, telegram, fanvue or chatwoot")
]


@channels.callback()
def channels_are_a_group() -> None:
    """Creators' accounts on platforms: connect, pause, resume, remove.

    Begin with: vaultcrm channel kinds. What each platform needs in detail is in docs/channels.
    """


@channels.command("kinds")
def kinds() -> None:
    """Say of each kind of account what it needs, and where its secrets are looked for."""
    from vaultcrm.adapters.channels.kinds import KINDS

    for kind in KINDS.values():
        _tell(f"{kind.name}: {kind.title}")
        for setting in kind.settings:
            where = f"secret, {_variable(setting.name)}" if setting.secret else "--set"
            left_out = "" if setting.required else ", may be left out"
            _tell(f"  {setting.name} ({where}{left_out}): {setting.description}")


@channels.command("add")
def add(
    creator: Handle,
    kind: KindName,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="what is no secret; repeatable"),
    ] = None,
    asked: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="NAME",
            help="a secret to ask for although a file or the environment has it; repeatable",
        ),
    ] = None,
    secrets_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help='secrets as JSON: {"botToken": "…"}; - is standard input'
        ),
    ] = None,
    send_delay: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=3600,
            metavar="SECONDS",
            help="time to take an approved message back; as the settings say if left out",
        ),
    ] = None,
) -> None:
    """Connect an account, or connect it anew: all that it needs is given each time.

    Each secret is taken from the file, else from the environment (botToken from
    VAULTCRM_CHANNEL_BOT_TOKEN), else asked for without showing it. Secrets are stored encrypted
    and never shown again. What was paused goes on.
    """
    from vaultcrm.adapters.channels.kinds import KINDS

    known = KINDS.get(kind)
    if known is None:
        raise typer.BadParameter(f"KIND is none of {', '.join(sorted(KINDS))}.")
    plain = dict(_pair(text, known) for text in given or [])
    secrets = _secrets(known, _from_file(secrets_from), set(asked or []))
    from vaultcrm.workflows.connect_channel import Connecting, connect_channel

    settings = settings_or_exit()

    async def work(parts: "Parts", caller: "Caller", creator_id: "UUID") -> None:
        wanted = Connecting(creator_id, kind, {**plain, **secrets}, send_delay)
        await connect_channel(parts, caller, wanted)

    _with_creator(settings, creator, work)
    _tell(f"Connected {known.title} for {creator}.")
    say(f"Next: vaultcrm channel webhook {creator} {kind}")


@channels.command("list")
def list_accounts() -> None:
    """Show every account, one a line, with how it is."""
    from vaultcrm.bootstrap import open_database
    from vaultcrm.db.queries import access, channel_accounts, creators

    settings = settings_or_exit()

    async def work() -> "list[tuple[str, ChannelAccount]]":
        async with open_database(settings) as pool, pool.connection() as connection:
            ids = await access.all_creator_ids(connection)
            found = []
            for account in await channel_accounts.of_creators(connection, ids):
                creator = await (
                    await creators.get_creator(connection, account.creator_id)
                ).answer()
                found.append((creator.handle if creator else str(account.creator_id), account))
            return found

    accounts = run(work)
    for handle, account in accounts:
        _tell(f"{handle}  {account.channel}  {_state(account)}")
    if not accounts:
        say("No account is connected. See vaultcrm channel add --help.")


@channels.command("pause")
def pause(creator: Handle, kind: KindName) -> None:
    """Stop sending over a channel. Its messages wait, and what fans write still comes in."""
    from vaultcrm.workflows.connect_channel import pause_channel

    _change(creator, kind, pause_channel)
    _tell(f"Paused {kind} for {creator}.")


@channels.command("resume")
def resume(creator: Handle, kind: KindName) -> None:
    """Let sending go on. What waits leaves within a minute, in its order."""
    from vaultcrm.workflows.connect_channel import resume_channel

    _change(creator, kind, resume_channel)
    _tell(f"Resumed {kind} for {creator}.")


@channels.command("remove")
def remove(creator: Handle, kind: KindName) -> None:
    """Forget an account and its credentials. Fans and conversations stay."""
    from vaultcrm.workflows.connect_channel import remove_channel

    _change(creator, kind, remove_channel)
    _tell(f"Removed {kind} for {creator}.")


@channels.command("webhook")
def webhook(
    creator: Handle,
    kind: KindName,
    register: Annotated[
        bool,
        typer.Option(
            "--register", help="tell Telegram the address; other platforms are told by hand"
        ),
    ] = False,
) -> None:
    """Print the address that the platform must be given, alone, on standard output."""
    from vaultcrm.adapters.channels.kinds import KINDS

    if kind not in KINDS:
        raise typer.BadParameter(f"KIND is none of {', '.join(sorted(KINDS))}.")
    if register and kind != "telegram":
        raise typer.BadParameter(
            f"--register is for telegram. Enter the address on the platform: see docs/channels/"
            f"{kind}.md."
        )
    settings = settings_or_exit()

    async def work(parts: "Parts", caller: "Caller", creator_id: "UUID") -> str:
        from vaultcrm.adapters.channels.telegram import TelegramChannel
        from vaultcrm.workflows.find_channel import find_channel

        address = _address(settings, kind, creator)
        if register:
            channel = await find_channel(parts, creator_id, kind)
            assert isinstance(channel, TelegramChannel)  # noqa: S101 -- there is no other of the kind
            await channel.register_webhook(address)
        return address

    typer.echo(_with_creator(settings, creator, work))
    if register:
        say("Telegram posts what fans write there from now on.")
    elif not settings.vaultcrm_base_url.startswith("https://"):
        say("Platforms need an https address that they can reach: set VAULTCRM_BASE_URL to it.")


def _address(settings: "Settings", kind: str, creator: str) -> str:
    from urllib.parse import quote

    base = settings.vaultcrm_base_url.rstrip("/")
    return f"{base}/api/webhooks/{kind}/{quote(creator, safe='')}"


def _change(
    creator: str,
    kind: str,
    change: "Callable[[Parts, Caller, UUID, str], Awaitable[None]]",
) -> None:
    settings = settings_or_exit()

    async def work(parts: "Parts", caller: "Caller", creator_id: "UUID") -> None:
        await change(parts, caller, creator_id, kind)

    _with_creator(settings, creator, work)


def _with_creator(
    settings: "Settings",
    handle: str,
    work: "Callable[[Parts, Caller, UUID], Awaitable[T]]",
) -> T:
    """Do something for a creator, as whoever may run commands on this machine: an admin."""
    from vaultcrm.bootstrap import open_parts
    from vaultcrm.db.queries import creators
    from vaultcrm.domain.errors import NotFound
    from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Role

    caller = Caller(SYSTEM_USER_ID, Role.ADMIN, "the vaultcrm command", all_creators=True)

    async def main() -> T:
        async with open_parts(settings) as parts:
            async with parts.pool.connection() as connection:
                creator = await (await creators.creator_by_handle(connection, handle)).answer()
            if creator is None:
                raise NotFound("creator")
            return await work(parts, caller, creator.id)

    return run(main)


# --- what somebody gives ---------------------------------------------------------------------


def _pair(text: str, kind: "Kind") -> tuple[str, str]:
    name, equals, value = text.partition("=")
    setting = next((one for one in kind.settings if one.name == name), None)
    if not equals or setting is None:
        names = ", ".join(one.name for one in kind.settings if not one.secret)
        raise typer.BadParameter(f"--set takes NAME=VALUE, NAME being one of {names}.")
    if setting.secret:
        raise typer.BadParameter(
            f"{name} is a secret, which the command line would show to others. Leave it out to be "
            f"asked for it, or set {_variable(name)}."
        )
    return name, value


def _from_file(path: Path | None) -> Mapping[str, str]:
    if path is None:
        return {}
    import json

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        found = json.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise typer.BadParameter(f'{path} does not hold a JSON object such as {{"botToken": "…"}}.')
    return found


def _secrets(kind: "Kind", stored: Mapping[str, str], ask: set[str]) -> dict[str, str]:
    """Each secret of a kind, from wherever it is. What is not one is refused, by its name."""
    wanted = [setting for setting in kind.settings if setting.secret]
    strange = sorted((ask | set(stored)) - {setting.name for setting in wanted})
    if strange:
        raise typer.BadParameter(f"{kind.title} has no secret named {', '.join(strange)}.")
    found = {}
    for setting in wanted:
        value = stored.get(setting.name) or os.environ.get(_variable(setting.name), "")
        if setting.name in ask or not value:
            value = _ask(setting)
        found[setting.name] = value.strip()
    return found


def _ask(setting: "Setting") -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            f"{setting.name} is missing. Set {_variable(setting.name)}, give --secrets-from FILE, "
            "or run this at a terminal to be asked for it."
        )
    return str(typer.prompt(f"{setting.name} ({setting.description})", hide_input=True, err=True))


def _variable(name: str) -> str:
    """The environment's name of a secret: botToken is VAULTCRM_CHANNEL_BOT_TOKEN."""
    return f"VAULTCRM_CHANNEL_{re.sub(r'(?=[A-Z])', '_', name).upper()}"


# --- what is shown ---------------------------------------------------------------------------


def _state(account: "ChannelAccount") -> str:
    parts = []
    if account.paused_at is not None:
        parts.append(
            f"paused since {account.paused_at:%Y-%m-%d %H:%M} UTC: {account.paused_reason}"
        )
    elif account.secret is None:
        parts.append("no credentials of its own")
    else:
        parts.append("connected")
    if account.send_delay_seconds is not None:
        parts.append(f"sends after {account.send_delay_seconds} seconds")
    return "; ".join(parts)


def _tell(line: str) -> None:
    stdout.print(line, markup=False, soft_wrap=True)
