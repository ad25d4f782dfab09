// SPDX-License-Identifier: LGPL-2.1-or-later
// page_in_node.js PAGE: runs the script of the fleet's page without a browser. Reads an array of messages in JSON
// from standard input: each is the octets of one message of the websocket, as a text. Prints what the page shows,
// as JSON: the texts of the cells of each table, those of the tiles, and what the page has sent.
"use strict";
const fs = require("fs");
const vm = require("vm");

class Node {
  constructor() {
    this.children = [];
    this.own = "";
    this.value = "";
  }
  set textContent(text) { this.own = String(text); }
  get textContent() { return this.own + this.children.map((child) => child.textContent).join(""); }
  append(...more) { this.children.push(...more); }
  replaceChildren(...all) { this.children = all; }
  insertBefore(child, before) {
    this.children = this.children.filter((one) => one !== child);
    const at = before ? this.children.indexOf(before) : this.children.length;
    this.children.splice(at, 0, child);
  }
}

const elements = new Map();
const sent = [];
const timers = [];
const sockets = [];
class WebSocket {
  constructor() {
    this.readyState = WebSocket.OPEN = 1;
    sockets.push(this);
  }
  send(text) { sent.push(text); }
  close() { sent.push("closed"); }
}
const document = {
  createElement: () => new Node(),
  getElementById: (id) => elements.get(id) || elements.set(id, new Node()).get(id),
};
const setInterval = (run, milliseconds) => timers.push({ run, milliseconds });
const window = { AIOXEN_FLEET: { url: "wss://broker", user: "page", password: "secret" } };
vm.runInNewContext(fs.readFileSync(process.argv[2], "utf8"),
  { window, document, WebSocket, Node, setInterval, clearInterval() {}, setTimeout() {}, TextDecoder, Uint8Array });

for (const message of JSON.parse(fs.readFileSync(0, "utf8"))) {
  sockets[0].onmessage({ data: new TextEncoder().encode(message).buffer });
}
timers.find((timer) => timer.milliseconds === 500).run();
const table = (id) => elements.get(id).children.map((row) => row.children.map((cell) => cell.textContent));
const shown = { sent, link: elements.get("link").textContent, hosts: elements.get("hosts").children.map((tile) => tile.textContent) };
console.log(JSON.stringify({ ...shown, domains: table("domains"), calls: table("calls"), events: table("events") }));
