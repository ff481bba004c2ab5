"""Personalities: what a creator sounds like, changed by one version at a time, tried before."""

from typing import Any

import pytest

from stubs.llm import LlmStub, Reply
from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import candidate, conversation, own_details, rows, set_flag
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

HTMX = {"HX-Request": "true"}


async def creator(person: Person, handle: str = "mia", **more: str) -> str:
    """The id of a new creator."""
    body = {"handle": handle, "displayName": handle.title(), **more}
    return str((await person.api.made("/api/creators", body))["id"])


def path(creator_id: str) -> str:
    return f"/personalities/{creator_id}"


async def saved(person: Person, creator_id: str, version: int, **typed: str) -> Page:
    """The page after the next version has been saved."""
    page = await person.open(path(creator_id))
    page = await person.press(page, f"Save version {version}", **typed)
    assert page.status == 200, page.text
    return page


async def voice(person: Person, creator_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await person.api.found("/api/ai/personality", creatorId=creator_id)
    return found


def editor(page: Page) -> dict[str, str]:
    """The fields of the editor as they would be sent."""
    [fields] = [form.fields for form in page.forms if "system_prompt" in form.fields]
    return fields


async def tried(person: Person, creator_id: str, *, htmx: bool = False, **typed: str) -> Page:
    """What comes of `Try it` on the creator's page after typing."""
    fields = editor(await person.open(path(creator_id))) | typed
    return await person.send(f"{path(creator_id)}/try", fields, headers=HTMX if htmx else None)


async def changes_made(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(
        app,
        "SELECT actor_id, subject_id, details FROM audit_log"
        " WHERE action = 'personality.changed' ORDER BY id",
    )


async def test_a_creator_whom_nobody_has_described_shows_the_plain_voice_and_saving_makes_version_1(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await creator(mary)

    page = await mary.open("/personalities")
    assert page.path == path(mia)
    assert "not set yet" in page.text
    assert "Nobody has said yet how Mia sounds" in page.text
    assert editor(page)["tone_descriptors"] == "warm\nattentive\nunhurried"
    page = await mary.press(page, "Save version 1", personality_type="dry wit")

    assert "Saved as version 1" in page.text
    assert "not set yet" not in page.text
    assert (await voice(mary, mia))["personalityType"] == "dry wit"
    assert (await voice(mary, mia))["version"] == 1


async def test_every_field_is_saved_with_lists_one_entry_a_line(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await creator(mary)

    page = await saved(
        mary,
        mia,
        1,
        personality_type="Sea person",
        tone_descriptors="salty\r\n\r\n  slow  \r\nsalty",
        preferred_phrases="tell me everything",
        forbidden_words="babe\r\nhun",
        emoji_style="none",
        system_prompt="She films the sea.\r\nAt dawn.",
    )

    now = await voice(mary, mia)
    assert now["toneDescriptors"] == ["salty", "slow"]
    assert now["forbiddenWords"] == ["babe", "hun"]
    assert now["preferredPhrases"] == ["tell me everything"]
    assert (now["emojiStyle"], now["personalityType"]) == ("none", "Sea person")
    assert now["systemPrompt"] == "She films the sea.\nAt dawn."
    assert "2 of 200" in page.text
    assert "27 of 4,000 characters" in page.text


async def test_each_save_is_a_version_with_who_and_when_and_is_audited(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    ann = await sign_in(app, Role.ADMIN, name="Ann")
    mia = await creator(mary)
    await saved(mary, mia, 1, tone_descriptors="dry")
    page = await saved(ann, mia, 2, system_prompt="She films the sea.")

    assert "Version 2 in force" in page.text
    assert "Ann · instructions" in page.text
    assert "Mary · the first" in page.text
    first, second = await changes_made(app)
    assert (first["actor_id"], second["actor_id"]) == (mary.api.user_id, ann.api.user_id)
    assert (first["subject_id"], second["subject_id"]) == ("version 1", "version 2")
    assert own_details(second) == {"fields": ["system_prompt"]}


async def test_saving_what_nobody_has_changed_makes_no_version(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await creator(mary)
    await saved(mary, mia, 1)

    page = await saved(mary, mia, 2)

    assert "You have changed nothing" in page.text
    assert len(await changes_made(app)) == 1


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"emoji_style": "sometimes"}, "Unknown emoji style"),
        ({"personality_type": ""}, "Must have 1 to 100 characters"),
        (
            {"preferred_phrases": "hello\r\n\r\nmy babe", "forbidden_words": "babe"},
            "Line 3: “my babe” holds the forbidden word “babe”",
        ),
        ({"tone_descriptors": f"dry\r\n{'x' * 201}"}, "Line 2: Must have at most 200 characters"),
        ({"system_prompt": "é" * 3_500}, "at most 6,000 fit a prompt"),
        ({"system_prompt": "x" * 30_000}, "Must have at most 4,000 characters"),
    ],
)
async def test_what_cannot_be_saved_is_told_beside_its_field_and_nothing_typed_is_lost(
    app: RunningApp, typed: dict[str, str], told: str
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await creator(mary)
    fields = editor(await mary.open(path(mia))) | {"personality_type": "Sea person"} | typed

    page = await mary.send(path(mia), fields)

    assert page.status == 422
    [name] = [name for name in typed if name != "forbidden_words"]
    assert told in page.text
    described = [at for _, at in page.elements if at.get("aria-invalid") == "true"]
    assert [at["name"] for at in described] == [name]
    assert f"{name}-wrong" in described[0]["aria-describedby"].split()
    for field, text in (fields | typed).items():
        if field not in {"emoji_style", "fan", "csrf"}:
            assert editor(page)[field] == text.replace("\r\n", "\n"), field
    assert await changes_made(app) == []


async def test_who_saves_over_somebody_elses_newer_version_is_shown_it_and_loses_nothing(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    ann = await sign_in(app, Role.MANAGER, name="Ann")
    mia = await creator(mary)
    await saved(mary, mia, 1, tone_descriptors="dry", system_prompt="She films the sea.")
    mine = await mary.open(path(mia))
    await saved(ann, mia, 2, tone_descriptors="dry\r\nwarm", system_prompt="She films the lake.")

    page = await mary.press(mine, "Save version 2", system_prompt="She films the sky.")

    assert page.status == 409
    assert "Ann saved version 2" in page.text
    assert "Both of you changed instructions" in page.text
    assert "added: warm" in page.text
    assert "She films the sea. lake." in page.text
    assert editor(page)["system_prompt"] == "She films the sky."
    assert editor(page)["tone_descriptors"] == "dry\nwarm"
    assert (await voice(mary, mia))["version"] == 2

    page = await mary.press(page, "Save over version 2")
    assert "Saved as version 3" in page.text
    now = await voice(mary, mia)
    assert (now["toneDescriptors"], now["systemPrompt"]) == (["dry", "warm"], "She films the sky.")


async def test_a_version_can_be_compared_with_the_one_in_force_rolled_back_to_and_undone(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await creator(mary)
    await saved(mary, mia, 1, forbidden_words="babe", emoji_style="none")
    page = await saved(mary, mia, 2, forbidden_words="hun", emoji_style="frequent")

    page = await mary.open(page.link("Version 1"))
    assert "Rolling back would change" in page.text
    for words in ("taken out: hun", "added: babe", "Often, up to three", "None at all"):
        assert words in page.text
    page = await mary.press(page, "Roll back to this")

    assert "Version 3 is saved and equal to version 1." in page.text
    assert (await voice(mary, mia))["forbiddenWords"] == ["babe"]
    assert (await voice(mary, mia))["emojiStyle"] == "none"
    assert editor(page)["forbidden_words"] == "babe"
    assert own_details((await changes_made(app))[-1]) == {"equal_to": "version 1"}

    page = await mary.press(page, "Undo")
    assert "Version 4 is saved and equal to version 2." in page.text
    assert (await voice(mary, mia))["forbiddenWords"] == ["hun"]


async def test_rolling_back_does_not_run_over_a_version_that_came_meanwhile(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    ann = await sign_in(app, Role.MANAGER, name="Ann")
    mia = await creator(mary)
    await saved(mary, mia, 1, forbidden_words="babe")
    page = await saved(mary, mia, 2, forbidden_words="hun")
    compared = await mary.open(page.link("Version 1"))
    await saved(ann, mia, 3, forbidden_words="dear")

    page = await mary.press(compared, "Roll back to this")

    assert page.status == 409
    assert "Ann saved version 3" in page.text
    assert (await voice(mary, mia))["forbiddenWords"] == ["dear"]


async def test_versions_come_by_the_page_the_newest_first(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await creator(mary)
    for number in range(23):
        body = {"creatorId": mia, "personalityType": f"type {number}"}
        await mary.api.made("/api/ai/personality", body)

    page = await mary.open(path(mia))
    assert [f"Version {number} " in page.text for number in (23, 4, 3)] == [True, True, False]
    page = await mary.open(page.link("Earlier versions"))

    assert [f"Version {number} " in page.text for number in (4, 3, 1)] == [False, True, True]
    assert "Earlier versions" not in page.links


async def test_htmx_is_answered_with_the_part_that_changes(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await creator(mary)
    fields = editor(await mary.open(path(mia)))

    part = await mary.send(path(mia), {**fields, "tone_descriptors": "dry"}, headers=HTMX)
    assert "<html" not in part.html
    assert part.headers["hx-retarget"] == "#voice"
    assert "Saved as version 1" in part.text
    assert editor(part)["based_on"] == "1"
    wrong = await mary.send(path(mia), {**editor(part), "personality_type": " "}, headers=HTMX)
    assert wrong.status == 422
    assert "Must have 1 to 100 characters" in wrong.text


async def test_a_trial_shows_both_drafts_side_by_side_and_saves_nothing(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api, said=["What is new?"])
    await saved(mary, talk.creator_id, 1, tone_descriptors="dry")
    llm.script([Reply(candidates=[candidate("Hello sunshine!")])] * 2)

    page = await tried(
        mary,
        talk.creator_id,
        conversation=talk.conversation_id,
        forbidden_words="sunshine",
    )

    assert page.status == 200
    before, after = page.text.split("With your changes")
    assert "Version 1, in force" in before
    assert "Hello sunshine!" in before
    assert "Hello sunshine!" in after
    assert [text for text, _ in page.marks] == ["sunshine"]
    assert "Forbidden word" in after
    for words in ("Confidence", "It fits.", "tokens · $0.0"):
        assert words in before
        assert words in after
    assert editor(page)["forbidden_words"] == "sunshine"
    assert (await voice(mary, talk.creator_id))["version"] == 1
    assert await rows(claude, "SELECT 1 FROM ai_message_generations") == []


async def test_a_trial_over_htmx_is_the_drafts_alone_and_wrong_fields_are_told_in_the_editor(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    mia = talk.creator_id

    part = await tried(mary, mia, htmx=True, tone_descriptors="salty")
    assert "The plain friendly voice, in force" in part.text
    assert "With your changes" in part.text
    assert part.forms == []
    part = await tried(mary, mia, htmx=True)
    assert "You have changed nothing above" in part.text
    wrong = await tried(mary, mia, htmx=True, personality_type="")
    assert (wrong.status, wrong.headers["hx-retarget"]) == (422, "#voice")
    assert "Must have 1 to 100 characters" in wrong.text
    none = await tried(mary, mia, htmx=True, conversation="")
    assert none.status == 422
    assert len(llm.requests) == 3


async def test_without_a_model_the_trial_says_what_it_can_show(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    page = await tried(mary, talk.creator_id, tone_descriptors="salty")
    assert "No model is connected" in page.text


async def test_conversations_to_try_on_are_found_by_the_fans_name(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    for fan in ("tom88", "ann", "100%"):
        await conversation(mary.api, fan=fan, said=[f"Hello from {fan}"])
    talk = await conversation(mary.api, fan="silent", mode="off")
    await conversation(mary.api, creator="theo", fan="tomtom")
    asked = f"{path(talk.creator_id)}/conversations"

    everybody = await mary.open(asked)
    assert all(f"Hello from {fan}" in everybody.text for fan in ("tom88", "ann", "100%"))
    assert "Silent" not in everybody.text
    found = await mary.open(f"{asked}?fan=TOM")
    assert "Tom88" in found.text
    assert not any(fan in found.text for fan in ("Ann", "100%", "Tomtom"))
    nobody = await mary.open(f"{asked}?fan=<b>")
    assert "No fan is called “<b>” here." in nobody.text


async def test_a_chatter_reads_a_personality_and_cannot_change_or_try_it(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER, name="Mary")
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    talk = await conversation(mary.api)
    page = await saved(mary, talk.creator_id, 1, forbidden_words="babe")
    fields = editor(page)
    await saved(mary, talk.creator_id, 2, system_prompt="She films the sea.")
    csrf = {"csrf": (await jo.open("/inbox")).forms[0].fields["csrf"]}

    page = await jo.open(f"{path(talk.creator_id)}?version=1")

    for words in ("babe", "She films the sea.", "Rolling back would change", "Managers and admins"):
        assert words in page.text
    assert not any(label.startswith(("Save", "Roll", "Try", "Add")) for label in page.labels)
    for form in ("", "/roll-back", "/try"):
        sent = fields | csrf | {"version": "1", "conversation": talk.conversation_id}
        assert (await jo.send(path(talk.creator_id) + form, sent)).status == 403
    assert (await jo.send("/personalities", csrf)).status == 403
    assert len(await changes_made(claude)) == 2
    assert llm.requests == []


async def test_a_creator_who_is_not_theirs_is_not_there(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN, name="Ada")
    mia, theo = await creator(admin), await creator(admin, "theo")
    mary = await sign_in(app, Role.MANAGER, name="Mary", creators=["theo"])
    page = await mary.open("/personalities")
    assert page.path == path(theo)
    assert "Mia" not in page.text
    fields = editor(page)
    assert (await mary.open(path(mia))).status == 404
    assert (await mary.open(f"{path(mia)}/conversations")).status == 404
    assert (await mary.send(path(mia), fields)).status == 404
    assert (await mary.send(f"{path(mia)}/roll-back", fields | {"version": "1"})).status == 404
    assert (await mary.send(f"{path(mia)}/try", fields)).status == 404
    assert (await mary.open(f"{path(theo)}?version=7")).status == 404
    assert await changes_made(app) == []


async def test_where_ai_is_off_for_a_creator_the_voice_can_be_saved_and_not_tried(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN, name="Ada")
    talk = await conversation(admin.api)
    await conversation(admin.api, creator="theo")
    fields = editor(await admin.open(path(talk.creator_id)))
    await set_flag(admin.api, "ENABLE_AI_CHAT", False, talk.creator_id)

    page = await saved(admin, talk.creator_id, 1, tone_descriptors="dry")
    assert "AI is switched off for Mia" in page.text
    assert "Try it" not in page.labels
    asked = fields | {"conversation": talk.conversation_id}
    page = await admin.send(f"{path(talk.creator_id)}/try", asked, headers=HTMX)
    assert "AI is switched off" in page.text
    assert llm.requests == []

    await set_flag(admin.api, "ENABLE_AI_CHAT", False)
    page = await admin.open(path(talk.creator_id))
    assert "AI is switched off" in page.text
    assert "Save version 2" not in page.labels


async def test_a_manager_adds_a_creator_and_goes_on_to_how_they_sound(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary", creators=[])
    page = await mary.open("/personalities")
    assert "No creators yet" in page.text

    page = await mary.press(
        page, "Add creator", display_name="قيس", handle="qais", language="arabic"
    )
    assert page.status == 422
    assert "Two small letters, such as en." in page.text
    page = await mary.press(page, "Add creator", language="ar", region="AE")

    assert "قيس" in page.text
    assert "Nobody has said yet how قيس sounds" in page.text
    again = await mary.press(page, "Add creator", display_name="Q", handle="qais")
    assert again.status == 422
    assert "qais is taken" in again.text


async def test_names_and_texts_with_markup_are_shown_as_they_are(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    name = "<img src=x onerror=alert(1)>"
    mia = await creator(mary, displayName=name)
    await saved(mary, mia, 1, system_prompt="<b>bold</b>", forbidden_words='"><script>')
    page = await saved(mary, mia, 2, system_prompt="</textarea><script>", forbidden_words="")
    page = await mary.open(page.link("Version 1"))
    assert name in page.text
    assert editor(page)["system_prompt"] == "</textarea><script>"
    assert not any(tag == "img" for tag, _ in page.elements)
    assert all("src" in at for tag, at in page.elements if tag == "script")
