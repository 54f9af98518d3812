"""The protocol kernel: what parties compute on shares, with a dealer's correlated randomness.

Every function is the program of one party; all parties run it with the same shapes. Read
:mod:`mpc.protocols.opening` first: it has the only two ways by which anything is opened.
"""
