"""Evaluations that compare methods on data whose truth is known."""
