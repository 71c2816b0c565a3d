"""The language server: what editors ask, answered through a `Session`."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from pbpkc.editor.actions import fixes_at
from pbpkc.editor.analysis import Analysis
from pbpkc.editor.completion import Offer, complete
from pbpkc.editor.formatting import formatted
from pbpkc.editor.hover import hover
from pbpkc.editor.navigate import Entry, definition, outline, reach
from pbpkc.editor.places import to_offset, to_path, to_range, to_uri
from pbpkc.editor.rename import Refused, renamable, renamed
from pbpkc.editor.reports import to_editor
from pbpkc.editor.session import Session
from pbpkc.editor.texts import same_file
from pbpkc.language.diagnostics import Diagnostic, Replacement
from pbpkc.language.source import SourceFile, Span

_Result = TypeVar("_Result")
_Document = types.TextDocumentIdentifier

_COMPLETION = {
    "keyword": types.CompletionItemKind.Keyword,
    "name": types.CompletionItemKind.Variable,
    "function": types.CompletionItemKind.Function,
    "quantity": types.CompletionItemKind.Field,
    "unit": types.CompletionItemKind.Unit,
    "value": types.CompletionItemKind.EnumMember,
}

_SYMBOL = {
    "model": types.SymbolKind.Module,
    "species": types.SymbolKind.Class,
    "process": types.SymbolKind.Event,
    "flow": types.SymbolKind.Event,
    "circulation": types.SymbolKind.Struct,
    "function": types.SymbolKind.Function,
    "unknown": types.SymbolKind.Function,
    "scenario": types.SymbolKind.Method,
    "observe": types.SymbolKind.Property,
    "population": types.SymbolKind.Enum,
    "state": types.SymbolKind.Field,
    "param": types.SymbolKind.Constant,
    "covariate": types.SymbolKind.Constant,
    "input": types.SymbolKind.Constant,
    "masked": types.SymbolKind.TypeParameter,
}


class _Protocol(LanguageServerProtocol):
    """As pygls has it, with columns always in UTF-16: every editor can count so, and `places` does."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = None
        return (yield from super().lsp_initialize(params))


class SpecServer(LanguageServer):
    """A server with its session.

    Parameters
    ----------
    prove : bool
        Whether `pbpkc check` runs in the background.
    """

    def __init__(self, prove: bool = True) -> None:
        super().__init__(
            "pbpkc",
            _version(),
            text_document_sync_kind=types.TextDocumentSyncKind.Full,
            protocol_cls=_Protocol,
        )
        # Texts are sent whole: they are small, and no count of line ends can then come apart.
        self.session = Session(self._show, prove)
        #: The URI that the editor uses for each text it opened: it must come back as it was sent.
        self.uris: dict[Path, str] = {}

    def _show(
        self, path: Path, number: int | None, file: SourceFile, problems: tuple[Diagnostic, ...]
    ) -> None:
        uri = self.uris.get(path) or to_uri(path)
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(uri, to_editor(problems, file), number)
        )

    async def answer(
        self,
        document: _Document,
        question: Callable[[Analysis], _Result],
    ) -> _Result | None:
        """The answer to a question about a text; a refusal becomes an error that the editor shows."""
        try:
            return await self.session.ask(to_path(document.uri), question)
        except Refused as refusal:
            raise JsonRpcInvalidParams(str(refusal)) from None

    def location(self, span: Span) -> types.Location:
        """A span as a place in a file."""
        path = Path(span.file.name)
        return types.Location(self.uris.get(path) or to_uri(path), to_range(span))

    def edit(self, changes: Iterable[Replacement]) -> types.WorkspaceEdit:
        """Replacements as one edit over files."""
        found: dict[str, list[types.TextEdit]] = {}
        for change in changes:
            place = self.location(change.span)
            found.setdefault(place.uri, []).append(types.TextEdit(place.range, change.text))
        return types.WorkspaceEdit(changes=found)


def _version() -> str:
    try:
        return version("pbpkc")
    except PackageNotFoundError:
        return "0"


def build_server(prove: bool = True) -> SpecServer:
    """A server that knows every request it answers."""
    server = SpecServer(prove)
    _follow_texts(server)
    _answer_about_places(server)
    _answer_about_texts(server)
    _change_texts(server)
    return server


def _follow_texts(server: SpecServer) -> None:
    session = server.session

    @server.feature(types.INITIALIZED)
    async def initialized(_: types.InitializedParams) -> None:
        session.folders = [to_path(uri) for uri in server.workspace.folders]
        if not session.folders and server.workspace.root_uri:
            session.folders = [to_path(server.workspace.root_uri)]

    def put(document: types.TextDocumentItem | types.VersionedTextDocumentIdentifier) -> None:
        path = same_file(to_path(document.uri))
        server.uris[path] = document.uri
        session.put(path, document.version, server.workspace.get_text_document(document.uri).source)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        put(params.text_document)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        put(params.text_document)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        session.close(to_path(uri))
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        session.look_again(to_path(params.text_document.uri))

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def on_disk(params: types.DidChangeWatchedFilesParams) -> None:
        for change in params.changes:
            session.look_again(to_path(change.uri))


def _answer_about_places(server: SpecServer) -> None:
    session = server.session

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def show(params: types.HoverParams) -> types.Hover | None:
        def answer(analysis: Analysis) -> types.Hover | None:
            found = hover(analysis, to_offset(analysis.file, params.position))
            if found is None:
                return None
            text, start, end = found
            markdown = types.MarkupContent(types.MarkupKind.Markdown, text)
            return types.Hover(markdown, to_range(Span(analysis.file, start, end)))

        return await server.answer(params.text_document, answer)

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def define(params: types.DefinitionParams) -> list[types.Location] | None:
        def answer(analysis: Analysis) -> list[types.Location]:
            spans = definition(analysis, to_offset(analysis.file, params.position))
            return [server.location(span) for span in spans]

        return await server.answer(params.text_document, answer)

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    async def refer(params: types.ReferenceParams) -> list[types.Location] | None:
        def answer(analysis: Analysis) -> list[types.Location]:
            at = to_offset(analysis.file, params.position)
            found = reach(analysis, at, session.texts, session.folders)
            wanted = params.context.include_declaration
            places = found.occurrences if found is not None else ()
            return [server.location(o.span) for o in places if wanted or not o.declares]

        return await server.answer(params.text_document, answer)

    options = types.CompletionOptions(trigger_characters=[".", "[", "/", "*"])

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, options)
    async def offer(params: types.CompletionParams) -> types.CompletionList | None:
        def answer(analysis: Analysis) -> types.CompletionList:
            at = to_offset(analysis.file, params.position)
            offers, start = complete(analysis, at)
            place = to_range(Span(analysis.file, start, at))
            return types.CompletionList(False, [_item(one, place) for one in offers])

        return await server.answer(params.text_document, answer)


def _item(offer: Offer, place: types.Range) -> types.CompletionItem:
    return types.CompletionItem(
        offer.text,
        kind=_COMPLETION[offer.kind],
        detail=offer.detail or None,
        sort_text=f"{offer.rank}{offer.text.lower()}",
        filter_text=offer.text,
        text_edit=types.TextEdit(place, offer.text),
    )


def _answer_about_texts(server: SpecServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def list_symbols(params: types.DocumentSymbolParams) -> Sequence[types.DocumentSymbol] | None:
        return await server.answer(
            params.text_document, lambda analysis: [_symbol(entry) for entry in outline(analysis)]
        )

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def lay_out(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        def answer(analysis: Analysis) -> list[types.TextEdit]:
            text = formatted(analysis)
            whole = to_range(Span(analysis.file, 0, len(analysis.file.text)))
            return [] if text is None else [types.TextEdit(whole, text)]

        return await server.answer(params.text_document, answer)


def _symbol(entry: Entry) -> types.DocumentSymbol:
    kind = _SYMBOL.get(entry.kind, types.SymbolKind.Object)
    detail = f"{entry.kind} {entry.detail}".strip()
    return types.DocumentSymbol(entry.name, kind, to_range(entry.span), to_range(entry.name_span), detail)


def _change_texts(server: SpecServer) -> None:
    session = server.session

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    async def prepare(params: types.PrepareRenameParams) -> types.Range | None:
        def answer(analysis: Analysis) -> types.Range:
            at = to_offset(analysis.file, params.position)
            return to_range(renamable(analysis, at, session.texts, session.folders))

        return await server.answer(params.text_document, answer)

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    async def rename(params: types.RenameParams) -> types.WorkspaceEdit | None:
        def answer(analysis: Analysis) -> types.WorkspaceEdit:
            at = to_offset(analysis.file, params.position)
            return server.edit(renamed(analysis, at, params.new_name, session.texts, session.folders))

        return await server.answer(params.text_document, answer)

    kinds = types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, kinds)
    async def act(params: types.CodeActionParams) -> list[types.CodeAction] | None:
        def answer(analysis: Analysis) -> list[types.CodeAction]:
            start, end = (to_offset(analysis.file, p) for p in (params.range.start, params.range.end))
            return [
                types.CodeAction(
                    fix.title,
                    kind=types.CodeActionKind.QuickFix,
                    diagnostics=to_editor([problem], analysis.file),
                    is_preferred=fix.safe,
                    edit=server.edit(fix.replacements),
                )
                for problem, fix in fixes_at(analysis, start, end)
            ]

        return await server.answer(params.text_document, answer)


def serve(tcp: tuple[str, int] | None = None, prove: bool = True) -> int:
    """Answer an editor until it leaves.

    Parameters
    ----------
    tcp : (str, int), optional
        Host and port to listen on, for one editor; standard input and output if left out.
    prove : bool
        Whether `pbpkc check` runs in the background.

    Returns
    -------
    int
        Exit status: 0, or 1 when what came in was no traffic of an editor.

    Raises
    ------
    OSError
        When the port cannot be had.
    """
    # What pygls logs are tracebacks; they are of use to who works on pbpkc.
    logging.basicConfig(level=logging.INFO if os.environ.get("PBPKC_TRACEBACK") else logging.CRITICAL + 1)
    server = build_server(prove)
    hear, speak = _pipes() if tcp is None else _line(*tcp)
    try:
        # What anything prints must not get between the messages.
        with contextlib.redirect_stdout(sys.stderr):
            server.start_io(hear, speak)
    except ConnectionError:
        pass  # the editor left
    except (MemoryError, OverflowError, ValueError) as error:
        print(f"the language server cannot go on: {error or type(error).__name__}", file=sys.stderr)
        return 1
    finally:
        server.session.end()
    return 0


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Copies of standard input and output, for pygls closes what it was given."""
    return os.fdopen(os.dup(sys.stdin.fileno()), "rb"), os.fdopen(os.dup(sys.stdout.fileno()), "wb")


def _line(host: str, port: int) -> tuple[BinaryIO, BinaryIO]:
    """Both directions of the first connection to a port."""
    with socket.create_server((host, port)) as waiting:
        print(f"waiting for an editor on {host}:{port}", file=sys.stderr, flush=True)
        line, _ = waiting.accept()
    with line:  # its two files keep it open
        return line.makefile("rb"), line.makefile("wb")
