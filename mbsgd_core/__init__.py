"""Mini-Batch SGD Lab: fair, measured experiments with batch, stochastic and mini-batch gradient descent."""

__version__ = "0.1.0"
