"""The templates of generated code."""

from __future__ import annotations

from functools import lru_cache

import jinja2

from pbpkc.resources import resource


@lru_cache(maxsize=1)
def code_templates() -> jinja2.Environment:
    """Where the templates of Python and of C are found; a name that is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the output is code
    )
