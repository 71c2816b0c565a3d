"""One file a peer, run by the Python of the peers' own environment.

Nothing here may import anything of pbpkc but its neighbours: the folder is copied beside that environment,
so that no package of pbpkc's own is seen.
"""
