// Stands in for VS Code: loads the extension with a `vscode` module of its own and asks what an editor asks.
"use strict";

const fs = require("fs");
const Module = require("module");
const path = require("path");

const [folder, python, specs] = process.argv.slice(2);
const registered = {};
const told = {};
const collection = new Map();

class Position { constructor(line, character) { Object.assign(this, { line, character }); } }
class Range { constructor(start, end) { Object.assign(this, { start, end }); } }
class Uri {
  constructor(text) { this.text = text; this.scheme = "file"; this.fsPath = decodeURIComponent(text.slice(7)); }
  toString() { return this.text; }
  static parse(text) { return new Uri(text); }
}
class Holder { constructor(...given) { this.given = given; } }
class WorkspaceEdit { constructor() { this.files = []; } set(uri, edits) { this.files.push([uri, edits]); } }

const register = (name) => (_, provider) => ((registered[name] = provider), { dispose() {} });
const listener = () => ({ dispose() {} });
const document = {
  uri: new Uri("file://" + path.join(specs, "m.pbpk")),
  languageId: "pbpk",
  version: 1,
  getText: () => fs.readFileSync(path.join(specs, "m.pbpk"), "utf8"),
};

const vscode = {
  Position, Range, Uri, WorkspaceEdit,
  Location: class { constructor(uri, range) { Object.assign(this, { uri, range }); } },
  TextEdit: Holder,
  Diagnostic: class { constructor(range, message, severity) { Object.assign(this, { range, message, severity }); } },
  DiagnosticRelatedInformation: Holder,
  CompletionItem: class { constructor(label, kind) { Object.assign(this, { label, kind }); } },
  CompletionList: class { constructor(items) { this.items = items; } },
  DocumentSymbol: class { constructor(name) { this.name = name; } },
  CodeAction: class { constructor(title) { this.title = title; } },
  CodeActionKind: { QuickFix: "quickfix" },
  Hover: class { constructor(contents) { this.contents = contents; } },
  MarkdownString: class { constructor(value) { this.value = value; } },
  commands: { registerCommand: listener },
  window: { showErrorMessage: (m) => { told.error = m; }, showWarningMessage() {} },
  languages: {
    createDiagnosticCollection: () => ({
      set: (uri, list) => collection.set(uri.toString(), list),
      delete: (uri) => collection.delete(uri.toString()),
      clear: () => collection.clear(),
    }),
    registerHoverProvider: register("hover"),
    registerDefinitionProvider: register("definition"),
    registerReferenceProvider: register("references"),
    registerCompletionItemProvider: register("completion"),
    registerRenameProvider: register("rename"),
    registerDocumentSymbolProvider: register("symbols"),
    registerDocumentFormattingEditProvider: register("format"),
    registerCodeActionsProvider: register("actions"),
  },
  workspace: {
    workspaceFolders: [{ uri: new Uri("file://" + specs), name: "specs" }],
    textDocuments: [document],
    getConfiguration: () => ({
      get: () => [python, "-c", "from pbpkc.cli import main; main()", "language-server", "--no-proofs"],
    }),
    createFileSystemWatcher: () => ({
      onDidCreate: listener, onDidChange: listener, onDidDelete: listener, dispose() {},
    }),
    onDidOpenTextDocument: listener,
    onDidChangeTextDocument: listener,
    onDidCloseTextDocument: listener,
  },
};

const load = Module._load;
Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));

async function main() {
  const extension = require(path.join(folder, "extension.js"));
  await extension.activate({ subscriptions: [] });
  const a = new Position(3, 15);
  while (!collection.size && !told.error) await new Promise((done) => setTimeout(done, 20));
  if (told.error) throw new Error(told.error);
  told.problems = [...collection.values()][0];
  const place = new Position(2, 6);
  told.hover = (await registered.hover.provideHover(document, place)).contents.value;
  told.definition = (await registered.definition.provideDefinition(document, place))[0].range.start;
  told.completion = (await registered.completion.provideCompletionItems(document, new Position(4, 0))).items.map(
    (item) => item.label
  );
  told.symbols = (await registered.symbols.provideDocumentSymbols(document)).map((s) => s.name);
  told.fix = (await registered.actions.provideCodeActions(document, new Range(a, a))).map((f) => f.title);
  told.edits = (await registered.rename.provideRenameEdits(document, place, "c")).files.length;
  told.refused = await registered.rename.provideRenameEdits(document, place, "rate").catch((e) => e.message);
  await extension.deactivate();
  told.left = "ended";
  console.log(JSON.stringify(told));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
