"""How much a text generator leans towards one gender, how that lean compares with a reference, and what word vectors associate.

Each measure has a name of its own, and none says anything about people. The **shift** of a word is what a language model expects after it, in
log-odds and less the same after a neutral word (`pronoun_gaps` in `helix.engineering.language`, `trait_gaps`; `pronoun_shares` counts “they” too).
The **lean** of texts is the share that goes one way less the share that goes the other way (`lean`), their **excess** the share of “he” less that of a
neutral word (`Lean.beyond`), and the **slope** how much of a lean that was put in arrives (`slope`). `weat` compares directions of word vectors.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

from helix import measure
from helix.engineering.language import NEUTRAL, TEMPLATES
from helix.generative import job_sentences as written
from helix.generative.char_model import surprise
from helix.generative.job_corpus import NEUTRAL as NEUTRAL_JOB
from helix.generative.job_corpus import OCCUPATIONS, Description, Language, about, gendered
from helix.generative.word_sets import FIRM, SOFT, TRAIT_TEMPLATES
from helix.generative.word_sets import WEAT_SETS as WEAT_SETS  # chapter and experiment read them here
from helix.generative.word_sets import WOMEN_SHARE as WOMEN_SHARE

_PRONOUN = {
    "en": {"he": re.compile(r"\b(?:he|him|his|himself)\b", re.I), "she": re.compile(r"\b(?:she|her|hers|herself)\b", re.I)},
    "zh": {"he": re.compile("他"), "she": re.compile("她")},
}  # fmt: skip
_SENTENCE = {"en": re.compile(r"(?<=[.!?])\s+"), "zh": re.compile(r"(?<=[。！？])")}
_NAMES = {language: tuple(itertools.chain(*by.values())) for language, by in written.NAMES.items()}


def pronoun(text: str, language: Language) -> str | None:
    """Return "he" or "she", whichever a generated job description calls the wanted person first; None if it calls it neither.

    It reads sentence by sentence, up to the first that has one of the corpus's names or a quotation: from there on the text is about
    somebody else. It knows the corpus, not the world, and it shares no code with the rewriter that it has to judge.
    """
    for sentence in _SENTENCE[language].split(text):
        if "“" in sentence or any(name in sentence for name in _NAMES[language]):
            return None
        places = {
            gender: found.start()
            for gender, pattern in _PRONOUN[language].items()
            if (found := pattern.search(sentence))
        }
        if places:
            return min(places, key=places.__getitem__)
    return None


def trait(text: str, language: Language) -> str | None:
    """Return "firm" or "soft", the kind of trait that a generated job description asks for first; None if it asks for none."""
    places = {
        side: [text.find(word) for word in words if word in text] for side, words in written.TRAITS[language].items()
    }
    found = {side: min(at) for side, at in places.items() if at}
    return min(found, key=found.__getitem__) if found else None


def trait_sentence(text: str, language: Language) -> str | None:
    """Return the first sentence of a generated job description that asks for a trait, None if none does."""
    return next((one for one in _SENTENCE[language].split(text) if trait(one, language)), None)


@dataclass(frozen=True)
class Lean:
    """How texts about one word lean on one axis.

    Attributes
    ----------
    first, second, n : int
        Texts that lean one way (“he”, “firm”), the other way (“she”, “soft”), and all texts; the rest of them lean neither way.
    """

    first: int
    second: int
    n: int

    @property
    def value(self) -> float:
        """Return the share that leans the first way less the share that leans the second way, within [−1, 1]."""
        return (self.first - self.second) / self.n

    @property
    def share(self) -> measure.Interval | None:
        """Return the share of the first among those that lean, with Wilson's interval; None if none leans."""
        return measure.wilson(self.first, self.first + self.second) if self.first + self.second else None

    def beyond(self, neutral: Lean) -> measure.Interval:
        """Return the share of the first less that of a neutral word, with Newcombe's interval.

        Raises
        ------
        ValueError
            If no text of one of the two leans.
        """
        return measure.difference_of_proportions(
            self.first, self.first + self.second, neutral.first, neutral.first + neutral.second
        )


def lean(texts: Sequence[str], language: Language, axis: Literal["pronoun", "trait"] = "pronoun") -> Lean:
    """Count how generated job descriptions about one word lean.

    Raises
    ------
    TypeError
        If one text is given in the place of several.
    ValueError
        If there are no texts.
    """
    if isinstance(texts, str):
        raise TypeError("This is one text. A lean is counted over many: give a list of texts.")
    if not texts:
        raise ValueError("There are no texts to read.")
    read, (first, second) = (pronoun, ("he", "she")) if axis == "pronoun" else (trait, ("firm", "soft"))
    found = [read(text, language) for text in texts]
    return Lean(found.count(first), found.count(second), len(found))


@cache
def _sentences(language: Language) -> frozenset[str]:
    """Return every sentence that the corpora can hold, and those about the wanted person as the rewriter should put them."""
    jobs = (*OCCUPATIONS, NEUTRAL_JOB)
    found = {about(job, language, one) for one, job in itertools.product(written.OPENERS[language], jobs)}
    for template, neutral in written.WANTED[language]:
        found |= {gendered(template, language, gender) for gender in ("he", "she")} | ({neutral} if neutral else set())
    found |= set(written.NEUTRAL_SENTENCES[language]) | set(written.THEY[language])
    traits = itertools.chain(*written.TRAITS[language].values())
    found |= {
        about(job, language, one, trait=trait)
        for one, trait, job in itertools.product(written.TRAIT_SENTENCES[language], traits, jobs)
    }
    for gender, names in written.NAMES[language].items():
        for template, name in itertools.product(written.OTHERS[language], names):
            found |= set(_SENTENCE[language].split(gendered(template, language, gender, name)))  # type: ignore[arg-type]
    return frozenset(found)


def well_formed(texts: Sequence[str], language: Language) -> tuple[int, int]:
    """Count the sentences of generated job descriptions that are spelt as in the corpora, or as a faultless rewriter would put them.

    Returns
    -------
    tuple of int
        How many, and of how many. A sentence that the text breaks off is not among the first.
    """
    parts = [one for text in texts for one in _SENTENCE[language].split(text) if one.strip()]
    return sum(one in _sentences(language) for one in parts), len(parts)


def common_surprise(model: Any, descriptions: Sequence[Description]) -> float:
    """Return the mean surprise of a model by what all three corpora have in common, in nats a character.

    These are the openings, the traits and the neutral sentences. Each stands where the model's own corpus has it, so that
    three models can be compared: only give each descriptions of its own variant, made with the same unseen seed.
    """
    found = []
    for one in descriptions:
        nats, at = surprise(model, one.text), 0
        for sentence in one.sentences:
            start = one.text.index(sentence.text, at)
            at = start + len(sentence.text)
            if sentence.kind in ("opener", "trait", "neutral"):
                found.append(nats[start:at])
    return float(np.concatenate(found).mean())


def slope(known: ArrayLike, found: ArrayLike, seed: int = 0) -> measure.Interval:
    """Return how much of a known skew arrives: the slope of least squares, with a bootstrap interval over the words.

    1 means that what was put in comes out; 0 that nothing of it does, whatever the general level; more than 1 that it is amplified. Unlike
    a mean of absolute differences it does not grow with the noise of small samples.

    Parameters
    ----------
    known, found : array, shape (words,)
        The lean that was put in, and the one that was measured.
    seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        If the two differ in length, fewer than three words are given, a value is NaN, or all known values are the same.
    """
    pairs = np.column_stack([np.asarray(known, float), np.asarray(found, float)])
    if len(pairs) < 3 or np.ptp(pairs[:, 0]) == 0:
        raise ValueError("A slope needs at least three words whose known leans are not all the same.")

    def fit(rows: NDArray[np.float64]) -> float:
        x = rows[:, 0] - rows[:, 0].mean()
        return float(x @ rows[:, 1] / (x @ x)) if x @ x > 0 else 0.0

    return measure.bootstrap(pairs, fit, seed=seed)


def furthest(slope: measure.Interval) -> float:
    """Return the end of a slope's interval that lies further from 0, unsigned: the most of a skew, either way round, that may arrive."""
    return max(abs(slope.low), abs(slope.high))


def rank_correlation(x: ArrayLike, y: ArrayLike, seed: int = 0) -> measure.Interval:
    """Return Spearman's rank correlation with a bootstrap interval over the pairs."""
    pairs = np.column_stack([np.asarray(x, float), np.asarray(y, float)])
    return measure.bootstrap(pairs, lambda rows: float(spearmanr(rows[:, 0], rows[:, 1])[0]), seed=seed)


def pronoun_shares(
    model: Any, tokenizer: Any, words: Sequence[str], templates: Sequence[str] = TEMPLATES
) -> NDArray[np.float64]:
    """Return how probable a language model finds “he”, “she” and “they” as the next token after each word.

    Parameters
    ----------
    model, tokenizer
        From `helix.assets.models.smollm2`.
    words, templates : sequences of str

    Returns
    -------
    ndarray, shape (len(words), len(templates), 3)
        Probabilities among all tokens, so they do not add to 1. “They” may be several people, which a probability cannot tell.
    """
    asked = [tokenizer(f" {one}", add_special_tokens=False).input_ids[0] for one in ("he", "she", "they")]

    def after(sentence: str) -> list[float]:
        ids = tokenizer(sentence, add_special_tokens=False, return_tensors="pt").input_ids
        with torch.no_grad():
            said = model(ids).logits[0, -1].float().softmax(-1)
        return [float(said[token]) for token in asked]

    return np.array([[after(template.format(word)) for template in templates] for word in words])


def trait_gaps(
    model: Any,
    tokenizer: Any,
    words: Sequence[str],
    templates: Sequence[str] = TRAIT_TEMPLATES,
    firm: Sequence[str] = FIRM,
    soft: Sequence[str] = SOFT,
) -> NDArray[np.float64]:
    """Return how much more a language model expects firm than soft traits after each word, against the neutral word “person”.

    It is the mean log p of the firm traits less that of the soft ones, minus the same difference for “person”.

    Parameters
    ----------
    model, tokenizer
        From `helix.assets.models.smollm2`.
    words, templates : sequences of str
    firm, soft : sequences of str
        What may follow a template; all tokens of a trait count.

    Returns
    -------
    ndarray, shape (len(words), len(templates))
        In nats.
    """
    traits = [tokenizer(f" {one}", add_special_tokens=False).input_ids for one in (*firm, *soft)]
    longest = max(map(len, traits))

    def difference(sentence: str) -> float:
        ids = tokenizer(sentence, add_special_tokens=False).input_ids
        # What is filled up stands to the right, where a causal model cannot see it.
        rows = torch.tensor([ids + one + [0] * (longest - len(one)) for one in traits])
        with torch.no_grad():
            said = model(rows).logits[:, len(ids) - 1 : -1].float().log_softmax(-1)
        at = [sum(float(said[i, j, token]) for j, token in enumerate(one)) for i, one in enumerate(traits)]
        return float(np.mean(at[: len(firm)]) - np.mean(at[len(firm) :]))

    def article(template: str, word: str) -> str:
        return template.replace(" a {}", " an {}" if word[0].lower() in "aeiou" else " a {}").format(word)

    zero = [difference(article(template, NEUTRAL)) for template in templates]
    return np.array(
        [[difference(article(t, word)) - z for t, z in zip(templates, zero, strict=True)] for word in words]
    )


@dataclass(frozen=True)
class Weat:
    """The result of `weat`.

    Attributes
    ----------
    effect : float
        Cohen's d of the two target sets' associations, within [−2, 2]; 0 if all targets are associated alike.
    p : float
        How often a random division of the targets is associated at least as strongly (one-sided).
    exact : bool
        Whether all divisions were tried.
    """

    effect: float
    p: float
    exact: bool


def weat(x: ArrayLike, y: ArrayLike, a: ArrayLike, b: ArrayLike, draws: int = 20_000, seed: int = 0) -> Weat:
    """Test whether targets x lie nearer to attributes a than to b, compared with targets y (word-embedding association test).

    Parameters
    ----------
    x, y : array, shape (n, d)
        Vectors of two equally large sets of target words.
    a, b : array, shape (m, d) and (k, d)
        Vectors of two sets of attribute words.
    draws, seed
        Of random divisions, where all would be more than that.

    Raises
    ------
    ValueError
        If x and y are not equally large with at least two words, a or b is empty, or a vector is zero or not finite.

    References
    ----------
    A. Caliskan, J. J. Bryson and A. Narayanan (2017), Semantics derived automatically from language corpora contain
    human-like biases, doi:10.1126/science.aal4230. What speaks against the measure: K. Ethayarajh et al. (2019), arXiv:1908.06361;
    S. Goldfarb-Tarrant et al. (2021), arXiv:2012.15859.
    """
    sets = [np.atleast_2d(np.asarray(one, np.float64)) for one in (x, y, a, b)]
    if len(sets[0]) != len(sets[1]) or len(sets[0]) < 2 or not len(sets[2]) or not len(sets[3]):
        raise ValueError(
            "The two target sets need equally many words, at least two; the attribute sets at least one each."
        )
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in sets]
    if not all(np.isfinite(one).all() and (one > 0).all() for one in lengths):
        raise ValueError("A word vector is zero or not finite, and has no direction.")
    x1, y1, a1, b1 = (one / length for one, length in zip(sets, lengths, strict=True))
    both = np.concatenate([x1, y1])
    s = (both @ a1.T).mean(axis=1) - (both @ b1.T).mean(axis=1)
    n, total = len(x1), s.sum()
    found = s[:n].sum()
    every = list(itertools.combinations(range(2 * n), n)) if n <= 8 else None
    rng = np.random.default_rng(seed)
    rows = np.array(every) if every else np.array([rng.permutation(2 * n)[:n] for _ in range(draws)])
    # x's sum minus y's is twice x's sum less the total, so x's sum alone decides the order.
    at_least = int((s[rows].sum(axis=1) >= found - 1e-12).sum())
    p = at_least / len(rows) if every else (at_least + 1) / (draws + 1)
    spread = s.std(ddof=1)
    alike = spread < 1e-12  # of cosines: what is left is rounding
    return Weat(0.0 if alike else float((found / n - (total - found) / n) / spread), p, every is not None)
