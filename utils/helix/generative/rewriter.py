"""The repair after the writing: pronouns of the wanted person in a job description are put neutrally.

English “he” and “she” become singular “they”, and the verbs that belong to them follow. Chinese 他, 她 and their plurals become 应聘者
(“the applicant”): it is what such texts call the person anyway; it holds before anybody is hired, which 该员工 (“this
employee”) does not; and unlike TA it is written in Chinese characters and needs no convention that readers may not know.

Whose a pronoun is decides `helix.generative.whose`, for this module and for the detector alike. A sentence is changed as a whole or not at
all: it stays where one of its pronouns cannot be put into grammar that is sure (“she who dares”, “he or his wife”), and where one
that may be somebody else's would stand beside a changed one of the same gender.

**What it cannot do.** “Her” before a noun always owns it (“gives her advice” becomes “gives their advice”), and nouns with a gender (“salesman”,
女秘书) are not touched. It changes words. What a sentence expects of people, and of whom, stays as it was. How often it errs: ``data/job_ads/CARD.md``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from helix.generative import rewriter_words as known
from helix.generative import whose
from helix.generative.whose import PRONOUNS, Token

_PLAIN = {"him": "them", "himself": "themselves", "herself": "themselves", "hers": "theirs"}
_VERB = {"is": "are", "was": "were", "has": "have", "does": "do"}
_VERB |= {f"{one}n't": f"{many}n't" for one, many in _VERB.items()}
_AND = frozenset(("and", "or", "but", ","))
_ASKING = _AND | known.words("what where when why how who which whom whether if so nor neither than as")
_NEW_SUBJECT = known.words("the a an our we it this that these those who which you they each every there")
_DONE = known.words("been got had become done gone")  # after “he’s” they make it “he has”
_NO_E = {"focuses": "focus", "goes": "go", "aches": "ache"}


class Change(NamedTuple):
    """A piece of a text and what takes its place: ``text[start:end]`` becomes ``new``."""

    start: int
    end: int
    new: str


class _UnsureError(Exception):
    """The grammar of a sentence cannot be told."""


def rewrite(text: str) -> str:
    """Put the pronouns of the wanted person neutrally.

    Parameters
    ----------
    text : str
        A job description, in English, Chinese or both.

    Returns
    -------
    str
        The text itself if it has no such pronoun. Rewriting a second time changes nothing. The time is linear in the length.

    Raises
    ------
    TypeError
        If it is no text.
    """
    parts, at = [], 0
    for change in changes(text):
        parts += [text[at : change.start], change.new]
        at = change.end
    return "".join([*parts, text[at:]])


def changes(text: str) -> list[Change]:
    """Return what `rewrite` would change, in the order of the text: pronouns of the wanted person, and their verbs.

    Raises
    ------
    TypeError
        If it is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"A job description is a text; got {type(text).__name__}.")
    made: list[Change] = []
    for sentence in whose.read(text):
        if "wanted" in sentence.whose and not _half(sentence):
            try:
                made += _sentence(*sentence)
            except _UnsureError:
                continue
    return made


def _half(sentence: whose.Sentence) -> bool:
    """Return whether a pronoun that may be somebody else's has the gender of one that would be changed before it."""
    changed = set()
    for token, of in zip(*sentence, strict=True):
        if of == "wanted":
            changed.add(_gender(token.low))
        elif of == "doubtful" and _gender(token.low) in changed:
            return True
    return False


def _gender(word: str) -> str:
    return "she" if word.startswith(("she", "her", "她")) else "he"


def _sentence(tokens: list[Token], owners: list[whose.Whose]) -> list[Change]:
    """Return the changes of one sentence.

    Raises
    ------
    _UnsureError
        If one of its pronouns has a verb that cannot be told.
    """
    words = [token.low for token in tokens]
    made: list[Change] = []
    last = max((i for i, word in enumerate(words) if word in ("and", "or")), default=-1)
    relative = False  # “who”, “which” or “that” came before
    verb, within, embedded = (
        -1,
        False,
        False,
    )  # verb: the last one put into the plural; -1 if another subject came since
    for i, (token, owner) in enumerate(zip(tokens, owners, strict=True)):
        if words[i] in _NEW_SUBJECT and (words[i] in ("that", "who", "which") or (i and words[i - 1] in _AND)):
            verb = -1
        if owner == "wanted":
            new = _new(tokens, words, i)
            asked = new == "they" and i > 0 and words[i - 1] in _VERB and (i == 1 or words[i - 2] in _ASKING)
            if asked and (not made or made[-1].start != tokens[i - 1].start):
                made.append(_change(tokens[i - 1], _VERB[words[i - 1]]))
            made.append(_change(token, new))
            if new.startswith("they"):
                within = _is_within(words, i)
                embedded = within and relative
                verb = i
                if new == "they" and token.kind in ("word", "both") and not asked:
                    if not (i and words[i - 1] in known.AUXILIARIES):
                        _need_verb(tokens, words, i)
                    verb = _plural(tokens, words, i, made, sure=True) or i
        elif verb >= 0 and words[i] in _AND:
            if words[i] == "," and within:
                verb = -1
            elif not embedded:
                before = len(made)
                verb = _plural(tokens, words, i, made, sure=verb == i - 1 and verb > 0) or verb
                if words[i] == "," and len(made) > before and last < i:
                    raise _UnsureError  # a verb in -s after a comma, and no list of verbs
        relative = relative or (
            words[i] in ("who", "that", "which") and i + 1 < len(words) and words[i + 1] not in PRONOUNS
        )
    return sorted(made)


def _is_within(words: list[str], i: int) -> bool:
    """Return whether the clause of a pronoun is part of a larger one: “when he …”, “what she …”."""
    at = i - 1
    while at >= 0 and _is_adverb(words[at]):
        at -= 1
    return at >= 0 and words[at] in known.SUBORDINATORS


def _need_verb(tokens: list[Token], words: list[str], i: int) -> None:
    at = _after_adverbs(words, i)
    if at >= len(words):
        return
    word = words[at]
    finite = word in known.AUXILIARIES or word in known.PAST or word.endswith("ed") or _base(word) != word
    if tokens[at].kind != "word" or not finite:
        raise _UnsureError


def _change(token: Token, new: str) -> Change:
    """Give a word the capitals, and the apostrophe, of the one whose place it takes."""
    letters = [one for one in token.text if one.isalpha()]
    if "’" in token.text:
        new = new.replace("'", "’")
    if len(letters) > 1 and token.text.isupper():
        new = new.upper()
    elif letters[0].isupper():
        new = new[0].upper() + new[1:]
    return Change(token.start, token.end, new)


def _new(tokens: list[Token], words: list[str], i: int) -> str:
    """Return what takes the place of a pronoun of a third person."""
    word, kind = words[i], tokens[i].kind
    following = words[i + 1] if i + 1 < len(words) else ""
    if kind in ("zh", "zhboth"):
        return "应聘者"
    if kind == "both":
        return _of_both(word, following)
    if word in ("he", "she"):
        return "they"
    if word.startswith(("he'", "she'")):
        return _shortened(word, following)
    if word == "his":
        return _his(following)
    if word == "her":
        after_let = i > 0 and words[i - 1] in known.LETTING and following in known.VERBS
        thing = following[:1].isalnum() and following not in known.AFTER_OBJECT
        return "their" if thing and not after_let and tokens[i + 1].kind == "word" else "them"
    return _PLAIN[word]


def _of_both(word: str, following: str) -> str:
    """Return what takes the place of “he or she”, “his/her”, “him- or herself” and their like."""
    if "self" in word:
        return "themselves"
    parts = re.findall(r"[a-z]+", word)
    if {"he", "she"} & set(parts):
        return _shortened("they" + word[word.index("'") :], following) if "'" in word else "they"
    if "him" in parts or "them" in parts:
        return "them"
    return "theirs" if {"hers", "theirs"} & set(parts) else _his(following)


def _shortened(word: str, following: str) -> str:
    end = word[word.index("'") :]
    return "they" + ({True: "'ve", False: "'re"}[following in _DONE] if end == "'s" else end)


def _his(following: str) -> str:
    return "their" if following[:1].isalnum() and following not in known.AFTER_LONE else "theirs"


def _plural(tokens: list[Token], words: list[str], i: int, made: list[Change], sure: bool) -> int:
    """Put the verb that follows word i into the plural, adverbs between them; return where it stands, 0 if there is none.

    It is `sure` to be a verb after “they”; after “and” a word in -s may be a noun, and what follows it decides.
    """
    at = _after_adverbs(words, i)
    if at >= len(words) or tokens[at].kind != "word":
        return 0
    word, base = words[at], _base(words[at])
    if base == word:
        return at if sure and words[i] not in _AND else 0
    following = words[at + 1] if at + 1 < len(words) else ""
    if not sure and word not in _VERB:
        noun = base in known.OF_NOUNS_TOO and (not following[:1].isalnum() or following in known.AFTER_NOUN)
        if base not in known.VERBS or noun:
            return 0
    made.append(_change(tokens[at], base))
    return at


def _after_adverbs(words: list[str], i: int) -> int:
    """Return where the first word after word i stands that is neither an adverb, nor “himself”, nor a comma beside one."""
    at = i + 1
    while at < min(len(words), i + 5) and (words[at] in (",", "himself", "herself") or _is_adverb(words[at])):
        at += 1
    return at


def _is_adverb(word: str) -> bool:
    return word in known.ADVERBS or (word.endswith("ly") and len(word) > 4 and word not in known.NO_SUCH)


def _base(word: str) -> str:
    """Return the plural of a verb's third person: “teaches” gives “teach”; of any other word, the word."""
    if word in _VERB:
        return _VERB[word]
    if len(word) < 4 or word in known.KEPT_S or not word.endswith("s") or word.endswith(("ss", "'s", "us")):
        return _NO_E.get(word, word)
    if word in _NO_E:
        return _NO_E[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "shes", "ches", "xes", "zzes", "oes")) else word[:-1]
