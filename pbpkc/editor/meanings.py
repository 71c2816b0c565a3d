"""What each word of the language means, in a line: shown where an editor points at it."""

from __future__ import annotations

from collections.abc import Mapping

from pbpkc.experiment.data_columns import WORDS as DATA_WORDS
from pbpkc.language.syntax.stops import USAGE

_DECLARATIONS = {
    "pbpk": "The version of the language; the first word of a spec.",
    "model": "Names the spec; its block says organism, unit of time, and whether units are written.",
    "use": "Brings in the declarations of another file; `library/...` is the shipped library.",
    "set": "Gives a name of a used file another value; in a scenario, a value for the run.",
    "covariate": "What a person or a file brings: a number with bounds.",
    "input": "A number that an experiment sets.",
    "param": "A value: a number, or an expression of params and covariates.",
    "let": "A curve: an expression that may read concentrations and time.",
    "function": "Names an expression of its own arguments; it is written out wherever it is called.",
    "masked": "A parameter that is estimated, with its prior and bounds.",
    "unknown": "A typed function whose form is not known, with what is: range, direction, points, a default.",
    "species": "A substance and its attributes.",
    "blood": "A vessel or chamber of well-stirred blood.",
    "tissue": "An organ that blood flows through.",
    "lumen": "Contents of the gut.",
    "pool": "A well-stirred volume that is neither blood nor tissue.",
    "sink": "A place that only receives.",
    "state": "A general state with its initial value.",
    "ode": "The right side of the equation of a state.",
    "start": "The initial value of a state.",
    "circulation": "Which way blood runs; flows follow from the balance.",
    "flow": "Carries what is dissolved from one node to another at a volume per time.",
    "process": "An arrow with a rate, an amount per time; the equations on both sides come from it.",
    "site": "Where a sample is taken: mixed blood of the tissues it drains.",
    "observe": "What is measured: an expression, its unit, its error.",
    "population": "How people differ: a distribution for each quantity that does.",
    "scenario": "One experiment: doses, settings, how long it runs, or a data file.",
    "check": "What must hold: `mass`, `volume`, `positive`, or a figure within bounds.",
}

_CLAUSES = {
    "after": "`start after OTHER`: from the end of another scenario.",
    "and": "Both conditions hold.",
    "as": "The species whose molar mass converts an observable; or the name under which a file is used.",
    "at": "A time of a dose; the flow of a path; a point of an unknown term.",
    "by": "`carried by`: the circulation that carries a species.",
    "carried": "`carried by CO`: blood takes the species into all nodes of that circulation.",
    "column": "Which column of the file holds a word or a covariate, in which unit.",
    "correlate": "The correlation of two quantities of a population.",
    "count": "How many doses `every` makes.",
    "data": "Doses, times and covariates come from a table in the style of NONMEM.",
    "default": "The form that an unknown term has where none is given.",
    "dose": "An amount of a species into a node.",
    "drains": "The tissues whose blood meets at a site.",
    "else": "Where the rest of a `split` goes.",
    "error": "How measurements scatter.",
    "every": "The time from one dose to the next.",
    "falling": "An unknown term never rises in this argument.",
    "for": "Makes a family: one member for each value of an index.",
    "fraction": "The part of a dose that counts, bioavailability.",
    "from": "A scenario that begins as a copy of another.",
    "hold": "How a covariate goes on between its values in a file.",
    "in": "Bounds; the unit of an observable; the values of an index.",
    "into": "Where a dose goes.",
    "keep": "Only rows of the file within these bounds.",
    "lag": "The time from a dose to its effect.",
    "lloq": "The lower limit of quantification.",
    "none": "`units none`: this spec comes from a source without units.",
    "or": "One of the conditions holds.",
    "organism": "Whose tissues predict partition coefficients.",
    "over": "The duration of an infusion.",
    "range": "The values an unknown term may have.",
    "rate": "The rate of a process, an amount per time; or that of an infusion.",
    "reset": "All amounts become zero at a time.",
    "rising": "An unknown term never falls in this argument.",
    "run": "How long a scenario lasts.",
    "scale": "The scale on which a masked parameter is estimated: `log` or `natural`.",
    "source": "Where a value comes from.",
    "split": "The part of a product that arrives; `else` says where the rest goes.",
    "steady": "At steady state.",
    "time": "The unit of time in reports; `[1]` for a model without units.",
    "units": "`units none`: unit mismatches are notes.",
    "without": "Declarations of the used file that are left out.",
}

_FUNCTIONS = {
    "abs": "`abs(x)`: the magnitude.",
    "auto": "`kp = auto(rodgers_rowland)`: predicted from logp, pka, fup and the composition of each tissue.",
    "ceil": "`ceil(x)`: the next whole number above; x dimensionless.",
    "competitive": "`mm(..., competitive(ci, ki))`: km is multiplied by 1 + ci/ki.",
    "cos": "`cos(x)`: x dimensionless, in radians.",
    "exp": "`exp(x)`: x dimensionless.",
    "floor": "`floor(x)`: the next whole number below; x dimensionless.",
    "hill": "`hill(c, ec50, n)` = c^n / (ec50^n + c^n); c and ec50 have one unit.",
    "if": "`if(condition, x, y)`: x where the condition holds, else y; x and y have one unit.",
    "ln": "`ln(x)`: the natural logarithm; x dimensionless.",
    "log10": "`log10(x)`: the logarithm to base 10; x dimensionless.",
    "max": "`max(x, y, ...)`: the largest; all have one unit.",
    "min": "`min(x, y, ...)`: the smallest; all have one unit.",
    "mm": "`mm(vmax, km, c, modifiers)` = vmax c / (km + c); km and c have one unit.",
    "q10": "`q10(q, T, Tref)` = q^((T - Tref) / 10 K).",
    "remainder": "`volume = remainder(total)`: the total less all others; of a flow: by the balance.",
    "sin": "`sin(x)`: x dimensionless, in radians.",
    "sqrt": "`sqrt(x)`: the square root, with the root of the unit of x.",
    "substrate": "`mm(..., substrate(ki))`: c^2/ki is added to the denominator.",
    "sum": "`sum(e for i in 1..n)`: the sum over an index.",
    "tad": "`tad(S)`: the time since the last dose of species S, 0 before the first.",
    "uncompetitive": "`mm(..., uncompetitive(ci, ki))`: c in the denominator is multiplied by 1 + ci/ki.",
}

_FIGURES = {
    "auc": "`auc(s.y)`: the area under observable y of scenario s over its run.",
    "auc_inf": "`auc_inf(s.y)`: the area, and the last value divided by the terminal slope.",
    "cmax": "`cmax(s.y)`: the largest value.",
    "cmin": "`cmin(s.y)`: the smallest value.",
    "last": "`last(s.y)`: the value at the end of the run.",
    "thalf": "`thalf(s.y)`: ln 2 divided by the terminal slope.",
    "tmax": "`tmax(s.y)`: the time of the largest value.",
    "value": "`value(s.y, time)`: the value at a time.",
}

_MODELS = {
    "acid": "`pka = acid(9.4)`: one to three acid groups.",
    "add": "`error add(b)`: standard deviation b, in the unit of the observable.",
    "ampholyte": "`pka = ampholyte(3.1, 9.4)`: an acid and a base group.",
    "base": "`pka = base(8)`: one to three base groups.",
    "beta": "`beta(a, b)`: on 0 to 1.",
    "combined": "`error combined(prop = a, add = b)`: variance (a y)^2 + b^2.",
    "given": "`error given()`: the standard deviation stands in the data.",
    "halfnormal": "`halfnormal(sd = s)`: the positive half of a normal distribution.",
    "lognormal": "`lognormal(median, cv = 50 [%])`, or `sdlog`; `error lognormal(s)`: s of the logarithm.",
    "neutral": "`pka = neutral()`: no group that is charged.",
    "normal": "`normal(mean, sd = s)` or `normal(mean, cv = c)`.",
    "prop": "`error prop(a)`: standard deviation a y.",
    "uniform": "`uniform(low, high)`.",
}

_QUANTITIES = {
    "A": "The amount of a species in a node.",
    "C": "The concentration of a species in a node: amount by volume.",
    "Cout": "The concentration in the blood that flows out.",
    "Cp": "The concentration in plasma.",
    "Cu": "The unbound concentration in plasma.",
}

_ATTRIBUTES = {
    "bp": "Blood:plasma concentration ratio.",
    "fup": "Fraction unbound in plasma.",
    "kb": "Partition coefficient tissue:blood; `kb.liver` for one tissue.",
    "kp": "Partition coefficient tissue:plasma; `kp.liver` for one tissue.",
    "kpu": "Partition coefficient tissue:unbound plasma; `kpu.liver` for one tissue.",
    "like": "The tissue whose composition predicts `kp`, where it is not the node's own name.",
    "logp": "Logarithm of the octanol:water partition coefficient.",
    "mw": "Molar mass; converts doses and observables.",
    "outflow": "All that leaves a tissue.",
    "pka": "`acid(...)`, `base(...)`, `ampholyte(acid, base)` or `neutral()`.",
    "ps": "Permeability surface product: the clearance between the blood and the cells of a tissue.",
    "vascular": "The blood in a tissue, a volume or a fraction of its volume.",
    "volume": "The volume of a node.",
}

_CONSTANTS = {
    "t": "The time of the run; a written scenario begins at 0.",
    "outside": "The other end of an arrow that leaves the model or enters it.",
}

MEANINGS: Mapping[str, str] = {
    **{word: f"In a data file: {meaning}." for word, meaning in DATA_WORDS.items()},
    **_ATTRIBUTES,
    **_QUANTITIES,
    **_MODELS,
    **_FIGURES,
    **_CLAUSES,
    **_FUNCTIONS,
    **_CONSTANTS,
    **_DECLARATIONS,
}


def explained(word: str) -> str | None:
    """What a word means and how a line with it is written; None for a word that has no meaning of its own."""
    meaning = MEANINGS.get(word)
    if meaning is None:
        return None
    usage = USAGE.get(word)
    if usage is None or word not in {**_DECLARATIONS, **_CLAUSES}:
        return meaning
    return f"{meaning}\n\n```pbpk\n{usage}\n```"
