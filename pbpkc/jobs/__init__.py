"""What users come for, one job a file: load, simulate, check, fit, compile, the demo.

The command line and Python call the same functions here.
"""
