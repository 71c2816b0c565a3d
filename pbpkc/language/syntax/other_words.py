"""Words, blocks, signs and functions of other tools, and what says the same here.

Each key holds several words with blanks between them, or several signs.
"""

from __future__ import annotations

from pbpkc.language.syntax.stops import USAGE

#: Blocks of NONMEM and mrgsolve.
BLOCKS = {
    "PARAM PARAMS INPUT FIXED": "a parameter is `param CL = 5 [L/h]`",
    "THETA THETAS": f"an estimated parameter is `{USAGE['masked']}`",
    "OMEGA OMEGAS": f"what varies between people stands in `{USAGE['population']}`",
    "SIGMA ERROR ERR": f"a residual error belongs to its observable: `{USAGE['observe']}`",
    "CMT INIT MODEL": (
        "a compartment is `pool plasma { volume = 3 [L] }`, its first amount `start plasma.X = 1 [umol]`"
    ),
    "ODE DES PKMODEL SUBROUTINES SUBROUTINE SUBS SUB": f"what moves is an arrow: `{USAGE['process']}`",
    "MAIN PK PRED GLOBAL PREAMBLE": "what is computed is `param` (a value) or `let` (a curve)",
    "TABLE CAPTURE": f"what is measured is `{USAGE['observe']}`",
    "DATA": 'data stand in a scenario: `scenario s { data "file.csv" }`',
    "PROB PROBLEM": 'a title is `model NAME "title"`',
}

#: Words that begin a line elsewhere.
LINES = {
    "init initial INIT initialize": (
        "a first amount is `start plasma.X = 1 [umol]`, a state's own `state x = 1`"
    ),
    "compartment compartments cmt organ vessel comp": (
        "a compartment is `tissue`, `blood`, `pool`, `lumen` or `sink`: `pool plasma { volume = 3 [L] }`"
    ),
    "reaction react transfer conversion": f"what moves or reacts is a process: `{USAGE['process']}`",
    "import include library load": 'another spec is brought in by `use "body.pbpk"`',
    "estimate fit estimated unknowns theta prior": f"an estimated parameter is `{USAGE['masked']}`",
    "title description": 'a title stands behind the name of the model: `model NAME "title"`',
    "assert expect require test": f"what must hold is a check: `{USAGE['check']}`",
    "output outputs plot display table capture measure": f"what is measured is `{USAGE['observe']}`",
    "bolus infusion dosing doses regimen event administer": (
        f"doses stand in a scenario: `{USAGE['scenario']}`"
    ),
    "simulate simulation solve experiment protocol stoptime tstop tend": (
        "what is run is a scenario: `scenario s { run 24 [h] }`"
    ),
    "starttime dt dtmin dtmax dtout method solver rtol atol tolerance": (
        "a spec holds no settings of a solver; how long is run stands in `scenario s { run 24 [h] }`"
    ),
    "double real float int const constant var number local": (
        "a value is `param k = 2 [1/h]`, a curve `let y = plasma.C / 2`"
    ),
    "def fun func macro": f"a function is `{USAGE['function']}`",
    "for while do foreach": (
        "there are no loops; a line for each of several is `process p for i in 1..6 : x<i> ->"
        " x<i+1> rate k * x<i>`"
    ),
    "if else elseif switch case": (
        "there are no branches of lines; a value that depends is `let y = if(a > 3, 2, 1)`"
    ),
    "return end endif begin stop exit": "a block ends with `}`; no line says so",
    "matrix array vector": "several of a kind are a family: `param K<20,20> = 0`",
    "volume volumes": "a volume belongs to its compartment: `pool plasma { volume = 3 [L] }`",
}

#: Signs of word processors and other alphabets.
SIGNS = {
    "\u2212\u2013\u2014\u2010\u2011\ufe63\uff0d": "a minus is written -",
    "\u00d7\u00b7\u22c5\u2217\u2219\u2022\uff0a": "a product is written with *",
    "\u00f7\u2215\u2044\uff0f": "a quotient is written with /",
    "\u00b2\u00b3\u00b9\u2070\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a": (
        "a power is written with ^: x^2"
    ),
    "\u2264\u2265\u2260\u2248\uff1c\uff1e": "comparisons are written < <= > >= and stand in if(...)",
    "\uff08\uff09\uff3b\uff3d\uff0c\uff1a\uff1b\uff1d": (
        "signs of another alphabet only look alike: write ( ) [ ] , : ; ="
    ),
    "\u00b1": (
        'a spread is no part of a value; write it into `source "..."` or into a prior: masked'
        " k ~ normal(10, sd = 2)"
    ),
    "\u2205": "the world beyond the model is called outside: process p : outside -> a rate r",
    "\u221e": "a bound is a number: write a large one",
    "\u221a": "a root is written sqrt(x)",
    "\u2211\u03a3": "a sum is written sum(x<i> for i in 1..20)",
    "\u2026": "a range is written with two points: for i in 1..6",
    "\u00b0": "degrees are a unit: [degC]",
}

#: Functions of NONMEM, mrgsolve, rxode2, Berkeley Madonna, Matlab, R and C.
FUNCTIONS = {
    "log LOG Log alog ALOG": "the natural logarithm is ln(x), the decimal one log10(x)",
    "log2": "write ln(x) / ln(2)",
    "pow power POW R_pow": "a power is written with ^: x^2",
    "square sqr": "a power is written with ^: x^2",
    "exp10": "write 10^x",
    "expm1": "write exp(x) - 1",
    "log1p": "write ln(1 + x)",
    "ifelse iif IIF where case_when piecewise select": "a choice is if(condition, value, otherwise)",
    "THETA theta TVTHETA": "an estimated parameter has a name: masked cl ~ lognormal(5 [L/h], cv = 50 [%])",
    "ETA eta OMEGA": (
        "what varies between people is no factor of a parameter: it stands in population p { "
        "cl ~ lognormal(cv = 30 [%]) }"
    ),
    "EPS ERR eps SIGMA": (
        "a residual error belongs to its observable: observe Cp = ... in [mg/L] error prop(10 [%])"
    ),
    "A A_0 DADT dadt": (
        "an amount has the name of its compartment: plasma.A, and of several species plasma.X.A"
    ),
    "F ALAG R D S": (
        "bioavailability, lag, rate and duration belong to a dose: dose X 100 [mg] into gut "
        "at 0 [h] lag 1 [h] fraction 0.8"
    ),
    "tan": "write sin(x) / cos(x)",
    "round int INT trunc fix": "write floor(x + 0.5); floor and ceil round down and up",
    "mod MOD rem fmod": "the remainder of a division is a - b * floor(a / b)",
    "step heaviside Heaviside STEP squarepulse pulse PULSE": (
        "what begins at a time belongs to a scenario: an input that is set there, or if(t > 3 [h], 1, 0)"
    ),
    "prod mean integral integrate der diff": (
        "an expression has no such operation; sum(x<i> for i in 1..20) adds, a state integrates its rate"
    ),
    "fabs ABS": "an absolute value is abs(x)",
    "EXP SQRT MIN MAX SIN COS LN LOG10 FLOOR": "functions are written in small letters",
    "fmin pmin": "the least of several is min(a, b)",
    "fmax pmax": "the greatest of several is max(a, b)",
    "normal lognormal uniform beta halfnormal rnorm norm": (
        "a distribution stands behind ~ of a masked parameter or in a population"
    ),
    "expit inv_logit invlogit": "write 1 / (1 + exp(-x))",
    "logit": "write ln(x / (1 - x))",
}


def instead_of(name: str) -> str | None:
    """What to write for a function of another tool; None for a name that none is known to have."""
    return found(FUNCTIONS, name)


def found(table: dict[str, str], word: str) -> str | None:
    """What a table says of a word."""
    return next((text for words, text in table.items() if word in words.split()), None)
