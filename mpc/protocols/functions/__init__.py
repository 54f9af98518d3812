"""Functions on shared fixed-point numbers: ranged by comparisons, evaluated in one round.

Read :mod:`mpc.protocols.functions.waves` first: why a function of a secret costs one opening.
"""
