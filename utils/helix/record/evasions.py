"""Words of a decision that take back what its form asks for: a fix that changes nothing, an owner who is nobody.

Each rule is sure: it takes away the phrases that it knows and the small words between them, and speaks only if nothing is
left. Where something is left, nobody can be sure, and the learner is asked (`doubts`). English and Chinese are known; whatever
else somebody writes is let pass.
"""

from __future__ import annotations

import re
import unicodedata

_QUOTES = str.maketrans("’‘`´", "''''")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


def folded(text: object) -> str:
    """Return a text as it is compared: one kind of apostrophe and blank, no capitals."""
    return " ".join(unicodedata.normalize("NFKC", str(text)).translate(_QUOTES).casefold().split())


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", folded(text))


# Placeholders -------------------------------------------------------------------------------------------------

_SAYS_NOTHING = _set(
    "none nil null na n/a tbd tba todo nothing unknown no x xx xxx - -- ? / . 无 没有 暂无 待定 未定 未知 无可奉告"
)
_FILLER = _set("lorem ipsum dolor sit amet blah bla asdf asd qwer qwerty zxcv foo bar baz xxx abc yada etc test")


def says_nothing(text: str) -> bool:
    """Whether a text is a placeholder, or what fingers type to fill a field."""
    words = _words(text)
    return folded(text).rstrip(".!") in _SAYS_NOTHING or (bool(words) and set(words) <= _FILLER)


# The choice ---------------------------------------------------------------------------------------------------

_IT = r"(?:it|them|this|that|these|everything|all|things|the (?:model|table|label|network|selection|generator|system|rule))"
_NO_CHANGE = _any(
    r"\b(?:change|alter|modify|fix|mend|touch|do|edit|adjust|improve) (?:absolutely )?(?:nothing|not a thing)(?: at all)?\b",
    r"\bnothing(?: (?:to|needs to be) (?:fix(?:ed)?|changed?|do|done|mend(?:ed)?))?(?: at all)?\b",
    r"\bnot a thing\b",
    r"\b(?:no|without(?: any)?|with no|zero) (?:further |more )?(?:changes?|fix|repairs?|modifications?|changing anything)\b",
    r"\b(?:unchanged|as is|as (?:it|they|things|everything) (?:is|are|stands?)|(?:as|like) before)\b",
    r"\b(?:business as usual|status quo|carry on|keep going|(?:the )?same (?:model|threshold|label|data|rule|thing))\b",
    rf"\b(?:leave|keep) {_IT}(?: alone)?\b|\bleave (?:well )?alone\b",
)
_RELEASE = re.compile(
    rf"\b(?:(?<!the )(?<!a )(?<!this )(?<!our )(?:ship|release|publish|send|deploy|launch|issue)(?: {_IT})?(?: out)?"
    r"|go live|go ahead|roll out|roll it out)\b"
)
_NOT_RELEASED = re.compile(
    r"\b(?:don't|do not|not|never|cannot|can't|nobody|no one|before|until|unless|than|instead of|rather than)\b(?: \w+)? ?"
    + _RELEASE.pattern
)
_SMALL = _set(
    "and but just now today then so please there is are be was the a an it its as to for of with at all any way anyway anyhow "
    "immediately straight away later eventually someday sometime soon tomorrow maybe perhaps simply still we i will would "
    "should can no not yes worrying fix ship stop s that this in on case out ok okay fine really even if do let's let us"
)
_NO_CHANGE_ZH = re.compile(
    r"什么(?:都|也)不(?:改|变|做|动)|不(?:做|作)(?:任何)?(?:修改|改动|改变|更改)|不(?:修改|改动|改变|改|变|动)|维持(?:现状|原样)|"
    r"保持(?:不变|原样|现状)|(?:无需|不用|不必)(?:修改|改动|改变|改)|原样|照常|照旧"
)
_RELEASE_ZH = re.compile(r"发布|上线|发出|发送|推出|使用")
_SMALL_ZH = re.compile(r"直接|马上|立即|立刻|今天|现在|就|了|即可|吧|并|然后|而且|地|的|也|都|先|以后再说|[\W_]")


def _left(text: str, *known: re.Pattern[str]) -> set[str]:
    for pattern in known:
        text = pattern.sub(" ", text)
    return set(_words(text)) - _SMALL


def takes_back(choice: str) -> str:
    """Return in which way a choice undoes its first word, or nothing: ``changes nothing``, ``releases it``, ``releases nothing``.

    Parameters
    ----------
    choice : str
        Begins with ship, fix or stop.
    """
    verb, *rest_words = re.findall(r"[\w']+", folded(choice)) or [""]
    rest = " ".join(rest_words)
    found = {
        "change": bool(_NO_CHANGE.search(rest) or _NO_CHANGE_ZH.search(rest)),
        "release": bool((_RELEASE.search(rest) and not _NOT_RELEASED.search(rest)) or _RELEASE_ZH.search(rest)),
    }
    chinese = _SMALL_ZH.sub("", _RELEASE_ZH.sub("", _NO_CHANGE_ZH.sub("", rest)))
    left = _left(rest, _NO_CHANGE, _RELEASE) and chinese
    if verb == "ship" and re.fullmatch(r"(?:but )?(?:nothing|never|not|no|don't|do not(?: ship(?: it)?)?)", rest):
        return "releases nothing"
    if left or _NOT_RELEASED.search(rest):
        return ""
    if verb == "fix" and (found["change"] or found["release"]):
        return "changes nothing"
    return "releases it" if verb == "stop" and found["release"] else ""


def _speaks_of_no_change(choice: str) -> str:
    """Return the words of a fix that speak of changing nothing, though something is left beside them."""
    _, *rest = re.findall(r"[\w']+", folded(choice)) or [""]
    found = (one[0] for one in _NO_CHANGE.finditer(" ".join(rest)))
    return next((words for words in found if words != "nothing" and not words.startswith(("keep", "leave"))), "")


# The owner ----------------------------------------------------------------------------------------------------

_NOBODY = _set(
    "nobody noone no none nil unknown undecided unassigned tbd tba todo pending somebody someone anyone anybody whoever everyone "
    "everybody all society public world humanity decided determined assigned announced defined xxx niemand personne nadie nessuno "
    "никто 没有 没有人 没人 无 无人 谁 大家 所有人 每个人 任何人 某人 待定 未定 未知 暂无 不知道 公众 社会 全社会"
)
_MACHINE = _set(
    "algorithm algorithms model models ai system systems machine machines computer computers software program code script bot "
    "chatbot chatgpt gpt llm classifier network net data dataset pipeline control gate server dashboard robot automation tool app it "
    "itself 算法 模型 系统 机器 人工智能 程序 电脑 计算机 软件 机器人 智能系统"
)
_AROUND_NOBODY = _set(
    "the a an of in and or is are be to by us you them one person owner particular yet around here really now not else involved "
    "responsible at for any"
)
_AROUND_MACHINE = _set(
    "the a an our this that my its of in and or by is are learning neural deep language large automated automatic decision "
    "scoring release artificial intelligence agent own internal new trained decides runs owns 2 3 4 5 this which 该 本 这个 我们的"
)
_ALSO_NAMES = frozenset({"Ai", "Bot", "Code", "Net", "Gate", "Noone", "Tool", "Data"})  # of people who write them so


def nobody(text: str) -> bool:
    """Whether a text names nobody, anybody or everybody."""
    words = set(_words(text))
    return text.strip() not in _ALSO_NAMES and bool(words & _NOBODY) and words <= _NOBODY | _AROUND_NOBODY


def machine(text: str) -> bool:
    """Whether a text names a program or a machine, and no person beside it."""
    words = set(_words(re.sub(r"^(?:该|本|这个|我们的)", "", text.strip())))
    return text.strip() not in _ALSO_NAMES and bool(words & _MACHINE) and words <= _MACHINE | _AROUND_MACHINE


# Dissent and residual risk ------------------------------------------------------------------------------------

_THIS = r"(?: (?:it|this|that|the|my|our|your|choice|decision|option|plan|them|us|all|here))*"
_IS_OR_WOULD = r"(?: (?:would|will|could|can|should|does|possibly|reasonably|seriously|ever|is|are|has))*"
_I_SEE = r"(?:cannot|can not|can't|do not|don't|could not|couldn't) (?:think of|see|find|have|imagine|know of)(?: any| a| one)?"
_AGREES = _any(
    rf"(?:no ?one|no-one|nobody|none of us){_IS_OR_WOULD} (?:disagrees?|objects?|objected|opposes?|argues?|dissents?|against)"
    rf"(?: (?:with|to|against|about))?{_THIS}",
    rf"(?:there (?:is|are|exists?) (?:no|not any|none)|there (?:isn't|aren't) any|(?:i|we) {_I_SEE}|(?:i|we) (?:see|know|have) (?:no|none)|"
    r"no|none|without|not any)(?: (?:real|good|serious|strong|valid|such|further|residual|remaining|known|single))*"
    r"(?: (?:reasons?|arguments?|objections?|dissents?|counter ?arguments?|risks?|concerns?|dangers?|harms?|problems?|disagreements?))?"
    rf"(?: (?:against|to|with|of|about){_THIS})?(?: at all| left| that i (?:can )?see| i know of)?",
    rf"(?:i|we)(?: all| fully| completely| totally)* (?:agree|support|concur|approve)(?: with| of)?{_THIS}",
    rf"(?:everyone|everybody|all|all of us){_IS_OR_WOULD} (?:agrees?|happy|fine|satisfied|supports?|approves?)(?: with| on| to)?{_THIS}",
    r"(?:it|this|that|my choice|the choice|this choice|this decision|everything|all)(?: is|'s| will be| should be)(?: \w+ly)?(?: the)? "
    r"(?:best|right|only|correct|perfect|fine|good|safe|ok|well|obvious)(?: (?:choice|decision|option|one|answer|thing))?",
    rf"nothing(?: (?:speaks|is|against|wrong|can|could|will|go|goes|to add|at all|with))*{_THIS}",
    r"(?:the )?(?:same|see)(?: as)? (?:above|before)|as above|ditto",
    r"没有(?:任何)?(?:反对|异议|不同)?(?:的)?(?:意见|理由|风险|问题|人反对|剩余风险)?|无(?:异议|风险|反对意见|剩余风险)|没人反对",
    r"(?:我|我们|大家|所有人)?(?:都|也|完全)?(?:同意|赞成|支持)(?:这个|该|此|这一)?(?:决定|选择)?|不会(?:出错|有问题|有风险)|很安全|同上",
)
_EVERYWHERE = re.compile(
    r"\b(?:many|different|various|several|always) (?:perspectives|opinions|views|viewpoints|points of view|sides)\b|reasonable people|"
    r"\bit depends\b|pros and cons|\bboth sides\b|nothing is perfect|nobody is perfect|各有利弊|见仁见智|因人而异"
)


def _clauses(text: str) -> list[str]:
    return [clause.strip() for clause in re.split(r"[.;:!?,。；：！？，、\n—–]+", folded(text)) if clause.strip()]


def agrees(text: str) -> bool:
    """Whether a dissent or a risk says, from its first clause to the last, that there is none."""
    clauses = _clauses(text)
    return bool(clauses) and all(map(_AGREES.fullmatch, clauses))


def doubts(choice: str, dissent: str, residual_risk: str) -> list[str]:
    """Return what a decision's words leave in doubt, a question each.

    Parameters
    ----------
    choice, dissent, residual_risk : str
        The fields of a decision that has no problems.
    """
    found = []
    if folded(choice).startswith("fix") and (words := _speaks_of_no_change(choice)):
        found.append(f"Your fix says “{words}”. What will be different afterwards, and who sees to it?")
    for name, text in (("dissent", dissent), ("residual risk", residual_risk)):
        if any(map(_AGREES.fullmatch, _clauses(text))):
            found.append(f"A part of your {name} says that there is none. Does the rest stand without it?")
        elif phrase := _EVERYWHERE.search(folded(text)):
            found.append(f"“{phrase[0]}” can be said of every decision. Does your {name} say what is so of this one?")
    return found
