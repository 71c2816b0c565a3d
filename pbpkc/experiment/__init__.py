"""What is done to a body and measured on it."""
