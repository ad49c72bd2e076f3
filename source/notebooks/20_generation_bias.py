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

# %%
from importlib.metadata import version

for package in ("torch", "transformers", "numpy"):
    print(package, version(package))

# %% [markdown]
# ## The claim
#
# A job portal lets a model write descriptions.
# Somebody reads “the engineer … he”, feels that another person is meant, and does not apply.
# Nobody hears of her: the harm leaves no complaint and no row in any table.
# D. Gaucher, J. Friesen and A. Kay showed in 2011 that women find jobs less appealing when the wording of the advertisements is typically masculine ([doi:10.1037/a0022530](https://doi.org/10.1037/a0022530)).
# The articles that this course grew from say two things about such a generator:
#
# > 1. A job-description generator writes “他” for 软件工程师.
# >
# > 2. Cleaning the data, adding diverse samples and post-processing repair that bias.
#
# 软件工程师 is a software engineer; 他 is “he” and 她 “she”, spoken alike and written apart.
#
# ## The idea, built up
#
# ### What a real language model expects
#
# SmolLM2 is an English model of 134.5 million parameters.
# After “The nurse said that” it gives every token a probability.
# Compare “ he” and “ she”, and take the difference of the natural logarithms: the **lean**, in *nats* (0.7 nats means twice as probable).

# %%
import numpy as np
import torch

from helix.assets import models
from helix.engineering import language

model, tokenizer = models.smollm2()
she, he = (tokenizer(word).input_ids[0] for word in (" she", " he"))


def lean(sentence: str) -> float:
    with torch.no_grad():
        logits = model(tokenizer(sentence, return_tensors="pt").input_ids).logits[0, -1]
    return float(logits[he] - logits[she])


# %% tags=["nbval-check-output"]
for word in ("software engineer", "carpenter", "nurse", "person"):
    print(f"{word:18} {lean(f'The {word} said that'):+.1f}")

# %% [markdown]
# Below zero the model expects “she”.
# It does so after the software engineer, but look at the last line: after **person**, which tells nothing of the work, it does as well.
# So a lean by itself says little.
# What a word adds is its difference from the neutral word.
# And one sentence is one sentence, so we ask in five:

# %% tags=["nbval-check-output"]
for template in language.TEMPLATES:
    beyond = [
        lean(template.format(word)) - lean(template.format("person"))
        for word in ("software engineer", "nurse")
    ]
    print(f"{template:48} engineer {beyond[0]:+.1f}  nurse {beyond[1]:+.1f}")

# %% [markdown]
# ### Forty occupations beside the labour market
#
# WinoBias (J. Zhao and others, 2018, [arXiv:1804.06876](https://arxiv.org/abs/1804.06876)) lists forty occupations with the share of women in them in the United States.
# The record holds the lean of each, five templates, against “person”.
# Beside the pronoun stands a **second axis**: does the model expect firm traits after the word (*decisive, strong, confident, ambitious*) or soft ones (*gentle, caring, kind, patient*)?

# %%
from helix import plots
from helix.record import results

record = results.load("20_generation_bias")["figures"]
llm = record["llm"]
figure, axes = plots.figure(height=3.6, columns=2)
named = [llm["words"].index(word) for word in ("carpenter", "developer", "nurse", "secretary")]
for ax, axis, label in zip(
    axes, ("pronoun", "trait"), ("lean to “he”, nats", "lean to firm traits, nats"), strict=True
):
    means = np.mean(llm[axis], axis=1)[:40]
    reach = 2.776 / np.sqrt(5) * np.std(llm[axis], axis=1, ddof=1)[:40]  # Student's 95 % of five templates
    ax.errorbar(
        llm["women"], means, reach, fmt="o", markevery=1, markersize=4, elinewidth=0.5, color=plots.CYCLE[0]
    )
    ax.scatter([llm["women"][i] for i in named], means[named], s=30, color=plots.CYCLE[1], zorder=3)
    for i in named:
        ax.annotate(
            llm["words"][i],
            (llm["women"][i], means[i]),
            xytext=(4, -10),
            textcoords="offset points",
            fontsize=8,
        )
    ax.axhline(0, linewidth=0.8, color="gray")
    ax.set(xlabel="women in the occupation, per cent", ylabel=label, xlim=(-4, 118))
plots.show(
    figure,
    alt="Two scatter plots of forty occupations against the share of women in them. The lean to “he” falls "
    "as the share of women rises; the lean to firm traits falls less clearly. The intervals over five "
    "templates are wide: for the pronoun 26 of 40 include 0, for the traits 19.",
)

# %% tags=["nbval-check-output"]
from helix.measure import Interval

for axis in ("pronoun", "trait"):
    print(
        f"{axis:8} Spearman {Interval(**llm[f'{axis}_correlation'])}, same direction in all five "
        f"templates: {llm[f'{axis}_agree']} of 40"
    )

# %% [markdown]
# For 23 of the 40 the pronoun shifts one way in one sentence and the other way in another: read the cloud, not the single point.
#
# Does the model only mirror the world, then?
# Two things speak against that excuse.
# The share of women is a number about *all* people of a trade; a description addresses *one* reader, and a text that shuts out 20 of 100 shuts out people.
# And a model that writes for everybody turns what is into what is expected.
#
# ### What word vectors associate
#
# The **word-embedding association test** (A. Caliskan and others, 2017, [doi:10.1126/science.aal4230](https://doi.org/10.1126/science.aal4230)) needs no sentence.
# For two sets of targets, such as words of science and of the arts, it asks whether the first lie nearer to male terms.
# In full:

# %%
from helix.generative import generation_bias as bias

glove = models.glove()


def unit(words: str) -> np.ndarray:
    vectors = glove.of(words.split()).astype(float)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def effect(x: str, y: str, a: str, b: str) -> float:
    s = [(unit(w) @ unit(a).T).mean(axis=1) - (unit(w) @ unit(b).T).mean(axis=1) for w in (x, y)]
    return (s[0].mean() - s[1].mean()) / np.concatenate(s).std(ddof=1)


# %% tags=["nbval-check-output"]
for name, sets in bias.WEAT_SETS.items():
    tested = bias.weat(*(unit(words) for words in sets))
    print(f"{name:42} d = {effect(*sets):.2f}, p = {tested.p:.5f}")

# %% [markdown]
# The first row is the control: nobody doubts that flowers are pleasanter than insects, and the test finds it.
# The other three are stronger still (d lies between −2 and 2).
# The p-value is the share of divisions of the targets into two halves that are associated at least as strongly: of all divisions, or of 20,000 drawn at random for the flowers.
# These vectors are from GloVe, trained on news and Wikipedia: no one put a skew in on purpose.
#
# ### A skew that is known, because we put it in
#
# With a real model nobody knows what its data said.
# So we make a small world: invented job descriptions in English and Chinese, in which we *chose* how often each occupation is called “he”.
# **The numbers are a property of this corpus, and no statistic.**
# The software engineer gets “he” 95 times in 100, the nurse 5 times.

# %% tags=["nbval-check-output"]
from helix.generative import job_corpus

jobs = {job.en: job for job in job_corpus.OCCUPATIONS}
engineer = jobs["software engineer"]
for language_of in ("en", "zh"):
    made = job_corpus.make("biased", 2, 4, [language_of], [engineer])
    print(*(one.text for one in made), sep="\n")
print(f"he: {engineer.he}, firm traits: {engineer.firm}")

# %% [markdown]
# Each text has an opening, a sentence about the wanted person, a trait or something neutral, and sometimes somebody else.
# Then one architecture, a GPT-2 of 0.85 million parameters that reads characters, was trained on it (two minutes on one core).
# Here is the model that learned the biased corpus:

# %% tags=["nbval-check-output"]
from helix.generative import char_model

generators = {name: char_model.load(name) for name in job_corpus.VARIANTS}
for text in char_model.sample(
    generators["biased"],
    ["现招软件工程师一名。", "现招护士一名。", "Wanted: a pilot.", "Wanted: a nurse."],
    2,
):
    print(text)

# %% [markdown]
# The two Chinese openings ask for a software engineer and for a nurse.
# It makes mistakes, as small models do (a hairdresser turns up, a teacher); and the share of faultless sentences below will not see that, since each sentence alone is well spelt.
# And here a nurse is 他 and a pilot “she”, against the skew: **one text proves nothing**, either way.
# What is its lean over many texts?
# For texts, *lean* means something else than for probabilities: the mean of +1 (“he”), −1 (“she”) and 0 (neither).
# Set it beside what was put in.
# The **slope** of the line says how much of the skew arrives: 1 all of it, 0 nothing, more than 1 would be amplification.

# %%
figure, axes = plots.figure(height=3.8, columns=2)
for ax, (of, title) in zip(axes, {"en": "English", "zh": "Chinese"}.items(), strict=True):
    points = record["points"][of]["pronoun"]
    words = list(points["known"])
    for system in ("biased", "cleaned", "augmented", "rewritten"):
        ax.plot(
            [points["known"][w] for w in words],
            [points[system][w] for w in words],
            linestyle="",
            markevery=1,
            markersize=4,
            label=system,
        )
    ax.plot([-1, 1], [-1, 1], linewidth=0.8, color="gray", marker="")
    ax.set(title=title, xlabel="lean of the biased corpus", ylabel="lean of the texts", ylim=(-1.05, 1.05))
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
plots.show(
    figure,
    alt="Lean of the generated texts against the lean of the corpus, 26 occupations, English and Chinese. "
    "The biased model follows the diagonal, somewhat flatter; the three repairs lie near zero for every "
    "occupation.",
)

# %% [markdown]
# ### Three repairs
#
# **Clean the data**: put the sentences about the wanted person neutrally, or drop them.
# **Add diverse samples**: give every description a twin in which the pronouns are swapped (counterfactual augmentation; K. Lu and others, 2018, [arXiv:1807.11714](https://arxiv.org/abs/1807.11714)).
# **Post-process**: leave the model alone and rewrite what it says.

# %% tags=["nbval-check-output"]
for variant in job_corpus.VARIANTS:
    made = job_corpus.make(variant, 1, 3, ["en"], [jobs["nurse"]])
    print(f"{variant:10}", *(one.text for one in made), sep="\n  ")

# %% [markdown]
# The third looks easiest, and is the hardest to get right.
# A search-and-replace makes “they works” of “she works”, and renames people who are not meant:

# %% tags=["nbval-check-output"]
from helix.generative.rewriter import rewrite

text = (
    "The nurse knows her ward and checks his plan. Dr. Lin leads us, and she is fair. “He was kind,” a "
    "guest wrote."
)
print(
    "search and replace:",
    text.replace(" she ", " they ")
    .replace(" her ", " their ")
    .replace("He ", "They ")
    .replace(" his ", " their "),
)
print("rewriter:          ", rewrite(text))
print(rewrite("她工作认真。李娜说她喜欢这里。"))

# %% [markdown]
# In the last line 她 of the wanted person became 应聘者, “the applicant”; the second 她 belongs to Li Na, who said something, and stays.
# The rewriter knows words and no meaning; what it cannot do stands in its docstring.
# When it is not sure, it leaves a pronoun.
#
# ## The measurement
#
# Three trainings for each corpus, 96 texts for each of 27 words and language.
# A repair may not only be judged by what it repairs, so three numbers stand side by side: the slope of the pronoun, the slope of the **traits**, and the share of **faultless** sentences, letter by letter.
# The criteria were written before the first run.
# In each language and training
#
# 1. the upper end of the pronoun slope's interval is at most 0.1;
# 2. the share of faultless sentences falls by at most 0.02, and a newly trained model is at most 5 % more surprised than the biased one by the sentences that all corpora share;
# 3. the slope of the traits rises by at most 0.1.

# %% tags=["nbval-check-output"]
print("system     of  pronoun slope       trait slope         faultless")
for system, by in record["systems"].items():
    for of, one in by.items():
        slopes = [
            f"{one[axis]['value']:+.2f} [{one[axis]['low']:+.2f}, {one[axis]['high']:+.2f}]"
            for axis in ("pronoun", "trait")
        ]
        print(f"{system:10} {of}  {slopes[0]}  {slopes[1]}  {one['faultless']['value']:.3f}")

# %% tags=["nbval-check-output"]
for system, missed in record["missed"].items():
    print(f"{system:10}", "keeps every criterion" if not missed else "; ".join(missed))
for system, one in record["judge"].items():
    print(f"{system:10} surprises SmolLM2 by {Interval(**one)} nats a character")

# %% [markdown]
# Read the columns one by one.
#
# - **Pronouns**: of the skew that was put in, the biased model hands on about two thirds; after each repair next to nothing arrives.
# - **Traits**: no repair was made for them, and it shows.
#   At least a quarter of that skew arrives everywhere, from 0.25 (augmented, Chinese; 0.49 before) to 0.54 (cleaned, English; 0.41 before): drivers are to be decisive, nurses gentle.
#   Whoever looks at pronouns alone would call all three generators repaired.
# - **Fluency**: the share of faultless sentences moves by a point or two, and a language model that never saw these corpora finds the English texts of all four about equally surprising.
#   (The row `corpus` is text that was written, not generated.)
#
# Two things are worth a second look.
# Rewriting keeps every criterion, and it is the only one that does.
# It touches pronouns and their verbs only, so the traits stay exactly as they were: the third criterion it cannot miss, and the model that wrote is the same.
# **Cleaned and augmented data, though, make a new model**, and three trainings of one corpus differ on the traits by more than the 0.1 of the third criterion.
# Some of what they "miss" is chance of training.
# That is no excuse but the point: whoever trains again has to measure *every* axis again, several times.
#
# The second thing was found by a reader of these texts.
# In Chinese, a trait is often asked of *another* job than the one in the opening, and the count above gives it to the opening.
# So the record asked again, and took a trait only from sentences that name the job that was asked for:

# %% tags=["nbval-check-output"]
for system, by in record["faithful"].items():
    for of, one in by.items():
        print(
            f"{system:10} {of}  names the asked job: {Interval(**one['named'])}  slope of its traits: "
            f"{Interval(**one['trait'])}"
        )

# %% [markdown]
# In English, nine of ten such sentences name the asked job; in Chinese only half of them do, and two thirds after cleaning.
# What stands: the traits arrive in every model.
# What does not: any fine ranking of the Chinese slopes, since a model that forgets the job hands on less of its skew.
# And **no number of the table above had shown it**.
# Read what your model writes.
#
# A smaller relative of one cell, live (first training, two of the six openings, 96 texts a word; a difference of shares of “he”): does the biased generator say “he” of the engineer more often than of a person?

# %%
from helix.record import claim


def share(word: str, of: str) -> bias.Lean:
    openings = {
        "en": ("We are looking for a {}.", "Wanted: a {}."),
        "zh": ("本公司诚聘{}。", "现招{}一名。"),
    }[of]
    prompts = [opening.format(word) for opening in openings] * 48
    return bias.lean(char_model.sample(generators["biased"], prompts, seed=77), of)


live = {
    "en": share("software engineer", "en").beyond(share("person", "en")),
    "zh": share("软件工程师", "zh").beyond(share("人员", "zh")),
}

# %%
for of, one in live.items():
    print(f"{of}: this run {one}, record {Interval(**record['engineer'][of]['0'])}")
    assert one.value > 0

# %% [markdown]
# The rules for the verdicts were written before the first run.
# The **first claim** holds if in every training and language the interval lies above 0, *and* if SmolLM2 leans to “he” after “software engineer” in each of the five templates.
# The generator that we made biased does it (in the live run above two samples of 96 texts were few: the English interval contains 0, while the record's trainings together give +31 points); the real model does so in three of five.
# (After “carpenter” it does in all five.)
# A stereotype is no property of all models, and must be measured where it is claimed.
# The **second claim** holds if each of the three repairs keeps all criteria in every training.

# %% tags=["nbval-check-output"]
claim("generator_writes_he")

# %% tags=["nbval-check-output"]
claim("three_repairs")

# %% [markdown]
# ## The other strand: a guard before the page
#
# A lean shows in many texts.
# But a portal publishes them one by one, and some need no counting: “men preferred”, 限男性, “a strong man”.
# For these there is a **detector of gendered wording** in both languages: rules, word lists, and the rewriter's eye for pronouns.
# How good is it?
# Its test set is 240 sentences as from advertisements, written for this course and frozen **before** the detector, and labelled by a written guide in two further runs, all by language models.
# The two labellings agree on all 240.
# Do not be impressed: that is an upper bound, and no reader of advertisements was asked (`data/job_ads/CARD.md`).

# %% tags=["nbval-check-output"]
from helix.datasets import job_ads
from helix.generative import gendered_wording
from helix.measure import wilson

ads = job_ads.load()
found = ads["text"].map(gendered_wording.code) != "none"
both = int((found & ads["gendered"]).sum())
print("precision", wilson(both, found.sum()), " recall", wilson(both, ads["gendered"].sum()))

# %% tags=["nbval-check-output"]
for of, one in record["detector"].items():
    if of != "both":
        codes = ", ".join(f"{code} {hit} of {n}" for code, (hit, _, n) in one["by_code"].items())
        print(
            f"{of}: precision {Interval(**one['precision'])}, recall {Interval(**one['recall'])}; found: "
            f"{codes}"
        )

# %% [markdown]
# Precision asks: of what it flags, how much is gendered?
# Recall asks: of what is gendered, how much does it flag?
# Who mixes them up answers the wrong question, as with PPV and TPR in the chapter on audits.
# Some of what it got wrong:

# %% tags=["nbval-check-output"]
wrong = ads[found != ads["gendered"]]
for row in wrong.head(6).itertuples():
    print("missed" if row.gendered else "false alarm", row.code, "|", row.text[:100])

# %% [markdown]
# The **guard** puts the pieces together.
# Pronouns of the wanted person are rewritten, and the text is read again.
# Anything else is held for a human: to leave out “men only” is not a matter of grammar.

# %% tags=["nbval-check-output"]
from helix.generative.job_guard import guard, refusals

for text in (
    "We need a cook. Lunch is free.",
    "We need a cook. She plans her own week, and Paul Brown helps her.",
    "We need a cook. Men preferred. He works with care.",
    "招聘司机，限男性。",
):
    made = guard(text)
    print(f"{made.action:8} {made.text}\n         {made.reason}")

# %% [markdown]
# In the second text “her” stays, though it means the cook: after a name the rewriter is not sure, and leaves it.
# “Nothing found” is no proof.
#
# And over many texts a **gate** decides whether a repaired generator may replace the old one.
# It takes the upper end of each interval, in the worse language, and wants at most a tenth of *either* skew, and no more faults than before:

# %% tags=["nbval-check-output"]
for system in ("cleaned", "augmented", "rewritten"):
    reasons = refusals(record["portal"]["biased"], record["portal"][system])
    print(f"{system:10}", "fix:" if reasons else "ship", *reasons)

# %% [markdown]
# So: **ship** none of the three as they are; **fix** the traits in the same way (a twin for each trait), then measure both axes again; **stop** where nobody can say which other axes the texts lean on.
# In October 2018 Reuters reported that Amazon had ended an experimental model that ranked applications: trained on ten years of mostly men's, it had marked women down ([Reuters, 10 October 2018](https://www.reuters.com/article/us-amazon-com-jobs-automation-insight-idUSKCN1MK08G)).
# Amazon said that recruiters did not rely on it alone.
# An old record, learned well, is the harm itself: that is why the traits count.
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
# Only the difference from there belongs to the word.
#
# </details>
# <details><summary>B. Little, before you ask the same of a neutral word and in other sentences.</summary>
#
# Right.
# The lean of the sentence is not the lean of the word.
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
# The lean of a generator is 0.1 away from the neutral word on average, in absolute value.
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
# A number is not better for being small.
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
# The lab comes next: its link stands on top and at the end of this page.
#
# Primary sources:
#
# - A. Caliskan, J. J. Bryson, A. Narayanan (2017), [doi:10.1126/science.aal4230](https://doi.org/10.1126/science.aal4230)
# - D. Gaucher, J. Friesen, A. C. Kay (2011), [doi:10.1037/a0022530](https://doi.org/10.1037/a0022530)
# - J. Zhao and others (2018), [arXiv:1804.06876](https://arxiv.org/abs/1804.06876); K. Lu and others (2018), [arXiv:1807.11714](https://arxiv.org/abs/1807.11714)
