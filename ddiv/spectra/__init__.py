"""Eigenvalue spectra of weight matrices, and the numbers read off them.

- ``matrices``: which matrices a model has, and their eigenvalues (the one module here that needs torch);
- ``metrics``: norms, ranks and entropies of a spectrum;
- ``powerlaw``: the power-law exponent of a spectrum's tail, and whether to believe it.

Nothing is imported here, so that reading stored spectra never pays for torch's import.
"""
