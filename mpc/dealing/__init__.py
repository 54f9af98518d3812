"""Correlated randomness from a dealer that holds no data: what can be asked for and dealt."""
