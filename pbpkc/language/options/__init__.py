"""What is typed for one run: values, masks and unknown terms, read with the parser of the spec."""
