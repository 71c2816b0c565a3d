"""Model -> System -> AnalysedSystem -> GeneratedModule."""
