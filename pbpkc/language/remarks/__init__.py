"""Warnings about specs that are consistent and still look wrong."""
