"""Models of other tools as specs: read their text, examine it, write it as ``.pbpk``.

``import_model`` is the way in. The text travels through `mrgsolve` or `rxode2` (their text to statements),
`program` (statements in order to named values), `arrows` (what leaves one compartment and enters another),
`faults` (what is wrong or doubtful in the original), `write` (the spec). Nothing of a file is ever run.
"""

from pbpkc.language.foreign.convert import Imported, import_model

__all__ = ["Imported", "import_model"]
