// JSON-RPC over the pipes of a process, as the Language Server Protocol frames it. No dependency: the
// extension is these files and nothing else.
"use strict";

const { spawn } = require("child_process");

class Connection {
  // `told(method, params)` hears notifications; `ended(reason)` hears that the process is gone.
  constructor(command, folder, told, ended) {
    this.told = told;
    this.waiting = new Map();
    this.number = 0;
    this.buffer = Buffer.alloc(0);
    this.open = true;
    this.process = spawn(command[0], command.slice(1), { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
    let complaint = "";
    const end = (reason) => {
      if (!this.open) return;
      this.open = false;
      for (const { reject } of this.waiting.values()) reject(new Error(reason));
      this.waiting.clear();
      ended(reason);
    };
    this.process.stdout.on("data", (data) => this.read(data));
    this.process.stderr.on("data", (data) => (complaint = (complaint + data).slice(-2000)));
    this.process.stdin.on("error", () => {});
    this.process.on("error", (error) => end(`'${command[0]}' cannot be started: ${error.message}`));
    this.process.on("close", (code) => end(complaint.trim() || `it ended with status ${code}`));
  }

  read(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      const head = this.buffer.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = /content-length: *(\d+)/i.exec(this.buffer.toString("ascii", 0, head));
      const begin = head + 4;
      const end = begin + (length ? Number(length[1]) : 0);
      if (this.buffer.length < end) return;
      const body = this.buffer.toString("utf8", begin, end);
      this.buffer = this.buffer.subarray(end);
      if (length) this.hear(JSON.parse(body));
    }
  }

  hear(message) {
    if (message.method !== undefined) {
      // The server asks for nothing that this client does for it.
      if (message.id !== undefined) this.write({ id: message.id, result: null });
      else this.told(message.method, message.params);
      return;
    }
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (!waiting) return;
    if (message.error) waiting.reject(new Error(message.error.message));
    else waiting.resolve(message.result);
  }

  write(message) {
    if (!this.open) return;
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }), "utf8");
    this.process.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.process.stdin.write(body);
  }

  tell(method, params) {
    this.write({ method, params });
  }

  ask(method, params) {
    if (!this.open) return Promise.reject(new Error("the language server is not running"));
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.write({ id, method, params });
    });
  }

  // Ask the server to leave, and see to it that it does.
  async leave() {
    const gone = new Promise((resolve) => this.process.once("close", resolve));
    const killing = setTimeout(() => this.process.kill(), 2000);
    try {
      await this.ask("shutdown", null);
      this.tell("exit", null);
    } catch {
      this.process.kill();
    }
    await gone;
    clearTimeout(killing);
  }
}

module.exports = { Connection };
