"""AnalysedSystem -> C text of the nonlinear kernel: programs, elimination, Rodas5P over lanes of subjects."""
