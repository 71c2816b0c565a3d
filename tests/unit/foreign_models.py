"""Models in the texts of other tools, written for these tests, each with its equations once more by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Equations = Callable[[float, np.ndarray], list[float]]

ONE = """\
$PROB One compartment with absorption
- parameters are made up

$PARAM @annotated
CL : 3   : clearance (L/h)
V  : 30  : volume (L)
KA : 1.2 : absorption (1/h)
FB : 0.8 : bioavailability

$CMT @annotated
GUT  : dose compartment (mg)
CENT : central (mg)

$MAIN
double KE = CL / V; // elimination
F_GUT = FB;
ALAG_GUT = 0.25;

$ODE
// what is absorbed
dxdt_GUT  = -KA * GUT;
dxdt_CENT = KA * GUT - KE * CENT;

$TABLE
capture CP = CENT / V;
"""


def one(t: float, y: np.ndarray) -> list[float]:
    return [-1.2 * y[0], 1.2 * y[0] - 3 / 30 * y[1]]


TWO = """\
$PROB Two compartments, saturable elimination, absorption that has an upper limit
$PARAM VMAX = 40, KM = 2.5
  VC = 12  VP = 2.0e1, Q = 1.5, KA=0.9, SEX = 1, WT = 82

$CMT DEPOT CENT PERI

$GLOBAL
#define CC (CENT / VCW)
#define LIMIT 50.0

$MAIN
double VCW = VC;
VCW *= pow(WT / 70.0, 0.75);
double FAST = 1;
if (SEX == 1 && WT > 60) {
  FAST = 1.25;
} else if (SEX != 0) FAST = 1.1;

$ODE
double absorb = KA * FAST * DEPOT;
if (DEPOT > LIMIT) absorb = absorb * LIMIT / DEPOT;
double CPER = PERI / VP;
dxdt_DEPOT = -absorb;
dxdt_CENT = absorb - VMAX * CC / (KM + CC) - Q * (CC - CPER);
dxdt_PERI = Q * (CC - CPER);

$TABLE
double IPRED = CC;
double RATIO = PERI > 0 ? CENT / (CENT + PERI) : 1.0;
$CAPTURE IPRED RATIO
"""


def two(t: float, y: np.ndarray) -> list[float]:
    depot, central, peripheral = y
    vc = 12 * (82 / 70) ** 0.75
    c, cp = central / vc, peripheral / 20
    absorbed = 0.9 * 1.25 * min(depot, 50.0)
    return [-absorbed, absorbed - 40 * c / (2.5 + c) - 1.5 * (c - cp), 1.5 * (c - cp)]


#: A body of ten organs and two blood pools; flows and volumes are made up, and close.
BODY = """\
$PROB Whole body, ten organs
$PARAM @annotated
QC   : 330   : cardiac output (L/h)
FQLI : 0.065 : share of the liver artery
FQGU : 0.17  : share of the gut
FQSP : 0.03  : share of the spleen
FQKI : 0.19  : share of the kidneys
FQBR : 0.12  : share of the brain
FQHE : 0.05  : share of the heart
FQMU : 0.17  : share of muscle
FQAD : 0.055 : share of fat
FQSK : 0.06  : share of skin
VLI : 1.8   : volume of the liver (L)
VGU : 1.1   : volume of the gut (L)
VSP : 0.15  : volume of the spleen (L)
VKI : 0.31  : volume of the kidneys (L)
VBR : 1.45  : volume of the brain (L)
VHE : 0.33  : volume of the heart (L)
VMU : 29    : volume of muscle (L)
VAD : 17    : volume of fat (L)
VSK : 3.3   : volume of skin (L)
VRE : 12    : volume of the rest (L)
VLU : 0.5   : volume of the lung (L)
VART : 1.7  : volume of arterial blood (L)
VVEN : 3.9  : volume of venous blood (L)
KPLI : 3    : liver to blood
KPT  : 1.4  : tissue to blood, any other
FU  : 0.3   : fraction unbound
CLI : 60    : intrinsic clearance (L/h)
CLR : 2     : renal clearance (L/h)
KA  : 0.9   : absorption (1/h)

$CMT LUMEN ART VEN LU LI GU SP KI BR HE MU AD SK RE URINE

$MAIN
double QLI = FQLI * QC;
double QGU = FQGU * QC;
double QSP = FQSP * QC;
double QKI = FQKI * QC;
double QBR = FQBR * QC;
double QHE = FQHE * QC;
double QMU = FQMU * QC;
double QAD = FQAD * QC;
double QSK = FQSK * QC;
double QRE = QC - QLI - QGU - QSP - QKI - QBR - QHE - QMU - QAD - QSK;
double QH  = QLI + QGU + QSP;  // all that leaves the liver

$ODE
double CART = ART / VART;
double CVEN = VEN / VVEN;
double CLU = LU / VLU / KPT;
double CLIV = LI / VLI / KPLI;
double CGU = GU / VGU / KPT;
double CSP = SP / VSP / KPT;
double CKI = KI / VKI / KPT;
double CBR = BR / VBR / KPT;
double CHE = HE / VHE / KPT;
double CMU = MU / VMU / KPT;
double CAD = AD / VAD / KPT;
double CSK = SK / VSK / KPT;
double CRE = RE / VRE / KPT;

dxdt_LUMEN = -KA * LUMEN;
dxdt_ART = QC * (CLU - CART);
dxdt_VEN = QH * CLIV + QKI * CKI + QBR * CBR + QHE * CHE + QMU * CMU + QAD * CAD + QSK * CSK + QRE * CRE
           - QC * CVEN;
dxdt_LU  = QC * (CVEN - CLU);
dxdt_LI  = QLI * CART + QGU * CGU + QSP * CSP - QH * CLIV - CLI * FU * CLIV;  // portal vein and artery
dxdt_GU  = QGU * (CART - CGU) + KA * LUMEN;
dxdt_SP  = QSP * (CART - CSP);
dxdt_KI  = QKI * (CART - CKI) - CLR * CKI;
dxdt_BR  = QBR * (CART - CBR);
dxdt_HE  = QHE * (CART - CHE);
dxdt_MU  = QMU * (CART - CMU);
dxdt_AD  = QAD * (CART - CAD);
dxdt_SK  = QSK * (CART - CSK);
dxdt_RE  = QRE * (CART - CRE);
dxdt_URINE = CLR * CKI;

$TABLE
capture CP = VEN / VVEN;
"""

_SHARES = {
    "LI": 0.065,
    "GU": 0.17,
    "SP": 0.03,
    "KI": 0.19,
    "BR": 0.12,
    "HE": 0.05,
    "MU": 0.17,
    "AD": 0.055,
    "SK": 0.06,
}
_VOLUMES = {
    "LI": 1.8, "GU": 1.1, "SP": 0.15, "KI": 0.31, "BR": 1.45, "HE": 0.33, "MU": 29.0, "AD": 17.0, "SK": 3.3,
    "RE": 12.0, "LU": 0.5,
}  # fmt: skip


def body(t: float, y: np.ndarray) -> list[float]:
    names = ["LUMEN", "ART", "VEN", "LU", "LI", "GU", "SP", "KI", "BR", "HE", "MU", "AD", "SK", "RE", "URINE"]
    a = dict(zip(names, y, strict=True))
    co = 330.0
    q = {n: s * co for n, s in _SHARES.items()}
    q["RE"] = co - sum(q.values())
    c = {n: a[n] / v / (3.0 if n == "LI" else 1.4) for n, v in _VOLUMES.items()}
    artery, vein = a["ART"] / 1.7, a["VEN"] / 3.9
    hepatic = q["LI"] + q["GU"] + q["SP"]
    d = {n: q[n] * (artery - c[n]) for n in q}
    d["LI"] = (
        q["LI"] * artery + q["GU"] * c["GU"] + q["SP"] * c["SP"] - hepatic * c["LI"] - 60 * 0.3 * c["LI"]
    )
    d["GU"] += 0.9 * a["LUMEN"]
    d["KI"] -= 2 * c["KI"]
    d["LUMEN"] = -0.9 * a["LUMEN"]
    d["ART"] = co * (c["LU"] - artery)
    d["LU"] = co * (vein - c["LU"])
    direct = [n for n in q if n not in ("GU", "SP", "LI")]
    d["VEN"] = hepatic * c["LI"] + sum(q[n] * c[n] for n in direct) - co * vein
    d["URINE"] = 2 * c["KI"]
    return [d[n] for n in names]


#: An inhibitor that slows the elimination of another drug; from rxode2.
INHIBITION = """\
library(rxode2)

# Two drugs: the inhibitor competes for the enzyme of the victim
mod <- rxode2({
  vmax <- 12      # mg/h
  km <- 1.5
  ki = 0.8
  v1 <- 10
  v2 <- 15
  k.inh <- 0.2
  ka <- 0.7

  c.victim <- victim / v1
  c.inh <- inhibitor / v2
  km.app <- km * (1 + c.inh / ki)
  d/dt(depot) = -ka * depot
  d/dt(victim) = ka * depot - vmax * c.victim / (km.app +
      c.victim)
  d/dt(inhibitor) <- -k.inh * inhibitor
  inhibitor(0) <- 30
  f(depot) <- 0.9
  alag(depot) = 0.5
})
"""


def inhibition(t: float, y: np.ndarray) -> list[float]:
    c, inhibitor = y[1] / 10, y[2] / 15
    return [-0.7 * y[0], 0.7 * y[0] - 12 * c / (1.5 * (1 + inhibitor / 0.8) + c), -0.2 * y[2]]


#: Indirect response: the drug inhibits the making of what is measured; from nlmixr2.
RESPONSE = """\
turnover <- function() {
  description <- "Indirect response, inhibition of the input"
  units <- list(time = "h", dosing = "mg")
  ini({
    tka <- log(0.8) ; label("Absorption (1/h)")
    tcl <- log(4)
    tv <- c(2, 3.9, 5)     # logarithm of the volume
    kin <- fix(5)
    kout <- 0.1
    ic50 <- 0.4
    eta.cl ~ 0.09
    eta.v + eta.kout ~ c(0.04,
                         0.01, 0.16)
    prop.sd <- 0.1
    add.sd <- c(0, 0.05)
    resp.sd <- 2
  })
  model({
    ka <- exp(tka)
    cl <- exp(tcl + eta.cl)
    v <- exp(tv + eta.v)
    ko <- kout * exp(eta.kout)
    cp <- central / v
    inh <- 1 - cp / (ic50 + cp)
    d/dt(depot) <- -ka * depot
    d/dt(central) <- ka * depot - cl * cp
    d/dt(resp) <- kin * inh - ko * resp
    resp(0) <- kin / ko
    cp ~ prop(prop.sd) + add(add.sd)
    resp ~ add(resp.sd)
  })
}
"""


def response(t: float, y: np.ndarray) -> list[float]:
    c = y[1] / np.exp(3.9)
    return [-0.8 * y[0], 0.8 * y[0] - 4 * c, 5 * (1 - c / (0.4 + c)) - 0.1 * y[2]]


@dataclass(frozen=True)
class Case:
    """A model, what is dosed into which state, when it is in, and where it begins."""

    text: str
    suffix: str
    equations: Equations
    dosed: str
    arrives: float
    share: float
    begins: tuple[float, ...]
    until: float = 24.0


CASES = {
    "one": Case(ONE, "cpp", one, "GUT", 0.25, 0.8, (0.0, 0.0)),
    "two": Case(TWO, "cpp", two, "DEPOT", 0.0, 1.0, (0.0, 0.0, 0.0)),
    "body": Case(BODY, "cpp", body, "LUMEN", 0.0, 1.0, (0.0,) * 15),
    "inhibition": Case(INHIBITION, "R", inhibition, "depot", 0.5, 0.9, (0.0, 0.0, 30.0)),
    "response": Case(RESPONSE, "R", response, "depot", 0.0, 1.0, (0.0, 0.0, 50.0)),
}
