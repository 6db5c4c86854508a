"""Eigenvalue spectra of weight matrices, and the numbers read off them.

From a model to a table:
- ``matrices``: which matrices a model or a state dict has; ``tables``: what is no weight;
  ``effective``: weights that a layer keeps in parts;
- ``load``: models by name (``libraries``) and weights from files (``checkpoint``, ``statedict``,
  ``torchscript``);
- ``eigen``: their eigenvalues, many at once, on the CPU or a GPU;
- ``analysis``: all measurements of all matrices; ``table``: the same as text, for `ddiv spectra
  MODEL`;
- ``watcher``: WeightWatcher's own numbers, for comparison.

From eigenvalues to numbers (pure functions that need neither torch nor the matrices):
- ``metrics``: norms, ranks and entropies;
- ``powerlaw``: the exponent of the tail, and whether to believe it; ``ks``: its search for the
  tail; ``bootstrap``: an interval for it; ``alternatives``: whether another law fits the tail
  better;
- ``mp``: Marchenko-Pastur fits of the bulk; ``phase``: the 5+1 phases of Martin and Mahoney.

Nothing is imported here, so that reading stored spectra never pays for torch's import.
"""
