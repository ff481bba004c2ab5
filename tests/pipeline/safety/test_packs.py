"""Rule packs: what is in them keeps its word, and what is wrong with one is said plainly."""

import pytest

from vaultcrm.domain.safety import Category, FindingTier, Scope
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.pipeline.safety.packs import Pack, PackError, Rule, load_packs, parse_pack

PACKS = load_packs()
RULES = [rule for pack in PACKS for rule in pack.rules]
NAMES = {rule.name for rule in RULES}
WHOLE_FILTER = ContentFilter(PACKS)

PACK = """
category = "spam"

[[rule]]
id = "shouting"
tier = "review"
scopes = ["draft"]
reason = "Shouts."
score = 0.5
terms = ["look here"]
examples.match = ["look here!"]
examples.clean = ["look there"]
"""


def _filter_of(rule: Rule) -> ContentFilter:
    # A disguise is only seen where another rule finds something disguised.
    return WHOLE_FILTER if rule.disguise else ContentFilter([Pack(rule.category, (rule,))])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_finds_its_examples_and_leaves_clean_ones_alone(rule: Rule) -> None:
    content_filter = _filter_of(rule)
    for example in rule.matching_examples:
        report = content_filter.check(example, rule.first_scope)
        found = {finding.rule for finding in report.findings if finding.category is rule.category}
        # An address or a number that the text also holds may be the stricter finding there.
        assert rule.name in found or found - NAMES, example
    for example in rule.clean_examples:
        report = content_filter.check(example, rule.first_scope)
        assert rule.name not in {finding.rule for finding in report.findings}, example


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_whole_filter_flags_what_one_rule_alone_flags(rule: Rule) -> None:
    for example in rule.matching_examples:
        report = WHOLE_FILTER.check(example, rule.first_scope)
        assert report.has(rule.category), example
        assert not report.has(Category.FILTER_ERROR), example


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_term_of_a_rule_is_found_when_it_stands_alone(rule: Rule) -> None:
    content_filter = _filter_of(rule)
    for term in rule.terms:
        report = content_filter.check(term.upper(), rule.first_scope)
        found = [f for f in report.findings if f.category is rule.category]
        assert [(f.rule, f.matched) for f in found] == [(rule.name, term.upper())]


def test_every_category_but_the_ones_that_code_makes_has_a_pack() -> None:
    assert {pack.category for pack in PACKS} == set(Category) - {
        Category.FORBIDDEN_WORD,
        Category.FILTER_ERROR,
    }


def test_fans_are_only_checked_for_what_needs_care_or_is_aimed_at_others() -> None:
    fan_rules = {
        rule.category for rule in RULES if rule.tiers.get(Scope.FAN) not in {None, FindingTier.NOTE}
    }
    assert fan_rules == {
        Category.DISTRESS,
        Category.MINORS,
        Category.PROMPT_INJECTION,
        Category.HARASSMENT,
        Category.VIOLENCE,
        Category.EXPLICIT,
        Category.OBFUSCATION,
    }


def test_a_fan_is_never_blocked_only_brought_to_a_person() -> None:
    tiers = {rule.tiers[Scope.FAN] for rule in RULES if Scope.FAN in rule.tiers}
    assert tiers == {FindingTier.REVIEW, FindingTier.NOTE}


def test_a_question_is_noted_without_a_word_against_the_fan() -> None:
    noted = [rule.name for rule in RULES if FindingTier.NOTE in rule.tiers.values()]
    assert noted == ["deception.asks_if_ai"]


def test_a_tier_may_differ_by_scope() -> None:
    source = PACK.replace(
        'tier = "review"\nscopes = ["draft"]', 'tier = { draft = "block", fan = "review" }'
    )
    rule = parse_pack(source, "spam.toml").rules[0]
    assert dict(rule.tiers) == {Scope.DRAFT: FindingTier.BLOCK, Scope.FAN: FindingTier.REVIEW}


@pytest.mark.parametrize(
    ("exception", "text", "found"),
    [
        ("", "look here", True),
        ("unless_before = ['don.t $']", "don't look here", False),
        ("unless_after = ['^, please']", "look here, please", False),
        ("unless_match = ['^l']", "look here", False),
        ('unless_within = ["overlook hereby"]', "o v e r l o o k h e r e b y", True),
        ('unless_within = ["overlookhereby"]', "o v e r l o o k h e r e b y", False),
    ],
)
def test_an_exception_of_a_rule_drops_what_it_names(exception: str, text: str, found: bool) -> None:
    pack = parse_pack(PACK.replace("score = 0.5", f"score = 0.5\n{exception}"), "spam.toml")
    report = ContentFilter([pack]).check(text, Scope.DRAFT)
    assert report.has(Category.SPAM) == found


def test_the_words_of_a_rule_are_those_of_its_terms_patterns_and_examples() -> None:
    pattern = r"patterns = ['\b(?:sell(?:ing)?|trades?) [a-z]{2}']"
    rule = parse_pack(PACK.replace("score = 0.5", f"score = 0.5\n{pattern}"), "spam.toml").rules[0]
    assert rule.words >= {"look", "here", "sell", "selling", "trade", "trades"}
    assert "a-z" not in rule.words


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('category = "spam"', 'category = "spma"', "spam.toml: category"),
        ('category = "spam"', 'category = "minors"', "must be named minors.toml"),
        ('category = "spam"', 'category = "filter_error"', "is not made of rules"),
        ('category = "spam"', 'category = "spam"\nowner = "me"', "owner: no such field"),
        ('category = "spam"', "category = ", "spam.toml: syntax"),
        ("[[rule]]", "[rule]", "at least one [[rule]]"),
        ('id = "shouting"', 'id = "Shouting"', "lower-case word"),
        ('id = "shouting"', "", "lower-case word"),
        ('tier = "review"', 'tier = "warn"', "rule 'shouting', tier: 'warn'"),
        ('tier = "review"', "", "tier: None is none of"),
        ('scopes = ["draft"]', 'scopes = ["drafts"]', "scopes: 'drafts'"),
        ('scopes = ["draft"]', "scopes = []", "scopes: must be a list"),
        ('tier = "review"', 'tier = { draft = "block" }', "scopes: leave it out"),
        ('reason = "Shouts."', 'reason = "Shouts"', "reason: must be a sentence"),
        ("score = 0.5", "score = 0", "score: must be a number above 0"),
        ("score = 0.5", "score = true", "score: must be a number above 0"),
        ('terms = ["look here"]', "", "needs terms, patterns"),
        ('["look here"]', '["Look  Here"]', "must be written 'look here'"),
        ('["look here"]', '["look here!"]', "begin and end with a letter"),
        ('["look here"]', '["look here", "look here"]', "holds a text twice"),
        ("score = 0.5", 'score = 0.5\nunless_within = ["Out"]', "unless_within: 'Out' must be"),
        ("score = 0.5", 'score = 0.5\nunless_match = ["("]', "unless_match: '(' is not"),
        ('["look here"]', '[""]', "texts that are not empty"),
        ("terms = ", "words = ", "words: no such field"),
        ('terms = ["look here"]', 'patterns = ["(look"]', "not a valid RE2 pattern"),
        ('terms = ["look here"]', 'patterns = ["(?=look)"]', "not a valid RE2 pattern"),
        ('terms = ["look here"]', 'patterns = ["x*"]', "matches the empty text"),
        ('terms = ["look here"]', 'disguise = "rot13"', "disguise"),
        ('examples.match = ["look here!"]', "", "examples: must hold match and clean"),
        ('examples.clean = ["look there"]', "examples.clean = []", "examples.clean: must be"),
    ],
)
def test_a_broken_pack_is_refused_with_file_rule_and_field(old: str, new: str, said: str) -> None:
    assert PACK.count(old) == 1
    parse_pack(PACK, "spam.toml")
    with pytest.raises(PackError) as refusal:
        parse_pack(PACK.replace(old, new), "spam.toml")
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("spam.toml: ")


def test_two_rules_of_one_name_are_refused() -> None:
    rule = PACK[PACK.index("[[rule]]") :]
    with pytest.raises(PackError, match=r"spam\.toml: rule 'shouting', id: used twice"):
        parse_pack(PACK + rule, "spam.toml")
