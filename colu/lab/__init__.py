"""The laboratory: what makes evidence.

Data, reference models, the training loop, named experiments and their records, timing and figures.
"""
