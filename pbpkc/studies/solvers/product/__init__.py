"""pbpkc's own ways of solving, each as a method of the comparison: a module with `build`.

They run in a process of their own like every peer, and begin from the text of the spec, so that what
compiling costs counts.
"""
