"""The equations of a spec as LaTeX."""

from __future__ import annotations

from pbpkc.compiler.latex import LatexWriter, escaped, latex_name, latex_writer
from pbpkc.compiler.notation import arrow_text, notation
from pbpkc.compiler.system import Output, System
from pbpkc.compiler.terms import CARRIED, equation_terms
from pbpkc.report.parameter_cells import parameter_cells

# Terms on one line of an aligned equation before it is broken.
_TERMS_A_LINE = 3


def equations_latex(system: System, standalone: bool = True) -> str:
    """The model as LaTeX: definitions, processes and equations in align environments.

    Parameters
    ----------
    system : System
        As lowered from the spec.
    standalone : bool
        A document that compiles by itself; otherwise the body alone, which needs the packages amsmath and
        longtable.
    """
    written, words = latex_writer(system), notation(system)
    body: list[str] = []
    body += _latex_parameters(system, written)
    body += _latex_block(
        "Constants", [(written.names[a.symbol], [written.latex(a.expr)]) for a in system.constants]
    )
    body += _latex_block(
        "Curves", [(written.names[a.symbol], [written.latex(a.expr)]) for a in system.curves]
    )
    body += _latex_block(
        "Processes",
        [
            (
                f"&\\text{{{escaped(r.name)}: {_latex_arrow(arrow_text(system, k, words))}}} \\\\\n"
                + written.names[r.symbol],
                [written.latex(r.expr)],
            )
            for k, r in enumerate(system.rates)
            if r.kind not in CARRIED
        ],
    )
    body += _latex_block(
        "Equations",
        [
            (
                f"\\frac{{\\mathrm{{d}}{written.names[s.symbol]}}}{{\\mathrm{{d}}t}}",
                _latex_terms(system, i, written),
            )
            for i, s in enumerate(system.states)
        ],
    )
    body += _latex_block(
        "Observables", [(_latex_observable(o), [written.latex(o.expr)]) for o in system.outputs]
    )
    text = "\n".join(body)
    if not standalone:
        return f"% needs \\usepackage{{amsmath,longtable}}\n\\allowdisplaybreaks\n{text}\n"
    title = escaped(f"{system.name}: {system.title}" if system.title else system.name)
    return (
        "\\documentclass{article}\n\\usepackage[a4paper,margin=20mm]{geometry}\n\\usepackage{amsmath,longtable}\n"
        "\\allowdisplaybreaks\n\\setlength{\\parindent}{0pt}\n\\begin{document}\n"
        f"\\section*{{{title}}}\n{text}\n\\end{{document}}\n"
    )


def _latex_block(title: str, equations: list[tuple[str, list[str]]]) -> list[str]:
    if not equations:
        return []
    rows: list[str] = []
    for left, terms in equations:
        lines = ["".join(terms[k : k + _TERMS_A_LINE]) for k in range(0, len(terms), _TERMS_A_LINE)] or ["0"]
        rows.append(f"{left} &= {lines[0]}")
        rows += [f"&\\quad {line}" for line in lines[1:]]
    return [f"\\subsection*{{{title}}}", "\\begin{align*}", " \\\\\n".join(rows), "\\end{align*}"]


def _latex_terms(system: System, state: int, written: LatexWriter) -> list[str]:
    terms: list[str] = []
    for term in equation_terms(system, state):
        text = written.latex(term.expr)
        if term.expr.is_Add and term.negative:
            text = f"\\left({text}\\right)"
        sign = (" - " if term.negative else " + ") if terms else ("-" if term.negative else "")
        terms.append(sign + text)
    return terms


def _latex_arrow(text: str) -> str:
    both, one = "@both@", "@one@"
    marked = escaped(text.replace("<->", both).replace("->", one))
    return marked.replace(both, "$\\leftrightarrow$").replace(one, "$\\rightarrow$")


def _latex_observable(output: Output) -> str:
    return f"{latex_name(output.name)}\\;[\\text{{{escaped(output.unit.text)}}}]"


def _latex_parameters(system: System, written: LatexWriter) -> list[str]:
    if not system.parameters:
        return []
    rows = []
    for parameter in system.parameters:
        name, value, unit, allowed, source = parameter_cells(parameter)
        cells = [
            f"${written.names[parameter.symbol]}$",
            escaped(name),
            value,
            *map(escaped, (unit, allowed, source)),
        ]
        rows.append(" & ".join(cells) + " \\\\")
    head = "symbol & name & value & unit & range & source \\\\ \\hline \\endhead"
    return ["\\subsection*{Parameters}", "\\begin{longtable}{llrlll}", head, *rows, "\\end{longtable}"]
