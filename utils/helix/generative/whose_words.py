"""The words by which `helix.generative.whose` tells the wanted person from everybody else, in English and Chinese."""

from __future__ import annotations

import re

from helix.generative.job_corpus import OCCUPATIONS
from helix.generative.rewriter_words import ADVERBS, AFTER_OBJECT, VERBS, words

# Sentences that report, quote without marks, or speak about pronouns.
SAID = words("said says told recalled recalls remembered remembers quoted")
SAID_THAT = words(
    "report reports reported explain explains explained write writes wrote add adds added believe believes believed "
    "think thinks thought claim claims claimed mention mentions mentioned insist insists insisted tell tells feel "
    "feels felt admit admits admitted announce announces announced confirm confirms confirmed argue argues argued"
)
OF_PRONOUNS = words("pronoun pronouns")
OWN = r"(?:he\s?/\s?(?:him|they)|she\s?/\s?(?:her|they)|they\s?/\s?(?:them|he|she))(?:\s?/\s?[a-z]+)?"
META = (
    r"(?<![A-Za-z])(?:he|she|they)\s*,\s*(?:he|she|they)(?![A-Za-z])"
    r"|(?<![A-Za-z])for\s+him\b[^.;\n]{0,30}\bfor\s+her\b|(?<![A-Za-z])for\s+her\b[^.;\n]{0,30}\bfor\s+him\b"
    r"|(?<![A-Za-z])s?he\s+for\b[^.;\n]{0,30}\bs?he\s+for\b"
    "|代词|人称|[他她]们?[、，]\\s?(?:还是)?[他她]们?(?:[、或和，]|TA)|是[他她]还?是[他她]|[他她]还是[他她]|[他她]们?[和与跟][他她]们?"
    "|[他她][/／][他她][/／]"
)

# Persons.
RELATIVES = words(
    "mother father wife husband sister brother daughter son aunt uncle grandmother grandfather grandma grandpa granny niece nephew mum mom dad widow "
    "widower fiancé fiancée girlfriend boyfriend stepmother stepfather"
)
NEVER_HIRED = words(
    "customer client guest patient resident tenant lodger visitor caller passenger shopper buyer traveller tourist pedestrian pupil student child kid baby "
    "toddler infant teenager boy girl pensioner senior inmate prisoner victim survivor witness defendant refugee donor subscriber reader viewer listener "
    "spectator user bride groom orphan twin elder lady gentleman man woman parent grandparent neighbour neighbor friend stranger landlord landlady king queen "
    "prince princess lord duke duchess saint boss owner founder predecessor successor investor patron sponsor employer hero heroine minister mayor president "
    "dog cat horse mare cow bull goat sheep ewe puppy kitten lioness tigress hen ship boat vessel citizen voter taxpayer suspect thief burglar debtor "
    "borrower beneficiary speaker"
)
OTHERS = NEVER_HIRED | words(
    "manager director chair chairman chairwoman chairperson principal headteacher headmaster headmistress dean supervisor foreman superior mentor "
    "instructor judge professor author composer singer poet colleague partner"
)
HIRED = words(
    "applicant candidate employee jobholder hire trainee apprentice intern newcomer holder person worker appointee winner recruit jobseeker"
)
ROLES = words(
    "professional engineer developer doctor physician clerk assistant accountant attendant consultant agent servant sergeant chef cook vet nanny nurse guard "
    "host guide pilot coach aide mechanic analyst editor secretary tutor housekeeper plumber porter mason smith chemist"
) | {one.en.split()[-1] for one in OCCUPATIONS}
PERSON = r"[a-z]{2,}(?:er|or|[i]st|ian|eer|ee|[a-z]{2}man|woman|person|maid)"
NO_ROLE = words(
    "letter paper computer counter order number centre center water power corner server printer scanner freezer cooker tractor motor elevator escalator "
    "trailer boiler burner register calendar folder poster newsletter offer answer matter manner chapter summer winter weather river border shoulder "
    "finger silver leather timber rubber copper cover drawer dinner supper lever ladder hammer mixer container helicopter meter filter charger sensor "
    "reactor generator transformer router timer quarter semester character newspaper factor sector floor door mirror error color colour harbour labour "
    "flavour interior exterior list waist mist twist fist exist assist consist insist resist career beer deer steer cheer committee coffee tree fee knee "
    "degree free three see agree guarantee human german other another former senior junior major minor better later older younger longer larger smaller "
    "bigger higher lower greater stronger faster earlier easier harder cheaper newer safer wider latter proper upper inner outer further over under after "
    "never ever either neither whether rather together however consider deliver enter prefer remember wonder discover suffer gather cater master transfer "
    "differ refer bother monitor per her their for nor or your our four hour tour anger danger eager clever bitter butter cancer fever layer liver member "
    "mother father sister brother daughter paper pepper prayer ruler shelter shower soccer soldering spider sticker sugar temper tender theater theatre "
    "thunder tiger tower trigger trouser user customer offer wafer whisper wrapper decor corridor ancestor vector tutor vapor rumor indoor outdoor "
    "encounter trader's tier pier twister"
)
TITLES = words("mr mrs ms miss dr prof professor sir madam dame saint st")
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
# First words of a sentence that are no name although a verb in -s may follow.
NO_NAME = (
    ADVERBS
    | AFTER_OBJECT
    | VERBS
    | words(
        "it we you they one everyone everybody someone somebody anyone anybody nobody whoever whatever whichever no not yes ours theirs mine which whose "
        "me them nothing something anything everything salary wage pay lunch breakfast dinner food meal work music money time weather wine beer bread tea coffee "
        "milk knowledge practice overtime safety team staff office kitchen school company firm shop ward hotel bank board garden workshop studio factory "
        "house home boat post job task role contract leave holiday uniform licence license car van bike phone shift week day morning evening "
        "night monday tuesday wednesday thursday friday saturday sunday english german french chinese spanish software hardware data "
        "wanted applicant applicants part full good great help support travel free most many few both such another either neither"
    )
)
NO_NAME_ENDS = (
    r".*(?:ing|ions?|m[e]nt|ness|ity|ance|ence|ship|ism|age|[u]re|ery|ics|hood|dom|ly|ers|ors|[i]sts|[ae]nts|ees)"
)
NO_VERB = words("as us his hers its this always perhaps she's he's it's what's that's who's there's let's thus yes")
DETERMINERS = words(
    "a an the each every any one this that your our their his her its no another some my either neither whose"
)
# After these a noun is part of another: “customer service”.
NO_COMPOUND = words(
    "service services support care team desk relations data area seat safety adviser advisor manager assistant consultant teacher counsellor counselor "
    "room rooms car cars minder centre center list lists card cards experience education hall house's meals"
)
YOU = words("you your yours yourself you'll you're you've you'd")
AND = words("and or but nor so if when while as because since before after until once where that which who")
PREPOSITIONS = words("to with for from by of under in on at about against beside behind between into onto like near")

_A = r"(?:\s+(?:a|an|the|our|one|another|your|any))?"
_ADJECTIVES = (
    r"\s+(?:(?!(?:for|to|with|of|who|that|and|or|by|help|after|from|in|on|at|some\w*|the|a|an)\b)[\w’'-]+\s+){0,3}$"
)
HIRE = (
    r"(?:\b(?:look\w*\s+for|seek\w*|needs?|needed|want\w*:?|hir(?:e|es|ing)|recruit\w*|search\w*\s+for|adverti\w+\s+for|"
    r"(?:job|post|position|role|vacancy|place|opening|work\w*|chance)\s+(?:for|of|as)|as|becom\w+|be|are\s+you|you\s+are|you['’]re|find|welcome)"
    rf"{_A}|\b(?:ideal|perfect|future|new|next|successful|right|suitable|good|wanted:)){_ADJECTIVES}"
)
EMPLOYER = (
    r"\b(?:needs|seeks|wants|hires|recruits|requires|is\s+(?:looking|searching)\s+for|is\s+seeking|looks\s+for|searches\s+for|would\s+like)"
    r"\s+(?:\S+\s+){0,4}$"
)
WANTED_AFTER = r"\s+(?:(?:is\s+|are\s+)?(?:wanted|needed|sought|required)|(?:that\s+|whom?\s+)?we\s+(?:hire|seek|want|need|look))\b"
SERVING = (
    r"(?<!\bwe\s)\b(?:help|assist|support|accompan\w+|look\w*\s+after|car(?:e|es|ing)\s+for|serv|advis|tell|ask|driv|treat|visit|dress|read\w*\s+to)(?:\w*)"
    r"\s+(?:\w+\s+){0,3}$"
)
BESIDE = r"(?<!\bwork\s)\b(?:to|under|with|by|alongside|beside|behind|from|for)\s+(?:the|your|its|our|a\s+senior|an\s+experienced)\s+(?:\w+\s+){0,2}$"
LAST = r"\b(?:last|previous|former|outgoing|retiring|retired|departing|present|current|late|elderly|old)\s+(?:\w+\s+)?$"
ONE_OF = re.compile(
    r"\b(?:one|each|some|any|either|none)\s+of\s+(?:our|the|your|its|their)\s+(?:\w+\s+){0,2}$", re.IGNORECASE
)

# Chinese. 他 and 她 within words, and words that begin like a family name.
ZH_NOT = (
    "(?:[其吉利维耳犹孢氟氯舒伐洛倍米帕瑞]|(?<!安)排)他(?!们)|马耳他|依他尼|无他(?!的)"
    "|他(?:[汀韦啶滨赛酮胺唑莫]|定(?![期时位下好会能要制])|克(?![服制扣己])|达拉|扎罗|罗培)"
    "|他(?:律(?!师)|杀|项|励(?!志)|评(?![估价审选])|治(?![疗理病])|控(?!制)|救(?![人援])|助(?![人力理])|信(?![任守息心赖])|用(?!心|人|工|过|的|来|电|手|车))"
    "|他(?:人|国|乡|日(?!常)|山|方(?!便)|处(?!理|事|在)|行(?![使走动为业政])|组织|妈)"
    "|她(?:经济|力量|时代|消费|视角|文化|产业|市场|世界|乡)"
    "|何时|何种|何地|何人|许多|余下|余额|曾经|曾在|曾任|曾是|曾有|曾获|范围|陆续|林业|钟头|史上|石化|江边"
)
ZH_TITLES = "先生|女士|小姐|太太|老师|医生|主任|经理|教授|主管|总监|院长|校长|队长|组长|师傅|同志|工程师|律师|博士|总"
_SURNAME = (
    "(?:欧阳|上官|司马|诸葛|夏侯|皇甫|尉迟|公孙|慕容|令狐"
    "|[王李张刘陈杨赵黄吴徐孙胡朱郭何林罗郑梁宋唐许韩冯邓曹彭曾肖蔡潘袁董余苏叶吕魏蒋杜丁沈姜范傅钟卢汪戴崔陆廖姚邱谭邹熊贾侯孟秦薛阎段雷郝邵龚黎覃贺尹洪孔樊倪聂庄葛詹乔史]"
    "|周(?![末期一二三四五六日天边围转全到报密刊岁年])|高(?![薪级效温压质中新等度考铁速校职管层端额达低])|马(?![上路达力桶戏术列来拉])|谢(?![绝谢])|夏(?![季天日令])"
    "|钱(?![包款])|石(?![材油家化])|白(?![天班领酒金色板])|江(?![苏西边湖浙河])|任(?![职务何意期教用命])|程(?![序度])|方(?![便案向法式可能言形])|金(?![融属额工牌])"
    "|顾(?![客问及虑家])|施(?![工行展])|严(?![格禁谨])|康(?!复)|田(?![间径])|毛(?![利笔])|龙(?!头)|万(?![一元人])|武(?![汉术警])|温(?![度和柔馨])|易(?![于学])"
    "|欧(?![洲元美])|关(?![于注键系心闭])|常(?![驻见用规常年务识]))"
)
_LEFT = "由向和跟与同请给对让找从随被把问叫是，。！？；：、（“「『\\n"
_RIGHT = (
    "说|表示|认为|告诉|提到|指出|回忆|称|带|领|是|在|的|已|也|会|将|曾|和|与|跟|负责|管理|询问|联系|做|去|来|有|为|担任|退休|一起|下|本|很|要|不|没|可|正|最|更|即将|今年|去年|擅长|喜欢|相信"
    "|创办|创立|主持|指导|设计|搭档|都|还|就|从|对|把|被|让|给|向|自|亲自|常|每|办|教|写|画|懂|能|想|爱|刚|一手|退"
    "|，|。|！|？|；|：|、|（|）|”|」|』|$"
)
ZH_NAME = (
    f"(?:(?<=[{_LEFT}])|(?<![\u4e00-\u9fff])|(?<=评价)|(?<=联系)|(?<=[员师长官理任人]))"
    f"(?:{_SURNAME}(?:[\u4e00-\u9fff]{{0,2}}(?:{ZH_TITLES})|[\u4e00-\u9fff]{{1,2}}?(?={_RIGHT}))"
    f"|(?<=[员师长官理任])(?!傅){_SURNAME}[一-鿿]{{2}}"
    f"|阿(?![姨胶里拉联富])[\u4e00-\u9fff]{{1,3}}?(?={_RIGHT}))"
    f"|[小老]{_SURNAME}(?![\u4e00-\u9fff]师)|[\u4e00-\u9fff]{{1,6}}·[\u4e00-\u9fff]{{1,4}}"
)
ZH_RELATIVES = "母亲|父亲|妈妈|爸爸|妻子|丈夫|女儿|儿子|姐姐|妹妹|哥哥|弟弟|奶奶|爷爷|老伴|外婆|外公|创始人|创办人"
ZH_OTHERS = (
    "客户(?!经理|服务|代表|专员|主任)|顾客(?!服务)|客人|病人|患者(?!服务|管理)|伤者|老人(?!院)|老先生|老太太|孩子(?!王)|宝宝|婴儿(?!床)|幼儿(?!园|教)|儿童(?!教|医|摄)|小朋友"
    "|学生(?!会|处)|学员|会员(?!运营|顾问)|乘客(?!服务)|旅客(?!服务)|游客(?!服务)|租客|住客|住户|住院|来访者|访客|来电者|读者(?!服务)|观众|听众|用户(?!运营|研究|体验|增长)|雇主|业主|房东|东家|店主|机主"
    "|家长|家属|亲属|邻居|朋友(?!圈)|(?<!新)(?<!新的)同事|(?<!新)伙伴|队友|主管(?!部门)|领导(?!力)|上司|上级|总监|董事|董事长|老板|[院部局处司校科]长|导演|作者|作家|画家|歌手|演奏家|主人公|小主人"
    "|女士|先生(?!们)|产妇|孕妇|新娘|新郎|小偷|嫌疑人|犯人|囚犯|法官|证人|捐赠者|投资人|雇员家人|母[猫狗牛羊马鸡]|[猫狗]狗?(?=生|病|临|饿|的)|前任|双胞胎|男孩|女孩"
    "|(?:离任|离职|退休|卸任|上任|上一任|上一位|上个|原来|之前|现任)的?[\u4e00-\u9fff]{1,4}?(?=[，。是在将会也因])"
)
ZH_REPORT = "表示|说(?=[“「\"‘'过道：，他她])|认为|告诉|提到|指出|回忆|称他|称她|声称|据[^，。\\n]{1,12}介绍|写道|转述|评价|常言|俗话|老话|谚语|古语|据说|听说|有人问"
ZH_ROLES = "应聘者|人员|现招|候选人|求职者|申请人|该员工|任职者|本岗位|该岗位|招聘|诚聘|职位|岗位|" + "|".join(
    sorted({one.zh for one in OCCUPATIONS if one.zh not in ("经理", "律师")}, key=len, reverse=True)
)
ZH_HIRE = "(?:招聘?|诚聘|急聘|聘|需要|寻找?|应聘|担任|作为|成为|新)[^，。；陪照看护帮教送为给替向对与和]{0,5}$"
_ROLE = "保姆|护工|护士|司机|店员|助理|老师|教练|会计|秘书|厨师|销售|客服|导购|服务员|管家|育儿嫂|应聘者|员工|实习生|学徒|文员|工程师|[\u4e00-\u9fff]员|[\u4e00-\u9fff]师"
ZH_GOES_ON = f"(?:{_ROLE})[^，。；]{{0,4}}[与和跟对为给向陪][^，。；]{{1,8}}，[他她]$"
ZH_HIRED = "招|聘|岗|名(?![称字片])"  # without one of these before it 他们 may be anybody
ZH_SEVERAL = "们|人(?!员)|大家|双方|团队|公司|员工|部门"  # of whom 他们 may speak
ZH_OBLIGED = "[，,][他她](?:还|也|都)?(?:必须|须|应|要|需|得(?!到))"
