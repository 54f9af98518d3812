"""A party's prepared material on disk, until the one run that it is for."""
