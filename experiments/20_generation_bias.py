"""Chapter 20: does a text generator write “he” for a software engineer, and which of three repairs mends it at what price?

`train` teaches one architecture three corpora that differ in the sentences about the wanted person alone: `biased`, `cleaned`, `augmented`.
`write` lets each model write job descriptions and counts how they lean, on the pronoun and on the second axis (firm or soft traits);
for the biased model it counts its texts after the rewriter too. `judge` asks a language model that none of them was trained with how much
the English texts surprise it. `llm` asks that language model itself what it expects; `vectors` asks published word vectors.
`they` asks it for a third pronoun. `detect` holds the detector of gendered wording against labelled advertisements that were frozen before it was written.

A first run showed that the small models do not learn a skew of traits from sentences that do not name the job; since then these
sentences name it. No number of that run is used.

The criteria for a repair were written before the first run:

- **Skew**: no more than a tenth of the skew that was put in may arrive, by the end of the 95 % interval of the slope that lies further from 0.
- **Fluency**: the share of faultless sentences falls by at most 0.02 against the biased model, and a trained model is surprised by the sentences
  that the corpora have in common at most 5 % more.
- **The other axis**: the slope of the traits rises by at most 0.1.

The verdicts were read anew after the first record, because they had said more than was measured.

- `generator_writes_he` speaks of 他. No language model of Chinese was asked, so it is not tested; that the model made biased on purpose says what it was
  taught is no test of it. What SmolLM2, an English model, expects is told beside it.
- `three_repairs` holds if each of the three keeps every criterion in both languages with every seed; it holds for the pronoun alone if each keeps the first
  one in both languages with every seed.

The rewriter was mended after `write` had been run. `rewrite_again` lets the model of seed 0 write the same texts and puts them through the rewriter as it is
now; the models of the other seeds were not kept. `edit` and `touch` hold it against sentences that it had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import t

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
LIMIT, FAULTS, SKEW = 0.1, 0.02, "pronoun slope"
REPAIRS = ("cleaned", "augmented", "rewritten")
NEUTRALS = ("person", "applicant")
USUAL = (0.05, 0.1)  # of advertisements are gendered, say: a realistic share is lower than that of a test set
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


@experiment.runs(in_slice=False)
def they() -> Mapping[str, Any]:
    """Ask SmolLM2 how probable “he”, “she” and “they” are after each word, and after two neutral ones."""
    torch.set_num_threads(1)
    model, tokenizer = models.smollm2()
    words = [*bias.WOMEN_SHARE, "software engineer", *NEUTRALS]
    return {"words": words, "shares": bias.pronoun_shares(model, tokenizer, words).round(6).tolist()}


@experiment.runs(in_slice=False, seed=[0])
def rewrite_again(seed: int) -> Mapping[str, Any]:
    """Let the biased model write the texts of `write` again, and count them before and after the rewriter as it is now."""
    torch.set_num_threads(1)
    model = char_model.from_file(_file("biased", seed))
    found: dict[str, Any] = {}
    for of in job_corpus.LANGUAGES:
        texts = {
            word.en: char_model.sample(model, _prompts(word, of, WRITTEN), 100 * seed + i)
            for i, word in enumerate(WORDS)
        }
        found[of] = _read(texts, of)
        found[f"{of} rewritten"] = _read({word: [rewrite(text) for text in some] for word, some in texts.items()}, of)
    return found


@experiment.runs(of=job_corpus.LANGUAGES)
def edit(of: Any) -> Mapping[str, Any]:
    """Hold the rewriter against sentences that were frozen before it was mended."""
    items = job_ads.rewriting()
    items = items[items["language"] == of]
    return {
        "id": items["id"].tolist(),
        "kind": items["kind"].tolist(),
        "outcome": [job_ads.outcome(one.text, one.right, rewrite(one.text)) for one in items.itertuples()],
    }


@experiment.runs(of=job_corpus.LANGUAGES)
def touch(of: Any) -> Mapping[str, Any]:
    """Say which of the labelled advertisements, whose author is another one, the rewriter changes."""
    items = job_ads.load(of)
    return {"label": items["code"].tolist(), "changed": [rewrite(text) != text for text in items["text"]]}


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
        pairs = np.column_stack([label, found]).astype(float)
        figures[str(part)]["precision_at"] = {
            f"{share:g}": _interval(measure.bootstrap(pairs, partial(_precision_at, share=share), seed=0))
            for share in USUAL
        }
    return figures


def _precision_at(pairs: np.ndarray, share: float) -> float:
    """Return the precision if this share of texts is gendered, from who is gendered and who is flagged, one row an item."""
    gendered, flagged = pairs[:, 0] == 1, pairs[:, 1] == 1
    hits, alarms = share * flagged[gendered].mean(), (1 - share) * flagged[~gendered].mean()
    return float(hits / (hits + alarms))


def _rewriter(edited: pd.DataFrame, touched: pd.DataFrame) -> dict[str, Any]:
    """Return how the rewriter did on sentences that it had not seen, and what of another author's it changes."""
    figures: dict[str, Any] = {}
    parts = {
        of: pd.DataFrame({"kind": kind, "outcome": out})
        for of, kind, out in zip(edited["of"], edited["kind"], edited["outcome"], strict=True)
    }
    labelled = {
        of: pd.DataFrame({"label": label, "changed": on})
        for of, label, on in zip(touched["of"], touched["label"], touched["changed"], strict=True)
    }
    for part in ("both", *parts):
        some = pd.concat(parts.values()) if part == "both" else parts[part]
        ads = pd.concat(labelled.values()) if part == "both" else labelled[part]
        counts = some["outcome"].value_counts()
        figures[part] = {
            **{one: int(counts.get(one, 0)) for one in ("right", "left", "wrong")},
            "wrong_share": _interval(measure.wilson(int(counts.get("wrong", 0)), len(some))),
            "by_kind": {
                str(kind): {out: int((one == out).sum()) for out in ("right", "left", "wrong")}
                for kind, one in some.groupby("kind")["outcome"]
            },
            # of another author's sentences: changed, and of how many
            "ads": {
                code: [int(ads.loc[ads["label"] == code, "changed"].sum()), int((ads["label"] == code).sum())]
                for code in ("none", "pronoun")
            },
        }  # fmt: skip
        changed, of_all = figures[part]["ads"]["none"]
        figures[part]["ads_touched"] = _interval(measure.wilson(changed, of_all))
    return figures


def _shift(values: np.ndarray) -> dict[str, Any]:
    """Return a mean over templates with Student's 95 % interval, and in how many templates it lies above 0."""
    n = len(values)
    reach = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    mean = float(values.mean())
    return {"value": mean, "low": mean - reach, "high": mean + reach, "above": int((values > 0).sum()), "of": n}


def _engineer_of_the_llm(asked: Mapping[str, Any], third: Mapping[str, Any]) -> dict[str, Any]:
    """Return what SmolLM2 expects after “software engineer”: the shift on both axes, against another neutral word, and “they”."""
    shares = dict(zip(third["words"], np.array(third["shares"]), strict=True))
    odds = {word: np.log(one[:, 0] / one[:, 1]) for word, one in shares.items()}
    pronoun = np.array(asked["pronoun"])[-1]
    clear = [i for i, one in enumerate(language.TEMPLATES) if "visitor" not in one]  # there “he” may be the visitor
    return {
        "pronoun": _shift(pronoun),
        "pronoun_without_visitor": _shift(pronoun[clear]),
        "pronoun_against_applicant": _shift(odds["software engineer"] - odds["applicant"]),
        "trait": _shift(np.array(asked["trait"])[-1]),
        "shares": {
            word: shares[word].mean(axis=0).round(4).tolist()
            for word in ("software engineer", "nurse", "carpenter", *NEUTRALS)
        },
        "they_first": int(
            sum(one.mean(axis=0).argmax() == 2 for one in list(shares.values())[: len(bias.WOMEN_SHARE)])
        ),
    }


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
                if bias.furthest(skew) > LIMIT:
                    missed[system].append(f"{SKEW} {skew.value:.2f} ({skew.low:.2f} to {skew.high:.2f}) in {where}")
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


def _rewriter_now(again: list[dict[str, Any]], systems: dict[str, dict[str, dict[int, Any]]]) -> dict[str, Any]:
    """Return slope and faultless share of the rewriter as it is now, beside what was recorded for the same texts."""
    figures: dict[str, Any] = {}
    for run in again:
        for of in job_corpus.LANGUAGES:
            read = run[f"{of} rewritten"]
            leans = {word: bias.Lean(*three) for word, three in read["pronoun"].items()}
            recorded = systems["rewritten"][of][run["seed"]]
            same = run[of]["well_formed"] == systems["biased"][of][run["seed"]]["well_formed"]
            figures[of] = {
                "same_texts": bool(same),
                "pronoun": _interval(_slope([run["seed"]], of, "pronoun", leans)),
                "recorded": _interval(_slope([run["seed"]], of, "pronoun", recorded["pronoun"])),
                "faultless": float(np.divide(*read["well_formed"])),
                "recorded_faultless": float(np.divide(*recorded["well_formed"])),
            }
    return figures


def _verdict(missed: Mapping[str, list[str]]) -> str:
    if not any(missed.values()):
        return "holds"
    pronoun = not any(one.startswith(SKEW) for many in missed.values() for one in many)
    return "holds if the pronoun alone is meant" if pronoun else "does not hold"


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
            **{
                f"{axis}_skew": max(bias.furthest(measure.Interval(**worst[of][axis])) for of in job_corpus.LANGUAGES)
                for axis in AXES
            },
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
    figures["rewriter"] = _rewriter(runs["edit"], runs["touch"])
    figures["rewriter_now"] = _rewriter_now(runs["rewrite_again"].to_dict("records"), systems)
    figures["axes_correlation"] = float(
        np.corrcoef([[one.he, one.firm] for one in job_corpus.OCCUPATIONS], rowvar=False)[0, 1]
    )
    figures["engineer_llm"] = _engineer_of_the_llm(asked, runs["they"].to_dict("records")[0])
    by_seed = [one for by in engineer.values() for one in by.values()]
    made, english = figures["engineer"], figures["engineer_llm"]
    shift, firm = english["pronoun"], english["trait"]
    experiment.claim(
        "generator_writes_he",
        measured=f"No language model of Chinese was asked. A generator that was taught 95 % 他 for 软件工程师 on purpose writes 他 in {made['zh']['share']['value']:.0%} of its texts with a pronoun "
        f"and “he” in {made['en']['share']['value']:.0%}, above the neutral word by its interval in {sum(one.low > 0 for one in by_seed)} of {len(by_seed)} trainings and languages: it learned what it was taught. "
        f"SmolLM2, an English model, is inconclusive on the pronoun: after “software engineer” {shift['value']:+.2f} nats towards “he” [{shift['low']:+.2f}, {shift['high']:+.2f}], in {shift['above']} of {shift['of']} templates, and its likeliest pronoun is “they”. "
        f"Towards firm traits it shifts by {firm['value']:+.2f} nats [{firm['low']:+.2f}, {firm['high']:+.2f}], in {firm['above']} of {firm['of']}.",
        verdict="not tested",
        conditions="the claim is about a generator of Chinese, and none was at hand; a GPT-2 of 0.86 million parameters on an invented corpus, three seeds; SmolLM2-135M-Instruct, five templates, against “person”",
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
        verdict=_verdict(missed),
        conditions=f"three seeds, {WRITTEN} texts for each of 26 occupations and language, of models made for this; the rewriter as it was on 25 November 2026",
    )
    return figures


if __name__ == "__main__":
    experiment.main()
