# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rights of clients. The broker refuses a client's call if the client has no right to make it. Without
the broker's rules, the agents refuse the call."""

from __future__ import annotations

import asyncio
import base64
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aioxen import fleet
from aioxen._fleet_operations import OPERATIONS
from aioxen.fleet.authority import Authority
from aioxen.fleet.identity import CERTIFICATE, SIGNATURE, IdentityError, Verifier
from aioxen.fleet.roles import ROLES
from aioxen.fleet.roster import Roster
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fleetly import Broker, World, connect, wait_until

HOSTS = ("h1", "h2")


@contextmanager
def protected(folder: Path, rights: bool) -> Iterator[tuple[Broker, dict[str, World]]]:
    """Yields a broker with certificates and two hosts. Each role has a client of the same name."""
    roster = Roster(folder / "fleet")
    roster.add(HOSTS, {role: role for role in ROLES}, ("127.0.0.1",))
    roster.write(str(folder / "store"), rights)
    broker = Broker(folder, folder / "fleet/broker/nats.conf")
    broker.start()
    made: dict[str, World] = {}
    try:
        for host in HOSTS:
            place = folder / "fleet/hosts" / host
            made[host] = World(folder, host, ["--url", broker.url, "--identity", str(place)])
            shutil.copy(place / "policy.toml", made[host].policy)
            made[host].start_agent()
        yield broker, made
    finally:
        for world in made.values():
            world.end()
        broker.kill()


async def allowed(f: fleet.Fleet, host: str, operation: str) -> bool:
    """Returns whether a call is allowed. The call has wrong inputs, so it does nothing even if it is
    allowed."""
    call = f._start(f[host], operation, {"no such input": 1}, None, None)
    with pytest.raises((fleet.NotAllowedError, fleet.RefusedError)) as error:
        await call
    return isinstance(error.value, fleet.RefusedError)


@pytest.mark.parametrize("rights", [True, False], ids=["by-the-broker", "by-the-agent"])
async def test_each_role_calls_its_operations_on_each_host(tmp_path: Path, rights: bool) -> None:
    with protected(tmp_path, rights) as (broker, made):
        for role, operations in ROLES.items():
            async with connect(broker.url, identity=tmp_path / "fleet/clients" / role) as f:
                await f.wait_for(*HOSTS)
                calls = [(host, operation) for host in HOSTS for operation in OPERATIONS]
                found = await asyncio.gather(*(allowed(f, *call) for call in calls))
                assert {call for call, may in zip(calls, found, strict=True) if may} == {
                    (host, operation) for host in HOSTS for operation in operations
                }
        lines = made["h1"].audited()
        # The program sends a request again if the answer is late, so the agent may refuse one request twice.
        policy = {line["id"] for line in lines if line["outcome"] == "refused: policy"}
        wanted = 0 if rights else sum(len(OPERATIONS) - len(of) for of in ROLES.values())
        assert len(policy) == wanted
        assert {line["caller"] for line in lines} == set(ROLES)


async def refusal(broker: Broker, identity: Path) -> type[BaseException]:
    """Returns the error of a client with a wrong certificate."""
    with pytest.raises((OSError, fleet.FleetError)) as error:
        async with connect(broker.url, identity=identity) as f:
            await f["h1"].domain_list()
    return error.type


@pytest.mark.parametrize("rights", [True, False], ids=["by-the-broker", "by-the-agent"])
async def test_wrong_certificates_are_refused(tmp_path: Path, rights: bool) -> None:
    wanted = PermissionError if rights else fleet.NotAllowedError
    with protected(tmp_path, rights) as (broker, made):
        async with connect(broker.url, identity=tmp_path / "fleet/clients/viewer") as f:
            await f.wait_for(*HOSTS)
        authority = Authority(tmp_path / "fleet/authority")
        foreign = Authority(tmp_path / "foreign")
        foreign.issue(tmp_path / "wrong/foreign", "admin", "client")
        shutil.copy(tmp_path / "fleet/authority/ca.pem", tmp_path / "wrong/foreign/ca.pem")
        authority.issue(tmp_path / "wrong/expired", "admin", "client", days=0)
        authority.issue(tmp_path / "wrong/unknown", "nobody", "client")
        authority.issue(tmp_path / "wrong/host", "admin", "host")
        for name in ("foreign", "expired", "unknown", "host"):
            assert issubclass(await refusal(broker, tmp_path / "wrong" / name), wanted), name
        done = [line for line in made["h1"].audited() if line["outcome"] == "done"]
        assert done == []


@pytest.mark.parametrize("rights", [True, False], ids=["by-the-broker", "by-the-agent"])
async def test_a_removed_client_is_refused(tmp_path: Path, rights: bool) -> None:
    with protected(tmp_path, rights) as (broker, made):
        for name in "viewer", "admin":
            async with connect(broker.url, identity=tmp_path / "fleet/clients" / name) as f:
                await f.wait_for(*HOSTS)
                await f["h1"].domain_list()
        roster = Roster(tmp_path / "fleet")
        roster.remove("viewer")
        roster.write(str(tmp_path / "store"), rights)
        assert broker.process is not None
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "Reloaded server" in (tmp_path / "broker.log").read_text(), "the broker's reload")
        for host, world in made.items():
            shutil.copy(tmp_path / "fleet/hosts" / host / "policy.toml", world.policy)
            world.kill_agent(signal.SIGTERM)
            world.start_agent()
        wanted = PermissionError if rights else fleet.NotAllowedError
        async with connect(broker.url, identity=tmp_path / "fleet/clients/admin") as f:
            await f.wait_for(*HOSTS)
            await f["h1"].domain_list()
        assert issubclass(await refusal(broker, tmp_path / "fleet/clients/viewer"), wanted)


def test_a_certificate_with_an_unknown_algorithm_is_refused(tmp_path: Path) -> None:
    Authority(tmp_path).issue(tmp_path / "alice", "alice", "client")
    pem = (tmp_path / "alice/cert.pem").read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    ecdsa_with_sha256, unknown = bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d04037f")
    changed = der.replace(ecdsa_with_sha256, unknown)
    assert changed != der
    headers = {CERTIFICATE: base64.b64encode(changed).decode(), SIGNATURE: base64.b64encode(b"s").decode()}
    with pytest.raises(IdentityError, match="the certificate cannot be read"):
        Verifier(tmp_path / "ca.pem").caller(b"message", headers)


async def test_a_replayed_request_is_not_carried_out_again(tmp_path: Path) -> None:
    with protected(tmp_path, True) as (broker, made):
        async with connect(broker.url, identity=tmp_path / "fleet/clients/operator") as f:
            await f.wait_for("h1")
            call = f["h1"].domain_pause(0)
            message = call._message
            assert message is not None
            outcome = await asyncio.gather(call, return_exceptions=True)
            for _ in range(5):
                f._link.send("h1", message[0], call.id, message[1], message[2])
            again = f._start(f["h1"], "domain_list", {}, None, None)
            await again
            # The agent refuses another message with the same id, and a message that was changed on the way.
            changed = message[1].replace(b'"progress":false', b'"progress":true')
            f._link.send("h1", message[0], call.id, changed, message[2])
            await f["h1"].domain_list()
            calls = [line for line in made["h1"].audited() if line["call"] == "domain_pause"]
            assert [line["outcome"] for line in calls][1:] == ["refused: identity"]
            assert len(outcome) == 1


def test_keys_are_private_and_names_are_checked(tmp_path: Path) -> None:
    roster = Roster(tmp_path)
    roster.add(("h1",), {"alice": "viewer"}, ("broker.example.org",))
    roster.write()
    keys = list(tmp_path.rglob("key.pem"))
    assert len(keys) == 4
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    again = Roster(tmp_path)
    again.remove("alice")
    again.write()
    assert "alice" not in (tmp_path / "broker/nats.conf").read_text()
    assert "alice" not in (tmp_path / "hosts/h1/policy.toml").read_text()
    with pytest.raises(ValueError, match="'alice' was removed"):
        Roster(tmp_path).add((), {"alice": "viewer"}, ())
    wrong: list[tuple[tuple[str, ...], dict[str, str]]] = [(("a.b",), {}), ((), {"x": "root"})]
    for hosts, clients in [*wrong, (("h2",), {"h1": "viewer"})]:
        with pytest.raises(ValueError, match=r"name|role|both"):
            again.add(hosts, clients, ())
