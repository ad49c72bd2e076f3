"""Gendered wording in job advertisements, in English and Chinese: what speaks of the gender of the person who will be hired.

Four codes, as in ``data/job_ads/GUIDE.md``: `requirement` (“men only”, 女士优先), `pronoun` (“he” for whoever is hired), `title`
(“salesman”, 前台小姐) and `stereotype` (family state, gendered roles, looks and dress).

**What it cannot do.** These are rules over lists of words in two languages; nothing here understands a sentence. First, what
speaks of something else is blanked: quotations, pairs (“men and women”), products and places (“women's shoes”, 女校), statements
of equality. What is left is looked for in the lists, and a find is dropped if the words around it tell of customers, of the team
as it is, of former times, of benefits. Whose a pronoun is decides
`helix.generative.whose`. A wording that is not in the lists is missed; a customer whom no list knows is taken for the
person to be hired; irony, hints and what only the whole advertisement shows stay unseen. A text in which nothing is found is not
therefore fair, and one in which something is found is not therefore unlawful: a person must read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from helix.generative import gendered_words as en
from helix.generative import gendered_words_zh as zh
from helix.generative import quotations, whose
from helix.generative.gendered_context import BLANK, SELECTED, around, excused, is_condition
from helix.generative.gendered_context import pattern_of as _re

CODES = ("requirement", "pronoun", "title", "stereotype")

_SENTENCE = re.compile(r"(?:[^.!?。！？；;\n]|\.(?=\w))+[.!?。！？；;]?")


@dataclass(frozen=True)
class Finding:
    """A gendered wording: ``text[start:end]`` is ``words``.

    Attributes
    ----------
    code : str
        One of `CODES`.
    start, end : int
        Where it stands in the text, in characters.
    words : str
        The text found.
    why : str
        One sentence for the reader.
    """

    code: str
    start: int
    end: int
    words: str
    why: str


_TITLED = re.compile(r"《[^》\n]{0,60}》")
_APART = _re(f"{en.PAIRS}|{en.NEUTRAL}|{zh.PAIRS}|{zh.NEUTRAL}")
_NEGATED = _re(f"{en.NEGATED}|{zh.NEGATED}")
_EQUAL = _re(f"{en.EQUAL}|{zh.EQUAL}")
_GENDER_FIRST = _re("妹子|小妹|小姐姐|小哥哥?|美女|帅哥|阿姨|大[叔妈姐哥]|(?:fe)?male|(?:wo)?m[ae]n |lady |[男女]")
_WHY = {
    "person": "It names the gender of the person wanted.",
    "split": "It sets places or conditions by gender.",
    "housed": "Only one gender can be housed here.",
    "pronoun": "A pronoun with a gender stands for whoever is hired.",
    "title": "The name of the job, or of the reader, carries a gender.",
    "role": "It ties the job to a role that is expected of one gender.",
    "look": "It asks for a look or manner that is said mostly of one gender.",
    "dress": "It asks for dress or grooming that is expected of one gender.",
    "family": "It speaks of the family state of the person wanted.",
}
_RULES = [
    ("stereotype", "role", _re(f"{en.ROLE}|{en.TOUCH}|{zh.ROLE}")),
    ("stereotype", "look", _re(f"{en.LOOK}|{zh.LOOK}")),
    ("title", "title", _re(f"{en.MALE_JOB}|{en.TITLE}|{zh.TITLE_PERSON}|{zh.TITLE_NAME}")),
    ("requirement", "person", _re(f"{en.PERSON}|{zh.PERSON}")),
    ("requirement", "split", _re(f"{en.SPLIT}|男女各|[一二两三四五六七八\\d]男[、，和]?[一二两三四五六七八\\d]女|男[^，。；女]{{0,3}}\\d[^。；女]{{0,8}}女[^，。；]{{0,3}}\\d")),
    ("requirement", "housed", _re(f"{en.HOUSED}|{zh.HOUSED}")),
    ("stereotype", "dress", _re(f"{en.DRESS}|{zh.DRESS}")),
    ("stereotype", "family", _re(f"{en.FAMILY}|{zh.FAMILY}")),
]  # fmt: skip


def find(text: str) -> list[Finding]:
    """Find the gendered wordings in a job advertisement.

    Parameters
    ----------
    text : str
        An advertisement or a sentence of one, in English, Chinese or both.

    Returns
    -------
    list of Finding
        In the order of the text; no two of the same code overlap. The time is linear in the length.

    Raises
    ------
    TypeError
        If it is no text.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"A job advertisement is a text (str); got {type(text).__name__}. Give the words, not a list or a file."
        )
    unquoted = _blanked(_without_quotations(text), _TITLED)
    apart = _blanked(_blanked(unquoted, _NEGATED), _APART)
    plain, selected = _blanked(unquoted, _EQUAL), bool(SELECTED.search(text))
    found = list(_pronouns(text))
    titled = bytearray(len(text))  # where a title or a role stands, a bare “lady” or 女 is part of it
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        for of_rule, kind_of_rule, pattern in _RULES:
            source = (unquoted if kind_of_rule in ("split", "housed") else apart)[start:end]
            for hit in pattern.finditer(source):
                code, kind = of_rule, kind_of_rule
                at, until = start + hit.start(), start + hit.end()
                near = around(source, plain[start:end], hit, selected)
                if (kind in ("person", "title") and any(titled[at:until])) or excused(kind, near):
                    continue
                if kind in ("title", "role", "look"):
                    titled[at:until] = b"\1" * (until - at)
                    if _GENDER_FIRST.match(hit[0]) and is_condition(near):
                        code, kind = "requirement", "person"
                found.append(Finding(code, at, until, text[at:until], _WHY[kind]))
    return _tidy(found)


def code(text: str) -> str:
    """Return the code of an advertisement: the first in the order of `CODES` that was found, else "none".

    Raises
    ------
    TypeError
        If it is no text.
    """
    found = {one.code for one in find(text)}
    return next((one for one in CODES if one in found), "none")


def _tidy(found: list[Finding]) -> list[Finding]:
    """Sort by position and drop what overlaps with an earlier find of the same code."""
    kept: list[Finding] = []
    until = dict.fromkeys(CODES, -1)
    for one in sorted(found, key=lambda one: (one.start, CODES.index(one.code), -one.end)):
        if one.start >= until[one.code]:
            kept.append(one)
            until[one.code] = one.end
    return kept


def _blanked(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda match: BLANK * len(match[0]), text)


def _without_quotations(text: str) -> str:
    hidden = quotations.hidden(text)
    return "".join(BLANK if inside and one != "\n" else one for one, inside in zip(text, hidden, strict=True))


def _pronouns(text: str) -> Iterator[Finding]:
    """Find the pronouns of the wanted person, as `whose` decides for the rewriter too; pairs and 他们 address everybody."""
    for tokens, owners in whose.read(text):
        for token, owner in zip(tokens, owners, strict=True):
            if owner == "wanted" and token.kind in ("word", "zh") and token.text != "他们":
                yield Finding("pronoun", token.start, token.end, token.text, _WHY["pronoun"])
