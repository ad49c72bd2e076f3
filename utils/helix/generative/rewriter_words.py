"""The words that `helix.generative.rewriter` knows, in English and Chinese: what it can tell apart hangs on these lists."""

from __future__ import annotations

from helix.generative.job_corpus import OCCUPATIONS


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# Verbs that may stand second after “he … and”: there a word in -s might as well be a noun (“checks orders and machines”).
VERBS = words(
    "adapt add advise become answer ask assist attend bring build call care carry check clean close collect cook coordinate count cut decide "
    "deliver design discuss draw drive enjoy explain feel find fix follow get gain give go greet grow guide handle have help "
    "improve inspect install join keep know lead learn lift like listen look maintain make manage measure meet mend "
    "need offer open order organise organize pack plan play prepare present protect provide read receive record repair "
    "reply report review run say see sell send serve settle show sign solve sort speak start stay stop store study "
    "support take talk teach tell test think train translate treat try understand use visit wait want wash watch wear "
    "work write"
)
OF_NOUNS_TOO = words(
    "answer call check cook count cut design draw drive fix guide help look meet need offer order pack plan play "
    "present record repair reply report review run sign sort start stay stop store study support talk test train try "
    "use visit wait wash watch work"
)
ADVERBS = words(
    "also always already alone often never seldom sometimes usually rarely still then just even ever now only soon "
    "too both all thus once hardly really"
)
NO_SUCH = words("only early family reply apply rely supply fly assembly daily weekly monthly")  # -ly, no adverb
# What follows an object “her” (“help her in the first weeks”); before anything else “her” owns it (“her notes”).
AFTER_OBJECT = words(
    "a an the this that these those some any every all each our your my its to in on at with for from by of and or but "
    "nor so if when while as because since before after until during into onto over under through about against among "
    "between within without up out off back down away home there here again too also well directly immediately today "
    "tomorrow yesterday soon now then once twice is are was were will would can could may might must shall should has "
    "have had does do did what how who where why whether than what's regularly personally only not never alone"
)
# What follows “his” where it stands alone (“the results are his and …”).
AFTER_LONE = words("and or but nor if when while as because since is are was were will would can could may must to too")
# After a noun stands one of these, a mark or nothing; after a verb in -s, whatever it is done to (“answers letters”, “opens the door”).
AFTER_NOUN = AFTER_OBJECT - words("a an the this that these those some any every all each our your my its")
LETTING = frozenset(f"{verb}{end}" for verb in ("let", "help", "see", "hear") for end in ("", "s", "ing", "ed")) | {
    "make",
    "makes",
    "made",
    "making",
    "saw",
    "seen",
    "heard",
    "watch",
    "watches",
}
# Not verbs in -s after “he”: nothing may be cut off them.
KEPT_S = words("always sometimes perhaps besides thus as his hers us yes towards nowadays is was has does")

SAID = words("said says told recalled recalls remembered remembers quoted")
SAID_THAT = words(
    "report reports reported explain explains explained write writes wrote add adds added believe believes believed "
    "think thinks thought claim claims claimed mention mentions mentioned insist insists insisted tell tells feel "
    "feels felt admit admits admitted announce announces announced confirm confirms confirmed argue argues argued"
)
RELATIVES = words("mother father wife husband sister brother daughter son aunt uncle grandmother grandfather")
SOMEBODY = RELATIVES | words("founder boss chairman chairwoman owner mayor predecessor")
TITLES = words("mr mrs ms miss dr prof professor sir madam dame")
GIVEN = words(
    "adam ahmed aisha alan alex alice amir amy ana andrew anna anne ben bob carla carlos carol chen clara claire daniel david "
    "diana emily emma eric eva fatima frank george grace hannah helen henry ian ivan jack james jane jason jean jennifer jim joan "
    "john jose josé joseph julia karen kate kevin laura lea leo li lily linda lisa lucas lucy luis maria marie mark martin mary "
    "matthew mei michael mike mohammed nadia nancy nina nora olga oliver omar paul peter philip rachel robert rosa ruth sam "
    "sara sarah simon sofia sophie susan thomas tim tom victor wang wei william yusuf zhang zoe"
)
# Capitals in the middle of a sentence that are no person.
NO_PERSON = words(
    "i i'm i'd i'll i've english chinese french german spanish arabic japanese russian italian portuguese hindi mandarin "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september "
    "october november december internet excel word office windows linux java python linkedin github europe china asia"
)
ROLES = words(
    "applicant candidate employee worker jobholder hire trainee apprentice colleague person professional engineer developer "
    "doctor physician clerk assistant carpenter mechanic guard analyst salesperson editor designer auditor writer counselor "
    "attendant housekeeper plumber tailor waiter officer"
) | {one.en.split()[-1] for one in OCCUPATIONS}

# 他 here is no third person, or it is 他们, the plural for everybody; and words that begin like a family name.
ZH_NOT = (
    "其他|吉他|排他|利他|维他命|马耳他|无他(?!的)|他人|他国|他乡|他日(?!常)|他山|他方(?!便)|他处(?!理|事|在)|他们"
    "|何时|何种|何地|何人|许多|余下|余额|曾经|曾在|曾任|曾是|曾有|曾获|范围|陆续|林业|钟头"
)
ZH_TITLES = "先生|女士|小姐|太太|老师|医生|主任|经理|教授|主管|总监|院长|校长|队长|组长|师傅|同志|工程师|律师|博士|总"
ZH_SURNAMES = "王李张刘陈杨赵黄吴徐孙胡朱郭何林罗郑梁宋唐许韩冯邓曹彭曾肖蔡潘袁董余苏叶吕魏蒋杜丁沈姜范傅钟卢汪戴崔陆廖姚邱谭邹熊贾侯孟秦薛阎段雷郝"
ZH_LEFT = "由向和跟与同请给对让找从随被把问叫是，。！？；：、（“「『\\n"
ZH_RIGHT = (
    "说|表示|认为|告诉|提到|指出|回忆|称|带|领|是|在|的|已|也|会|将|曾|和|与|跟|负责|管理|询问|联系|做|去|来|有|为|担任|退休|一起|"
    "，|。|！|？|；|：|、|（|）|”|」|』|$"
)
ZH_SOMEBODY = "母亲|父亲|妈妈|爸爸|妻子|丈夫|女儿|儿子|姐姐|妹妹|哥哥|弟弟|奶奶|爷爷|创始人|董事长|老板|前任"
ZH_REPORT = (
    "表示|说(?=[“「\"‘'过道：，他她])|认为|告诉|提到|指出|回忆|称他|称她|声称|据[^，。\\n]{1,12}介绍|写道|转述|评价"
)
ZH_ROLES = "应聘者|人员|现招|候选人|求职者|申请人|该员工|任职者|本岗位|该岗位|招聘|诚聘|职位|岗位|" + "|".join(
    sorted({one.zh for one in OCCUPATIONS if one.zh not in ("经理", "律师")}, key=len, reverse=True)
)
