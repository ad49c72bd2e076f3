"""Honest and evasive pieces of decisions: what the engine must let pass, and what it must refuse or ask about.

The honest ones are whole decisions, given as what differs from a good one. `EVASIVE` was at hand when the rules were written;
`UNSEEN` was typed before them and looked at only to count.
"""

from __future__ import annotations

HONEST: list[dict[str, object]] = [
    # Owners: names of many languages, roles, titles; words that are machines elsewhere.
    *(
        {"owner": owner}
        for owner in (
            "王伟", "欧阳娜娜", "李", "李国梁（信贷部主任）", "信贷部负责人", "算法负责人", "模型治理委员会主任张敏", "数据保护官",
            "Dr. Aisha Bello", "Ai Weiwei", "Ai", "Noone, Peter", "Ben Bot", "Bill Gates", "Ms Nemo", "J. Code", "Anna All",
            "Head of AI", "the model owner", "machine learning lead", "Data Protection Officer", "system administrator on call",
            "The AI Act officer of the bank", "me", "I, as the lab's head", "Chef de la conformité", "Leiterin der Kreditabteilung",
            "Nguyễn Thị Minh", "Ольга Иванова", "山田太郎", "김민수", "María José O'Neill-Núñez", "Al", "Mr Everyman Smith",
            "the program manager", "Software engineering manager", "head of customer offers", "Chief Model Risk Officer",
        )
    ),
    # Choices: a fix that keeps something, ships later, or says so in Chinese.
    *(
        {"options": ["ship", choice, "stop: do not ship it"], "choice": choice}
        for choice in (
            "fix: change nothing in the model, but move the threshold for women",
            "fix: keep the model as it is and put a person before every refusal",
            "fix: retrain without the postcode, then ship it",
            "fix: do not change the label; choose the selection anew",
            "fix – new labels first",
            "fix",
            "fix: ship it to the test region only, with the gate on",
            "Fix: leave the weights alone, and calibrate each group",
            "fix: 重新标注数据后再上线",
            "fix: 不改模型，改阈值",
            "stop: do not ship it",
            "stop",
            "fix: nothing goes out before the gap is below 0.1",
            "fix: release it as it is to nobody, and measure again on fresh people",
        )
    ),
    {"options": ["ship", "stop: never release it as it is"], "choice": "stop: never release it as it is"},
    {"options": ["ship", "stop: the release of the model waits"], "choice": "stop: the release of the model waits"},
    {"options": ["stop", "fix: pay for human review"], "choice": "fix: pay for human review"},
    # Dissents and risks: short ones, and those that hold the words of an evasion.
    *(
        {"dissent": dissent}
        for dissent in (
            "Too slow.",
            "太慢了。",
            "等待也要付出代价。",
            "Waiting costs lives.",
            "There is no reason to stop: the limit is a convention.",
            "Nobody would object if a human did this slowly.",
            "No one would disagree that 200 people wait; the gate makes them wait longer.",
            "Everybody agrees that the old rule is worse, and we keep it for three months.",
            "There is no argument for waiting that the people who wait have ever heard.",
            "Nothing is perfect, and this is better than what runs today.",
            "It is the best table there is; a better one will not come.",
            "没有人反对旧规则，可是旧规则更糟。",
            "I do not see a reason against a pilot in one town.",
            "Le retard coûte des emplois.",
            "Die Frauen warten dann noch länger.",
            "None of the people affected asked us to protect them.",
            "Reasonable people may hold that a lender need not mend the labour market.",
        )
    ),
    *(
        {"residual_risk": risk}
        for risk in (
            "Nothing in the gate looks at age.",
            "Zero people over 70 were tested.",
            "No group of fewer than thirty is seen.",
            "看不到年龄。",
            "None of the labels was checked.",
        )
    ),
    {"affected": ["用户中的女性", "被拒绝的人"]},
    {"affected": ("women", "their children")},
    {"question": "可以发布这个模型吗？"},
]  # fmt: skip


def _choice(*texts: str) -> list[tuple[str, dict[str, object]]]:
    return [(text, {"options": ["ship", text, "stop "], "choice": text}) for text in texts]


def _field(name: str, *texts: str) -> list[tuple[str, dict[str, object]]]:
    return [(text, {name: text}) for text in texts]


EVASIVE: list[tuple[str, dict[str, object]]] = [
    *_choice(
        "fix: ship today and change nothing",
        "fix: nothing, send them today as they are",
        "fix: publish now, change nothing",
        "fix: change nothing",
        "fix: no changes",
        "fix: leave it as it is",
        "fix: do nothing",
        "fix: keep everything as is",
        "fix: ship it anyway",
        "fix: release as is",
        "fix: ship now, fix later",
        "fix: business as usual",
        "fix: 不做任何修改",
        "fix: 直接上线",
        "stop: but ship it anyway",
        "stop: release it today",
        "ship: nothing",
    ),
    *_field(
        "owner",
        "nobody", "Nobody in particular", "everyone", "the algorithm", "the model itself", "TBD", "n/a", "no one", "None",
        "the system", "AI", "ChatGPT", "our machine learning model", "all of us", "somebody", "to be decided", "无", "没有人",
        "算法", "大家", "unknown", "?", "-", "the release gate",
    ),
    *_field(
        "dissent",
        "No one would disagree with this choice; it is the best",
        "none", "n/a", "There is no reason against it.", "Nobody disagrees.", "I cannot think of any.", "Everyone agrees.",
        "没有反对意见。", "lorem ipsum dolor sit amet", "blah blah blah", "This is clearly the right decision.",
        "There are always many perspectives that reasonable people may hold on this",
    ),
    *_field("residual_risk", "none", "Nothing can go wrong.", "There is no risk.", "没有风险。", "no residual risk"),
    ("nobody is affected", {"affected": ["nobody"]}),
]  # fmt: skip

UNSEEN: list[tuple[str, dict[str, object]]] = [
    *_choice(
        "fix: deploy it unchanged",
        "fix - carry on as before",
        "Fix: just launch it now",
        "fix: not a thing",
        "fix: there is nothing to fix",
        "fix: leave everything alone and ship",
        "fix: go live immediately without any change",
        "fix: same model, same threshold, ship today",
        "fix: status quo",
        "fix: 什么都不改",
        "fix: 照常发布",
        "stop: no, go ahead and release it",
        "stop worrying and ship it",
        "fix: someday",
        "fix: keep going",
    ),
    *_field(
        "owner",
        "no-one", "Nobody.", "nobody yet", "anyone", "whoever is around", "the AI", "an AI system", "the computer", "GPT-4",
        "the neural network", "automated decision system", "it decides itself", "the whole team", "society", "not assigned",
        "pending", "the software", "模型", "所有人", "待定", "the public", "xxx", "no owner", "The machine learning algorithm",
    ),
    *_field(
        "dissent",
        "No objections.", "Nobody could possibly object to this.", "I agree with the choice.", "There isn't any.",
        "Nothing speaks against it.", "everybody is happy with it", "no dissent", "asdf asdf asdf", "same as above",
        "我同意这个决定。", "It depends on the point of view.", "There are pros and cons.", "We all support this decision.",
    ),
    *_field("residual_risk", "no risks", "It is perfectly safe.", "nothing", "Everything will be fine.", "无风险"),
    ("no one", {"affected": ["no one"]}),
]  # fmt: skip
