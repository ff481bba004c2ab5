"""`vaultcrm user …` and `vaultcrm token …`."""

import re
from typing import Annotated

import typer

from vaultcrm.bootstrap import open_database, utc_now
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.cli.environment import run, settings_or_exit, stdout
from vaultcrm.workflows.manage_people import (
    add_token_for_service,
    add_token_for_user,
    add_user,
    assign_creators,
    sign_in_link,
)

users = typer.Typer(no_args_is_help=True, help="People who may sign in.")
tokens = typer.Typer(no_args_is_help=True, help="Tokens for the JSON API.")

Email = Annotated[str, typer.Argument(help="the person's e-mail address")]
Creators = Annotated[
    list[str] | None, typer.Option("--creator", help="handle of a creator; repeatable")
]


@tokens.callback()
def tokens_are_a_group() -> None:
    """Tokens for the JSON API."""


def _person_role(value: str) -> Role:
    if value not in {Role.CHATTER.value, Role.MANAGER.value, Role.ADMIN.value}:
        raise typer.BadParameter("use chatter, manager or admin")
    return Role(value)


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", value) or len(value) > 200:
        raise typer.BadParameter("is not an e-mail address")
    return value.lower()


@users.command("add")
def add(
    email: Email,
    role: Annotated[str, typer.Option(help="chatter, manager or admin")],
    name: Annotated[str | None, typer.Option(help="how the console calls them")] = None,
    creator: Creators = None,
    all_creators: Annotated[
        bool | None,
        typer.Option(
            "--all-creators/--own-creators",
            help="may act for every creator; by default managers and admins may",
        ),
    ] = None,
) -> None:
    """Add a person. A chatter sees only the creators that they are given."""
    settings = settings_or_exit()
    wanted, address = _person_role(role), _email(email)

    async def work() -> None:
        async with open_database(settings) as pool:
            await add_user(
                pool,
                email=address,
                name=name or address.split("@", maxsplit=1)[0],
                role=wanted,
                all_creators=wanted is not Role.CHATTER if all_creators is None else all_creators,
                creator_handles=creator or [],
                now=utc_now(),
            )

    run(work)
    stdout.print(f"Added {address} as {wanted.value}.", markup=False)


@users.command("assign")
def assign(email: Email, creator: Creators = None) -> None:
    """Let a person act for creators."""
    settings = settings_or_exit()

    async def work() -> None:
        async with open_database(settings) as pool:
            await assign_creators(pool, _email(email), creator or [], utc_now())

    run(work)
    stdout.print(f"{email} may act for {', '.join(creator or ['nobody new'])}.", markup=False)


@users.command("link")
def link(email: Email) -> None:
    """Print a link that signs this person in to the console, good for a day."""
    settings = settings_or_exit()

    async def work() -> str:
        async with open_database(settings) as pool:
            return await sign_in_link(pool, settings, _email(email), utc_now())

    stdout.print(run(work), soft_wrap=True, markup=False)


@tokens.command("create")
def create(
    user: Annotated[str | None, typer.Option(help="e-mail of the person it acts as")] = None,
    service: Annotated[str | None, typer.Option(help="name of a program")] = None,
) -> None:
    """Make a token and print it, alone, on standard output. It is shown this once."""
    if (user is None) == (service is None):
        raise typer.BadParameter("give either --user EMAIL or --service NAME")
    settings = settings_or_exit()

    async def work() -> str:
        async with open_database(settings) as pool:
            if user is not None:
                return await add_token_for_user(pool, _email(user), utc_now())
            assert service is not None  # noqa: S101 -- exactly one of the two is given
            return await add_token_for_service(pool, service, utc_now())

    typer.echo(run(work))
