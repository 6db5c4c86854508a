"""From the description of a backbone or an embedder to a network, or to vectors.

- ``build``: the networks of all kinds of backbone; ``network``: what training sees of one;
  ``dropout``: dropout at its sites;
- ``clip``, ``bert``, ``from_scratch``: small models of our own; ``pretrain``, ``pretrain_bert``:
  how their checkpoints were made, which ``shipped`` names;
- ``open_clip_models``, ``bert_files``, ``own``: others' checkpoints, and a user's own model;
- ``embedders``: from samples to vectors.
"""
