"""JWTs of an OpenID Connect issuer as bearer tokens."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.adapters.identity.issuer import Issuer, serve_issuer
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.workflows import manage_team

pytestmark = pytest.mark.anyio


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serve_issuer() as served:
        yield served


@pytest.fixture
async def supabase(database_url: str, home: Path, issuer: Issuer) -> AsyncIterator[RunningApp]:
    """An application that believes the issuer."""
    async with running_app(settings(database_url, home, oidc_issuer=issuer.url)) as running:
        yield running


async def ask(app: RunningApp, token: str, path: str = "/api/creators") -> httpx2.Response:
    return await app.client.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_whoever_has_the_verified_address_is_that_person_with_their_role_and_creators(
    supabase: RunningApp, issuer: Issuer
) -> None:
    ada = await sign_in(supabase, Role.ADMIN)
    talk = await conversation(ada)
    await conversation(ada, creator="theo", fan="ann")
    await sign_in(supabase, Role.CHATTER, creators=["mia"], name="Jo")

    answer = await ask(supabase, issuer.token())

    assert [each["handle"] for each in answer.json()["items"]] == ["mia"]
    assert (await ask(supabase, issuer.token(), "/api/audit")).status_code == 403
    drafted = await supabase.client.post(
        "/api/ai/generate",
        json=talk.asks(),
        headers={"Authorization": f"Bearer {issuer.token('ES256')}"},
    )
    assert drafted.status_code == 200, drafted.text


async def test_somebody_whom_nobody_has_added_is_told_what_to_do(
    supabase: RunningApp, issuer: Issuer
) -> None:
    await sign_in(supabase, Role.CHATTER, name="Jo")
    for token in (issuer.token(email="ann@example.com"), issuer.token(email_verified=False)):
        answer = await ask(supabase, token)
        assert answer.status_code == 401
        assert "Ask an admin to add you to the team" in answer.json()["detail"]


async def test_the_first_token_ties_the_identity_which_counts_from_then_on(
    supabase: RunningApp, issuer: Issuer
) -> None:
    jo = await sign_in(supabase, Role.CHATTER, name="Jo")
    await sign_in(supabase, Role.ADMIN, name="Ada")
    assert (await ask(supabase, issuer.token())).status_code == 200
    [entry] = await rows(supabase, "SELECT * FROM audit_log WHERE action = 'user.identity_bound'")
    assert entry["subject_id"] == str(jo.user_id)

    moved = issuer.token(email="ada@example.com")
    assert (await ask(supabase, moved, "/api/audit")).status_code == 403
    another = issuer.token(sub="somebody-with-her-old-address")
    answer = await ask(supabase, another)
    assert answer.status_code == 401
    assert "tied to another identity" in answer.json()["detail"]
    assert len(await rows(supabase, "SELECT 1 FROM identities")) == 1


async def test_an_admin_unties_an_identity(supabase: RunningApp, issuer: Issuer) -> None:
    jo = await sign_in(supabase, Role.CHATTER, name="Jo")
    await ask(supabase, issuer.token())
    parts = supabase.parts
    await manage_team.remove_identity(parts.pool, None, jo.user_id, parts.now())

    assert (await ask(supabase, issuer.token(sub="new-account"))).status_code == 200
    [row] = await rows(supabase, "SELECT subject FROM identities")
    assert row["subject"] == "new-account"


async def test_somebody_who_is_disabled_is_let_in_by_no_token(
    supabase: RunningApp, issuer: Issuer
) -> None:
    jo = await sign_in(supabase, Role.CHATTER, name="Jo")
    assert (await ask(supabase, issuer.token())).status_code == 200
    parts = supabase.parts
    await manage_team.disable(parts.pool, None, jo.user_id, parts.now())

    assert (await ask(supabase, issuer.token())).status_code == 401


async def test_our_own_tokens_work_beside_those_of_the_issuer(
    supabase: RunningApp, issuer: Issuer
) -> None:
    ada = await sign_in(supabase, Role.ADMIN)
    issuer.works = False
    assert (await ada.get("/api/creators")).status_code == 200
    down = await ask(supabase, issuer.token())
    assert (down.status_code, down.json()["type"]) == (503, "/problems/issuer-unavailable")


async def test_without_an_issuer_a_jwt_is_a_token_that_nobody_knows(
    app: RunningApp, issuer: Issuer
) -> None:
    await sign_in(app, Role.CHATTER, name="Jo")
    assert (await ask(app, issuer.token())).status_code == 401
    assert issuer.asked == 0
