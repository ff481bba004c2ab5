"""`vaultcrm generate`: the main job from a terminal."""

from typing import Annotated
from uuid import UUID

import typer

from vaultcrm.domain.draft_options import LONGEST_HINT, DraftOptions, Length, Tone
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.generation import GenerationRecord, GenerationType
from vaultcrm.domain.people import SYSTEM_USER_ID, Credential
from vaultcrm.entrypoints.cli.environment import run, settings_or_exit, stdout


def _conversation_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text} is no id. One looks like 0190b5c2-7d1e-7c3a-9f00-2b6f6f3d8a11; "
            "GET /api/conversations lists them."
        ) from None


def generate(
    conversation: Annotated[
        UUID,
        typer.Option(metavar="ID", parser=_conversation_id, help="id of the conversation"),
    ],
    kind: Annotated[GenerationType, typer.Option("--type", help="what to draft")] = (
        GenerationType.REPLY
    ),
    tone: Annotated[Tone | None, typer.Option(help="how this one should sound")] = None,
    length: Annotated[Length | None, typer.Option(help="shorter or longer than usual")] = None,
    hint: Annotated[
        str, typer.Option(metavar="TEXT", help=f"what it should say, {LONGEST_HINT} characters")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print what the API would")] = False,
) -> None:
    """Draft a message, and say what happens to it next."""
    from vaultcrm.bootstrap import open_parts
    from vaultcrm.db.queries import access, conversations
    from vaultcrm.entrypoints.api.schemas.generations import encode_generation
    from vaultcrm.workflows.generate_message import GenerateRequest, generate_message

    settings = settings_or_exit()

    async def work() -> GenerationRecord:
        async with open_parts(settings) as parts:
            async with parts.pool.connection() as connection:
                creator_ids = await access.all_creator_ids(connection)
                sent = await conversations.get_conversation(connection, creator_ids, conversation)
                found = await sent.answer()
            if not found:
                raise NotFound("conversation")
            request = GenerateRequest(
                found[0]["creator_id"],
                conversation,
                kind,
                options=DraftOptions(tone, length, " ".join(hint.split())),
            )
            return await generate_message(parts, Credential(user_id=SYSTEM_USER_ID), request)

    record = run(work)
    if as_json:
        typer.echo(encode_generation(record))
        return
    stdout.print(record.message or "(no text)", markup=False)
    stdout.print()
    price = f", {record.suggested_price}" if record.suggested_price else ""
    stdout.print(f"{record.status.value}, confidence {record.confidence}{price}", markup=False)
    for reason in record.approval_reasons:
        stdout.print(f"waits: {reason.value}", markup=False)
    for finding in record.safety.findings:
        stdout.print(f"{finding.tier.value}: “{finding.matched}” {finding.reason}", markup=False)
    if record.note:
        stdout.print(record.note, markup=False)
