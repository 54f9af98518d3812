"""The dealer as people run it: a server that deals, and holds no data."""
