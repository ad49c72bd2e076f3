"""Whether a gendered word is about the person who will be hired: what stands around it decides.

Used by `helix.generative.gendered_wording`, which tells what such rules cannot do.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from helix.generative import gendered_words as en
from helix.generative import gendered_words_zh as zh

BLANK = "□"
_NEAR = 80  # characters before and after a find that are looked at
_CLAUSE_END = re.compile(r"[,，:：;；—–]")


def pattern_of(words: str) -> re.Pattern[str]:
    """Compile a pattern that does not mind capitals."""
    return re.compile(words, re.IGNORECASE)


class Around(NamedTuple):
    """What stands around a find: close before and after it, its clause, the clause up to it; whether it is of equality."""

    before: str
    after: str
    clause: str
    left: str
    found: str
    equal: bool
    selected: bool


_REPORT, _WANTED_NOW = pattern_of(f"{en.REPORT}|{zh.REPORT}"), pattern_of(f"{en.WANTED_NOW}|{zh.WANTED_NOW}")
_TEAM, _WISH = (
    pattern_of(f"{en.TEAM}|{zh.TEAM}"),
    pattern_of(rf"\b(?:want|need|seek|look|prefer|require|requiring|hir|wish|only|join)\w*\b|{zh.WISH}"),
)
_TEAM_SHARE = pattern_of(r"\bper\s?cent\b|%|\b\d+ of\b|\bof (?:our|us|the) (?:\w+ )?(?:are|is|were)\b|\bhalf of\b")
_SERVED_NOUN, _EN_SERVING = pattern_of(f"{en.SERVED_NOUN}|{zh.SERVED_NOUN}"), pattern_of(en.SERVED)
_ENCOURAGED, SELECTED = pattern_of(f"{en.ENCOURAGED}|{zh.ENCOURAGED}"), pattern_of(f"{en.SELECTED}|{zh.SELECTED}")
_PREFERRED, _SAME = pattern_of(f"{en.PREFERRED}|优先|限|只招|最好|更|首选"), pattern_of(en.SAME)
_AFTER_PREPOSITION, _JOB_FOR, _ONLY = pattern_of(en.AFTER_PREPOSITION), pattern_of(en.JOB_FOR), pattern_of(en.ONLY)
_EN_WANT, _EN_AFTER, _ZH_WANT, _ZH_AFTER = (
    pattern_of(en.WANT),
    pattern_of(en.AFTER),
    pattern_of(zh.WANT),
    pattern_of(zh.AFTER),
)
_ZH_SERVING, _OTHERS_TITLE, _MALE_JOB = pattern_of(zh.SERVING), pattern_of(en.OTHERS_TITLE), pattern_of(en.MALE_JOB)
_BENEFIT, _SOLD = pattern_of(f"{en.BENEFIT}|{zh.BENEFIT}"), pattern_of(f"{en.SOLD}|{zh.SOLD}")
_WELCOME, _EQUALLY = pattern_of("welcome|欢迎"), pattern_of("也能|也可以|都欢迎|都行|都可|一样")
_THEIR_WISH = pattern_of(f"{en.THEIR_WISH}|{zh.THEIR_WISH}")
_OTHERS_BEFORE, _OTHERS_AFTER = pattern_of(f"{en.OTHERS_BEFORE}|{zh.OTHERS_BEFORE}"), pattern_of(en.OTHERS_AFTER)
_FREE, _WORN = pattern_of(f"{en.FREE}|{zh.FREE}"), pattern_of(f"{en.WORN}|{zh.WORN}")
_PEOPLE = pattern_of(
    r"(?:(?:grand|step)?(?:mother|father|ma|pa)|mum|mom|dad|husband|widow|widower|spouse|parent|bachelor|aunt|uncle)s|wives|single"
)
_ZH_PEOPLE = pattern_of(
    "[宝奶辣]?妈|[宝奶]?爸|[父母]亲|孕妇|怀孕|孕期|太太|(?:家庭)?主妇|单身|已婚|未婚|离[婚异]|丧偶|孩子|带"
)
_PARENT = pattern_of("(?:全职|[宝奶辣])?(?:妈妈?|爸爸?|太太)|(?:家庭)?主妇|军嫂")
_HE_WORD, _SHE_WORD = pattern_of("男|\\bm[ae]n\\b"), pattern_of("女|\\bwom[ae]n\\b")
_CONDITION_BEFORE = pattern_of(
    r"\b(?:only|prefer\w*|must be)\s+(?:\w+\s+){0,2}$|(?:仅限?|限|只招|只要|只收|仅招|优先|不招|不要|不考虑)[^，。；]{0,6}$"
)
_CONDITION_AFTER = pattern_of(
    r"\s*(?:only|(?:is |are |would be )?prefer)|[^，。；]{0,4}(?:优先|为佳|尤佳|更佳|最好|勿|免谈|不考虑|不招|不要|慎)"
)
_MANY = frozenset(
    [
        "men",
        "women",
        "males",
        "females",
        "gents",
        "ladies",
        "girls",
        "boys",
        "guys",
        "lads",
        "lasses",
        "blokes",
        "chaps",
        "gals",
        "gentlemen",
    ]
)


def around(sentence: str, plain: str, hit: re.Match[str], selected: bool) -> Around:
    """Collect what stands around a find in its sentence; in `plain` the statements of equality are blanked."""
    before, after = sentence[max(0, hit.start() - _NEAR) : hit.start()], sentence[hit.end() : hit.end() + _NEAR]
    left, right = _CLAUSE_END.split(before)[-1], _CLAUSE_END.split(after)[0]
    equal = BLANK in plain[hit.start() : hit.end()]
    return Around(before, after, left + hit[0] + right, left, hit[0], equal, selected)


def excused(kind: str, at: Around) -> bool:
    """Return whether the words around a find say that it is not about the person to be hired."""
    near = at.before + at.found + at.after
    if kind != "housed" and _REPORT.search(near) and not _WANTED_NOW.search(near):
        return True
    if kind == "person":
        return not _asked_for(at) and _is_of_others(at)
    if kind in ("split", "housed"):
        return bool(_TEAM.search(near)) and not _WISH.search(near)
    if kind == "title":
        return _is_no_title(at)
    if at.equal or (kind == "family" and bool(_BENEFIT.search(near))):
        return True
    if kind == "dress":
        return bool(_FREE.search(near) or (_SOLD.search(near) and not _WORN.search(at.clause)))
    if kind != "family" and not _PARENT.fullmatch(at.found):
        return False
    of_others = bool(_PEOPLE.fullmatch(at.found) and _AFTER_PREPOSITION.search(at.before)) and not _JOB_FOR.search(
        at.before
    )
    of_others = of_others or bool(_OTHERS_BEFORE.search(at.before) or _SERVED_NOUN.search(at.clause))
    served = (at.found.isascii() or _ZH_PEOPLE.match(at.found)) and _serving(at)
    return bool(served) or _is_of_team(at) or of_others


def _asked_for(at: Around) -> bool:
    """Return whether the words next to a noun or 男, 女 make it a condition or a wish."""
    if _is_encouraged(at):
        return False
    if en_only := _ONLY.search(at.before):
        return not _TEAM_SHARE.search(at.before[: en_only.start()] + at.after)
    if _THEIR_WISH.search(at.before) and not _serving(at) and at.found.lower() not in _MANY:
        return True
    if at.found.isascii():
        return bool((_EN_WANT.search(at.before) and not _EN_SERVING.search(at.before)) or _EN_AFTER.match(at.after))
    return bool(_ZH_AFTER.match(at.after)) or (_last(_ZH_WANT, at.left[-12:]) > 0 and not _serving(at))


def _is_encouraged(at: Around) -> bool:
    asked = _ENCOURAGED.search(at.clause) or (at.selected and _WELCOME.search(at.clause))
    return bool(asked) and not _PREFERRED.search(at.clause)


def is_condition(at: Around) -> bool:
    """Return whether a title with a gender is made a condition (“only female cooks”)."""
    return bool(
        _CONDITION_BEFORE.search(at.before) or _CONDITION_AFTER.match(at.after) or _THEIR_WISH.search(at.before)
    )


def _is_of_others(at: Around) -> bool:
    if at.equal or _is_encouraged(at):
        return True
    near = at.before + at.found + at.after
    alike = (_TEAM.search(near) and not _WISH.search(near)) or (_EQUALLY.search(near) and not _PREFERRED.search(near))
    if _is_of_team(at) or (alike and _HE_WORD.search(near) and _SHE_WORD.search(near)):
        return True
    if _OTHERS_BEFORE.search(at.before) or _OTHERS_AFTER.match(at.after):
        return True
    if at.found.isascii():
        of_others = _AFTER_PREPOSITION.search(at.before) and not _JOB_FOR.search(at.before)
        served = at.found.lower() in _MANY and _SERVED_NOUN.search(at.clause)
        return bool(of_others or served or _EN_SERVING.search(at.before) or _SAME.search(at.clause))
    return _serving(at) or bool(_SERVED_NOUN.search(at.clause))


def _is_no_title(at: Around) -> bool:
    low = at.found.lower()
    if low.isascii():
        if low.split("-")[-1] in en.NO_TITLE or (
            _MALE_JOB.fullmatch(low) and low.split()[-1].removesuffix("s") in en.NO_JOB
        ):
            return True
        if _EN_SERVING.search(at.before) or _OTHERS_TITLE.search(at.before):
            return not _JOB_FOR.search(at.before)
        if low.endswith(("s", "men")) and _AFTER_PREPOSITION.search(at.before) and "one of" not in at.before.lower():
            return not (_JOB_FOR.search(at.before) or _EN_WANT.search(at.before))
        return bool(_TEAM_SHARE.search(at.before + at.after))
    return _serving(at) or _is_of_team(at)


def _is_of_team(at: Around) -> bool:
    return bool(_TEAM.search(at.clause)) and not _WISH.search(at.clause)


def _serving(at: Around) -> bool:
    """Return whether a verb of serving stands nearer before a find than one of wanting."""
    if at.found.isascii():
        return bool(_EN_SERVING.search(at.before))
    return _last(_ZH_SERVING, at.left[-12:]) > _last(_ZH_WANT, at.left[-12:])


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((match.end() for match in pattern.finditer(text)), default=0)
