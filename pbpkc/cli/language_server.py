"""``pbpkc language-server``."""

from __future__ import annotations

from importlib.util import find_spec

import rich_click as click


@click.command("language-server")
@click.option(
    "--stdio", is_flag=True, help="Speak over standard input and output; it is what happens anyway."
)
@click.option(
    "--tcp",
    metavar="[HOST:]PORT",
    help="Listen for one editor on a port instead, for debugging; on 127.0.0.1 if no host is said.",
)
@click.option(
    "--proofs/--no-proofs",
    default=True,
    show_default=True,
    help="Whether `pbpkc check --no-torch` runs in the background once a text has no error.",
)
@click.pass_context
def command(ctx: click.Context, stdio: bool, tcp: str | None, proofs: bool) -> None:
    """Serve an editor: problems as you type, hover, completion, rename, layout.

    An editor starts this by itself; the README says what to write into its settings. It speaks the
    Language Server Protocol over standard input and output and ends with its editor.
    """
    if stdio and tcp is not None:
        raise click.UsageError("--stdio and --tcp are two ways; choose one")
    place = _place(tcp) if tcp is not None else None
    if find_spec("pygls") is None or find_spec("lsprotocol") is None:
        raise click.UsageError(
            "the language server needs pygls, which is not installed: pip install 'pbpkc[editor]'"
        )
    from pbpkc.editor.server import serve

    ctx.exit(serve(place, proofs))


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"'{text}' is no port: write 2087 or 127.0.0.1:2087", param_hint="'--tcp'")
    return host or "127.0.0.1", int(port)
