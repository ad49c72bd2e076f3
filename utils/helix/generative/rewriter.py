"""The repair after the writing: pronouns of the wanted person in a job description are put neutrally.

English “he” and “she” become singular “they”, and the verbs that belong to them follow. Chinese 他 and 她 become 应聘者
(“the applicant”): it is what such texts call the person anyway; it holds before anybody is hired, which 该员工 (“this
employee”) does not; and unlike TA it is written in Chinese characters and needs no convention that readers may not know. 他们
stays, as it is the plural for everybody.

**What it cannot do.** There is no coreference resolution and no parser here. Left alone is what stands in quotation marks;
sentences of reported speech; and pronouns after a named person or a relative, until a role (“the nurse”, 应聘者) is named in a
later sentence. So it errs on the side of leaving a pronoun: in “Acme’s Anna wants a cook, and he must …” it stays. It errs on the
other side too: a person who has neither name nor title nor stands in the lists of `helix.generative.rewriter_words` is taken
for the wanted one (“if the guest cannot walk, she …”). “Her” before a noun always owns it (“gives her advice” becomes “gives
their advice”); a verb far from its pronoun may keep its -s; and nouns with a gender (“salesman”, 女秘书) are not touched. It
changes words. What a sentence expects of people, and of whom, stays as it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from helix.generative import quotations
from helix.generative import rewriter_words as known

_LETTER = "A-Za-zÀ-ÖØ-öø-ɏ"
_TOKEN = re.compile(
    rf"""
    (?P<both>(?<![{_LETTER}])(?:(?:he|she)\s?/\s?(?:he|she)|(?:he|she)\ or\ (?:he|she)|s/he|\(s\)he
        |(?:his|her|him)\s?/\s?(?:his|her|him)|(?:his|her|him)\ or\ (?:his|her|him)
        |(?:him|her)self\s?/\s?(?:him|her)self|(?:him|her)self\ or\ (?:him|her)self)(?![{_LETTER}]))
    |(?P<zhboth>[他她]们?(?:\s?/\s?|或者?)[他她]们?|他[（(]她[)）])
    |(?P<word>[{_LETTER}]+(?:['’-][{_LETTER}]+)*)
    |(?P<zhnot>{known.ZH_NOT})
    |(?P<zhname>(?:(?<=[{known.ZH_LEFT}])|(?<![\u4e00-\u9fff])|(?<=评价)|(?<=联系))
        [{known.ZH_SURNAMES}](?:[\u4e00-\u9fff]{{0,2}}(?:{known.ZH_TITLES})|[\u4e00-\u9fff]{{1,2}}?(?={known.ZH_RIGHT}))
        |[小老][{known.ZH_SURNAMES}](?![\u4e00-\u9fff]师))
    |(?P<zhsomebody>{known.ZH_SOMEBODY})
    |(?P<zhreport>{known.ZH_REPORT})
    |(?P<zhrole>{known.ZH_ROLES})
    |(?P<zh>她们|[他她])
    |(?P<end>[.!?](?=[\s"'”’」』)*]|$)|[。！？；\n])
    |(?P<mark>[,:;()—–])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLAIN = {"him": "them", "himself": "themselves", "herself": "themselves", "hers": "theirs"}
_VERB = {"is": "are", "was": "were", "has": "have", "does": "do"}
_VERB |= {f"{one}n't": f"{many}n't" for one, many in _VERB.items()}
_AND = frozenset(("and", "or", "but", ","))
_ASKING = _AND | known.words("what where when why how who which whether if so nor neither than as")
_NEW_SUBJECT = known.words("the a an our we it this that these those who which you they each every there")
_DONE = known.words("been got had become done gone")  # after “he’s” they make it “he has”
_NO_E = {"focuses": "focus", "goes": "go", "aches": "ache"}


class Change(NamedTuple):
    """A piece of a text and what takes its place: ``text[start:end]`` becomes ``new``."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def low(self) -> str:
        return self.text.lower().replace("’", "'")


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
    sentence: list[_Token] = []
    wanted, hidden = True, quotations.hidden(text)
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        inside = bool(hidden[match.start()])
        if kind == "end":
            if match[0] == "." and sentence and sentence[-1].low in known.TITLES:
                continue
            if not inside or match[0] == "\n":
                wanted = _sentence(sentence, wanted, made)
                sentence = []
        elif not inside:
            sentence.append(_Token(kind, match[0], match.start(), match.end()))
    _sentence(sentence, wanted, made)
    return made


def _sentence(tokens: list[_Token], wanted: bool, made: list[Change]) -> bool:
    """Add the changes of one sentence; return whether a pronoun in the next one is still the wanted person's."""
    words = [token.low for token in tokens]
    somebody = [_is_somebody(tokens, i) for i in range(len(tokens))]
    if _reported(tokens, words):
        return wanted and not any(somebody) and not any(_new(tokens, words, i) for i in range(len(tokens)))
    written = [token.text for token in tokens if token.kind == "word"]
    shouted = len(written) > 1 and all(one.isupper() for one in written)
    named, verb = (
        False,
        -1,
    )  # verb: the last one that was put into the plural; -1 if none, or if it had another subject since
    for i, token in enumerate(tokens):
        if somebody[i]:
            named, wanted = True, False
        elif not named and (token.kind == "zhrole" or words[i].removesuffix("s") in known.ROLES):
            wanted = True
        if words[i] in _NEW_SUBJECT and (words[i] in ("that", "who", "which") or (i and words[i - 1] in _AND)):
            verb = -1
        if token.text.isupper() and token.kind == "word" and not shouted:
            continue  # HE may be higher education
        new = _new(tokens, words, i) if wanted else ""
        if new:
            asked = new == "they" and i > 0 and words[i - 1] in _VERB and (i == 1 or words[i - 2] in _ASKING)
            if asked and (not made or made[-1].start != tokens[i - 1].start):
                made.append(_change(tokens[i - 1], _VERB[words[i - 1]]))
            made.append(_change(token, new))
            if new.startswith("they"):
                verb = i
                if new == "they" and not asked:
                    verb = _plural(tokens, words, i, made, sure=True) or i
        elif verb >= 0 and words[i] in _AND:
            verb = _plural(tokens, words, i, made, sure=verb == i - 1 and verb > 0) or verb
    return wanted


def _change(token: _Token, new: str) -> Change:
    """Give a word the capitals, and the apostrophe, of the one whose place it takes."""
    letters = [one for one in token.text if one.isalpha()]
    if "’" in token.text:
        new = new.replace("'", "’")
    if len(letters) > 1 and token.text.isupper():
        new = new.upper()
    elif letters[0].isupper():
        new = new[0].upper() + new[1:]
    return Change(token.start, token.end, new)


def _new(tokens: list[_Token], words: list[str], i: int) -> str:
    """Return what takes a word's place if it is a pronoun of a third person, else an empty text."""
    word, kind = words[i], tokens[i].kind
    following = words[i + 1] if i + 1 < len(words) else ""
    if kind in ("zh", "zhboth"):
        return "应聘者"
    if kind == "both":
        parts = set(re.findall(r"[a-z]+", word)) - {"or"}
        if parts & {"himself", "herself"}:
            return "themselves"
        if not parts & {"his", "him", "her"}:
            return "they"
        return "them" if "him" in parts else _his(following)
    if word in ("he", "she"):
        return "they"
    if word in ("he's", "she's"):
        return "they've" if following in _DONE else "they're"
    if word in ("he'll", "she'll", "he'd", "she'd"):
        return "they" + word[word.index("'") :]
    if word == "his":
        return _his(following)
    if word == "her":
        after_let = i > 0 and words[i - 1] in known.LETTING and following in known.VERBS
        thing = following[:1].isalnum() and following not in known.AFTER_OBJECT
        return "their" if thing and not after_let and tokens[i + 1].kind == "word" else "them"
    return _PLAIN.get(word, "")


def _his(following: str) -> str:
    return "their" if following[:1].isalnum() and following not in known.AFTER_LONE else "theirs"


def _plural(tokens: list[_Token], words: list[str], i: int, made: list[Change], sure: bool) -> int:
    """Put the verb that follows word i into the plural, adverbs between them; return where it stands, 0 if there is none.

    It is `sure` to be a verb after “they”; after “and” a word in -s may be a noun, and what follows it decides.
    """
    at = i + 1
    while at < min(len(words), i + 5) and (words[at] == "," or _is_adverb(words[at])):
        at += 1
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


def _reported(tokens: list[_Token], words: list[str]) -> bool:
    for i, (token, word) in enumerate(zip(tokens, words, strict=True)):
        following = words[i + 1] if i + 1 < len(words) else ""
        if token.kind == "zhreport" or word in known.SAID or (word in known.SAID_THAT and following == "that"):
            return True
        if word == "according" and following == "to":
            return True
    return False


def _is_somebody(tokens: list[_Token], i: int) -> bool:
    """Return whether a word names a person: a title, a given name, two capitals in a row, a capital within the sentence."""
    token, word = tokens[i], tokens[i].low
    if token.kind in ("zhname", "zhsomebody"):
        return True
    if token.kind != "word" or not token.text[0].isalpha():
        return False
    if word in known.SOMEBODY or (token.text[0].isupper() and word in known.TITLES):
        return True
    bare = word.removesuffix("'s")
    if not token.text[0].isupper() or token.text.isupper() or bare in known.NO_PERSON:
        return False
    if bare in known.GIVEN:
        return True
    before = tokens[i - 1] if i else None
    if before is None or before.kind == "mark" or before.low in ("at", "in", "near"):
        return False  # a sentence begins so, a bullet, or the name of a place
    return bare not in known.ROLES and not _new([token], [word], 0)
