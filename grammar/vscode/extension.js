// Starts `pbpkc language-server` and carries between it and VS Code.
"use strict";

const vscode = require("vscode");
const { Connection } = require("./connection");

const LANGUAGE = { language: "pbpk", scheme: "file" };

// A server that ends this often within a minute is not started again.
const MOST_STARTS = 4;

let connection = null;
let problems = null;
let starts = [];

// ------------------------------------------------------------------ from one to the other

const place = (position) => ({ line: position.line, character: position.character });
const at = (document, position) => ({ textDocument: { uri: document.uri.toString() }, position: place(position) });
const position = (p) => new vscode.Position(p.line, p.character);
const range = (r) => new vscode.Range(position(r.start), position(r.end));
const location = (l) => new vscode.Location(vscode.Uri.parse(l.uri), range(l.range));
const textEdit = (e) => new vscode.TextEdit(range(e.range), e.newText);

function diagnostic(d) {
  // Severities count from 1 there and from 0 here.
  const shown = new vscode.Diagnostic(range(d.range), d.message, (d.severity || 1) - 1);
  shown.source = d.source;
  shown.code = d.code;
  shown.tags = d.tags;
  shown.relatedInformation = (d.relatedInformation || []).map(
    (r) => new vscode.DiagnosticRelatedInformation(location(r.location), r.message)
  );
  return shown;
}

function workspaceEdit(edit) {
  const made = new vscode.WorkspaceEdit();
  for (const [uri, edits] of Object.entries(edit.changes || {})) {
    made.set(vscode.Uri.parse(uri), edits.map(textEdit));
  }
  return made;
}

function completion(item) {
  // Kinds count from 1 there and from 0 here.
  const shown = new vscode.CompletionItem(item.label, (item.kind || 1) - 1);
  shown.detail = item.detail;
  shown.sortText = item.sortText;
  shown.filterText = item.filterText;
  shown.insertText = item.textEdit.newText;
  shown.range = range(item.textEdit.range);
  return shown;
}

function symbol(s) {
  return new vscode.DocumentSymbol(s.name, s.detail || "", s.kind - 1, range(s.range), range(s.selectionRange));
}

function action(a) {
  const shown = new vscode.CodeAction(a.title, vscode.CodeActionKind.QuickFix);
  shown.edit = workspaceEdit(a.edit);
  shown.isPreferred = a.isPreferred;
  shown.diagnostics = (a.diagnostics || []).map(diagnostic);
  return shown;
}

// What the server answers, or nothing while it is not running.
async function ask(method, params) {
  return connection && connection.open ? connection.ask(method, params) : null;
}

// ------------------------------------------------------------------ what VS Code asks

function providers() {
  const languages = vscode.languages;
  return [
    languages.registerHoverProvider(LANGUAGE, {
      async provideHover(document, p) {
        const found = await ask("textDocument/hover", at(document, p));
        return found && new vscode.Hover(new vscode.MarkdownString(found.contents.value), range(found.range));
      },
    }),
    languages.registerDefinitionProvider(LANGUAGE, {
      async provideDefinition(document, p) {
        return ((await ask("textDocument/definition", at(document, p))) || []).map(location);
      },
    }),
    languages.registerReferenceProvider(LANGUAGE, {
      async provideReferences(document, p, context) {
        const params = { ...at(document, p), context: { includeDeclaration: context.includeDeclaration } };
        return ((await ask("textDocument/references", params)) || []).map(location);
      },
    }),
    languages.registerCompletionItemProvider(
      LANGUAGE,
      {
        async provideCompletionItems(document, p) {
          const found = await ask("textDocument/completion", at(document, p));
          return found && new vscode.CompletionList(found.items.map(completion), found.isIncomplete);
        },
      },
      ".",
      "[",
      "/",
      "*"
    ),
    languages.registerRenameProvider(LANGUAGE, {
      async prepareRename(document, p) {
        const found = await ask("textDocument/prepareRename", at(document, p));
        return found && range(found);
      },
      async provideRenameEdits(document, p, newName) {
        const found = await ask("textDocument/rename", { ...at(document, p), newName });
        return found && workspaceEdit(found);
      },
    }),
    languages.registerDocumentSymbolProvider(LANGUAGE, {
      async provideDocumentSymbols(document) {
        const params = { textDocument: { uri: document.uri.toString() } };
        return ((await ask("textDocument/documentSymbol", params)) || []).map(symbol);
      },
    }),
    languages.registerDocumentFormattingEditProvider(LANGUAGE, {
      async provideDocumentFormattingEdits(document, options) {
        const params = { textDocument: { uri: document.uri.toString() }, options };
        return ((await ask("textDocument/formatting", params)) || []).map(textEdit);
      },
    }),
    languages.registerCodeActionsProvider(LANGUAGE, {
      async provideCodeActions(document, chosen) {
        const params = {
          textDocument: { uri: document.uri.toString() },
          range: { start: place(chosen.start), end: place(chosen.end) },
          context: { diagnostics: [] },
        };
        return ((await ask("textDocument/codeAction", params)) || []).map(action);
      },
    }),
  ];
}

// ------------------------------------------------------------------ what VS Code tells

const isSpec = (document) => document.languageId === "pbpk" && document.uri.scheme === "file";

function opened(document) {
  if (!connection || !isSpec(document)) return;
  connection.tell("textDocument/didOpen", {
    textDocument: {
      uri: document.uri.toString(),
      languageId: "pbpk",
      version: document.version,
      text: document.getText(),
    },
  });
}

function changed(document) {
  if (!connection || !isSpec(document)) return;
  connection.tell("textDocument/didChange", {
    textDocument: { uri: document.uri.toString(), version: document.version },
    contentChanges: [{ text: document.getText() }],
  });
}

function closed(document) {
  if (!connection || !isSpec(document)) return;
  connection.tell("textDocument/didClose", { textDocument: { uri: document.uri.toString() } });
  problems.delete(document.uri);
}

function follow() {
  const workspace = vscode.workspace;
  const files = workspace.createFileSystemWatcher("**/*.pbpk");
  const onDisk = (type) => (uri) => {
    if (connection) {
      connection.tell("workspace/didChangeWatchedFiles", { changes: [{ uri: uri.toString(), type }] });
    }
  };
  return [
    workspace.onDidOpenTextDocument(opened),
    workspace.onDidChangeTextDocument((event) => changed(event.document)),
    workspace.onDidCloseTextDocument(closed),
    files,
    files.onDidCreate(onDisk(1)),
    files.onDidChange(onDisk(2)),
    files.onDidDelete(onDisk(3)),
  ];
}

// ------------------------------------------------------------------ the server

function heard(method, params) {
  if (method === "textDocument/publishDiagnostics") {
    problems.set(vscode.Uri.parse(params.uri), params.diagnostics.map(diagnostic));
  } else if (method === "window/showMessage") {
    vscode.window.showWarningMessage(`pbpk: ${params.message}`);
  }
}

async function start() {
  const folders = vscode.workspace.workspaceFolders || [];
  const command = vscode.workspace.getConfiguration("pbpk").get("command");
  const own = new Connection(command, folders[0] && folders[0].uri.fsPath, heard, (reason) => {
    if (connection === own) lost(reason);
  });
  connection = own;
  starts.push(Date.now());
  await own.ask("initialize", {
    processId: process.pid,
    rootUri: folders[0] ? folders[0].uri.toString() : null,
    workspaceFolders: folders.map((f) => ({ uri: f.uri.toString(), name: f.name })),
    capabilities: { general: { positionEncodings: ["utf-16"] } },
  });
  own.tell("initialized", {});
  vscode.workspace.textDocuments.forEach(opened);
}

function lost(reason) {
  connection = null;
  problems.clear();
  starts = starts.filter((time) => Date.now() - time < 60000);
  // One that never began to speak would not begin the next time either.
  if (starts.length < MOST_STARTS && !/cannot be started|pip install|Usage:/.test(reason)) {
    start().catch(() => {});
    return;
  }
  vscode.window.showErrorMessage(
    `The pbpk language server is not running: ${reason}. ` +
      "Install it with pip install 'pbpkc[editor]', or say in the setting pbpk.command how it is started."
  );
}

async function stop() {
  const own = connection;
  connection = null;
  if (own && own.open) await own.leave();
}

async function restart() {
  await stop();
  starts = [];
  await start();
}

async function activate(context) {
  problems = vscode.languages.createDiagnosticCollection("pbpk");
  context.subscriptions.push(problems, ...providers(), ...follow());
  context.subscriptions.push(vscode.commands.registerCommand("pbpk.restart", restart));
  await start().catch(() => {});
}

module.exports = { activate, deactivate: stop };
