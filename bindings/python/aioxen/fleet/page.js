// SPDX-License-Identifier: LGPL-2.1-or-later
// The page of a fleet: hosts, domains, calls in progress and events, live. It reads only.
//
// The page speaks the text protocol of NATS over a websocket: CONNECT, SUB, PUB, PING and PONG. The broker
// lets the page's user publish only xen.look, which asks the agents for their state. The page shows all texts
// of hosts as text, never as HTML.
"use strict";

const LOOK = 4000; // The time between two requests to tell the state, in milliseconds.
const SILENT = 3000; // The age of the last heartbeat after which a host counts as silent, in milliseconds.
const LOST = 10000;
const MOST_EVENTS = 200;
const MOST_ROWS = 500;
const MOST_BUFFERED = 16 << 20;

const hosts = new Map();
const tiles = new Map();
const events = [];
const settings = window.AIOXEN_FLEET;
const decoder = new TextDecoder();
let chosen = "";
let changed = true;
let linked = "connecting";

// The connection

function connect() {
  const socket = new WebSocket(settings.url);
  socket.binaryType = "arraybuffer";
  let waiting = new Uint8Array(0);
  const send = (text) => socket.readyState === WebSocket.OPEN && socket.send(text);
  const look = setInterval(() => send("PUB xen.look 0\r\n\r\n"), LOOK);
  socket.onmessage = (message) => {
    const more = new Uint8Array(message.data);
    const all = new Uint8Array(waiting.length + more.length);
    all.set(waiting);
    all.set(more, waiting.length);
    waiting = all.subarray(read(all, send));
    if (waiting.length > MOST_BUFFERED) socket.close();
  };
  socket.onclose = () => {
    clearInterval(look);
    linked = linked.startsWith("refused") ? linked : "no connection";
    changed = true;
    setTimeout(connect, 1000);
  };
}

// Takes the complete messages of a buffer, and returns how many octets they have.
function read(all, send) {
  let at = 0;
  for (;;) {
    const end = all.indexOf(10, at);
    if (end < 0) return at;
    const words = decoder.decode(all.subarray(at, end)).trim().split(" ");
    if (words[0] === "MSG") {
      const size = Number(words[words.length - 1]);
      if (all.length < end + 1 + size + 2) return at;
      take(words[1], all.subarray(end + 1, end + 1 + size));
      at = end + 1 + size + 2;
      continue;
    }
    at = end + 1;
    if (words[0] === "INFO") {
      const given = { user: settings.user, pass: settings.password, verbose: false, pedantic: false,
        lang: "javascript", version: "0", protocol: 1, echo: false, headers: false, name: "aioxen page" };
      const wanted = ["xen.hb.*", "xen.st.*", "xen.ev.>"];
      send(`CONNECT ${JSON.stringify(given)}\r\n` + wanted.map((s, i) => `SUB ${s} ${i + 1}\r\n`).join("") +
        "PUB xen.hello 0\r\n\r\nPUB xen.look 0\r\n\r\nPING\r\n");
    } else if (words[0] === "PING") {
      send("PONG\r\n");
    } else if (words[0] === "PONG") {
      linked = "live";
    } else if (words[0] === "-ERR") {
      linked = `refused: ${words.slice(1).join(" ")}`;
    }
    changed = true;
  }
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// Returns the objects of an array of JSON. A host can send any JSON.
function objects(value) {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function take(subject, octets) {
  let given;
  try {
    given = JSON.parse(decoder.decode(octets));
  } catch {
    return;
  }
  if (!isObject(given)) return;
  const parts = subject.split(".");
  const host = hosts.get(parts[2]) || { name: parts[2], domains: [], calls: [], used: null };
  hosts.set(parts[2], host);
  if (parts[1] === "hb") {
    Object.assign(host, { heard: Date.now(), state: given.state, count: given.domains, busy: given.calls });
    host.version = given.version;
  } else if (parts[1] === "st") {
    const [domains, calls] = [objects(given.domains), objects(given.calls)];
    const used = domains.reduce((sum, d) => sum + Number(d.cpu_seconds), 0);
    const passed = given.time - host.told;
    host.used = passed > 0 ? Math.max(0, (used - host.seconds) / passed) * 100 : null;
    Object.assign(host, { told: given.time, seconds: used, domains, calls });
  } else if (parts[1] === "ev") {
    const about = isObject(given.event) ? given.event : {};
    events.unshift({ host: parts[2], kind: String(given.kind), time: given.time, about });
    events.length = Math.min(events.length, MOST_EVENTS);
  }
  changed = true;
}

// The page

function stateOf(host) {
  const silence = Date.now() - (host.heard || 0);
  if (host.state === "bye") return "stopped";
  return silence > LOST ? "lost" : silence > SILENT ? "silent" : "up";
}

function element(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = String(text);
  if (kind) made.className = kind;
  return made;
}

function rows(id, all, cells) {
  const body = document.getElementById(id);
  body.replaceChildren(...all.slice(0, MOST_ROWS).map((one) => {
    const row = element("tr");
    row.append(...cells(one).map((cell) => cell instanceof Node ? cell : element("td", cell)));
    return row;
  }));
  document.getElementById(`${id}-count`).textContent = all.length;
}

function word(text, kind) {
  const cell = element("td");
  cell.append(element("span", text, `word ${kind}`));
  return cell;
}

// Returns the tile of a host. The element is never replaced, because a replaced element loses clicks.
function tileOf(host) {
  let tile = tiles.get(host.name);
  if (!tile) {
    tile = element("button");
    tile.append(element("b", host.name), element("span"), element("small"));
    tile.onclick = () => { chosen = chosen === host.name ? "" : host.name; show(); };
    tiles.set(host.name, tile);
  }
  const load = host.used === null || Number.isNaN(host.used) ? "" : ` · ${host.used.toFixed(0)} %`;
  tile.className = `tile ${stateOf(host)}${host.name === chosen ? " chosen" : ""}`;
  tile.children[1].textContent = stateOf(host);
  tile.children[2].textContent = `${host.count ?? "?"} domains · ${host.busy ?? "?"} calls${load}`;
  return tile;
}

function show() {
  const sorted = [...hosts.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const up = sorted.filter((host) => stateOf(host) === "up").length;
  document.getElementById("sum").textContent = `${up} of ${sorted.length} hosts up`;
  const link = document.getElementById("link");
  link.textContent = linked;
  link.className = `word ${linked === "live" ? "up" : "lost"}`;
  const box = document.getElementById("hosts");
  sorted.forEach((host, at) => {
    const tile = tileOf(host);
    if (box.children[at] !== tile) box.insertBefore(tile, box.children[at] || null);
  });
  const wanted = document.getElementById("filter").value;
  const fits = (host) => !chosen || host.name === chosen;
  const seen = sorted.filter(fits);
  const domains = seen.flatMap((host) => host.domains.map((domain) => ({ ...domain, host: host.name })));
  rows("domains", domains.filter((d) => `${d.host}/${d.name}`.includes(wanted)), (d) =>
    [d.host, d.name, d.domid, word(d.state, d.state), d.memory_mib, Number(d.cpu_seconds).toFixed(1)]);
  const calls = seen.flatMap((host) => host.calls.map((call) => ({ ...call, host: host.name })));
  rows("calls", calls, (c) => [c.host, c.call, c.domid ?? "", c.caller, `${Number(c.seconds).toFixed(0)} s`]);
  rows("events", events.filter((e) => !chosen || e.host === chosen), (e) =>
    [new Date(e.time * 1000).toLocaleTimeString(), e.host, e.kind.replaceAll("_", " "), e.about.domid ?? ""]);
}

setInterval(() => { if (changed || linked === "live") { changed = false; show(); } }, 500);
document.getElementById("filter").oninput = () => { changed = true; };
connect();
