"""Sine networks as features of time: what they are, and their training through the closed-form head."""
