"""What a draft is made with while A/B tests run: another voice, prompt, model or a template.

A draft counts for a test whether or not its variant could be used, so that what can go wrong with
one variant alone does not make the others look better.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import ab_fans
from vaultcrm.domain.conversation import Sender
from vaultcrm.domain.draft_options import LONGEST_BEGINNING, NO_OPTIONS, DraftOptions
from vaultcrm.domain.drafting import Phrase
from vaultcrm.domain.experiments import Assignment, RunningTest, VariantKind
from vaultcrm.domain.generation import GenerationRecord, GenerationType
from vaultcrm.domain.people import Tier
from vaultcrm.domain.personality import Personality
from vaultcrm.domain.situation import Situation
from vaultcrm.domain.template import TemplateFacts, fill_variables
from vaultcrm.pipeline.experiments.assignment import assign
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.pipeline.prompting import PROMPT_VERSION, PROMPT_VERSIONS
from vaultcrm.workflows.open_call import OpenCall
from vaultcrm.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class DraftPlan:
    """What a draft is made with. `model` is "" for the drafter's own; `template_id` and `phrase`
    are of the template that it begins from, which `options` carry too.
    """

    voice: Personality
    options: DraftOptions
    prompt_version: str = PROMPT_VERSION
    model: str = ""
    template_id: UUID | None = None
    phrase: Phrase | None = None
    assignments: tuple[Assignment, ...] = ()

    def asking(self, call: OpenCall) -> OpenCall:
        """The call as it is asked: a drafter that reads no prompt is given the template alone."""
        if self.phrase is None or not call.situation.repertoire:
            return call
        return replace(call, situation=replace(call.situation, repertoire=(self.phrase,)))


async def plan_draft(
    parts: Parts,
    situation: Situation,
    generation_type: GenerationType,
    voice: Personality,
    options: DraftOptions,
) -> DraftPlan:
    """What this draft is made with. Without a running test that is what it would be anyway.

    No statement is sent but the first time that this process meets a version of a voice.
    """
    plan = DraftPlan(voice, options)
    for test in situation.under_test:
        if not _takes(parts, test, generation_type, options):
            continue
        assignment = assign(_with_templates(test), situation.fan.id)
        if assignment is not None:
            plan = await _with(parts, situation, generation_type, plan, test, assignment)
    return plan


async def keep_new_assignments(
    connection: Connection, record: GenerationRecord, tier: Tier
) -> None:
    """Keep what a fan got of the tests that share fans out anew; others need no row for it."""
    for assignment in record.assignments:
        if assignment.first:
            await ab_fans.keep_assignment(
                connection,
                record.creator_id,
                record.fan_id,
                tier.value,
                assignment,
                record.created_at,
            )


def _takes(
    parts: Parts, test: RunningTest, generation_type: GenerationType, options: DraftOptions
) -> bool:
    """Whether a draft is one of a test's, which no variant has a say in.

    A drafter that reads no prompt can only be given templates. Templates are for drafts of their
    own type, for which nobody has said what they want.
    """
    if test.kind is not VariantKind.TEMPLATE:
        return not parts.drafter.reads_repertoire
    categories = {category for _, category in test.templates.values()}
    return options == NO_OPTIONS and categories == {generation_type.value}


def _with_templates(test: RunningTest) -> RunningTest:
    """A test without the variants whose template was archived since: nobody gets those."""
    if test.kind is not VariantKind.TEMPLATE:
        return test
    usable = {name for name, one in test.references.items() if one in test.templates}
    left = {name: share for name, share in test.shares.items() if name in usable}
    total = sum(left.values())
    return replace(test, shares={name: share / total for name, share in left.items()})


async def _with(
    parts: Parts,
    situation: Situation,
    generation_type: GenerationType,
    plan: DraftPlan,
    test: RunningTest,
    assignment: Assignment,
) -> DraftPlan:
    """The plan with one more test's variant, and without it where that cannot be used."""
    plan = replace(plan, assignments=(*plan.assignments, assignment))
    reference = assignment.reference
    match test.kind:
        case VariantKind.PROMPT:
            known = reference in PROMPT_VERSIONS
            return replace(plan, prompt_version=reference) if known else plan
        case VariantKind.MODEL:
            return replace(plan, model="" if reference == parts.drafter.model else reference)
        case VariantKind.PERSONALITY:
            voice = await _voice(parts, situation, int(reference))
            return plan if voice is None else replace(plan, voice=voice)
        case VariantKind.TEMPLATE:
            text = _filled(parts, situation, test.templates[reference][0])
            if not text or len(text) > LONGEST_BEGINNING:
                return plan
            template_id = UUID(reference)
            phrase = Phrase(text=text, category=generation_type.value, template_id=template_id)
            return replace(
                plan,
                options=replace(plan.options, begin_from=text),
                template_id=template_id,
                phrase=phrase,
            )


async def _voice(parts: Parts, situation: Situation, number: int) -> Personality | None:
    """A version of the voice. What is forbidden now is forbidden in an older version too."""
    creator_id, current = situation.creator.id, situation.personality
    if current is not None and current.version == number:
        return current
    voice = (
        personality_or_default(None, creator_id)
        if number == 0
        else await parts.voice_book.version(creator_id, number, parts.pool)
    )
    if voice is None or current is None:
        return voice
    words = dict.fromkeys((*voice.forbidden_words, *current.forbidden_words))
    return replace(voice, forbidden_words=tuple(words))


def _filled(parts: Parts, situation: Situation, text: str) -> str:
    """A template's text for this fan. The place of what is not known of them closes up."""
    bought = [one for one in situation.messages if one.purchased_at is not None and one.price]
    written = [one for one in situation.messages if one.sender is Sender.FAN]
    facts = TemplateFacts(
        fan_name=situation.fan.display_name,
        creator_name=situation.creator.display_name,
        last_purchase=bought[-1].price if bought else None,
        last_purchase_at=bought[-1].purchased_at if bought else None,
        last_message_at=written[-1].sent_at if written else None,
    )
    values = facts.values(parts.now())
    filled = fill_variables(text, values)
    if filled.missing:
        filled = fill_variables(text, values | dict.fromkeys(filled.missing, ""))
    return filled.text.strip()
