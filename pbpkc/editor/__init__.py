"""Writing specs in an editor: a language server, a lexer, grammars for editors."""
