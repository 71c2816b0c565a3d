"""Text -> Model: source, diagnostics, units, syntax, names."""
