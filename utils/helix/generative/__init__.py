"""Generative models and their ethical problems.

`job_corpus` writes invented job descriptions whose skew is known; `char_model` is the small GPT-2 trained on them
(``weights/20_generation_bias``); `generation_bias` measures leans, always as a difference: from a neutral word, or from what was put in;
`whose` decides whose a pronoun is, for `rewriter` and `gendered_wording`, which read English and Chinese by rules; `job_guard` puts them between
a generator and a page. ``data/job_ads`` holds two test sets that were frozen before the rules they judge: whoever changes the rules must not look
at them, and measures once.
"""
