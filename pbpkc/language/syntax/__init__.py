"""Text -> syntax tree and back: parse, messages, layout."""
