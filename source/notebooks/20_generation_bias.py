# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Bias in generation
#
# After this chapter you can measure whose pronoun a generator expects, repair it in three ways, and say what each repair leaves as it was.
#
# **60 minutes · after [Fairness audit](12_fairness_audit.ipynb) · strand: ethics.**
#
# You need Python, the idea of a language model (it gives each next token a probability), and the intervals of the start page.
# Chinese is not needed: every Chinese line is explained.
#
# ## The claim
#
# A job portal lets a model write descriptions.
# A woman may read “the engineer … he”, feel that somebody else is meant, and not apply.
# Nobody hears of her: the harm leaves no complaint and no row in any table.
# It is no better for those who are neither “he” nor “she”.
#
# Women who read a job description that said “he” alone expected to belong less and were less motivated (J. Stout and N. Dasgupta, 2011, [doi:10.1177/0146167211406434](https://doi.org/10.1177/0146167211406434); repeated in 2023 with a plan made beforehand, [doi:10.1371/journal.pone.0290709](https://doi.org/10.1371/journal.pone.0290709)).
# In real postings, feminine wording changed next to nothing in who applied (E. Castilla and H. J. Rho, 2023, [doi:10.1287/mnsc.2023.4674](https://doi.org/10.1287/mnsc.2023.4674)).
# So we ask whom a text addresses, and promise nobody more applicants.
#
# The articles that this course grew from are an essay (“AI大时代要懂的2种核心能力：技术驾驭与伦理决策”, on two abilities for the age of AI; JC, 18 September 2025) and chapters 28 to 30 of a Chinese tutorial series on generative AI.
# They say of such a generator:
#
# > 1. A job-description generator writes “他” for 软件工程师.
# >
# > 2. Cleaning the data, adding diverse samples and post-processing repair that bias.
#
# 软件工程师 is a software engineer; 他 is “he” and 她 “she”, which sound alike and are written differently.
# 他 also stands for a person of whom nothing is known; and Chinese can do without either, as 负责仓库 (“is in charge of the store”) needs no subject.
# So a 他 in a description is a choice.
#
# ## The idea, built up
#
# ### What a real language model expects
#
# SmolLM2 is an English model of 134.5 million parameters.
# After “The nurse said that” it gives every token a probability.
# Take the natural logarithms of the probabilities of “ he” and “ she”.
# The first less the second is the **log-odds**, in *nats* (0.7 nats: twice as probable); a difference of logits is the same number.

# %%
import numpy as np
import torch

from helix.assets import models
from helix.engineering import language

model, tokenizer = models.smollm2()
she, he = (tokenizer(word).input_ids[0] for word in (" she", " he"))


def log_odds(sentence: str) -> float:
    with torch.no_grad():
        logits = model(tokenizer(sentence, return_tensors="pt").input_ids).logits[0, -1]
    return float(logits[he] - logits[she])


# %% tags=["nbval-check-output"]
for word in ("software engineer", "carpenter", "nurse", "person"):
    print(f"{word:18} {log_odds(f'The {word} said that'):+.1f}")

# %% [markdown]
# Below zero “she” is more probable than “he”.
# So it is after the software engineer; but look at the last line: after **person**, which tells nothing of the work, it is so as well.
#
# The <dfn title="偏移">shift</dfn> of a word is the log-odds of “he” against “she” after it, less those after a neutral word in the same sentence.
#
# And one sentence is not enough, so we ask in five *templates*, sentences with a gap:

# %% tags=["nbval-check-output"]
from helix.display import table

rows = []
for template in language.TEMPLATES:
    zero = log_odds(template.format("person"))
    shifts = [log_odds(template.format(word)) - zero for word in ("software engineer", "nurse")]
    rows.append(dict(zip(("sentence", "engineer", "nurse"), (template, *shifts), strict=True)))
table(rows, caption="Shift towards “he”, in nats; below 0 towards “she”.", formats="+.1f")

# %% [markdown]
# Read the third sentence with the engineer in it: in “The software engineer asked the visitor if he …”, he may be the visitor.
# A template can measure something else than its author thinks.
# Here are all five, the four without that one, and all five against *applicant*, a word as neutral as *person*.
# Last comes a **second axis**, in five other templates: does the model expect firm traits of the word (*decisive, strong, confident, ambitious*) or soft ones (*gentle, caring, kind, patient*)?

# %% tags=["hide-input", "nbval-check-output"]
from helix.record import results

record = results.load("20_generation_bias")["figures"]
of_engineer = record["engineer_llm"]
names = {
    "pronoun": "he or she, five sentences",
    "pronoun_without_visitor": "he or she, without the visitor",
    "pronoun_against_applicant": "he or she, against “applicant”",
    "trait": "firm or soft, five other sentences",
}
table(
    [
        {
            "axis": name,
            "shift": one["value"],
            "from": one["low"],
            "to": one["high"],
            "above 0 in": f"{one['above']} of {one['of']}",
        }
        for key, name in names.items()
        for one in [of_engineer[key]]
    ],
    caption="Shift after “software engineer”, in nats, with Student's 95 % interval over the sentences.",
    formats="+.2f",
)

# %% [markdown]
# On the pronoun that is **inconclusive**: each of the three intervals holds 0, and the neutral word alone turns the sign.
# Five sentences show neither that the model leans to “he” nor that it does not.
# On the second axis it is clear: firm traits, in all five (no other neutral word than “person” was tried).
#
# And there is a third pronoun.

# %% tags=["nbval-check-output"]
words = ("software engineer", "carpenter", "nurse", "person", "applicant")
shares = [dict(zip(("he", "she", "they"), of_engineer["shares"][word], strict=True)) for word in words]
table(
    [{"after": word, **one} for word, one in zip(words, shares, strict=True)],
    caption="Mean probability of the next token over the five sentences.",
    formats=".2f",
)
print(f"“they” is the likeliest of the three after {of_engineer['they_first']} of 40 occupations")

# %% [markdown]
# A measure that knows two pronouns sees neither this nor the people whom “they” fits.
# (“They” may be several people, too; a probability cannot tell.)
#
# ### Forty occupations beside the labour market
#
# WinoBias (J. Zhao and others, 2018, [arXiv:1804.06876](https://arxiv.org/abs/1804.06876)) lists forty occupations with the share of women in them in the United States.
# The record holds the shift of each in the five templates, against “person”.

# %% tags=["hide-input"]
from helix import plots

llm = record["llm"]
figure, axes = plots.figure(height=4.2, columns=2)
places = {  # of the labels, in points
    "pronoun": {"carpenter": (7, 7), "developer": (7, 7), "nurse": (-7, -14), "secretary": (7, -10)},
    "trait": {"carpenter": (5, -17), "developer": (7, 14), "nurse": (7, -4), "secretary": (7, -10)},
}
for ax, axis, label in zip(
    axes, ("pronoun", "trait"), ("shift to “he”, nats", "shift to firm traits, nats"), strict=True
):
    means, spread = np.mean(llm[axis], axis=1), np.std(llm[axis], axis=1, ddof=1)
    reach = 2.776 / np.sqrt(5) * spread  # Student's 95 % of five templates
    points = {"linestyle": "", "marker": "o", "markersize": 4, "color": plots.COLOURS["sky"]}
    ax.plot(llm["women"], means[:40], markevery=1, label="forty occupations", **points)
    named = [llm["words"].index(word) for word in places[axis]]
    women = [llm["women"][i] for i in named]
    bars = {"markevery": 1, "elinewidth": 1.2}
    ax.errorbar(
        women, means[named], reach[named], fmt="s", markersize=5, color=plots.INK, label="named ones", **bars
    )
    for (word, place), x, y in zip(places[axis].items(), women, means[named], strict=True):
        side = "left" if place[0] > 0 else "right"
        ax.annotate(word, (x, y), xytext=place, textcoords="offset points", fontsize=8, ha=side)
    ax.axvline(103, linewidth=0.8, color="#999999", linestyle=":", marker="")
    engineer_style = {"fmt": "D", "markersize": 6, "color": plots.COLOURS["vermilion"], **bars}
    ax.errorbar(118, means[40], reach[40], label="software engineer (no share is listed)", **engineer_style)
    ax.axhline(0, linewidth=0.8, color="gray", marker="")
    ax.set(
        xlabel="women in the occupation, per cent", ylabel=label, xlim=(-4, 132), xticks=[0, 25, 50, 75, 100]
    )
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
plots.show(
    figure,
    alt="Two scatter plots of forty occupations against the share of women in them. The shift to “he” falls as the share of women rises; the shift to firm traits falls too, less clearly. Bars on carpenter, developer, nurse and secretary show how wide an interval over five templates is. The software engineer, for whom no share is listed, stands beside: its pronoun bar crosses 0, its bar for firm traits lies above 0.",
    caption="Each point is the mean of five sentences; bars are Student's 95 % intervals of the named words.",
)

# %% tags=["nbval-check-output"]
from helix.measure import Interval

for axis in ("pronoun", "trait"):
    agree = f"same direction in all five sentences: {llm[f'{axis}_agree']} of 40"
    print(f"{axis:8} Spearman {Interval(**llm[f'{axis}_correlation'])}, {agree}")

# %% [markdown]
# For 23 of the 40 the pronoun shifts one way in one sentence and the other way in another: read the cloud, not the single point.
#
# Does the model only mirror the world, then?
# The share of women is a number about *all* people of a trade; a description addresses *one* reader, and a text that shuts out 20 of 100 shuts out people.
# And a model that writes for everybody turns what is into what is expected.
#
# ### What word vectors associate
#
# The word-embedding association test, WEAT (A. Caliskan and others, 2017, [doi:10.1126/science.aal4230](https://doi.org/10.1126/science.aal4230)), needs no sentence.
# Of two sets of targets, such as words of science and of the arts, it asks whether the first lies nearer to male than to female terms, compared with the second.
# d is a difference of means in standard deviations; p is the share of random divisions of the targets that differ as much.

# %% tags=["nbval-check-output"]
from helix.generative import generation_bias as bias

glove = models.glove()
rows = []
for name, sets in bias.WEAT_SETS.items():
    found = bias.weat(*(glove.of(words.split()) for words in sets))
    rows.append({"targets: attributes": name, "d": found.effect, "p": f"{found.p:.5f}"})
table(rows, caption="WEAT in GloVe's vectors, trained on news and Wikipedia.", formats=".2f")

# %% [markdown]
# The first row is the control: nobody doubts that flowers are pleasanter than insects.
# Three things stand against the rest.
# The values of d are no ranking, because each comes from other words.
# The test overestimates, for reasons that K. Ethayarajh and others proved in 2019 ([arXiv:1908.06361](https://arxiv.org/abs/1908.06361)).
# And what vectors associate did not tell how biased the systems built on them were (S. Goldfarb-Tarrant and others, 2021, [arXiv:2012.15859](https://arxiv.org/abs/2012.15859)).
# So measure what your system *writes*.
#
# ### A skew that is known, because we put it in
#
# With a real model nobody knows what its data said.
# So we make a small world: invented job descriptions in English and Chinese, in which we *chose* how often each occupation is called “he”.
# **The numbers are a property of this corpus, and no statistic.**
# The software engineer gets “he” 95 times in 100, the nurse 5 times; of their traits, 80 and 10 in 100 are firm.

# %% tags=["nbval-check-output"]
from helix.generative import job_corpus

jobs = {job.en: job for job in job_corpus.OCCUPATIONS}
engineer = jobs["software engineer"]
for language_of in ("en", "zh"):
    made = job_corpus.make("biased", 2, 4, [language_of], [engineer])
    print(*(one.text for one in made), sep="\n")
print(f"he: {engineer.he}, firm traits: {engineer.firm}")
print(f"correlation of the two skews over 26 occupations: {record['axes_correlation']:.2f}")

# %% [markdown]
# The Chinese lines say the same kind of thing: *This company seeks a software engineer.
# His notes are in order.
# A software engineer needs a decisive character.*
# And: *The team needs a software engineer.
# We give her a fair wage.
# A software engineer must be strong.*
#
# Each text has an opening, a sentence about the wanted person, a trait or something neutral, and sometimes somebody else.
# The skews of traits and pronouns go together (correlation 0.96), as in a stereotype; so this world cannot tell a trait of the gender from a trait of the job.
#
# Then a GPT-2 of 857,088 parameters, which reads characters, was trained on this corpus:

# %% tags=["nbval-check-output"]
from helix.generative import char_model

generators = {name: char_model.load(name) for name in job_corpus.VARIANTS}
openings = ["现招软件工程师一名。", "现招护士一名。", "Wanted: a pilot.", "Wanted: a nurse."]
for text in char_model.sample(generators["biased"], openings, 2):
    print(text)

# %% [markdown]
# The first line: *A software engineer is wanted.
# He has two years of practice.
# A hairdresser must be gentle.*
# The second: *A nurse is wanted.
# He does not work at weekends.
# A teacher must be caring.*
# It makes mistakes (the job changes halfway), and the share of faultless sentences below will not see that: each sentence alone is well spelt.
# And here a nurse is 他 and a pilot “she”, against the skew: **one text proves nothing**, either way.
#
# The <dfn title="倾向">lean</dfn> of many texts is the share that says “he” less the share that says “she”, so that a text with neither counts as 0.
#
# Draw it over the lean that was put in: the **slope** of the line of least squares says how much of the skew arrives: 1 all of it, 0 nothing, more than 1 would be amplification.

# %% tags=["hide-input"]
figure, ax = plots.figure(height=3.2)
for of, title, colour, marker in (("en", "English", "blue", "o"), ("zh", "Chinese", "vermilion", "^")):
    points = record["points"][of]["pronoun"]
    known, found = np.array([[one, points["biased"][word]] for word, one in points["known"].items()]).T
    ax.plot(
        known,
        found,
        linestyle="",
        marker=marker,
        markevery=1,
        markersize=5,
        color=plots.COLOURS[colour],
        label=title,
    )
    slope, level = np.polyfit(known, found, 1)
    ax.plot([-1, 1], [level - slope, level + slope], marker="", linewidth=1, color=plots.COLOURS[colour])
ax.plot([-1, 1], [-1, 1], linewidth=0.8, color="gray", linestyle=":", marker="", label="all of it arrives")
ax.set(xlabel="lean that was put in", ylabel="lean of the texts", xlim=(-1.02, 1.02), ylim=(-1.02, 1.02))
ax.legend(fontsize=9)
plots.show(
    figure,
    alt="The lean of texts of the biased model against the lean of its corpus, 26 occupations in English and Chinese, with a straight line through each. Both lines rise from lower left to upper right, flatter than the diagonal.",
    caption="Biased model, three trainings together: 0.61 of the skew arrives in English, 0.66 in Chinese.",
)

# %% [markdown]
# ### Three repairs
#
# **Clean the data**: put the sentences about the wanted person neutrally, or drop them.
# **Add diverse samples**: give every description a twin.
# **Post-process**: leave the model alone and rewrite what it says.
#
# <dfn title="反事实数据增广">Counterfactual augmentation</dfn> gives every text of a corpus a twin in which the pronouns of the wanted person have the other gender.
#
# (K. Lu and others, 2018, [arXiv:1807.11714](https://arxiv.org/abs/1807.11714).)

# %% tags=["nbval-check-output"]
for variant in job_corpus.VARIANTS:
    made = job_corpus.make(variant, 1, 3, ["en"], [jobs["nurse"]])
    print(f"{variant:10}", *(one.text for one in made), sep="\n  ")

# %% [markdown]
# The third looks easiest, and is the hardest to get right.
# A search-and-replace makes “they is” of “she is”, and changes the pronouns of people who are not meant:

# %% tags=["nbval-check-output"]
from helix.generative.rewriter import rewrite

text = (
    "The nurse knows her ward and checks his plan. Dr. Lin leads us, and she is fair. “He was kind,” we read."
)
replaced = text
for old, new in ((" she ", " they "), (" her ", " their "), ("He ", "They "), (" his ", " their ")):
    replaced = replaced.replace(old, new)
print("search and replace:", replaced)
print("rewriter:          ", rewrite(text))
print(rewrite("她工作认真。李娜说她喜欢这里。"))
print(rewrite("教师需要他律。工厂在犹他州。"))

# %% [markdown]
# In the third line 她 of the wanted person became 应聘者, “the applicant”; the second 她 belongs to Li Na, who said something, and stays.
# In the last line 他 is no pronoun at all: 他律 is being governed from outside, and 犹他 is Utah.
#
# How often does the rewriter err?
# 132 sentences were written by a guide (`data/job_ads/REWRITING.md`) and frozen before its present rules were written; in three fifths of them nothing may be changed.

# %% tags=["nbval-check-output"]
kinds = {"wanted": "pronoun of the wanted person", "other": "of somebody else", "name": "of a named person"}
kinds |= {"word": "a word spelt like one", "said": "quoted, reported, or about pronouns"}
by_kind = record["rewriter"]["both"]["by_kind"]
table(
    [{"sentences with": text, **by_kind[kind]} for kind, text in kinds.items()],
    caption="What the rewriter made of 132 sentences: right, left as it was, wrong.",
)
of_ads = record["rewriter"]["both"]["ads"]
print("wrong:", Interval(**record["rewriter"]["both"]["wrong_share"]))
print("of another author's sentences without gendered wording it changes {} of {},".format(*of_ads["none"]))
print("and of those with a pronoun of the wanted person {} of {}".format(*of_ads["pronoun"]))

# %% [markdown]
# Read the first as a lower bound: one author wrote the sentences, and then the rules.
# The last two lines are about another author's sentences (that they are 132 again is chance).
# Of the five that it changes, four have a pair such as “he or she”, where “they” does no harm.
# Where it cannot tell whose a pronoun is, the rewriter leaves it; the price is four of 23.
#
# ## The measurement
#
# Three trainings for each corpus; from each model, in each language, 96 texts for each of 27 words (26 occupations and “person”).
# Three numbers stand side by side: the slope of the pronoun, the slope of the **traits**, and the share of **faultless** sentences, which are letter by letter as the corpora or a perfect rewriter would have them.
# The criteria were written before the first run; only the end in number 1 was then the upper one, and no outcome changes by that.
# In each language and training
#
# 1. of the pronoun slope's interval, the end further from 0 is at most 0.1;
# 2. the share of faultless sentences falls by at most 0.02, and what all corpora have in common surprises a newly trained model (−log p a character) at most 5 % more than the biased one;
# 3. the slope of the traits rises by at most 0.1.

# %% tags=["hide-input"]
figure, axes = plots.figure(height=3.6, columns=2, sharey=True)
order = [(system, of) for system in ("biased", "cleaned", "augmented", "rewritten") for of in ("en", "zh")]
for ax, axis, title in zip(axes, ("pronoun", "trait"), ("pronouns", "traits"), strict=True):
    for row, (system, of) in enumerate(reversed(order)):
        one = record["systems"][system][of][axis]
        style = (
            {"color": plots.COLOURS["vermilion"], "marker": "^"}
            if of == "zh"
            else {"color": plots.COLOURS["blue"], "marker": "o"}
        )
        ax.errorbar(
            one["value"],
            row,
            xerr=[[one["value"] - one["low"]], [one["high"] - one["value"]]],
            markevery=1,
            markersize=5,
            elinewidth=1.4,
            capsize=2,
            **style,
        )
    ax.axvspan(-0.1, 0.1, color="#dddddd", linewidth=0)
    ax.axvline(0, linewidth=0.8, color="gray")
    ax.set(title=title, xlim=(-0.15, 1.0))
    ax.set_yticks(
        range(len(order)),
        [f"{system}, {'Chinese' if of == 'zh' else 'English'}" for system, of in reversed(order)],
    )
    ax.grid(visible=False, axis="y")
figure.supxlabel("slope: share of the skew that arrives", fontsize=10)
figure.supylabel("generator, language", fontsize=10)
plots.show(
    figure,
    alt="Slopes with 95 % intervals of the biased model and of three repairs, in English and Chinese. For pronouns the biased model has 0.61 and 0.66, and each repair lies within the grey band from −0.1 to 0.1. For traits all eight intervals lie between 0.18 and 0.63, outside of the band.",
    caption="Three trainings together, 95 % intervals over the occupations. Grey: at most 0.1 one way or the other, where every repair lies for pronouns, and none for traits.",
)

# %% tags=["hide-input", "nbval-check-output"]
rows = [
    {
        "system": system,
        "language": of,
        "faultless": one["faultless"]["value"],
        "texts with he or she": one["with_pronoun"],
    }
    for system, by in record["systems"].items()
    for of, one in by.items()
]
table(
    rows,
    caption="Share of faultless sentences, and of texts that call the wanted person “he” or “she”.",
    formats=".3f",
)

# %% tags=["nbval-check-output"]
for system, missed in record["missed"].items():
    print(f"{system:10}", "keeps every criterion" if not missed else "; ".join(missed))
for system, one in record["judge"].items():
    print(f"{system:10} surprises SmolLM2 by {Interval(**one)} nats a character")

# %% [markdown]
# - **Pronouns**: of the skew that was put in, the biased model hands on about two thirds; after each repair next to nothing arrives.
#   (One training keeps the limit by a hair: augmented, English, its interval ends at 0.0998, and with other seeds of the bootstrap just above 0.1.)
# - **Traits**: no repair was made for them, and it shows.
#   A quarter to a half of that skew arrives everywhere, from 0.25 (augmented, Chinese; 0.49 before) to 0.54 (cleaned, English; 0.41 before): drivers are to be decisive, nurses gentle.
#   Whoever looks at pronouns alone would call all three repaired.
# - **Fluency**: the share of faultless sentences moves by less than two points, and SmolLM2 finds the English texts of all four about equally surprising.
#   But one augmented training is 8 % more surprised by the common text, where 5 % are allowed.
#   (The row `corpus` is text that was written, not generated.)
#
# Rewriting keeps every criterion, and it is the only one that does.
# It touches pronouns and their verbs only, so it cannot miss the third criterion; and here it meets templates of this course, to which it adds no faults.
# (The rewriter was mended after these runs; on the texts of the first training its present version gives the same slopes to two decimals.)
#
# **Cleaned and augmented data make a new model**, and trainings differ by chance: three on the biased corpus itself hand on from 0.25 to 0.69 of the Chinese traits' skew, and the third criterion allows a rise of 0.1.
# So some of what they “miss” may be chance.
# Whoever trains again has to measure *every* axis again, several times.
#
# Then a reader of these texts found this: in Chinese, a trait is often asked of *another* job than the one in the opening, and the count above gives it to the opening.
# So the record asked again, and took a trait only from sentences that name the job that was asked for:


# %% tags=["hide-input", "nbval-check-output"]
def told(one: dict) -> str:
    return f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"


table(
    [
        {
            "system": system,
            "language": of,
            "names the asked job": told(one["named"]),
            "slope of its traits": told(one["trait"]),
        }
        for system, by in record["faithful"].items()
        for of, one in by.items()
    ],
    caption="Share of trait sentences that name the job of the opening, and the slope of the traits in these alone.",
)

# %% [markdown]
# In English, nine of ten such sentences name the asked job; in Chinese only half of them do, and two thirds after cleaning.
# That the traits arrive in every model still stands.
# A fine ranking of the Chinese slopes does not, since a model that forgets the job hands on less of its skew.
# And **no number of the table above had shown it**.
# Read what your model writes.
#
# One number of the record, live and with fewer texts: does the biased generator say “he” of the engineer more often than of a person?
#
# The <dfn title="超出量">excess</dfn> of a word is the share of “he” among its texts with “he” or “she”, less the same share for the neutral word.


# %%
def lean_of(word: str, of: str) -> bias.Lean:
    openings = {
        "en": ("We are looking for a {}.", "Wanted: a {}."),
        "zh": ("本公司诚聘{}。", "现招{}一名。"),
    }[of]
    prompts = [opening.format(word) for opening in openings] * 48
    return bias.lean(char_model.sample(generators["biased"], prompts, seed=77), of)


live = {
    "English": lean_of("software engineer", "en").beyond(lean_of("person", "en")),
    "Chinese": lean_of("软件工程师", "zh").beyond(lean_of("人员", "zh")),  # 人员: staff
}

# %%
for of, one in zip(("en", "zh"), live.values(), strict=True):
    print(f"{of}: this run {one}, record of this training {Interval(**record['engineer'][of]['0'])}")
    assert one.value > 0

# %% [markdown]
# (Two samples of 96 texts are few: the English interval just reaches below 0.)
#
# **The first claim is not tested.**
# It is about a generator of Chinese, and no language model of Chinese was at hand.
# That our own generator writes 他 proves nothing: we taught it.
# The **second claim** holds if the pronoun alone is meant.
# Both rules for a verdict were changed after the runs; by those written before, both verdicts were *does not hold*.
# For the second, the old rule had no middle: each repair had to keep every criterion, and only “rewritten” does.

# %%
from helix.record import claim

claim(
    "generator_writes_he",
    measured="excess of “he” of the generator that was taught it: "
    + ", ".join(f"{one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}] in {of}" for of, one in live.items()),
    verdict="not tested",
    conditions="two of six openings, 96 texts a word, one training",
)

# %% tags=["nbval-check-output"]
claim("three_repairs")

# %% [markdown]
# ## The other strand: a guard before the page
#
# A lean shows in many texts.
# But a portal publishes them one by one, and some need no counting: “men preferred”, 限男性 (“men only”), “a strong man”.
# For these there is a **detector of gendered wording** in both languages: word lists, and the rewriter's decision whose a pronoun is.
# It gives one of four codes: *requirement* (“men only”), *pronoun*, *title* (“policeman”) or *stereotype* (“a second income for wives”).
# Its test set is 240 sentences as from advertisements, frozen **before** the detector was written.
# A language model wrote them, and two runs of similar ones labelled them by a written guide; the two agree on all 240.
# Do not be impressed: no reader of advertisements was asked (`data/job_ads/CARD.md`).
# And the test is no longer quite blind: the rules for pronouns were written anew after ten of the sentences had been discussed.

# %% tags=["nbval-check-output"]
from helix.datasets import job_ads
from helix.generative import gendered_wording
from helix.measure import wilson

ads = job_ads.load()
found = ads["text"].map(gendered_wording.code) != "none"
both = int((found & ads["gendered"]).sum())
print("precision", wilson(both, found.sum()), " recall", wilson(both, ads["gendered"].sum()))
for share, one in record["detector"]["both"]["precision_at"].items():
    print(f"precision where {float(share):.0%} of advertisements are gendered: {Interval(**one)}")

# %% [markdown]
# Precision asks: of what it flags, how much is gendered?
# Recall asks: of what is gendered, how much does it flag?
# They are the PPV and the TPR of the chapter on audits, and equal here by chance: 13 false alarms, 13 missed.
#
# And the first line flatters: 45 % of these sentences are gendered.
# Recall stays where the share is smaller; precision does not, because the many others give the false alarms.
# At one in twenty, about two of three alarms are false.

# %% tags=["hide-input", "nbval-check-output"]
table(
    [
        {
            "code": code,
            **{
                name: "{0} of {2}".format(*record["detector"][of]["by_code"][code])
                for of, name in (("en", "English"), ("zh", "Chinese"))
            },
        }
        for code in gendered_wording.CODES
    ],
    caption="How many sentences of each code the detector flags, under whatever code.",
)
wrong = ads[found != ads["gendered"]]
for row in wrong.groupby("gendered").head(3).sort_values("gendered").itertuples():
    print("missed     " if row.gendered else "false alarm", row.code, "|", row.text[:90])

# %% [markdown]
# The first Chinese line says *If you know such a carpenter, please introduce him to us: steady hands, few words, glad to take an apprentice*.
# “You” stood before the pronoun, so the rules took “him” for somebody else.
# The second is the worst miss: *On the day of the interview, hand in a certificate that you are not pregnant; the company pays for the examination.*
# When they recruit, employers in China may not take men only or prefer men, ask women further about marriage and children, make a pregnancy test part of the medical examination, or make marriage or children a condition, unless the state provides otherwise (妇女权益保障法, the Law on the Protection of Women's Rights and Interests, Article 43, revised on 30 October 2022, in force since 1 January 2023; [text and translation](https://wechat.estsglobal.com/wechat/law_contents/85)).
#
# The **guard** puts the pieces together.
# Pronouns of the wanted person are rewritten, and the text is read again.
# Anything else is held for a human: to leave out “men only” is not a matter of grammar.

# %% tags=["nbval-check-output"]
from helix.generative.job_guard import guard, refusals

for text in (
    "We need a cook. Lunch is free.",
    "We need a cook. She plans her own week.",
    "We need a cook. She plans her own week, and Paul Brown helps her.",
    "We need a cook. Men preferred. He works with care.",
    "招聘司机，限男性。",
):
    made = guard(text)
    print(f"{made.action:8} {made.text}\n         {made.reason}")

# %% [markdown]
# The last text wants a driver, men only.
# In the third, “her” may be the cook or somebody else; a rewriter that changed half of the sentence would decide it silently.
# “Nothing found” does not prove that a text is fair.
#
# And over many texts a **gate** decides whether a repaired generator may replace the old one.
# Of each interval it takes the end further from 0, in the worse language, so that a skew that was turned round counts as well.
# It wants at most a tenth of *either* skew, and a share of faultless sentences that fell by at most 0.02:

# %% tags=["nbval-check-output"]
for system in ("cleaned", "rewritten"):
    reasons = refusals(record["portal"]["biased"], record["portal"][system])
    print(f"{system:10}", "fix:" if reasons else "ship", *reasons)

# %% [markdown]
# So: **ship** neither as it is; **fix** the traits in the same way (a twin for each trait), then measure both axes again; **stop** where nobody can say which other axes the texts lean on.
# In October 2018 Reuters reported that Amazon had ended an experimental model that ranked applications: it had learned from ten years of them, most by men, and marked women down ([Reuters, 10 October 2018](https://www.reuters.com/article/us-amazon-com-jobs-automation-insight-idUSKCN1MK08G)).
# Recruiters looked at its advice and did not rely on it alone, says the report.
#
# ## Check yourself
#
# **1.
# After “The nurse said that” a model gives “she” 20 times the probability of “he”.
# What do you know?**
#
# <details><summary>A. That it takes nurses for women.</summary>
#
# Not quite.
# SmolLM2 prefers “she” after “The person said that” as well.
# Only the difference from there, the shift, belongs to the word.
#
# </details>
# <details><summary>B. Little, before you ask the same of a neutral word and in other sentences.</summary>
#
# Right.
# The log-odds of one sentence are not the shift of the word.
#
# </details>
# <details><summary>C. The share of women among nurses.</summary>
#
# Not quite.
# A model's expectation and a statistic of people are two different things, even where they go together.
#
# </details>
#
# **2.
# The lean of a generator is on average 0.1 away from that of the neutral word, in absolute value.
# Why is a slope the better number?**
#
# <details><summary>A. Because with few texts each lean has noise, and a mean of absolute values counts noise as skew.</summary>
#
# Right.
# A generator without any skew would get such a number too; its slope would lie around 0.
#
# </details>
# <details><summary>B. Because it is always smaller.</summary>
#
# Not quite.
# The slope asks another question: how much of what was put in comes out.
#
# </details>
# <details><summary>C. Because it needs no corpus.</summary>
#
# Not quite.
# It needs to know what was put in; that is why we made a corpus.
#
# </details>
#
# **3.
# The rewriter leaves no gendered pronoun in a text.
# Is the text fair?**
#
# <details><summary>A. Yes, nobody can tell any more who is meant.</summary>
#
# Not quite.
# The driver is to be decisive and the nurse gentle, as before.
#
# </details>
# <details><summary>B. No: it changed words on one axis, and left every other axis as it was.</summary>
#
# Right.
# That is why each repair is measured on the traits too.
#
# </details>
# <details><summary>C. Yes, if the sentences are still grammatical.</summary>
#
# Not quite.
# Fluency is what a repair may not cost; it is not what makes a text fair.
#
# </details>
#
# **4.
# Why was the detector tested on sentences that were frozen before it was written?**
#
# <details><summary>A. Because a detector that was written with them in view finds them, and nothing else.</summary>
#
# Right.
# Its precision and recall would say how well its author remembers.
#
# </details>
# <details><summary>B. Because labels get better with time.</summary>
#
# Not quite.
# They are what they are; how far two labellings agree is reported beside them, in the card.
#
# </details>
# <details><summary>C. To save the time of a second test set.</summary>
#
# Not quite.
# It is about what the number means, not about time.
#
# </details>
#
# ## Go on
#
# The [lab](../labs/20_generation_bias_lab.ipynb) ends in a decision: may the generator with augmented data write for the portal?
#
# Not on this page: whether what is measured is the harm that is meant (S. L. Blodgett and others, 2020, [arXiv:2005.14050](https://arxiv.org/abs/2005.14050)), Chinese collections of gendered sentences (CORGI-PM: G. Zhang and others, 2023, [arXiv:2301.00395](https://arxiv.org/abs/2301.00395)), and age, origin and disability.
#
# Primary sources:
#
# - A. Caliskan, J. J. Bryson, A. Narayanan (2017), [doi:10.1126/science.aal4230](https://doi.org/10.1126/science.aal4230); against it, [arXiv:1908.06361](https://arxiv.org/abs/1908.06361) and [arXiv:2012.15859](https://arxiv.org/abs/2012.15859)
# - D. Gaucher, J. Friesen, A. C. Kay (2011), on words rather than pronouns, [doi:10.1037/a0022530](https://doi.org/10.1037/a0022530)
# - J. Zhao and others (2018), [arXiv:1804.06876](https://arxiv.org/abs/1804.06876); K. Lu and others (2018), [arXiv:1807.11714](https://arxiv.org/abs/1807.11714)
