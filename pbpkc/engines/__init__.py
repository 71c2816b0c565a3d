"""What is learned: engines that are trained on a family of tasks and then answer for one task fast."""
