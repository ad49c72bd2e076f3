"""The English verbs and small words that `helix.generative.rewriter` needs for grammar."""

from __future__ import annotations


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
# What stands after “he” or “she” where they are the subject, beside verbs in -s and -ed; without one of them the grammar is not sure.
AUXILIARIES = words(
    "can could may might must shall should will would cannot can't couldn't mightn't mustn't shan't shouldn't won't wouldn't needn't ought dare need"
)
PAST = words(
    "became began bought brought built came caught chose cut did drew drove fell felt flew found gave got grew had held heard kept knew laid led left "
    "lost made meant met paid put ran read rose said sang sat saw sent set showed slept sold spent spoke stood swam taught thought told took went won "
    "wore wrote"
)
# Before these the clause is part of a larger one, and a verb after its comma belongs to that one (“when he codes, writes tests”).
SUBORDINATORS = words(
    "when whenever if while once because as since before after until till where wherever what how why whether that who which whom whose although though unless"
)
