"""Whose a pronoun is: the one decision behind `helix.generative.rewriter` and `helix.generative.gendered_wording`.

A pronoun is the wanted person's only if nobody else can be meant by what the lists of `helix.generative.whose_words` know. Left alone is what
stands in quotation marks; sentences of reported speech, and those that are about pronouns (“she/her”, “he, she or they”, 是他是她);
words and names that are spelt like a pronoun (他律, 氟他胺, “the bundle of His”); pronouns after a named person, a relative, a customer, a
superior, the last one in the post, or a second person in the same sentence, until a role (“the nurse”, 应聘者) is named in a later one;
and those in a sentence that speaks to the reader as “you” or 您, since then the third person is somebody else.

**What it cannot do.** There is no coreference resolution and no parser here. Somebody who stands in no list is taken for the wanted person (“if the
stray is ill, she …”), and the wanted person is missed where somebody else stands nearer (“in Acme’s Anna wants a cook, and he must …”).
How often both happen: ``data/job_ads/CARD.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from helix.generative import quotations
from helix.generative import whose_words as known

Whose = Literal["", "wanted", "doubtful"]
_NEAR = 60  # characters before a noun that are looked at
_L = "A-Za-zÀ-ÖØ-öø-ɏ"
_APOSTROPHE = "(?:['’](?:s|ll|d))?"
_OF = "(?:his|hers?|him)"
_TOKEN = re.compile(
    rf"""
    (?P<meta>(?<![{_L}])(?:{known.OWN})(?![{_L}])|{known.META})
    |(?P<both>(?<![{_L}])(?:
        (?:him|her)(?:self)?(?:\s?/\s?|-?\s+or\s+|-/)(?:him|her)self|(?:him|her)self\s\(or\s(?:him|her)self\)
        |(?:s/he|\(s\)he|he\s?\(she\)|(?:he|she)\s\(or\s(?:he|she)\)
            |(?:he|she)(?:\s?/\s?|\s+or\s+)(?:he|she)(?:(?:\s?/\s?|\s+or\s+)they)?){_APOSTROPHE}
        |{_OF}\s\(or\s{_OF}\)|{_OF}(?:\s?/\s?|\s+or\s+){_OF}(?:(?:\s?/\s?|\s+or\s+)(?:theirs?|them))?)(?![{_L}]))
    |(?P<zhboth>[他她]们?(?:\s?[/／]\s?|或者?)[他她]们?|他们?\s?[（(][/／或]?她们?[)）]|她们?\s?[（(][/／或]?他们?[)）])
    |(?P<word>[{_L}][{_L}0-9]*(?:['’-][{_L}0-9]+)*)
    |(?P<zhnot>{known.ZH_NOT}|自(?P<self>[\u4e00-\u9fff])[\u4e00-\u9fff]{{0,4}}?他(?P=self))
    |(?P<zhname>{known.ZH_NAME})
    |(?P<zhsomebody>{known.ZH_RELATIVES})
    |(?P<zhreport>{known.ZH_REPORT})
    |(?P<zhother>{known.ZH_OTHERS})
    |(?P<zhrole>{known.ZH_ROLES})
    |(?P<zhyou>您|你)
    |(?P<zh>[他她]们?)
    |(?P<end>[.!?](?=[\s"'”’」』)*]|$)|[。！？；\n])
    |(?P<mark>[,:;()—–，：、])
    """,
    re.VERBOSE | re.IGNORECASE,
)
PRONOUNS = frozenset(
    [
        "he",
        "she",
        "him",
        "her",
        "his",
        "hers",
        "himself",
        "herself",
        "he's",
        "she's",
        "he'll",
        "she'll",
        "he'd",
        "she'd",
    ]
)  # in lower case, with a straight apostrophe
_HIRE, _EMPLOYER = re.compile(known.HIRE, re.IGNORECASE), re.compile(known.EMPLOYER, re.IGNORECASE)
_WANTED_AFTER = re.compile(known.WANTED_AFTER, re.IGNORECASE)
_SERVING, _BESIDE = re.compile(known.SERVING, re.IGNORECASE), re.compile(known.BESIDE, re.IGNORECASE)
_LAST, _PERSON = re.compile(known.LAST, re.IGNORECASE), re.compile(known.PERSON)
_NO_NAME = re.compile(known.NO_NAME_ENDS)
_ZH_HIRE, _ZH_HIRED, _ZH_SEVERAL = (re.compile(one) for one in (known.ZH_HIRE, known.ZH_HIRED, known.ZH_SEVERAL))
_ZH_GOES_ON, _ZH_OBLIGED = re.compile(known.ZH_GOES_ON), re.compile(known.ZH_OBLIGED)
_ZH_END = re.compile(r"[。！？；\n]")
_TITLED = re.compile(r"《[^》\n]{0,60}》")


@dataclass(frozen=True)
class Token:
    """A word or a mark of a text, and where it stands."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def low(self) -> str:
        """Return it in lower case, with a straight apostrophe."""
        return self.text.lower().replace("’", "'")


class Sentence(NamedTuple):
    """The tokens of a sentence outside of quotations, and whose pronoun each is: empty for every other word.

    "wanted" is the wanted person's, "doubtful" somebody else's or not to be told.
    """

    tokens: list[Token]
    whose: list[Whose]


def read(text: str) -> Iterator[Sentence]:
    """Say of each pronoun of a text whose it is.

    Parameters
    ----------
    text : str
        A job advertisement, in English, Chinese or both.

    Yields
    ------
    Sentence
        In the order of the text. The time is linear in its length.
    """
    hidden = quotations.hidden(text)
    for title in _TITLED.finditer(text):
        hidden[title.start() : title.end()] = b"\1" * (title.end() - title.start())
    wanted = True
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        kind = "zhnot" if kind == "self" else kind
        inside = bool(hidden[match.start()])
        if kind == "end":
            if match[0] == "." and tokens and tokens[-1].low in known.TITLES:
                continue
            if not inside or match[0] == "\n":
                sentence, wanted = _sentence(text, tokens, wanted)
                yield sentence
                tokens = []
        elif not inside:
            tokens.append(Token(kind, match[0], match.start(), match.end()))
    yield _sentence(text, tokens, wanted)[0]


def _sentence(text: str, tokens: list[Token], wanted: bool) -> tuple[Sentence, bool]:
    """Decide on one sentence; return with it whether a pronoun in the next one is still the wanted person's."""
    written = [token.text for token in tokens if token.kind == "word"]
    shouted = len(written) > 1 and all(one.isupper() for one in written)
    pronoun = [_is_pronoun(tokens, i, shouted) for i in range(len(tokens))]
    mentions = [_mention(text, tokens, i, shouted) for i in range(len(tokens))]
    if _reported(tokens):
        goes_on = wanted and not any(pronoun) and not set(mentions) & {"name", "other"}
        return Sentence(tokens, [("doubtful" if one else "") for one in pronoun]), goes_on
    whose: list[Whose] = []
    named = blocked = by_order = you = False  # by_order: a role was taken for the wanted one because it came first
    role, told = "", False  # the wanted one in this sentence, and whether a pronoun of theirs was there
    for i, (token, mention) in enumerate(zip(tokens, mentions, strict=True)):
        if token.low in known.YOU or token.kind == "zhyou":
            you = True
        if mention in ("name", "other"):
            wanted = wanted and told and mention == "other"  # “She asks a colleague.” goes on about her
            named, blocked = named or mention == "name", True
        elif mention == "hired" and not blocked:
            blocked = by_order and bool(_EMPLOYER.search(text[max(0, token.start - _NEAR) : token.start]))
            role, wanted, you = token.low, wanted or not blocked, False
        elif token.kind == "zhrole" and not blocked:
            wanted = True
        elif mention == "role" and not blocked:
            before = text[max(0, token.start - _NEAR) : token.start]
            if (role and role != token.low) or (told and not _opens_clause(tokens, i)):
                blocked = True  # a second person
            elif _SERVING.search(before) or _BESIDE.search(before):
                blocked, wanted = True, False
            else:
                role, wanted, by_order = token.low, True, True
        if not pronoun[i]:
            whose.append("")
            continue
        free = wanted and not blocked and not you
        if token.kind == "zh" and not (you or named):
            left = _ZH_END.split(text[max(0, token.start - _NEAR) : token.start])[-1]
            if token.text.endswith("们"):
                hired = _ZH_HIRED.search(text, max(0, token.start - _NEAR), token.start)
                free = free and bool(hired) and not _ZH_SEVERAL.search(left)
            elif not free:
                obliged = _ZH_OBLIGED.match(text, max(0, token.start - 1))
                free = bool(obliged or _ZH_GOES_ON.search(left + token.text))
        whose.append("wanted" if free else "doubtful")
        told = told or free
    return Sentence(tokens, whose), wanted


def _is_pronoun(tokens: list[Token], i: int, shouted: bool) -> bool:
    token = tokens[i]
    if token.kind in ("zh", "zhboth", "both"):
        return True
    if token.kind != "word" or token.low not in PRONOUNS:
        return False
    if shouted or not token.text[0].isupper():
        return True
    if token.text.isupper():
        return False  # HE may be higher education
    following = tokens[i + 1] if i + 1 < len(tokens) else None
    opens = i == 0 or tokens[i - 1].kind == "mark"  # a capital elsewhere is a name's: helium, the bundle of His, Mrs He
    named = following is not None and following.kind == "word" and _is_capital(following)
    return opens and not named


def _is_capital(token: Token) -> bool:
    return token.text[0].isupper() and not token.text.isupper() and token.low not in known.NO_PERSON


def _opens_clause(tokens: list[Token], i: int) -> bool:
    """Return whether a noun stands where a clause begins, its determiner and at most three further words before it."""
    for token in reversed(tokens[max(0, i - 4) : i]):
        if token.kind == "mark":
            return True
        if token.low in known.PREPOSITIONS or token.low in known.AND:
            return False
    return i <= 4


def _mention(text: str, tokens: list[Token], i: int, shouted: bool) -> Literal["", "name", "other", "hired", "role"]:
    """Return what kind of person a word names: a named one, somebody else, somebody who is hired, or one by the role."""
    token = tokens[i]
    before = text[max(0, token.start - _NEAR) : token.start]
    if token.kind in ("zhname", "zhsomebody"):
        return "name"
    if token.kind == "zhother":
        return "hired" if _ZH_HIRE.search(before) else "other"
    if token.kind == "zhrole":
        return "role"
    if token.kind != "word":
        return ""
    if not shouted and _is_named(tokens, i):
        return "name"
    bare = token.low.removesuffix("'s")
    following = tokens[i + 1].low if i + 1 < len(tokens) else ""
    if bare.endswith("s") and not bare.endswith("ss"):  # of several nobody says “he”; of one of them one does
        return "other" if token.low == bare and known.ONE_OF.search(before) else ""
    if bare in known.RELATIVES:
        return "name"
    person = bare in known.OTHERS or bare in known.HIRED or _is_role(bare)
    if not person or following in known.NO_COMPOUND:
        return ""
    if _LAST.search(before):
        return "other"
    hired = _HIRE.search(before) or _WANTED_AFTER.match(text, token.end)
    if bare in known.HIRED or (hired and bare not in known.NEVER_HIRED):
        return "hired"
    if bare in known.OTHERS:
        determined = any(one.low in known.DETERMINERS for one in tokens[max(0, i - 3) : i])
        return "other" if determined else ""
    return "role"


def _is_role(word: str) -> bool:
    return word in known.ROLES or bool(_PERSON.fullmatch(word) and word not in known.NO_ROLE)


def _is_named(tokens: list[Token], i: int) -> bool:
    """Return whether a word is a person's name: a title, a given name, a capital within the sentence, an unknown word that begins it."""
    token, word = tokens[i], tokens[i].low
    if not token.text[0].isupper() or token.text.isupper():
        return False
    bare = word.removesuffix("'s")
    if word in known.TITLES or bare in known.GIVEN:
        return True
    if bare in known.NO_PERSON or bare in PRONOUNS or bare in known.DETERMINERS or _is_role(bare):
        return False
    before = tokens[i - 1] if i else None
    if before is None or before.kind == "mark":
        return _begins_as_a_name(tokens, i)
    return before.low not in ("at", "in", "near")  # where a place is named


def _begins_as_a_name(tokens: list[Token], i: int) -> bool:
    """Return whether the first word of a sentence is a name: a verb in -s or “and his” follows, and no noun ends or begins so."""
    word, after = tokens[i].low, [token.low for token in tokens[i + 1 : i + 3]]
    if i or not after or word in known.NO_NAME or _NO_NAME.fullmatch(word):
        return False
    return (after[0].endswith("s") and after[0] not in known.NO_VERB) or (
        after[0] == "and" and after[-1] in ("his", "her")
    )


def _reported(tokens: list[Token]) -> bool:
    for i, token in enumerate(tokens):
        word, before = token.low, tokens[i - 1].low if i else ""
        following = tokens[i + 1].low if i + 1 < len(tokens) else ""
        if token.kind in ("zhreport", "meta"):
            return True
        if token.kind != "word":
            continue
        if (word in known.SAID and before != "who") or (word in known.SAID_THAT and following == "that"):
            return True
        if word in known.OF_PRONOUNS or (word == "according" and following == "to"):
            return True
    return False
