"""`vaultcrm user …` and `vaultcrm token …`."""

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer
from rich.markup import escape

from vaultcrm.domain.people import ApiToken, Role, TokenScope, email_address
from vaultcrm.entrypoints.cli.environment import run, settings_or_exit, stdout

if TYPE_CHECKING:
    from vaultcrm.workflows.parts import Pool

users = typer.Typer(no_args_is_help=True, add_completion=False)
tokens = typer.Typer(no_args_is_help=True, add_completion=False)


@users.callback()
def users_are_a_group() -> None:
    """People who may sign in: add, assign, link, password, second factor, disable, enable."""


@tokens.callback()
def tokens_are_a_group() -> None:
    """Tokens for the JSON API: create, list, revoke."""


def _address(text: str) -> str:
    try:
        return email_address(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not an e-mail address.") from None


Email = Annotated[
    str, typer.Argument(metavar="EMAIL", parser=_address, help="the person's e-mail address")
]
PersonRole = Literal["chatter", "manager", "admin"]


@users.command("add")
def add(
    email: Email,
    role: Annotated[PersonRole, typer.Option(help="what they may do")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="how the console calls them")
    ] = None,
    creator: Annotated[
        list[str] | None,
        typer.Option(metavar="HANDLE", help="a creator they answer for; repeatable"),
    ] = None,
    all_creators: Annotated[
        bool | None,
        typer.Option(
            "--all-creators/--own-creators",
            help="may act for every creator; by default managers and admins may",
        ),
    ] = None,
) -> None:
    """Add a person. A chatter sees only the creators that they are given."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_people import add_user

    settings = settings_or_exit()
    wanted = Role(role)

    async def work() -> None:
        async with open_database(settings) as pool:
            await add_user(
                pool,
                email=email,
                name=name or email.split("@", maxsplit=1)[0],
                role=wanted,
                all_creators=wanted is not Role.CHATTER if all_creators is None else all_creators,
                creator_handles=creator or [],
                now=utc_now(),
            )

    run(work)
    stdout.print(f"Added {email} as {role}.", markup=False, soft_wrap=True)


@users.command("assign")
def assign(
    email: Email,
    creator: Annotated[
        list[str], typer.Option(metavar="HANDLE", help="handle of a creator; repeatable")
    ],
) -> None:
    """Let a person act for more creators."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_people import assign_creators

    settings = settings_or_exit()

    async def work() -> None:
        async with open_database(settings) as pool:
            await assign_creators(pool, email, creator, utc_now())

    run(work)
    stdout.print(f"{email} may act for {', '.join(creator)}.", markup=False, soft_wrap=True)


@users.command("link")
def link(email: Email) -> None:
    """Print a link that signs this person in to the console, once, within a day."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_people import sign_in_link

    settings = settings_or_exit()

    async def work() -> str:
        async with open_database(settings) as pool:
            return await sign_in_link(pool, settings, email, utc_now())

    typer.echo(run(work))


@users.command("password")
def password(email: Email) -> None:
    """Set a person's password, asked for, or one line of standard input. Signs them out."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_team import set_password

    settings = settings_or_exit()
    if sys.stdin.isatty():
        given = typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")

    async def work() -> None:
        async with open_database(settings) as pool:
            await set_password(pool, email, given, utc_now())

    run(work)
    stdout.print(f"{email} signs in with the new password.", markup=False, soft_wrap=True)


@users.command("reset-second-factor")
def reset_second_factor(email: Email) -> None:
    """Take a lost second factor away. Signs the person out and ends their links."""
    from vaultcrm.workflows.manage_team import remove_second_factor as change

    _change(email, change)
    stdout.print(f"{email} has no second factor any more.", markup=False, soft_wrap=True)


@users.command("disable")
def disable(email: Email) -> None:
    """Let a person sign in no more: ends their sessions and links, and stops their tokens."""
    from vaultcrm.workflows.manage_team import disable as change

    _change(email, change)
    stdout.print(f"{email} cannot sign in any more.", markup=False, soft_wrap=True)


@users.command("enable")
def enable(email: Email) -> None:
    """Let a person sign in again, with the role that they had."""
    from vaultcrm.workflows.manage_team import enable as change

    _change(email, change)
    stdout.print(f"{email} can sign in again.", markup=False, soft_wrap=True)


def _change(
    email: str, change: Callable[["Pool", None, UUID, datetime], Awaitable[object]]
) -> None:
    """Change what the person with this address may do, by the machine's own word."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_team import person_of

    settings = settings_or_exit()

    async def work() -> None:
        async with open_database(settings) as pool:
            await change(pool, None, await person_of(pool, email), utc_now())

    run(work)


@tokens.command("create")
def create(
    user: Annotated[
        str | None,
        typer.Option(metavar="EMAIL", parser=_address, help="the person it acts as"),
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="the program it is for")
    ] = None,
    scope: Annotated[
        list[TokenScope] | None,
        typer.Option(help="what it may do; repeatable, and without it everything"),
    ] = None,
    expires: Annotated[
        int | None,
        typer.Option(min=1, max=3650, metavar="DAYS", help="when it ends; without it never"),
    ] = None,
) -> None:
    """Make a token and print it, alone, on standard output. It is shown this once."""
    if (user is None) == (service is None):
        raise typer.BadParameter("Give either --user EMAIL or --service NAME.")
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_people import add_token_for_service, add_token_for_user

    settings, now = settings_or_exit(), utc_now()
    ends = None if expires is None else now + timedelta(days=expires)

    async def work() -> str:
        async with open_database(settings) as pool:
            if user is not None:
                return await add_token_for_user(pool, user, now, scopes=scope, expires_at=ends)
            assert service is not None  # noqa: S101 -- exactly one of the two is given
            return await add_token_for_service(pool, service, now, scopes=scope, expires_at=ends)

    typer.echo(run(work))


@tokens.command("list")
def list_tokens() -> None:
    """List all tokens: id, whose, what they may do, when they were used and when they end."""
    from rich.table import Table

    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_tokens import every_token

    settings, now = settings_or_exit(), utc_now()

    async def work() -> list[ApiToken]:
        async with open_database(settings) as pool:
            return await every_token(pool, now)

    found = run(work)
    if not found:
        stdout.print("There are no tokens. vaultcrm token create makes one.", markup=False)
        return
    table = Table("ID", "Whose", "Name", "Scopes", "Last used", "State", box=None)
    for each in found:
        scopes = "all" if each.scopes is None else ", ".join(sorted(each.scopes))
        used = "never" if each.last_used_at is None else f"{each.last_used_at:%Y-%m-%d %H:%M}"
        row = (str(each.id), each.owner, each.name, scopes, used, _state_of(each, now))
        table.add_row(*map(escape, row))
    stdout.print(table)


def _state_of(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is None:
        return "good for ever"
    if token.expires_at <= now:
        return "expired"
    return f"good until {token.expires_at:%Y-%m-%d}"


@tokens.command("revoke")
def revoke(
    token_id: Annotated[UUID, typer.Argument(metavar="ID", help="its id, as list shows it")],
) -> None:
    """End a token: it opens nothing any more."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.manage_tokens import revoke_token

    settings = settings_or_exit()

    async def work() -> None:
        async with open_database(settings) as pool:
            await revoke_token(pool, token_id, utc_now())

    run(work)
    stdout.print("The token is revoked.", markup=False)
