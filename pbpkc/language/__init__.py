"""Text -> Model: source, diagnostics and units here; a room for each of the other parts.

* `syntax`: text to syntax tree and back, and words for text that is neither;
* `binding`: names looked up, units checked, families and functions expanded;
* `structure`: vessels, arrows and spaces;
* `scenario`: doses, data, changes, observables, populations, demands;
* `remarks`: warnings about what is consistent and looks wrong;
* `options`: what is typed for one run;
* `foreign`: models of other tools.

`gather` collects the files of a spec, `resolve` makes the `Model` of them.
"""
