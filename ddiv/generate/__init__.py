"""Generators of synthetic images: trained on a study's own images, or Stable Diffusion.

- ``flow``: a small class-conditional flow-matching model, trained and sampled here;
- ``stable_diffusion``: the paper's generator through diffusers, with ``prompts`` and an image ``cache``;
- ``check``: what every generator's output goes through;
- ``quality``: how good samples are: a classifier's accuracy on them, their diversity, whether they copy;
- ``jobs``: from a `GeneratorFit` or `Samples` job to a record.

Importing this needs nothing; torch and diffusers are imported by what needs them.
"""
