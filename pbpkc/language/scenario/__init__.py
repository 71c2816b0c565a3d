"""What is done to a model: doses, data, changes, observables, populations and demands."""
