"""Generative models and their ethical problems.

`job_corpus` writes invented job descriptions whose skew is known; `char_model` is the small GPT-2 trained on them
(``weights/20_generation_bias``); `generation_bias` measures leans, always as a difference: from a neutral word, or from what was put in;
`rewriter` and `gendered_wording` read English and Chinese by rules; `job_guard` puts them between a generator and a page.
``data/job_ads`` is a test set that was frozen before the detector: whoever changes the detector must not look at it, and measures once.
"""
