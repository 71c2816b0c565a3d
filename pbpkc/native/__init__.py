"""C text to a loaded shared library: which compiler, the build, the user's cache of kernels, loading.

Nothing here knows what a text computes. `pbpkc.native.library.compiled_library` is the door; it raises
`pbpkc.native.failure.NoKernel` with one sentence wherever there is no library to be had, and whoever asked
goes on without.
"""
