"""Every sign of a generated module, flipped one at a time.

The text is rewritten once through `ast`: each additive term stands inside ``_sign(k, term)``, which
changes the sign of term k when k is chosen. So one loaded module serves for all flips.

A term is each operand of a sum or difference, wherever it stands (in a denominator, in an argument),
and the whole of an assigned value or an element of a result, which is the leading term where there is
only one. Left out are unpacking lines, literal zeros and nan, whose sign says nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pbpkc.check.agreement import first_difference
from pbpkc.check.reference_values import Reference
from pbpkc.compiler.module import GeneratedModule
from pbpkc.runtime.load import load_numpy, load_text, load_torch

_PREAMBLE = """
chosen = [None]


def _sign(number, term):
    return -term if chosen[0] == number else term
"""

# Which quantity shows a flip in a method; the defaults of unknown terms show in all of them.
_SHOWS = {"_prepare": ["constants"], "_prepare_derivatives": ["d_constants"]}


@dataclass(frozen=True)
class Term:
    """A term of the generated text: the method it stands in, its line, its text."""

    method: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.method}, line {self.line}: {self.text}"


def with_signs(text: str) -> tuple[str, tuple[Term, ...]]:
    """The text with every term inside ``_sign``, and the terms in the order of their numbers."""
    tree = ast.parse(text)
    terms: list[Term] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name != "build":
            rewriter = _Rewriter(node.name, terms)
            node.body = [rewriter.statement(s) for s in node.body]
    imports = next(k for k, node in enumerate(tree.body) if isinstance(node, ast.ImportFrom))
    tree.body[imports + 1 : imports + 1] = ast.parse(_PREAMBLE).body
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n", tuple(terms)


def unnoticed_flips(
    generated: GeneratedModule, references: Sequence[Reference], target: str
) -> tuple[int, list[Term]]:
    """How many signs there are, and those whose flip every comparison overlooks.

    Parameters
    ----------
    generated : GeneratedModule
    references : sequence of Reference
        From `references_for` of the same System.
    target : {"numpy", "torch"}
    """
    text = generated.torch_text if target == "torch" else generated.numpy_text
    assert text is not None
    changed, terms = with_signs(text)
    altered = replace(generated, **{f"{target}_text": changed})
    load = load_torch if target == "torch" else load_numpy
    models = [load(altered, reference.unknowns) for reference in references]
    chosen = load_text(changed).chosen
    for model, reference in zip(models, references, strict=True):
        assert first_difference(model, reference, target) is None, "it differs before any sign is flipped"
    unnoticed = []
    for number, term in enumerate(terms):
        chosen[0] = number
        shows = _SHOWS.get(term.method, [term.method[1:]])
        quantities = None if term.method.startswith("_unknown") else shows
        noticed = any(
            first_difference(model, reference, target, quantities) is not None
            for model, reference in zip(models, references, strict=True)
        )
        if not noticed:
            unnoticed.append(term)
    chosen[0] = None
    return len(terms), unnoticed


class _Rewriter(ast.NodeTransformer):
    def __init__(self, method: str, terms: list[Term]) -> None:
        self._method, self._terms = method, terms

    def statement(self, node: ast.stmt) -> ast.stmt:
        if isinstance(node, ast.Assign):
            several = isinstance(node.targets[0], ast.Tuple)
            if isinstance(node.value, ast.Subscript) or (several and isinstance(node.value, ast.Tuple)):
                return node  # it unpacks an argument
            node.value = self.visit(node.value) if several else self._whole(node.value)
        elif isinstance(node, ast.Return) and node.value is not None:
            if isinstance(node.value, ast.Tuple):
                node.value.elts = [self._whole(e) for e in node.value.elts]
            else:
                node.value = self._whole(node.value)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        if not isinstance(node.op, (ast.Add, ast.Sub)):
            return self.generic_visit(node)
        left = self.visit_BinOp(node.left) if _is_sum(node.left) else self._term(node.left)
        node.right = self._term(node.right)
        node.left = left
        return node

    def _whole(self, node: ast.expr) -> ast.expr:
        return self.visit(node) if _is_sum(node) else self._term(node)

    def _term(self, node: ast.expr) -> ast.expr:
        if (isinstance(node, ast.Constant) and node.value == 0) or (
            isinstance(node, ast.Name) and node.id == "nan"
        ):
            return node
        number = len(self._terms)
        self._terms.append(Term(self._method, node.lineno, ast.unparse(node)))
        return ast.Call(ast.Name("_sign", ast.Load()), [ast.Constant(number), self.visit(node)], [])


def _is_sum(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))
