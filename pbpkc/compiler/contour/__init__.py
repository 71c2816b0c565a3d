"""AnalysedSystem -> C text of the linear kernel: transfer functions on a contour, over lanes of subjects."""
