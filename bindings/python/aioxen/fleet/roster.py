# SPDX-License-Identifier: LGPL-2.1-or-later
"""The roster of a fleet: the names of its hosts and clients. This module generates three things from the
roster: the broker's configuration with the rights of each name, the certificates, and the policies of the
hosts.

DIR/roster.json            the names, and those that were removed
DIR/authority/             the authority's key: keep it off the hosts
DIR/broker/                nats.conf and the broker's certificate
DIR/hosts/NAME/            the files for a host's /etc/aioxen-agent: certificates and policy.toml
DIR/clients/NAME/          for a client: certificates
DIR/page/                  the web page, with the password of its user, who may only look
"""

from __future__ import annotations

import json
import secrets
from importlib import resources
from pathlib import Path
from typing import Any

from aioxen.fleet import subjects, wire
from aioxen.fleet.authority import Authority, write
from aioxen.fleet.roles import ROLES

PORT = 4222
MOST_PAYLOAD = wire.MOST_REPLY + 4096
STORE = "/var/lib/nats"
PAGE = "page"
"""The user of the web page."""


class Roster:
    """The names of a fleet, in a directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts: list[str] = []
        self.clients: dict[str, str] = {}
        """The role of each client."""
        self.brokers: list[str] = []
        """The host names and IP addresses under which the broker is reached."""
        self.removed: list[str] = []
        """The hosts and clients that were removed. Their certificates are still signed by the authority."""
        self.page: str = ""
        """The password of the web page. Empty: there is no page."""
        self.page_port: int = 0
        if (path := folder / "roster.json").exists():
            given = json.loads(path.read_text())
            self.hosts, self.clients, self.brokers = given["hosts"], given["clients"], given["brokers"]
            self.page, self.page_port = given.get("page", ("", 0))
            self.removed = given.get("removed", [])

    def add(self, hosts: tuple[str, ...], clients: dict[str, str], brokers: tuple[str, ...]) -> None:
        """Adds names. If a client exists already, its role is replaced.

        Raises ValueError: a name or a role is wrong, or a name was removed. The old certificate of a removed
        name would be accepted again.
        """
        for name in (*hosts, *clients):
            if not wire.NAME.fullmatch(name) or name in subjects.RESERVED:
                raise ValueError(f"{name!r} cannot be a name: 1 to 63 letters, digits, - and _ are expected")
            if name in self.removed:
                raise ValueError(f"{name!r} was removed, and its old certificate names it: take another name")
        for role in clients.values():
            if role not in ROLES:
                raise ValueError(f"{role!r} is no role: {', '.join(ROLES)}")
        self.hosts = list(dict.fromkeys([*self.hosts, *hosts]))
        self.clients |= clients
        self.brokers = list(dict.fromkeys([*self.brokers, *brokers]))
        if twice := set(self.hosts) & set(self.clients):
            raise ValueError(f"{min(twice)!r} is both a host and a client")

    def remove(self, name: str) -> None:
        """Removes a host or a client for good. The broker and the hosts then refuse its certificate.

        Raises ValueError: the name is not in the roster.
        """
        if name not in self.hosts and name not in self.clients:
            raise ValueError(f"{name!r} is not in the roster")
        self.hosts = [host for host in self.hosts if host != name]
        self.clients.pop(name, None)
        self.removed.append(name)

    def write(
        self, store: str = STORE, rights: bool = True, port: int = PORT, page_port: int | None = None
    ) -> None:
        """Writes everything. Certificates that exist are kept.

        page_port: The port of the broker for the web page. 0: there is no page. None: the port stays
        unchanged.

        rights: False: the broker checks no rights. Only for tests of the agents' own checks.
        """
        if not self.brokers:
            raise ValueError("the broker's name is missing")
        authority = Authority(self.folder / "authority")
        authority.issue(self.folder / "broker", self.brokers[0], "broker", tuple(self.brokers))
        for host in self.hosts:
            authority.issue(self.folder / "hosts" / host, host, "host")
            write(self.folder / "hosts" / host / "policy.toml", self.policy().encode())
        for client in self.clients:
            authority.issue(self.folder / "clients" / client, client, "client")
        if page_port is not None:
            self.page_port = page_port
            self.page = (self.page or secrets.token_urlsafe(18)) if page_port else ""
        configuration = self.configuration(store, rights, port) + self._websocket()
        write(self.folder / "broker/nats.conf", configuration.encode(), 0o600 if self.page else 0o644)
        names: dict[str, Any] = {"hosts": self.hosts, "clients": self.clients, "brokers": self.brokers}
        if self.removed:
            names["removed"] = self.removed
        if self.page:
            names["page"] = self.page, self.page_port
        write(self.folder / "roster.json", json.dumps(names, indent=1).encode(), 0o600)
        if self.page:
            self._write_page()

    def _websocket(self) -> str:
        """Returns the part of nats-server's configuration that lets the page connect."""
        if not self.page:
            return ""
        folder = (self.folder / "broker").resolve()
        files = f'cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem"'
        return f"websocket {{ port: {self.page_port}, tls {{ {files} }} }}\n"

    def _write_page(self) -> None:
        settings = {"url": f"wss://{self.brokers[0]}:{self.page_port}", "user": PAGE, "password": self.page}
        for name, target in (("page.html", "index.html"), ("page.js", "page.js")):
            data = (resources.files("aioxen.fleet") / name).read_bytes()
            write(self.folder / "page" / target, data)
        text = f"window.AIOXEN_FLEET = {json.dumps(settings)};\n"
        write(self.folder / "page/settings.js", text.encode(), 0o600)

    def policy(self) -> str:
        """Returns the policy of a host: each client has its role, on all domains."""
        text = "# Who may call what on this host. The agent reads it when it starts.\n"
        for role in ROLES:
            if callers := sorted(name for name, of in self.clients.items() if of == role):
                text += f'\n[[allow]]\ncallers = {json.dumps(callers)}\noperations = ["@{role}"]\n'
        return text

    def configuration(self, store: str, rights: bool, port: int) -> str:
        """Returns the configuration of nats-server."""
        folder = (self.folder / "broker").resolve()
        check = "verify_and_map: true" if rights else "verify: false"
        text = (
            "# Generated by `aioxen fleet init`. What it gives to each name is in roster.json.\n"
            f"port: {port}\nmax_payload: {MOST_PAYLOAD}\nmax_pending: 64MB\n"
            f"jetstream {{ store_dir: {json.dumps(store)}, max_file_store: 4GB }}\n"
            f'tls {{ cert_file: "{folder}/cert.pem", key_file: "{folder}/key.pem", '
            f'ca_file: "{folder}/ca.pem", {check}, timeout: 5 }}\n'
        )
        if not rights:
            return text
        users = [_user(host, "host", host_rights(host)) for host in self.hosts]
        users += [_user(name, "client", client_rights(name, role)) for name, role in self.clients.items()]
        if self.page:
            users.append(_page_user(self.page))
        return text + "authorization {\n  users: [\n" + "".join(users) + "  ]\n}\n"


Rights = tuple[list[str], list[str]]
"""The subjects that a name may publish on, and those that it may subscribe to."""


def _user(name: str, kind: str, rights: Rights) -> str:
    publish, subscribe = (json.dumps(subjects) for subjects in rights)
    permissions = f"publish: {{ allow: {publish} }}, subscribe: {{ allow: {subscribe} }}"
    return f'    {{ user: "CN={name},OU={kind}", permissions: {{ {permissions} }} }}\n'


def _page_user(password: str) -> str:
    publish = json.dumps([subjects.LOOK, subjects.HELLO])
    subscribe = json.dumps([subjects.BEATS, subjects.ALL_STATES, subjects.ALL_EVENTS])
    permissions = f"publish: {{ allow: {publish} }}, subscribe: {{ allow: {subscribe} }}"
    words = f"user: {PAGE}, password: {json.dumps(password)}, allowed_connection_types: [WEBSOCKET]"
    return f"    {{ {words}, permissions: {{ {permissions} }} }}\n"


def host_rights(host: str) -> Rights:
    """Returns the rights of an agent: to receive requests for its host, and to send messages of its host."""
    publish = [f"xen.re.{host}.>", f"xen.hb.{host}", f"xen.st.{host}", f"xen.ev.{host}.>", f"xen.au.{host}"]
    publish += [
        f"$JS.API.STREAM.CREATE.{stream}" for stream in (subjects.EVENTS, subjects.AUDIT, subjects.HOSTS)
    ]
    return publish, [f"xen.{host}.*", subjects.HELLO, subjects.LOOK, f"{subjects.inbox(host)}.>"]


def client_rights(name: str, role: str) -> Rights:
    """Returns the rights of a client: to call the operations of its role, and to receive its replies."""
    publish = [f"xen.*.{call}" for call in (*sorted(ROLES[role]), wire.CANCEL, wire.OUTCOME)]
    publish += [subjects.HELLO, "$JS.FC.>", f"$JS.API.STREAM.INFO.{subjects.HOSTS}"]
    subscribe = [f"xen.re.*.{name}.>", subjects.BEATS, subjects.ALL_EVENTS, f"{subjects.inbox(name)}.>"]
    streams = [subjects.EVENTS]
    if role == "admin":
        streams.append(subjects.AUDIT)
        subscribe.append(subjects.ALL_AUDIT)
    for stream in streams:
        publish += [f"$JS.API.CONSUMER.CREATE.{stream}", f"$JS.API.CONSUMER.CREATE.{stream}.>"]
        publish += [f"$JS.API.CONSUMER.{verb}.{stream}.>" for verb in ("INFO", "DELETE")]
        publish += [f"$JS.API.STREAM.INFO.{stream}"]
    return publish, subscribe
