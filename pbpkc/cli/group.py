"""The command ``pbpkc`` and its subcommands, imported when they are called."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from importlib import import_module

import rich_click as click

from pbpkc.cli.kernel_notes import plain_notes
from pbpkc.cli.standard_output import tolerant_output

#: What the commands are for, to subcommand to module; the order is that of the help page and of README.md.
GROUPS = {
    "The text": {
        "check": "check",
        "show": "show",
        "explain": "explain",
        "diff": "diff",
        "format": "format",
        "import": "import_model",
        "compile": "compile",
        "language-server": "language_server",
    },
    "Runs": {
        "simulate": "simulate",
        "population": "population",
    },
    "Data": {
        "fit": "fit",
        "meta-train": "meta_train",
        "discover": "discover",
        "nca": "nca",
    },
    "Studies": {
        "bench": "bench",
        "demo": "demo",
    },
    "This computer": {
        "cache": "cache",
    },
}

#: Subcommand to module.
COMMANDS = {name: module for group in GROUPS.values() for name, module in group.items()}

#: First line of each subcommand's help, so that `pbpkc --help` imports none of them.
SUMMARIES = {
    "check": "Prove balances, check units, code and expectations of a spec.",
    "simulate": "Run scenarios, for one person or a population.",
    "fit": "Estimate masked parameters from data, with what the data cannot tell.",
    "meta-train": "Train a fast model on the family of tasks that a spec describes (stage 1 of MI-PINN).",
    "population": "Draw virtual people from a population of a spec.",
    "discover": "Find the formula of an unknown term from data.",
    "compile": "Write the generated numpy and torch modules, or print a stage.",
    "show": "Print the equations as text, LaTeX or a table.",
    "explain": "Say what a name of a spec is, why its states exist, or what a diagnostic code means.",
    "diff": "Say how two models differ in meaning, not in text.",
    "format": "Lay specs out: indentation, blanks, empty lines, semicolons.",
    "bench": "Compare methods on tasks whose truth is known; count the faults that `check` finds.",
    "import": "Turn a model of mrgsolve, rxode2 or nlmixr2 into a spec, and list its faults.",
    "nca": "Non-compartmental figures of observed data.",
    "language-server": "Serve an editor: problems as you type, hover, completion, rename, layout.",
    "cache": "List the compiled kernels that are kept, or clear them.",
    "demo": "Check and fit the theophylline study, and write its report.",
}


class _Commands(click.RichGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # For the overview a command is its one line of help.
        if cmd_name not in COMMANDS:
            return None
        return click.Command(cmd_name, help=SUMMARIES[cmd_name], short_help=SUMMARIES[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            name, found, rest = super().resolve_command(ctx, args)
        except click.UsageError as error:
            from pbpkc.language.diagnostics import similar

            near = similar(args[0], COMMANDS)
            hint = f" Did you mean '{near}'?" if near else f" Commands are {', '.join(COMMANDS)}."
            raise click.UsageError(error.message + hint, ctx) from None
        if name in COMMANDS:
            found = import_module(f"pbpkc.cli.{COMMANDS[name]}").command
        return name, found, rest


@click.rich_config(
    {"command_groups": {"pbpkc": [{"name": n, "commands": list(c)} for n, c in GROUPS.items()]}}
)
@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pbpkc", prog_name="pbpkc")
def pbpkc() -> None:
    """A compiler and solver for physiologically based pharmacokinetic models.

    Write a body, a drug and an experiment as text (.pbpk); check it, run it, fit it.
    """


def run() -> None:
    """Run what was typed, and leave with its exit status."""
    # Linear algebra of this size is fastest on one thread, and then gives the same bytes everywhere. It must
    # be said before numpy is loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # A compilation makes hundreds of thousands of expressions that all stay: looking for circles among them
    # again and again took a tenth of the time of a command.
    gc.set_threshold(100_000, 50, 100)
    # An overflow on the way is told with its outcome, not as a line of somebody's source. Further processes
    # of a fit read this too.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::RuntimeWarning")
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", category=RuntimeWarning)
    try:
        # An exit status that a command set with `ctx.exit` comes back as a value.
        with tolerant_output(), plain_notes():
            colour = False if os.environ.get("NO_COLOR") else None
            code = pbpkc(prog_name="pbpkc", standalone_mode=False, color=colour)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    """One clear message for anything that was raised; the exit status."""
    from pbpkc.cli.options import counted
    from pbpkc.cli.system_errors import told
    from pbpkc.language.diagnostics import SpecError
    from pbpkc.language.options.option_text import OptionError
    from pbpkc.native.failure import NoKernel

    if isinstance(error, SpecError):
        click.echo(str(error), err=True)
        click.echo(f"\n{counted(len(error.diagnostics), 'problem')}", err=True)
        return 2 if isinstance(error, OptionError) else 1
    if isinstance(error, OSError):
        click.echo(told(error), err=True)
        return 1
    if isinstance(error, NoKernel):
        click.echo(
            f"error: no compiled kernel does this: {error.reason}; --solver auto takes what there is",
            err=True,
        )
        return 2
    if _is_about_arguments(error):
        click.echo(f"error: {error}", err=True)
        return 2
    if os.environ.get("PBPKC_TRACEBACK"):
        raise error
    click.echo(
        f"internal error: {type(error).__name__}: {error}\n"
        "This is a fault of pbpkc, not of your spec. Please report it with the spec; "
        "PBPKC_TRACEBACK=1 shows where it happened.",
        err=True,
    )
    return 3


def _is_about_arguments(error: Exception) -> bool:
    """Whether pbpkc itself raised a ValueError, which then says what is accepted; others are faults."""
    if type(error) is not ValueError:
        return False
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    raiser = place.tb_frame.f_globals.get("__name__", "") if place is not None else ""
    return str(raiser).startswith("pbpkc.")
