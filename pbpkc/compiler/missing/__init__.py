"""Unknown terms given a form with coefficients: a model becomes a model in which they are estimated."""

from pbpkc.compiler.missing.form import Coefficient, Form, FormError
from pbpkc.compiler.missing.rewrite import Learned, with_form

__all__ = ["Coefficient", "Form", "FormError", "Learned", "with_form"]
