"""Syntax tree -> bound expressions: names looked up, units checked, families expanded."""
