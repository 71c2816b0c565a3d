"""Vessels, arrows and spaces: who is connected with whom, at what rate."""
