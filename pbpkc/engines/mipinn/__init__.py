"""MI-PINN: features of time learned from a family of tasks, and heads that solve with them."""
