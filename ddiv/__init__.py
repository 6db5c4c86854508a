"""ddiv: the claims of papers on data diversity and regularisation, checked by training models."""
