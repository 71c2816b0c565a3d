"""The reference solver and what is read from its curves."""
