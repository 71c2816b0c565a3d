"""Proofs, expectations, and agreement of the generated code."""
