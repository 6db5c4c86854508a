"""Generators of synthetic data.

Some are trained on a study's own images or texts, others are large models that others trained.

- ``flow``: a small class-conditional flow-matching model of images, trained and sampled here;
- ``stable_diffusion``: the paper's generator through diffusers, with ``prompts`` and an image
  ``cache``;
- ``ngram``: a class-conditional n-gram model of texts (``kneser_ney``), trained and sampled here;
- ``openai_texts``: GPT-4o or any server of its protocol, with ``openai_prompts``, ``_client``,
  ``_cache`` and ``_cost``;
- ``check``: the checks of every generator's output;
- ``quality``, ``text_quality``: how good samples are: a classifier's accuracy on them, their
  diversity, whether they copy.

From a `GeneratorFit` or `Samples` job to a record: `ddiv.trial.samples`.

Importing this folder imports nothing else: torch, diffusers and openai are imported by the files
that need them.
"""
