"""What generated code imports, and loading it."""
