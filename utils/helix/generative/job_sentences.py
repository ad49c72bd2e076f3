"""The sentences of the invented job descriptions: written for this course, by hand, in English and Chinese.

Each sentence about the wanted person stands beside what the cleaned corpus has in its place: a neutral sentence, or None where it is
dropped. ``{he}``, ``{his}``, ``{him}`` and ``{himself}`` are filled for one gender; a capital in the braces is a capital in the text.
"""

from __future__ import annotations

OPENERS = {
    "en": (
        "We are looking for {a} {job}.",
        "Our team needs {a} {job}.",
        "Wanted: {a} {job}.",
        "A small company seeks {a} {job}.",
        "{A} {job} is wanted from May.",
        "This is a post for {a} {job}.",
    ),
    "zh": (
        "我们正在招聘一名{job}。",
        "本公司诚聘{job}。",
        "团队需要一名{job}。",
        "招聘岗位：{job}。",
        "现招{job}一名。",
        "这是一个{job}的职位。",
    ),
}
WANTED: dict[str, tuple[tuple[str, str | None], ...]] = {
    "en": (
        ("{He} works with care.", "Careful work counts."),
        ("{He} plans {his} own week.", "The week is planned freely."),
        ("{He} is ready to learn.", "Readiness to learn is welcome."),
        ("{He} has two years of practice.", "Two years of practice are needed."),
        ("{He} keeps {his} notes in order.", "Notes are kept in order."),
        ("{He} doesn't work at weekends.", "There is no work at weekends."),
        ("{He} asks others when {he} is not sure.", "Asking others is part of the work."),
        ("{He} can set {himself} clear aims.", None),
        ("Every day {he} starts at eight.", "Every day starts at eight."),
        ("Every day {he} checks the plan and answers letters.", "Every day there is a plan to check."),
        ("The team helps {him} in the first weeks.", "The team helps in the first weeks."),
        ("We pay for {his} training.", "We pay for training."),
        ("We offer {him} a fair wage.", "We offer a fair wage."),
        ("The good results are {his}.", None),
    ),
    "zh": (
        ("{he}工作认真。", "工作需要认真。"),
        ("{he}自己安排每周的工作。", "每周的工作可以自由安排。"),
        ("{he}愿意学习。", "欢迎愿意学习的人。"),
        ("{he}有两年经验。", "需要两年经验。"),
        ("{he}的记录清楚完整。", "记录要清楚完整。"),
        ("{he}周末不上班。", "周末不上班。"),
        ("{he}遇到问题会请教同事。", "遇到问题可以请教同事。"),
        ("{he}能为{himself}定下目标。", None),
        ("每天{he}八点开始工作。", "每天八点开始工作。"),
        ("每天{he}检查计划并回复信件。", "每天需要检查计划。"),
        ("团队会在头几周帮助{him}。", "团队会在头几周提供帮助。"),
        ("我们支付{his}培训费用。", "我们支付培训费用。"),
        ("我们给{him}合理的工资。", "我们提供合理的工资。"),
        ("好的成绩属于{him}。", None),
    ),
}
# The second axis. Its words are in no sentence with a pronoun, so that no repair of pronouns touches them by itself.
TRAITS = {
    "en": {"firm": ("decisive", "strong"), "soft": ("gentle", "caring")},
    "zh": {"firm": ("果断", "坚强"), "soft": ("温柔", "体贴")},
}
TRAIT_SENTENCES = {
    "en": (
        "{A} {job} needs a {trait} manner.",
        "{A} {job} has to be {trait}.",
        "The best {job} is a {trait} one.",
    ),
    "zh": ("{job}需要{trait}的性格。", "{job}必须{trait}。", "好的{job}都很{trait}。"),
}
NEUTRAL_SENTENCES = {
    "en": (
        "The pay comes on time.",
        "The place is easy to reach by train.",
        "There are thirty days of leave.",
        "Please write to us by June.",
        "Part-time work is possible.",
        "The contract has no end date.",
        "Lunch is free.",
        "New tools are provided.",
    ),
    "zh": (
        "工资按时发放。",
        "乘地铁即可到达。",
        "每年有三十天假期。",
        "请在六月前来信。",
        "可以兼职。",
        "合同没有期限。",
        "提供免费午餐。",
        "提供新工具。",
    ),
}
# About somebody else: a named person, somebody quoted, somebody reported. No repair may change these, and none is skewed.
OTHERS = {
    "en": (
        "{name} leads the team, and {he} answers your questions.",
        "{name} says that {he} likes the new rooms.",
        "“{He} was always fair,” a guest wrote about {name}.",
        "Ask {name} for {his} number.",
        "The office is run by {name}. {He} has been here for years.",
    ),
    "zh": (
        "团队由{name}带领，{he}会回答您的问题。",
        "{name}说{he}喜欢新的办公室。",
        "“{he}总是很公平，”一位客人这样评价{name}。",
        "请向{name}询问{his}电话。",
        "办公室由{name}管理。{he}在这里工作多年。",
    ),
}
NAMES = {
    "en": {"he": ("Paul Brown", "Omar Haddad", "Peter Novak"), "she": ("Anna Weber", "Maria Costa", "Jane Cole")},
    "zh": {"he": ("王磊", "张强", "陈建国"), "she": ("李娜", "刘芳", "赵丽华")},
}
FORMS = {
    "en": {
        "he": {"he": "he", "his": "his", "him": "him", "himself": "himself"},
        "she": {"he": "she", "his": "her", "him": "her", "himself": "herself"},
    },
    "zh": {
        "he": {"he": "他", "his": "他的", "him": "他", "himself": "他自己"},
        "she": {"he": "她", "his": "她的", "him": "她", "himself": "她自己"},
    },
}
THEIRS = {
    "he": "his",
    "she": "hers",
}  # where the possessive stands alone, as in the last English sentence about the wanted person

# What a faultless rewriter makes of each sentence about the wanted person, in the order of `WANTED`; written by hand, to judge by.
THEY: dict[str, tuple[str, ...]] = {
    "en": (
        "They work with care.",
        "They plan their own week.",
        "They are ready to learn.",
        "They have two years of practice.",
        "They keep their notes in order.",
        "They don't work at weekends.",
        "They ask others when they are not sure.",
        "They can set themselves clear aims.",
        "Every day they start at eight.",
        "Every day they check the plan and answer letters.",
        "The team helps them in the first weeks.",
        "We pay for their training.",
        "We offer them a fair wage.",
        "The good results are theirs.",
    ),
    "zh": (
        "应聘者工作认真。",
        "应聘者自己安排每周的工作。",
        "应聘者愿意学习。",
        "应聘者有两年经验。",
        "应聘者的记录清楚完整。",
        "应聘者周末不上班。",
        "应聘者遇到问题会请教同事。",
        "应聘者能为应聘者自己定下目标。",
        "每天应聘者八点开始工作。",
        "每天应聘者检查计划并回复信件。",
        "团队会在头几周帮助应聘者。",
        "我们支付应聘者的培训费用。",
        "我们给应聘者合理的工资。",
        "好的成绩属于应聘者。",
    ),
}
