"""The English words that `helix.generative.gendered_wording` knows, as patterns; every repetition in them is bounded.

The Chinese ones are in `helix.generative.gendered_words_zh`. How the pieces work together is told in `gendered_wording`.
"""

from __future__ import annotations

from helix.generative.rewriter_words import words

_HE = r"(?:gentlem[ae]n|males?|m[ae]n|gents?|boys?|guys?|lads?|blokes?|chaps?|dudes?|menfolk)"
_SHE = r"(?:gentlewom[ae]n|females?|wom[ae]n|lad(?:y|ies)|girls?|lass(?:es|ies?)?|gals?|womenfolk)"
_KIN_HE = r"(?:(?:grand|step)?fathers?|dads?|daddies|husbands?|sons?|brothers?|uncles?|grandpas?|boyfriends?|sirs?|mr)"
_KIN_SHE = r"(?:(?:grand|step)?mothers?|mums?|moms?|mummies|wife|wives|daughters?|sisters?|aunt(?:s|ies?|y)?|grandmas?|grann(?:y|ies)|girlfriends?|madams?|mrs|ms)"
_L, _R = r"(?<![\w’'-])", r"(?![\w-]|['’]s?\b|['’](?=\s))"
PERSON = rf"{_L}(?:{_HE}|{_SHE}){_R}|\b(?:an?|young|strong|honest|good|jolly|decent|old|able|sturdy|reliable)\s+fellows?\b(?!\s+\w{{2,12}}(?:er|or|i[s]t|ee|ent|s|man|woman)s?\b)"
_AND = r"(?:\s*[/&,]\s*|\s+(?:and|or|nor|and/or|as\s+well\s+as|alike\s+and|just\s+like)\s+)(?:(?:an?|the|our|all|young|for|to|of)\s+)?"


def _both(he: str, she: str) -> str:
    return rf"{_L}(?:{he}{_AND}{she}|{she}{_AND}{he})(?![\w-])(?:['’]s?\b)?"


PAIRS = "|".join(
    [
        _both(_HE, _SHE),
        _both(_KIN_HE, _KIN_SHE),
        _both(r"\w{2,12}m[ae]n", r"\w{0,12}(?:wom[ae]n|lad(?:y|ies)|girls?)"),
        _both(r"(?:stage|play|cow|sales|bell|\w{2,9}masters?|land)?\s?(?:boys?|masters?|lords?|hosts?|stewards?|waiters?|actors?|\w{3,12}[eo]rs?|princes?|heirs?)",
              r"(?:\w{2,12}(?:ess|esses)|\w{0,9}(?:mistress(?:es)?|lad(?:y|ies)|girls?))"),
        r"\w{2,12}\(wo\)m[ae]n|masseurs?\s*(?:/|or|and)\s*masseuses?",
        r"(?<!\w)\w{2,12}m[ae]n\s?[/(]-?\s?(?:wom[ae]n|person)\)?",
        r"(?<!\w)(?:he|she)\s*(?:,|/|and|or)\s*(?:he|she)(?!\w)|(?<!\w)(?:his|her|him)\s*(?:-\s+|,|/)?\s*(?:and|or|/|,)\s*(?:his|hers?|him)(?:self)?(?!\w)",
        r"(?<!\w)(?:she/her|he/him)(?!\w)",
        r"\([mfwdxh](?:\s?/\s?[mfwdxh*]){1,3}\)|(?<!\w)[mfwdx](?:/[mfwdx]){1,2}(?!\w)",
    ]
)  # fmt: skip

_MADE = (
    r"wear|cloth(?:es|ing)|fashion|shoes?|suits?|watch(?:es)?|bags?|hats?|shirts?|perfumes?|garments?|tailoring|underwear|lingerie|collections?|"
    r"departments?|magazines?|schools?|colleges?|choirs?|football|rugby|hockey|cricket|basketball|sports?|teams?\s+(?:sport|match)|leagues?|clubs?|toilets?|"
    r"dormitor(?:y|ies)|wards?|prisons?|shelters?|refuges?|hostels?|cent(?:re|er)s?|health|hygiene|rights|history|studies|hairdress\w+|salons?|barbers?|"
    r"gyms?|products?|care|grooming|razors?|razor|cosmetics|connectors?|plugs?|sockets?|threads?|fittings?|adapt[eo]rs?|couplings?|screws?|mannequins?|dummies|"
    r"models?'\s+shoes|literature|writers\s+of|education|empowerment|networks?|day|cup|tournament|hormones?|fertility|cancers?|anatomy|flowers|plants|animals|"
    r"cattle|birds|literacy|employment|labou?r\s+market|unemployment|suffrage|quota|wages?|pay|earnings|authors|customers?|clients?|patients?|guests?|visitors?|"
    r"residents?|pupils?|students?|members?|passengers?|prisoners?|inmates?|shoppers?|consumers?|users?|readers?|viewers?|audiences?|detainees?|refugees?|"
    r"participants?|athletes?|players?|boxers|entrepreneurs?|founders?|artists\s+of|victims?|survivors?|children|babies|infants|relatives|visitors"
)
NEUTRAL = "|".join(
    [
        rf"{_L}(?!husband|wife|spouse)(?:{_HE}|{_SHE}|{_KIN_HE}|{_KIN_SHE}|maternity)(?:(?:['’]s|['’])\s+(?:\w+\s+(?:and\s+\w+\s+)?)?|\s+)(?:{_MADE})(?!\w)",
        rf"{_L}(?!husband|wife|spouse)(?:{_HE}|{_SHE}|{_KIN_HE}|{_KIN_SHE})['’]s\s+(?!(?:maid|work|job|world|touch|place|hand|eye|intuition|voice|task|trade|figure|build|dormitor)\b)\w+",
        rf"{_L}(?:men|women|girls|boys|ladies|gents|fathers|mothers|mums|wives|sisters|brothers)['’]\s?s?(?!\w)(?!\s+(?:work|jobs?|touch|trade|circle|club|round|night|network))",
        r"(?:mothers?|fathers?)\s+of\s+(?:each|every|the|our|a)\s+(?:child|children|pupils?|baby|bride)|mother\s+(?:tongue|country|ship|company|board|nature)|native\s+to|mother-tongue|fathers?['’]?s?\s+day|mothers?['’]?s?\s+day|(?:&|and)\s+(?:sons?|daughters?|brothers|sisters)(?=\s*[,.(]|\s+(?:is|has|seeks|ltd|inc))",
        r"sister\s+(?:company|companies|firm|hotel|brand|ship|site|paper|school|city)|father\s+christmas|brother\s+(?:printers?|sewing)|isle\s+of\s+man|man\s+(?:united|city|ray|hours?|days?|months?|years?)|man-(?:hours?|days?|months?|made)",
        r"(?:to|must|will|can|should|and|help|who)\s+man\s+(?:the|our|a|an|two|phones?|stands?)(?!\w)|no\s+man['’]s\s+land|ladies['’]?\s+(?:day|night)|lady\s+(?:macbeth|gaga|justice)|old\s+master|little\s+women|first\s+lady|lady\s+chapel|our\s+lady",
        r"(?:a|the|our|seven|six|one|two|three)\s+wom[ae]n-(?:led|owned|founded|run)|bachelor(?:['’]?s)?\s*(?:degree|of|in|or|level|thesis|programme|program|student)|bachelor['’]?s",
        r"marriage\s+(?:counsel\w+|guidance|registry|registrar|register|agency|bureau|licen\w+)|divorce\s+(?:law\w*|court|counsel\w+)|maternity\s+(?:ward|clinic|hospital|nurse|unit|wear|services?|leave|pay|cover\w*)|family\s+planning\s+(?:clinic|centre|counsel\w+|advis\w+)|maternal\s+(?:health|and|care|mortality|ward|medicine)|expectant\s+(?:mothers|parents)|pregnan\w+\s+(?:test|care|yoga|course|class|women|vitamins|tests)|wedding\s+dress\w*|dress\s+(?:code|rehearsal|circle|size)|fancy\s+dress|evening\s+dress(?:es)?\s+(?:shop|maker)|dress\s+(?:shop|maker)\w*|(?:summer|children['’]s)\s+dresses",
        r"make-?up\s+(?:artist|counter|department|brand|lessons?|products?|studio|school|line|class|exam|time|work)\w*|every\s+single|single\s+(?:point|page|shift|room|rooms|bed|team|source|site|sign|market|currency|handed|use|step|day|product|line|parent\s+benefit|file|out)|single-\w+|not\s+a\s+single|master['’]?s?\s+(?:degree|thesis|of|in|programme|level|data|key|plan|file|bedroom|class|copy)",
        r"tie\s+(?:in|up|down|together|knots?|it|them)|(?:rugged|dainty|handsome|sexy|pretty|feminine|masculine|petite|delicate|beautiful)\s+(?:laptops?|tablets?|terrain|phones?|devices?|hardware|coast\w*|mountain\w*|cases?|cakes?|pastr\w+|porcelain|cups|sandwiches|salary|pay|bonus\w*|sum|reward\w*|building|good|much|well|fast|quick\w*|sure|big|simple|soon|village|town|garden|product\w*|noun\w*|articles?|endings?|sizes?|range|line|tool\w*|equipment|computers?|software|problem\w*|code)",
        r"(?:one|two|three|four|five|\d)[ -]wom[ae]n\s+(?:show|exhibition)|one[ -]man\s+(?:show|exhibition|band)|snowm[ae]n|superm[ae]n|batman|spider-?man|iron\s?man|gingerbread\s+m[ae]n|barman\s+trophy|ironman|tin\s+man|white\s+goods",
    ]
)  # fmt: skip

EQUAL = "|".join(
    [
        r"(?:regardless|irrespective)\s+of[^.;!?]{0,160}|without\s+(?:any\s+)?(?:regard\s+to|distinction|discriminat\w+)[^.;!?]{0,120}|(?:discriminat\w+|harass\w+)[^.;!?]{0,160}",
        r"(?:whatever|no\s+matter|(?<!say )(?<!state )(?<!us )(?<!tell )(?<!indicate )(?<!mention )whether)\b[^.;!?]{0,90}|(?:do(?:es)?\s+not|don['’]t|doesn['’]t|never|nobody|no\s+one|won['’]t|will\s+not|not)\s+(?:\w+\s+){0,3}(?:ask|asked|tell|mention|state|indicate|include|give|send|matter|care|consider|inquire|enquire|question|play|interested|interest|mind|look\s+at|influence|count|judge|concern)\b[^.;!?]{0,90}",
        r"no\s+(?:questions?|enquir\w+)\s+(?:\w+\s+){0,2}(?:about|on)[^.;!?]{0,80}|[^.;!?]{0,80}\b(?:does\s+not\s+matter|do\s+not\s+matter|is\s+not\s+asked|are\s+not\s+asked|is\s+irrelevant|makes?\s+no\s+difference|plays?\s+no\s+(?:role|part)|nobody['’]s\s+business|is\s+your\s+own\s+(?:business|affair)|none\s+of\s+our\s+business)",
    ]
)  # fmt: skip
NEGATED = r"(?:not|n['’]t|never|no\s+longer|nobody|no\s+one|no|nor|neither)\s+(?:\w+\s+){0,2}(?:(?:have|has|need|needs|required|expected|obliged|supposed|asked|forced)\s+(?:to\b(?!\s+apply))|need\s+be|be\b(?=\s+an?\s+m)|only\b|just\b|prefer\w*|preference|requirements?|condition|reserved|limited|restricted|solely|exclusively|mean\b|a\s+matter)[^.;!?,]{0,70}|need\s+not\s+be[^.;!?]{0,60}|n['’]t\s+(?:have|need)\s+to[^.;!?,]{0,70}|(?:not|n['’]t)\s+(?:just|only|merely)\s+(?:for\s+)?[^.;!?,]{0,30}"

# Of whom the words speak if not of the person to be hired.
REPORT = (
    r"\bused\s+to\b(?!\s+(?:an?|the)\b)|\b(?:was|were|we|had|it)\s+once\b|\bonce\s+(?:called|read|said|wanted|asked|meant)|\bformerly\b|\bpreviously\b|\b(?:in\s+)?(?:the\s+)?(?:past|olden\s+days|old\s+days)\b|\b(?:the|an?|our|its)\s+(?:old|older|earlier|historical|yellowed|ancient)\s+(?:\w+\s+)?(?:notice|ad|advert|advertisement|sign|poster|title|name|rule|contract|posting|text|word|phrase|handbook|manual|custom|job\s+ad|wording|form|letter|file|plate|version)\b|\btoday\s+we\s+(?:say|call)\b|\byears\s+ago\b|\b1[89]\d\d|"
    r"\bno\s+longer\b|\bdecades\b|\bmyths?\b|\bprejudice|\bcliché|\bstereotyp|\bsaying\b|\bproverb|\bpeople\s+(?:say|think|believe|assume)|\bsome\s+(?:say|think|believe|still|people)|\bmany\s+(?:say|think|believe|still|people)|\bit\s+is\s+(?:often\s+)?(?:said|thought)|"
    r"\b(?:said|recall\w*|remember\w*|wrote|told)\b|\bnonsense\b|\boutdated\b|\brenamed\b|\breplaced\b|\binstead\s+of\b|\bthe\s+(?:word|term|phrase)\b|\bso-called\b|\b(?:anyone|whoever|those|anybody)\s+who\s+(?:still\s+)?(?:thinks?|believes?)|"
    r"\b(?:last|previous|former|outgoing|retiring|departing)\s+(?:\w+\s+){0,1}(?:holder|colleague|clerk|cook|nurse|driver|manager|secretary|waiter|teacher|assistant|employee|cleaner|\w+(?:er|or|i[s]t|ant|man|ess|woman))\b|\bpredecessor|\bis\s+a\s+thing\s+of\b|\bnot\s+a\s+(?:man|woman)['’]s\b|\bfor\s+too\s+long\b"
)  # fmt: skip
THEIR_WISH = r"\b(?:owner|boss|client|customer|employer|family|patient|resident|tenant|parent|landlord|guest)s?\b[^.;!?]{0,40}\b(?:wants?|would\s+(?:like|prefer|rather|love|feel)|prefers?|wish(?:es)?|asks?|insists?|hopes?|requests?|needs?|requires?|expects?|feels?\s+(?:safer|better|more)|(?:is|are)\s+used\s+to|is\s+looking|are\s+looking)\b"
WANTED_NOW = (
    r"\b(?:owner|boss|client|customer|employer|family|manager|management|company|patient|resident|tenant|chef|head|director|landlord|we|i)s?\b[^.;!?]{0,40}\b"
    r"(?:wants?|would\s+(?:like|prefer|rather|love)|['’]d\s+(?:like|prefer|rather)|prefers?|wish(?:es)?|asks?\s+for|insists?|hopes?|requests?|needs?|requires?|expects?|has\s+asked\s+for|(?:is|are)\s+looking|like|feels?\s+(?:safer|better|more))\b"
)  # fmt: skip
TEAM = (
    r"\bper\s?cent\b|%|\bthere\s+(?:are|were|is)\b|\b(?:team|staff|crew)\s*:|\bhalf\s+of|\bmajority\b|\bmostly\b|\bcurrently\b|\bat\s+(?:present|the\s+moment)\b|\b(?:founded|led|run|owned|headed|managed|designed|made|written|played)\s+by\b|\bshare\s+of\b|\bproportion\b|\bnumber\s+of\b|\b(?:\d+|one|two|three|four|five|six|most|many|some|all|none|third|quarter|half)\s+of\s+(?:our|us|them|the)\b|\b(?:team|staff|workforce|crew|board|department|class|we|company|firm|colleagues|engineers)\b[^.;!?]{0,30}\b(?:is|are|has|have|consists?|counts?|includes?|employs?|numbers?|comprises?|of)\b|\b(?:employs?|work\s+here|works\s+here|work\s+with\s+us|make\s+up|makes\s+up|in\s+our\s+team|on\s+our\s+team|hold|lead|led|joined|founded|was\s+(?:\w+\s+)?first|were\s+(?:\w+\s+)?first)\b"
)  # fmt: skip
SERVED_NOUN = (
    r"\b(?:customers?|clients?|patients?|guests?|visitors?|residents?|pupils?|students?|members?|players?|readers?|users?|shoppers?|tenants?|inmates?|prisoners?|refugees?|elderly|homeless|disabled|wheelchair|dementia|audience|exhibition|film|novel|play|opera|museum|book|sells?|selling|shop\s+for|project|research|study|studies|charity|course|courses|workshops?|programme|magazine|violence|wears?\s+our|brand|collection)\b"
)  # fmt: skip
SERVED = (
    r"\b(?:help|helps|helping|support|supports|supporting|advise|advises|advising|teach|teaches|teaching|coach|coaches|coaching|treat|treats|treating|serve|serves|serving|cares?\s+for|caring\s+for|look\s+after|looking\s+after|accompany|accompanying|dress|dressing|counsel|counselling|train|trains|training|fit|fits|fitting|style|styling|cut|cuts|cutting|interview|interviews|examine|visit|visits|protect|empower\w*|equip)\s+(?:\w+\s+){0,3}$"
)  # fmt: skip
ENCOURAGED = r"\b(?:encourag\w+|under-?represented|applications\s+from|invite|diversity|rare|minority|too\s+few|(?:also|too|equally|just\s+as|especially|particularly)\s+(?:glad|happy|pleased|keen|welcome)|(?:glad|happy|pleased|keen)\s+to\s+hear\s+from|aim\s+to\s+increase|raise\s+the\s+share|would\s+like\s+more|welcome\s+too)\b"
SAME = r"\b(?:earns?\s+what|as\s+much\s+as|same|equal\w*|alike|all\s+genders|any\s+gender|every\s+gender|both|either|gender\s+pay|merit|equality|anyone|everyone|everybody|fair)\b"
PREFERRED = r"\b(?:will\s+not|cannot|are\s+not|not\s+accepted|prefer\w*|priority|only|preference|must)\b"
# "for women", "with men": nobody to be hired, unless it is the job that is for them.
AFTER_PREPOSITION = r"\b(?:with|among|amongst|to|of|by|from|between|about|on|for|against|into|than|behind|toward|towards|at|as\s+many)\s+(?:(?:the|our|some|many|most|other|all|young|younger|older|old|elderly|more|these|those|local|working|a|an|two|three|four|five|six|\d+|few|first|professional|adult|busy|modern)\s+){0,3}$"
JOB_FOR = r"\b(?:job|jobs|work|positions?|vacanc(?:y|ies)|roles?|posts?|openings?|places?|suited|suitable|suit|ideal|perfect|right|opportunit(?:y|ies)|best|meant|made|reserved|only|call|hard|heavy|easy|unsuitable|fit|looking|look|seeking|search\w*|something|chance|task|opportunity|income|thing|room|bed|space|unsuited|wish|hop\w*|adverti\w+|limited|restricted|open|closed|tough|preference|priority|prefer\w*|offered|available|hope|waiting)\b[^.;!?,]{0,12}\bfor\b|\b(?:limited|restricted|confined|reserved|(?:only|solely|exclusively)\s+open|open\s+only|goes|given|preference|offered\s+only|closed)\s+(?:\w+\s+)?to\b"
NO_TITLE = words(
    "human german roman norman ottoman talisman shaman caiman superman snowman batman spiderman ironman gentleman gentlemen gentlewoman inhuman subhuman "
    "nonhuman non-human specimen regimen abdomen acumen omen stamen lumen foramen ramen yemen cyclamen bergman goldman newman hoffman "
    "freeman chapman zimmerman feldman friedman coleman truman herman sherman wiseman lehman whitman kaufman hartman bowman hickman oman brahman cayman "
    "rahman osman suleiman ackerman silverman lieberman bateman eastman mermaid walkman pacman boogeyman hymen semen albumen women woman bitumen "
    "superwoman playboy playboys tomboy tomboys schoolgirl schoolgirls schoolboy schoolboys malady lady girl boy girls boys cro-magnon everyman layman statesman turkmen catechumen examen ceman gunman madman caveman"
)
OTHERS_TITLE = r"\b(?:to|with|under|from|assists?|assisting)\s+an?\s+(?:\w+\s+){0,1}$|\b(?:to|with|under|from|by|alongside|beside|(?<!one )(?<!as )of|for|assists?|assisting|supports?|supporting|ask|tell|and|when|if|next\s+to)\s+(?:the|your|its|our|a\s+senior|an\s+experienced)\s+(?:\w+\s+){0,1}$"
WANT = r"\b(?:think(?:ing)? of|picture|imagine|hop(?:es?|ing) for|prefer(?:red|ably|ring|s)?|ideally|want(?:s|ing|ed)?|needs?|needing|look(?:s|ing)? (?:out )?for|seek(?:s|ing)?|hir(?:e|es|ing)|recruit(?:s|ing)?|requires?|required|(?:must|has to|have to|should|ought to|to|better|will|can only) be|search(?:es|ing)? for|would like|['’]d like|would rather|['’]d rather|rather|wish(?:es)? for|calls? for|fit for|suit(?:s|ed|able)?(?: (?:to|for))?|ideal for|perfect for|reserved for|restricted to|limited to|open(?:ing)? for|tak(?:e|es|ing) on|accepts?|consider(?:s|ed)?|no|priority (?:to|for)|preference (?:to|for|is)|favou?rs?|appoint|fill(?:ing)?|falls? on|lean(?:s|ing)? towards?|inclin\w+ towards?|opt for|choose|pick|employ only|asks? for|insists? on|you are|you['’]re|are you|is for|opportunity for|work for|job for|role for|position for|vacancy for|place for|room for|post for|wanted:?|ad(?:vert)? for|welcomes?)\s+(?:[\w’'-]+,?\s+){0,5}$"
ONLY = r"\b(?:only|solely|exclusively|strictly|just)\s+(?:[\w’'-]+\s+){0,2}$"
AFTER = r"^[^.;!?]{0,30}?\b(?:only|prefer\w*|wanted|needed|required|sought|a\s+plus|favou?red|desired|please|first|ideal|(?:have|given|get|take)\s+(?:priority|preference|precedence)|priority|an\s+advantage|would\s+(?:suit|fit|be\s+(?:best|ideal|better|perfect|preferred|great|welcome|nice))|(?:is|are|be)\s+(?:better|best|more|not|ideal)\s+(?:suit\w*|fit\w*|suitable|at)|suits?\s+(?:us|this|the)|do(?:es)?\s+(?:it\s+)?better|need\s+not|cannot|can['’]t|should\s+not|must\s+not|may\s+not|not\s+(?:accepted|considered|suitable|wanted|hired|eligible)|excluded|for\s+(?:the|our|this|heavy|night|light|kitchen|warehouse|reception|house\w*)|to\s+(?:help|join|run|work|clean|drive|cook|keep|assist|carry|lift|handle|take|look\s+after|do|serve|manage)|with\s+(?:a|an|good|strong|experience|own|\w+\s+experience)|aged|between\s+\d|under\s+\d|over\s+\d|up\s+to\s+\d|from\s+\d|\d\d\s?[-–—]|gets?\s+(?:the|this)\s+(?:job|post|place)|(?:may|should|can)\s+apply|apply|considered|accepted|eligible)"
_ROOM = r"(?:dormitor(?:y|ies)|dorms?|rooms?|beds?|bedrooms?|quarters|housing|accommodation|toilets?|changing\s+\w+|showers?|cabins?|bunks?|hostels?|lodgings?|washrooms?|lockers?|facilities|flats?)"
_G = rf"(?:{_HE}|{_SHE})"
HOUSED = rf"\b(?:only|just|no|lack\w*|left|free|remaining|shar\w+)\b[^.;!?]{{0,40}}\b{_G}['’]?s?['’]?\s+(?:\w+\s+){{0,2}}{_ROOM}\b|\b{_ROOM}\b[^.;!?]{{0,40}}\b(?:only|just|solely)\b[^.;!?]{{0,20}}\b{_G}\b|\b(?:only|just)\b[^.;!?]{{0,30}}\b{_ROOM}\b[^.;!?]{{0,30}}\b(?:for|among|suit\w*)\s+{_G}\b|\b{_G}['’]?s?['’]?\s+{_ROOM}\b[^.;!?]{{0,20}}\b(?:only|full)\b|\bshar\w+[^.;!?]{{0,20}}\b{_ROOM}\b[^.;!?]{{0,20}}\bwith\b[^.;!?]{{0,20}}\b{_G}\b|\b(?:cannot|can['’]t|can\s+only|only\s+able\s+to)\s+(?:house|lodge|accommodate|put\s+up)\b[^.;!?]{{0,20}}\b{_G}\b"
SPLIT = rf"(?<!\w)(?:(?:one|two|three|four|five|a|\d+)\s+{_HE}(?:\s+and|\s+plus|,)\s+(?:one|two|three|four|five|\d+)\s+{_SHE}|(?:one|two|three|four|five|a|\d+)\s+{_SHE}(?:\s+and|\s+plus|,)\s+(?:one|two|three|four|five|\d+)\s+{_HE}|(?:one|two|three|four|five|\d+)\s+{_SHE}\s+and\s+a\s+{_HE}|(?:one|two|three|four|five|\d+)\s+{_HE}\s+and\s+a\s+{_SHE}|(?:gender|sex)\s*[:=]\s*(?:m|f|male|female|man|woman)(?!\s*[/|]|\s+or)\b|all-(?:male|female)\b|(?:men|women|male|female|ladies|girls)-only\b|(?<!\w)[mf](?=\s*,\s*\d\d\s?[-–])|(?<=\()(?:m|f|male|female)(?=\)))"
TOUCH = r"\b(?:a\s+)?(?:woman|women|lady|female|feminine|man|men|mother|girl|father)['’]?s?['’]?\s+(?:touch|eye|hand|intuition|voice|work|job|world|figure|build)\b"

_JOB = r"(?:cooks?|chefs?|nurses?|clerks?|guards?|models?|hosts?|guides?|pilots?|coach(?:es)?|vets?|tutors?|boss|(?:sales|shop|office|kitchen|care|security|bank|hotel|warehouse)\s+\w+|dj|temps?|butlers?|police\w*|\w{2,14}(?:er|or|i[s]t|ant|ee|ian|eer|ent)s?)"
NO_JOB = words(
    "customer client patient student employee worker visitor resident prisoner passenger member gender offender consumer character for over under after never whether either other want went nor or cancer ever applicant newcomer adolescent want parent order power number paper centre center later per her their talent present accent consent content moment different sister brother mother father daughter user follower viewer reader player teenager volunteer prefer"
)
MALE_JOB = rf"{_L}(?:female|male|lady|woman|women|girl|boy|gentleman)\s+(?:(?:bus|lorry|truck|taxi|train|tram|van|shop|bank|office|kitchen|hotel|sales|maths?|english|music|primary|night|senior|junior|experienced|security)\s+)?{_JOB}(?![\w-])"
TITLE = (
    r"(?<![\w-])(?:[a-z]{2,10}-)?(?:[a-z]{2,14}(?:wo)?m[ae]n|[a-z]{3,12}(?:girls?|boys?|lady|ladies)|(?:police|sales|fire|camera|repair|milk|post|delivery|maintenance|removal|night\s?watch|service|insurance|garbage|refuse|rubbish|utility|odd-?job|stunt|props?|sound|radio|dairy|weather|anchor|security|warehouse|garage|right-?\s?hand|yes|bin|bar|door|line|crafts|trades|business|van|gas|tax)[ -](?:wo)?m[ae]n|(?:man|girl)\s+friday)(?![\w-])|"
    r"(?<![\w-])(?:wait|act|host|steward|seamst|gover|manage|mayo|author|poet|sculpt|hunt|laund|shepherd|priest|abb|duch|count|conduct|songst|instruct|propriet|propriet|patron|tailo|edit|ambassad|benefact|heir|direct|deacon|enchant|cater|proct|adventu|embroid|lectu|paint|doct|govern|milit|jan|port|launde|monit|inspect|champion|victual)(?:r|er)?ess(?:es)?(?![\w-])|"
    r"(?<![\w-])(?:\w{0,10}maids?|(?:bar|house|chamber|nurse|dairy|milk|kitchen|parlou?r|scullery|lady['’]s|meter)[ -]?maids?|handmaid\w*)(?![\w-])|"
    r"(?<![\w-])(?:head|school|post|station|pay|harbou?r|quarter|ring|toast|choir|band|concert|web|scout|house|ship|wharf|yard|stable|burgo|question|quiz|game|scrum|dock|riding|sports|games|dancing|ballet|fencing|property|wardrobe|drill|grand|bell|mint|kennel|barrack|dungeon|beach|vine|brew|pit|pack|wagon|bridge|music|ward|truck|road|drum|chess|language|print|assistant\s+head|brand|yacht|mill|loco|rope|sheet|task|work)[ -]?m(?:aster|istress)(?:es|s)?(?![\w-]|['’]?s\s+(?:degree|thesis))|(?<![\w-])(?:master\s+of\s+ceremonies|mistress(?:es)?)(?![\w-])|"
    r"(?<![\w-])(?:land|sales|tea|dinner|lunch|cleaning|cloakroom|forelady|fore|washer|wash|char|shop|counter|bar|toilet|lollipop|promo|perfume|car)[ -]?(?:lad(?:y|ies))(?![\w-])|(?<![\w-])(?:office|shop|sales|bell|bus|delivery|paper|ball|house|pool|errand|stable|tea|call|show|check-?out|cover|cow|hat-?check|counter|coffee|choir|bar|front-?desk|reception|grid|ring|promo|dancing|hostess|cabin|barrow|lift|page|pit|tech|kitchen|beach|barn|cigarette|post|flower|copy|script|poster|party|desk|head|waiter|ware\s?house)[ -]?(?:girls?|boys?|lads?|lass(?:ie)?s?)(?![\w-])|"
    r"(?<![\w-])(?:masseuse|chanteuse|danseuse|diseuse|coiffeuse|ballerina|usherette|majorette|aviatrix|executrix|administratrix|midinette|soubrette|matron|barrow\s?boy|house[ -]?(?:mother|father|mistress)|den\s+mother|doula\s?mother|comedienne|tragedienne|charwoman|lady-in-waiting|dame|wizardess|hubby)s?(?![\w-])|"
    r"(?<![\w-])(?:dear|yes|my\s+good)\s+(?:sirs?|madams?|ma['’]am|ladies|gentlemen|brothers?|sisters?)(?![\w-])|(?<![\w-])(?:madams?|ma['’]am|sirs|mesdames|messrs|bros?|sista|sis|missy|misses|m['’]lady)(?![\w-])|"
    r"(?:^|[^\w\s,]\s*|\b(?:hey|hi|hello|come\s+on|listen|calling(?:\s+all)?|attention|welcome|good\s+(?:morning|evening|day|afternoon)|well|so|okay|ok|now|right|you|all\s+you|morning|thanks|apply|join\s+us|to\s+you|ready),?\s+)(?:(?:all|young|dear|good|smart|you|ye|clever|strong|hard-?working)\s+)?(?:gentlemen|gents|ladies|guys|lads|boys|girls|gals|lasses|chaps|dudes|brothers|sisters|fellas|fellows|aunties|uncles)(?=\s*[,!:?—–-]|\s+(?:and\s+)?(?:join|come|apply|this|if|who\s+are|we|here)\b|\s*$)|"
    r",\s*(?:gentlemen|gents|ladies|guys|lads|boys|girls|gals|chaps|dudes|brothers|sisters|fellas)(?=\s*[.!?]|\s*$)|(?<![\w-])you\s+(?:guys|lads|ladies|chaps)(?![\w-])"
)  # fmt: skip
ROLE = (
    r"\b(?:like|as|be|being|becomes?)\s+(?:an?|the|our|their|her|his|one's|everyone['’]s|some)?\s*(?:\w+\s+){0,2}(?:(?:grand)?mother|(?:grand)?father|mum|mom|mummy|dad|daddy|aunt(?:ie|y)?|uncle|brother|sister|son|daughter|wife|husband|grandma|grandpa|granny|mother\s+hen|big\s+sis|housewife|girlfriend|hostess)s?\b(?:\s+(?:to|for|towards|of)\b)?|\b(?:mother|father|brother|sister|aunt|uncle)[ -]figures?\b|\bmother\s+hen\b|\bone\s+of\s+(?:the|our)\s+(?:boys|girls|lads|guys|ladies|chaps|gals|men)\b|\b(?:band|circle)\s+of\s+(?:brothers|sisters|ladies|gentlemen|girls|women|men)\b|"
    r"\b(?:sister|brother)hood\b|\b(?:old\s+)?(?:boys|girls|lads|ladies|gentlemen)['’]s?\s+(?:club|circle|night|round|network)\b|\b(?:the|our)\s+(?:girls|boys|lads|ladies|guys|gents)\s+(?:in|at|of|from|on|behind)\b|\bbreadwinner|\bsecond\s+(?:income|wage|salary)\b|\bpin[ -]money\b|\bhome-?makers?\b|\bhouse-?(?:wife|wives|husbands?)\b|\bstay-at-home\b|\bkeep(?:s|ing)?\s+house\b|\bhousehold\s+(?:purse|budget|money)\b|\bextra\s+(?:income|money)\s+(?:for|beside|besides|alongside)\s+(?:the\s+)?(?:family|household|home)|"
    r"\bpretty\b(?!\s+\w+ly)|\beye[ -]candy\b|\beasy\s+on\s+the\s+eyes?\b|\b(?:charm|charms|charming|enchant\w*|flirt\w*|delight\w*|bewitch\w*|beguil\w*|seduc\w*)\b(?=[^.;!?]{0,30}\b(?:guests|customers|clients|visitors|gentlemen|men|boss|smile|hostess|look|presence|appearance|face)\b)|\bornament\b(?=[^.]{0,20}\b(?:office|reception|desk)\b)|\b(?:adorn|decorate)s?\s+(?:our|the)\s+(?:reception|desk|office|bar|lobby)\b|\boffice\s+(?:wife|mum|mom|mother|dad)\b|\bwomanly\b|\bprovider\s+for\s+(?:a|the|his|your)\s+family|\bprovide\s+for\s+(?:a|the|your|their)\s+(?:family|wife)|\bman\s+of\s+the\s+house\b|\blady\s+of\s+the\s+house\b|\bbromance\b|\bbeaut(?:y|iful)\b(?=[^.;!?]{0,25}\b(?:guests|customers|clients|reception|face|smile|hostess|desk)\b)"
)  # fmt: skip
LOOK = (
    r"\b(?:(?:lady|girl|gentleman|woman)(?:like|ish|ly)|boyish|mannish|manly|manliness|macho|masculin\w*|feminin\w*|femininity|virile|virility|(?:(?:grand)?(?:mother|father)|matron|sister|brother)ly|fatherly|maternal|paternal|avuncular|dainty|rugged|petite|sultry|busty|curvy|curvaceous|buxom|shapely|willowy|hourglass|sexy|sexiness|burly|brawny|beefy|strapping|hunky|square-jawed|broad-shouldered|barrel-chested|chiselled|chiseled|chivalr\w+|gallant\w*|debonair|demure|coquettish|girly|bubbly\s+blonde|blonde|brunette|svelte|pixie|tomboy\w*|alpha[ -]male|stud|hunk|doll(?:ed)?(?:\s+up)?|princess|diva|amazon(?=\s+figure)|deep\s+(?:bass|voice)|bass\s+voice|baritone|gruff\s+voice|booming\s+bass|(?:sweet|silky|velvety|girlish|husky|soft\s+female)\s+voice|handsome(?!ly)|graceful\s+figure|(?:slim|slender|trim|good|nice)\s+(?:figure|waist|legs)|(?:long|shapely|beautiful)\s+legs|delicate\s+(?:hands|fingers|figure|features|build)|slender\s+(?:hands|fingers)|testosterone|balls|cojones|grow\s+a\s+pair|gentle\s+sex|fair(?:er)?\s+sex|stronger\s+sex|weaker\s+sex)\b"
)  # fmt: skip
DRESS = (
    r"\b(?:tights|stockings|nylons|pantyhose|hosiery|lipstick|mascara|nails\s+(?:red|done|painted)|(?:long|false)\s+lashes|red\s+lips|lip\s+gloss|eye-?liner|make-?up|foundation|(?:mini-?|pencil\s+|short\s+|knee-length\s+|long\s+|pleated\s+)?skirts?|blouses?|(?:high|kitten|stiletto)[ -]?heel(?:s|ed)|heels|stilettos?|pumps(?=\s+and\s+\w+)|earrings|(?:nail|varnished|painted|manicured)\s*-?(?:polish|varnish|nails)|lacquered\s+nails|moustaches?|mustaches?|beards?(?!\s*(?:nets?|of)\b)|bearded|whiskers|sideburns|stubble|clean-?shaven|(?:freshly|well|daily|neatly)[ -](?:shave|shaven|shaved)|shav(?:e|es|ed|ing)|(?:neck-?|bow[ -]?)?ties?(?=\s+(?:and|is|are|at|every|on|required|must|for|with|daily|expected)\b|\s*[,.;)]|\s*$)|neck-?ties?|bow-?ties?|cuff-?links|dinner\s+jacket|tuxedo|bras?|corset|low-cut|cleavage|little\s+black\s+dress|(?:a|in|wear|wears|wearing|cocktail|smart|short|black|red|elegant|evening|summer|tight)\s+dress(?:es)?|frocks?|gowns?|pigtails|plaits|hair\s+(?:in\s+a\s+bun|pinned\s+up|put\s+up|worn\s+up)|(?:in\s+a\s+)?(?:neat\s+)?(?:chignon|ponytail)|crew\s+cut|(?:short\s+)?back\s+and\s+sides|bikini|cheongsam|qipao|dirndl|high\s+heels|pearls|perfume)\b"
)  # fmt: skip
SOLD = r"\b(?:boutiques?|sells?|selling|sold|sales\s+of|shops?|store|design\w*|sew\w*|tailor\w*|makes?|making|produc\w+|manufactur\w+|brand|cosmetics|department|counter|customers?|clients?|models?|actors?|brides?|wedding|repairs?|iron\w*|stock\s?room|range|line\s+of|factory|advis\w+|hospital|surgical|exam\w*|barbers?|trim|trims|trimming|wet\s+shave|salon|scent|theatre|wardrobe|costumes?|laundry|steam\w*|pack\w*)\b|\bbeards?\b[^.]{0,25}\b(?:cover\w*|net|hygien\w*)"
FREE = r"\b(?:optional|free\s+to|up\s+to\s+you|whatever|as\s+(?:you|they)\s+(?:like|wish|please)|no\s+rule\w*|not\s+(?:asked|required|expected|a\s+must)|nobody|no\s+one|your\s+choice)\b"
WORN = r"\b(?:wear\w*|worn|dressed|in\s+an?|put\s+on|expect\w*|required?|must|please|uniform|part\s+of|every\s+day|at\s+the\s+(?:counter|desk|bar))\b"
_CHILD = r"(?:children|kids|child|baby|babies|little\s+ones|offspring|toddlers?)"
FAMILY = (
    rf"\b(?:un)?married\b|\bmarriage\b|\bmarital\b|\bnewly-?weds?\b|\bdivorc\w+|\bwidow(?:s|er|ers|ed)?\b|\bbachelors?\b|\bspinsters?\b|\bchildless\b|\bchild-?free\b|\bpregnan\w+|\bmaternity\b|\bexpecting\s+(?:a\s+)?(?:baby|child)|\bchild-?bearing\b|\bin\s+the\s+family\s+way\b|\b(?:want|have|having|get|expect\w*|plan)\s+an?\s+(?:baby|child)\b|\braised\s+a\s+family\b|\b(?:be|stay|remain|are|still|being)\s+single\b|\b(?:start|starting|plan|planning|raise|raising)\s+a\s+family\b|\bfamily\s+planning\b|\b(?:family|domestic|household)\s+(?:ties|obligations|commitments|duties|burdens?|worries|distractions|responsibilit\w+|attachments?)\b|\bno\s+(?:family|dependants|dependents|ties|one\s+waiting|wife|husband)\b|\bunattached\b|\bfootloose\b|\bhoneymoon\b|\bengaged\s+to\s+be\b|\b(?:wife|husband|spouse|partner)\s+(?:at\s+home|who|to\s+support|looks|keeps|earns|must|should|can|takes|runs)|\bsettled\s+(?:at\s+home|family|home\s+life|in\s+marriage|down)|\bwife\b|\bwives\b|\bhusbands?\b|\bspouses?\b|"
    rf"\bsingle\b(?=\s*[,.;!?)]|\s+(?:and|or|people|person|persons|applicants?|candidates?|preferred|only|life|status|m[ae]n|wom[ae]n|lady|mothers?|fathers?|parents?)\b|\s*$)|\b(?:no|without|with\s+no|with\s+grown(?:-up)?|grown(?:-up)?|have|has|having|your|whose|own|his|her|their|small|young|any|more|two|bear\w*|had|want)\s+(?:(?:small|young|grown(?:-up)?|own|little|school-age|more|no|any|further|of\s+your\s+own|pre-?school)\s+){{0,2}}{_CHILD}\b|{_CHILD}\s+(?:are|is|have|has)\s+(?:already\s+)?(?:grown|left|out|at\s+school|old|flown|off|big|in\s+school)|\b(?:done|finished|through)\s+(?:with\s+)?(?:having|bearing|raising)\s+{_CHILD}|\bempty[ -]nest\w*|\bnest\s+is\s+empty|\b(?:step|grand)?(?:mothers?|fathers?|mums?|moms?|mummies|dads?|daddies)\b(?!\s+(?:tongue|figure))|\bparents?\s+(?:need\s+not|preferred|only|are\s+not|cannot)|\bmumpreneurs?\b|\bschool\s+run\b(?=[^.]{0,20}\bmum)|\bfiancée?\b|\b(?:boy|girl)friends?\b|\bgrand(?:ma|pa|mother|father)s?\b|\bgrann(?:y|ies)\b|\baunt(?:ie|y)?s?\b|\buncles?\b"
)  # fmt: skip
BENEFIT = r"\b(?:leave|benefits?|insur\w+|child-?care|cr[eè]che|nursery\s+place|flexible|allowance|entitle\w*|cover(?:s|ed)?|paid|we\s+(?:offer|pay|provide|support|give|help|protect)|protection|back\s+after|return\w*|rejoin|part-?time\s+after|guarantee\w*|welcome\s+(?:too|as\s+well|back)|relocat\w+|(?:can|may)\s+choose|may\s+(?:join|use|come)|family\s+day|tickets|discount|visa|move\s+with)\b"

OTHERS_BEFORE = r"\b(?:founder|owner|boss|clients?|customers?|guests?|predecessor|patients?|landlord)\b[^.;!?]{0,25}$|\b(?:their|children['’]s|guests['’]|child['’]s|customers?['’]s?|patients?['’]s?|pupils['’])\s+$"
OTHERS_AFTER = r"^\s+(?:in\s+the\s+(?:poster|picture|photo|film)|in\s+(?:our|the|this)\s+(?:town|city|region|country|world|area|village|neighbou?rhood|community)|from\s+(?:poor|all|many|other)|need\b|visit|buy\b|shop\b|suffer|call\s+us|find\s+(?:help|shelter)|learn\b|get\s+(?:free|help|advice)|who\s+(?:fled|suffer|visit|buy|come\s+to)|across\b|all\s+over|everywhere)"
SELECTED = r"\b(?:same\s+for\s+(?:all|everyone|everybody)|by\s+(?:skill|merit|ability)|on\s+merit|same\s+(?:criteria|rules|standards?|yardstick|test)|best\s+(?:person|candidate|applicant)|skill\s+alone|ability\s+alone|regardless\s+of)\b"
