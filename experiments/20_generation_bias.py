"""Chapter 20: does a text generator write “he” for a software engineer, and which of three repairs mends it at what price?

`train` teaches one architecture three corpora that differ in the sentences about the wanted person alone: `biased`, `cleaned`, `augmented`.
`write` lets each model write job descriptions and counts how they lean, on the pronoun and on the second axis (firm or soft traits);
for the biased model it counts its texts after the rewriter too. `judge` asks a language model that none of them was trained with how much
the English texts surprise it. `llm` asks that language model itself what it expects; `vectors` asks published word vectors.
`detect` holds the detector of gendered wording against labelled advertisements that were frozen before it was written.

A first run showed that the small models do not learn a skew of traits from sentences that do not name the job; since then these
sentences name it. No number of that run is used.

What counts as "holds" was written before the first run.

- `generator_writes_he` holds if with every seed the biased model writes “he” of the software engineer, and 他 of 软件工程师, more often than of
  the neutral word (“person”, 人员), each 95 % interval of the difference above 0; and if SmolLM2 shifts towards “he” after "software
  engineer" against "person" in every template.
- `three_repairs` holds if each of the three does the following in both languages with every seed. **Skew**: no more than a tenth of the
  skew that was put in arrives, by the upper end of the 95 % interval of the slope. **Fluency**: the share of faultless sentences falls by at most
  0.02 against the biased model, and a trained model is surprised by the sentences that
  the corpora have in common at most 5 % more. **The other axis**: the slope of the
  traits rises by at most 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from helix import measure, paths
from helix.assets import models
from helix.datasets import job_ads
from helix.engineering import language
from helix.generative import char_model, gendered_wording, job_corpus
from helix.generative import generation_bias as bias
from helix.generative import job_sentences as written
from helix.generative.rewriter import rewrite
from helix.record.experiment import Experiment

experiment = Experiment(__file__)

SEEDS = range(3)
EACH = 120  # descriptions of an occupation in a language; the augmented corpus has twice as many
CHARACTERS = 1_000_000  # that every model reads, whatever its corpus
WRITTEN = 96  # descriptions of a word in a language, the same number after each opening
ASKED_AGAIN = 36  # the same for `faithful`
AXES = ("pronoun", "trait")
WORDS = (*job_corpus.OCCUPATIONS, job_corpus.NEUTRAL)
LIMIT, FAULTS = 0.1, 0.02
REPAIRS = ("cleaned", "augmented", "rewritten")
JUDGED = 6  # English descriptions of each word, one after each opening, for the judge


def _file(variant: str, seed: int) -> Path:
    """Return where a model is kept: those of seed 0 in the repository, the others beside the runs."""
    if seed == 0:
        return paths.root() / char_model.FOLDER / f"{variant}.safetensors"
    return paths.work() / "experiments" / "20_generation_bias" / f"{variant}_{seed}.safetensors"


def _prompts(word: job_corpus.Occupation, of: job_corpus.Language, n: int) -> list[str]:
    """Return n prompts, each opening equally often."""
    openers = [job_corpus.about(word, of, one) for one in written.OPENERS[of]]
    return [openers[i % len(openers)] for i in range(n)]


@experiment.runs(in_slice=False, variant=job_corpus.VARIANTS, seed=SEEDS)
def train(variant: Any, seed: int) -> Mapping[str, Any]:
    """Train a model on a corpus; what is kept of it, weights in float16, is the model from then on."""
    torch.set_num_threads(1)
    texts = [one.text for one in job_corpus.make(variant, EACH, seed)]
    model = char_model.build(seed)
    losses = char_model.train(model, texts, CHARACTERS, seed)
    char_model.save(model, _file(variant, seed))
    return {"loss": float(np.mean(losses[-50:])), "steps": len(losses), "characters": sum(map(len, texts))}


def _read(texts: dict[str, list[str]], of: job_corpus.Language) -> dict[str, Any]:
    """Count leans and faultless sentences."""
    found: dict[str, Any] = {}
    for axis in AXES:
        leans = {word: bias.lean(some, of, axis) for word, some in texts.items()}  # type: ignore[arg-type]
        found[axis] = {word: [one.first, one.second, one.n] for word, one in leans.items()}
    found["well_formed"] = list(bias.well_formed([text for some in texts.values() for text in some], of))
    return found


@experiment.runs(in_slice=False, variant=job_corpus.VARIANTS, seed=SEEDS)
def write(variant: Any, seed: int) -> Mapping[str, Any]:
    """Let a model write, and count; those of the biased model also as the rewriter leaves them."""
    torch.set_num_threads(1)
    model = char_model.from_file(_file(variant, seed))
    unseen = job_corpus.make(variant, 6, 1000 + seed)
    found: dict[str, Any] = {"surprise": bias.common_surprise(model, unseen)}
    for of in job_corpus.LANGUAGES:
        texts = {
            word.en: char_model.sample(model, _prompts(word, of, WRITTEN), 100 * seed + i)
            for i, word in enumerate(WORDS)
        }
        found[of] = _read(texts, of)
        if variant == "biased":
            found[f"{of} rewritten"] = _read(
                {word: [rewrite(text) for text in some] for word, some in texts.items()}, of
            )
    return found


@experiment.runs(in_slice=False, variant=job_corpus.VARIANTS, seed=SEEDS)
def faithful(variant: Any, seed: int) -> Mapping[str, Any]:
    """Let a model write again, and take a trait only from a sentence that names the job that was asked for.

    A reader of the first record saw that some models change the job halfway, which `write` cannot see.
    """
    torch.set_num_threads(1)
    model = char_model.from_file(_file(variant, seed))
    found: dict[str, Any] = {}
    for of in job_corpus.LANGUAGES:
        kept, named, traits = {}, 0, 0
        for i, word in enumerate(job_corpus.OCCUPATIONS):
            texts = char_model.sample(model, _prompts(word, of, ASKED_AGAIN), 5000 + 100 * seed + i)
            sentences = [bias.trait_sentence(text, of) for text in texts]
            own = [one for one in sentences if one and word.name(of) in one]
            traits += sum(one is not None for one in sentences)
            named += len(own)
            sides = [bias.trait(one, of) for one in own]
            kept[word.en] = [sides.count("firm"), sides.count("soft"), len(texts)]
        found[of] = {"trait": kept, "named": [named, traits]}
    return found


@experiment.runs(in_slice=False, system=(*job_corpus.VARIANTS, "rewritten", "corpus"))
def judge(system: str) -> Mapping[str, Any]:
    """Ask SmolLM2 how much English descriptions surprise it, in nats a character; seed 0."""
    torch.set_num_threads(1)
    model, tokenizer = models.smollm2()
    if system == "corpus":
        texts = [one.text for one in job_corpus.make("biased", JUDGED, 2000, ["en"])]
    else:
        writer = char_model.from_file(_file("biased" if system == "rewritten" else system, 0))
        texts = [
            text
            for i, word in enumerate(WORDS)
            for text in char_model.sample(writer, _prompts(word, "en", JUDGED), 7000 + i)
        ]
        texts = [rewrite(text) for text in texts] if system == "rewritten" else texts
    found = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[0]
        found.append(float(language.token_losses(model, ids).sum()) / len(text))
    return {"nats": [round(one, 6) for one in found]}


@experiment.runs(in_slice=False)
def llm() -> Mapping[str, Any]:
    """Ask SmolLM2 for pronouns and traits after forty occupations and the software engineer, in five templates each."""
    torch.set_num_threads(1)
    model, tokenizer = models.smollm2()
    words = [*bias.WOMEN_SHARE, "software engineer"]
    return {
        "pronoun": (-language.pronoun_gaps(model, tokenizer, words)).round(6).tolist(),  # above 0: towards “he”
        "trait": bias.trait_gaps(model, tokenizer, words).round(6).tolist(),
    }


@experiment.runs(rtol=1e-3)
def vectors() -> Mapping[str, Any]:
    """Test the associations of GloVe's vectors, and how occupations lie between “she” and “he”."""
    glove = models.glove()
    found: dict[str, Any] = {}
    for name, sets in bias.WEAT_SETS.items():
        x, y, a, b = (glove.of(words.split()) for words in sets)
        result = bias.weat(x, y, a, b)
        found[name] = {"effect": result.effect, "p": result.p, "exact": result.exact}
    single = [word for word in bias.WOMEN_SHARE if " " not in word]
    rows = glove.of([word.lower() for word in single]).astype(float)
    axis = np.subtract(*glove.of(["he", "she"]).astype(float))
    cosine = rows @ axis / np.linalg.norm(rows, axis=1) / np.linalg.norm(axis)
    return {"weat": found, "words": single, "cosine": cosine.round(6).tolist()}


@experiment.runs(of=job_corpus.LANGUAGES)
def detect(of: Any) -> Mapping[str, Any]:
    """Hold the detector against the labelled advertisements. All of them are a test set: nothing was tuned on them."""
    items = job_ads.load(of)
    return {
        "id": items["id"].tolist(),
        "label": items["code"].tolist(),
        "found": [gendered_wording.code(text) for text in items["text"]],
    }


def _detector(table: pd.DataFrame) -> dict[str, Any]:
    """Return precision and recall of the detector, of both languages and of each, and what of each code it finds."""
    parts = [pd.DataFrame({key: run[key] for key in ("id", "label", "found")}) for run in table.to_dict("records")]
    by = dict(zip(table["of"], parts, strict=True))
    figures: dict[str, Any] = {}
    for part, some in {"both": pd.concat(parts), **by}.items():
        label, found = some["label"] != "none", some["found"] != "none"
        both = int((label & found).sum())
        figures[str(part)] = {
            "precision": _interval(measure.wilson(both, int(found.sum()))),
            "recall": _interval(measure.wilson(both, int(label.sum()))),
            "counts": [both, int((found & ~label).sum()), int((label & ~found).sum()), int((~label & ~found).sum())],
            # found at all, found with the right code, how many there are
            "by_code": {
                str(code): [int((one["found"] != "none").sum()), int((one["found"] == code).sum()), len(one)]
                for code, one in some[label].groupby("label")
            },
            "missed": some[label & ~found]["id"].tolist(),
            "false_alarms": some[~label & found]["id"].tolist(),
        }
    return figures


def _known(seed: int, of: job_corpus.Language, axis: Any) -> dict[str, float]:
    """Return the lean that the biased corpus has for each occupation."""
    texts: dict[str, list[str]] = {}
    for one in job_corpus.make("biased", EACH, seed, [of], job_corpus.OCCUPATIONS):
        texts.setdefault(one.occupation.en, []).append(one.text)
    return {word: bias.lean(some, of, axis).value for word, some in texts.items()}


def _pooled(many: list[dict[str, bias.Lean]]) -> dict[str, bias.Lean]:
    """Add the counts of several seeds."""
    return {
        word: bias.Lean(*(sum(getattr(one[word], part) for one in many) for part in ("first", "second", "n")))
        for word in many[0]
    }


def _interval(one: measure.Interval) -> dict[str, float]:
    return {"value": one.value, "low": one.low, "high": one.high}


def _slope(seeds: Sequence[int], of: job_corpus.Language, axis: str, found: dict[str, bias.Lean]) -> measure.Interval:
    known = pd.DataFrame([_known(seed, of, axis) for seed in seeds]).mean()
    return bias.slope(known.to_numpy(), [found[word].value for word in known.index])


def _systems(table: pd.DataFrame) -> dict[str, dict[str, dict[int, Any]]]:
    """Return, for each system and language, the run of each seed and the key of its counts."""
    found: dict[str, dict[str, dict[int, Any]]] = {}
    for run in table.to_dict("records"):
        for system in (run["variant"], *(["rewritten"] if run["variant"] == "biased" else [])):
            for of in job_corpus.LANGUAGES:
                read = run[f"{of} rewritten" if system == "rewritten" else of]
                leans = {axis: {word: bias.Lean(*three) for word, three in read[axis].items()} for axis in AXES}
                found.setdefault(system, {}).setdefault(of, {})[run["seed"]] = {
                    **leans,
                    "well_formed": read["well_formed"],
                    "surprise": run["surprise"],
                }
    return found


def _three_repairs(systems: dict[str, dict[str, dict[int, Any]]]) -> dict[str, list[str]]:
    """Return for each repair what it misses of the criteria."""
    missed: dict[str, list[str]] = {}
    for system in REPAIRS:
        missed[system] = []
        for of in job_corpus.LANGUAGES:
            for seed in SEEDS:
                before, after = systems["biased"][of][seed], systems[system][of][seed]
                where = f"{of}, seed {seed}"
                skew = _slope([seed], of, "pronoun", after["pronoun"])
                if skew.high > LIMIT:
                    missed[system].append(f"skew {skew.value:.2f} (up to {skew.high:.2f}) in {where}")
                fell = np.divide(*before["well_formed"]) - np.divide(*after["well_formed"])
                if fell > FAULTS:
                    missed[system].append(f"{fell:.3f} fewer faultless sentences in {where}")
                if system != "rewritten" and of == "en" and after["surprise"] > 1.05 * before["surprise"]:
                    missed[system].append(
                        f"surprise {after['surprise'] / before['surprise'] - 1:+.0%} with seed {seed}"
                    )
                traits = [_slope([seed], of, "trait", one["trait"]).value for one in (before, after)]
                if traits[1] - traits[0] > LIMIT:
                    missed[system].append(f"trait slope {traits[1] - traits[0]:+.2f} in {where}")
    return missed


@experiment.conclude
def conclude(runs: dict[str, pd.DataFrame]) -> Mapping[str, Any]:
    """Pool the seeds, hold each against the criteria, and put the claims down."""
    systems = _systems(runs["write"])
    figures: dict[str, Any] = {"systems": {}, "points": {}, "portal": {}}
    for system, by in systems.items():
        figures["systems"][system] = {}
        for of, seeds in by.items():
            pooled = {axis: _pooled([one[axis] for one in seeds.values()]) for axis in AXES}
            slopes = {axis: _slope(list(SEEDS), of, axis, pooled[axis]) for axis in AXES}  # type: ignore[arg-type]
            good, all_of = np.sum([one["well_formed"] for one in seeds.values()], axis=0)
            lean = [one.first + one.second for one in pooled["pronoun"].values()]
            figures["systems"][system][of] = {
                **{axis: _interval(slopes[axis]) for axis in AXES},
                "faultless": _interval(measure.wilson(int(good), int(all_of))),
                "with_pronoun": sum(lean) / sum(one.n for one in pooled["pronoun"].values()),
                "surprise": float(np.mean([one["surprise"] for one in seeds.values()])),
            }
            for axis in AXES:
                known = pd.DataFrame([_known(seed, of, axis) for seed in SEEDS]).mean()  # type: ignore[arg-type]
                figures["points"].setdefault(of, {}).setdefault(axis, {}).setdefault("known", known.round(4).to_dict())
                figures["points"][of][axis][system] = {word: round(one.value, 4) for word, one in pooled[axis].items()}
        worst = figures["systems"][system]
        figures["portal"][system] = {
            "pronoun_skew": max(worst[of]["pronoun"]["high"] for of in job_corpus.LANGUAGES),
            "trait_skew": max(worst[of]["trait"]["high"] for of in job_corpus.LANGUAGES),
            "faultless": min(worst[of]["faultless"]["value"] for of in job_corpus.LANGUAGES),
        }
    figures["faithful"] = {}
    for variant, rows in runs["faithful"].groupby("variant"):
        figures["faithful"][variant] = {}
        for of in job_corpus.LANGUAGES:
            again = list(rows[of])
            named, traits_all = np.sum([one["named"] for one in again], axis=0)
            own = _pooled([{word: bias.Lean(*three) for word, three in one["trait"].items()} for one in again])
            figures["faithful"][variant][of] = {
                "named": _interval(measure.wilson(int(named), int(traits_all))),
                "trait": _interval(_slope(list(SEEDS), of, "trait", own)),
            }
    engineer = {
        of: {seed: one["pronoun"]["software engineer"].beyond(one["pronoun"]["person"]) for seed, one in seeds.items()}
        for of, seeds in systems["biased"].items()
    }
    figures["engineer"] = {of: {str(seed): _interval(one) for seed, one in by.items()} for of, by in engineer.items()}
    for of in job_corpus.LANGUAGES:
        together = _pooled([one["pronoun"] for one in systems["biased"][of].values()])
        share = together["software engineer"].share
        assert share is not None, "the biased model writes pronouns"
        figures["engineer"][of]["share"] = _interval(share)
        figures["engineer"][of]["pooled"] = _interval(together["software engineer"].beyond(together["person"]))
    figures["judge"] = {
        run["system"]: _interval(measure.bootstrap(run["nats"])) for run in runs["judge"].to_dict("records")
    }
    asked = runs["llm"].to_dict("records")[0]
    women = np.array(list(bias.WOMEN_SHARE.values()))
    figures["llm"] = {"words": [*bias.WOMEN_SHARE, "software engineer"], "women": women.tolist()}
    for axis in AXES:
        gaps = np.array(asked[axis])
        means = gaps[: len(women)].mean(axis=1)
        figures["llm"][axis] = gaps.round(4).tolist()
        figures["llm"][f"{axis}_correlation"] = _interval(bias.rank_correlation(women, means))
        figures["llm"][f"{axis}_agree"] = int((np.abs(np.sign(gaps[: len(women)]).sum(axis=1)) == gaps.shape[1]).sum())
    vectors_found = runs["vectors"].to_dict("records")[0]
    shares = [bias.WOMEN_SHARE[word] for word in vectors_found["words"]]
    figures["vectors"] = {
        **vectors_found,
        "correlation": _interval(bias.rank_correlation(shares, vectors_found["cosine"])),
    }
    figures["detector"] = _detector(runs["detect"])
    engineer_llm = np.array(asked["pronoun"])[-1]
    by_seed = [one for by in engineer.values() for one in by.values()]
    made = figures["engineer"]
    experiment.claim(
        "generator_writes_he",
        measured=f"Of the software engineer the generator that was made biased on purpose says “he” in {made['en']['share']['value']:.0%} of the texts with a pronoun, "
        f"他 of 软件工程师 in {made['zh']['share']['value']:.0%}: {100 * made['en']['pooled']['value']:+.0f} and {100 * made['zh']['pooled']['value']:+.0f} points against the neutral word, above 0 by its interval in "
        f"{sum(one.low > 0 for one in by_seed)} of {len(by_seed)} trainings and languages. SmolLM2 shifts towards “he” after “software engineer” in {int((engineer_llm > 0).sum())} of {len(engineer_llm)} templates "
        f"({engineer_llm.mean():+.2f} nats on average); over 40 occupations its shift falls with the share of women (Spearman {figures['llm']['pronoun_correlation']['value']:+.2f}).",
        verdict="holds" if all(one.low > 0 for one in by_seed) and bool((engineer_llm > 0).all()) else "does not hold",
        conditions="a GPT-2 of 0.85 million parameters, invented corpus with 95 % “he” for this word, three seeds; SmolLM2-135M-Instruct (English), five templates, against “person”",
    )
    missed = _three_repairs(systems)
    figures["missed"] = missed
    all_slopes = {system: figures["systems"][system] for system in ("biased", *REPAIRS)}
    told = [
        f"{system} {one['en']['pronoun']['value']:.2f} in English, {one['zh']['pronoun']['value']:.2f} in Chinese"
        for system, one in all_slopes.items()
    ]
    traits = [
        f"{system} {one['en']['trait']['value']:.2f} and {one['zh']['trait']['value']:.2f}"
        for system, one in all_slopes.items()
    ]
    kept = [system for system in REPAIRS if not missed[system]]
    experiment.claim(
        "three_repairs",
        measured=f"Share of the pronoun skew that arrives: {'; '.join(told)}. All criteria (skew, fluency, second axis; each seed and language) are kept by "
        f"{' and '.join(kept) or 'none'}. Of the skew of the traits, for which none of them is made, arrive: {'; '.join(traits)}.",
        verdict="holds" if len(kept) == len(REPAIRS) else "does not hold",
        conditions=f"three seeds, {WRITTEN} texts for each of 26 occupations and language; each repair has to keep the three criteria in every one",
    )
    return figures


if __name__ == "__main__":
    experiment.main()
