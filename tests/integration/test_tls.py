"""TLS against Python's own: what is verified, what is refused, and in which words."""

import datetime
import hashlib
import itertools
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.sync.server import ServerConnection, serve

from servers import peer, run, run_json

AUTHORITY = trustme.CA()


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@contextmanager
def secured(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """An echo server; its certificate is for localhost and 127.0.0.1 unless a context says otherwise."""
    context = context or context_of(AUTHORITY.issue_cert("localhost", "127.0.0.1"))
    with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"wss://localhost:{server.socket.getsockname()[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def cacert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return path


def failure_of(cwd: Path, url: str, *flags: str) -> tuple[str, str, str]:
    """Kind, detail and everything printed of a run that opens nothing."""
    done = run("run", url, "-c", "2", "-d", "1s", *flags, cwd=cwd)
    assert done.returncode == 1, done.stdout + done.stderr
    (file,) = cwd.glob("*.wsload")
    from wsload.results import read_summary

    (failure,) = read_summary(file).failures
    assert failure.count == 2
    return failure.kind, failure.detail, " ".join(done.stdout.split())


def agreed(result: dict[str, Any], aspect: str) -> dict[str, int]:
    return {one["value"]: one["count"] for one in result["negotiated"] if one["aspect"] == aspect}


def test_a_private_authority_is_verified_and_what_was_agreed_is_told(cacert: Path, tmp_path: Path) -> None:
    with secured() as url:
        result = run_json(url, "--cacert", str(cacert), "-c", "4", "-n", "400", "--workers", "2", cwd=tmp_path)
    assert result["messages"]["answered"] == 400
    assert result["tls"] == {"verified": True, "resumption": False, "server_name": "localhost"}
    assert list(agreed(result, "tls").values()) == [4]
    assert next(iter(agreed(result, "tls"))).startswith("TLS 1.3 TLS_")
    assert agreed(result, "tls_handshake") == {"full": 4}
    assert result["connect_tls"]["count"] == 4
    assert result["close_codes"] == {"1000": 4}
    # 38 bytes of WebSocket per message, whatever TLS makes of them.
    assert result["failures"] == []


def test_messages_larger_than_records_go_both_ways(cacert: Path, tmp_path: Path) -> None:
    with secured() as url:
        flags = ["--cacert", str(cacert), "--size", "300KiB", "-n", "20", "--in-flight", "3"]
        result = run_json(url, *flags, cwd=tmp_path)
    assert result["messages"]["answered"] == 20


@pytest.mark.parametrize(
    ("certificate", "detail"),
    [
        (trustme.CA().issue_cert("localhost"), "certificate of an unknown issuer"),
        (AUTHORITY.issue_cert("other.example"), "certificate for another name"),
        (
            AUTHORITY.issue_cert("localhost", not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)),
            "certificate expired",
        ),
        (
            AUTHORITY.issue_cert(
                "localhost",
                not_before=datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC),
                not_after=datetime.datetime(2999, 2, 1, tzinfo=datetime.UTC),
            ),
            "certificate not valid yet",
        ),
    ],
    ids=["unknown issuer", "wrong name", "expired", "not yet valid"],
)
def test_a_certificate_that_must_not_be_believed_is_refused_in_words(
    certificate: trustme.LeafCert, detail: str, cacert: Path, tmp_path: Path
) -> None:
    context = context_of(certificate)
    with secured(context) as url:
        kind, found, text = failure_of(tmp_path, url, "--cacert", str(cacert))
        assert (kind, found) == ("tls", detail)
        assert "2 × TLS handshake failed" in text
        result = run_json(url, "-k", "-n", "4", cwd=tmp_path)
    assert result["messages"]["answered"] == 4
    assert result["tls"]["verified"] is False


def test_a_certificate_signed_by_itself_is_told_apart(tmp_path: Path) -> None:
    # An authority that serves by its own certificate, as `openssl req -x509` makes it.
    alone = trustme.CA()
    path, key = tmp_path / "self.pem", tmp_path / "self.key"
    alone.cert_pem.write_to_path(path)
    alone.private_key_pem.write_to_path(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    with secured(context) as url:
        _, detail, _ = failure_of(tmp_path, url, "--cacert", str(path))
    assert detail == "certificate signed by itself"


def test_insecure_is_said_loudly(tmp_path: Path) -> None:
    with secured() as url:
        done = run("run", url, "-k", "-n", "2", cwd=tmp_path)
    assert "insecure    certificates were not checked (--insecure)" in done.stdout


def test_the_system_s_authorities_are_the_default(tmp_path: Path) -> None:
    with secured() as url:
        _, detail, text = failure_of(tmp_path, url)
    assert detail == "certificate of an unknown issuer"
    assert "→ Name the authority with --cacert" in text


def test_another_address_keeps_the_name(cacert: Path, tmp_path: Path) -> None:
    context = context_of(AUTHORITY.issue_cert("service.example"))
    with secured(context) as url:
        port = url.rpartition(":")[2].strip("/")
        flags = ["--connect-to", f"127.0.0.1:{port}", "--cacert", str(cacert), "-n", "2"]
        result = run_json("wss://service.example/", *flags, cwd=tmp_path)
        assert result["connected_to"] == f"127.0.0.1:{port}"
        result = run_json(url, "--sni", "service.example", "--cacert", str(cacert), "-n", "2", cwd=tmp_path)
        assert result["tls"]["server_name"] == "service.example"


def test_connections_take_turns_over_several_addresses(cacert: Path, tmp_path: Path) -> None:
    # One of four addresses serves: two of eight connections open, and the others' failures are not hidden.
    context = context_of(AUTHORITY.issue_cert("service.example"))
    with secured(context) as url:
        port = int(url.rpartition(":")[2].strip("/"))
        ends = [f"127.0.0.{last}:{port}" for last in (1, 2, 3, 4)]
        flags = [flag for end in ends for flag in ("--connect-to", end)]
        flags += ["--cacert", str(cacert), "-c", "8", "-n", "8"]
        result = run_json("wss://service.example/", *flags, cwd=tmp_path)
    assert result["connected_to"] == ", ".join(ends)
    assert result["messages"]["answered"] == 2
    assert [(failure["kind"], failure["count"]) for failure in result["failures"]] == [("refused", 6)]


def test_a_client_certificate_is_asked_for_and_given(cacert: Path, tmp_path: Path) -> None:
    context = context_of(AUTHORITY.issue_cert("localhost"))
    context.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(context)
    mine = AUTHORITY.issue_cert("me@example.com")
    certificate, key = tmp_path / "me.pem", tmp_path / "me.key"
    mine.cert_chain_pems[0].write_to_path(certificate)
    mine.private_key_pem.write_to_path(key)
    with secured(context) as url:
        _, detail, text = failure_of(tmp_path, url, "--cacert", str(cacert))
        assert detail == "client certificate wanted by the server"
        assert "→ Give one with --cert and --key." in text
        flags = ["--cacert", str(cacert), "--cert", str(certificate), "--key", str(key), "-n", "2", "-o", "b.wsload"]
        result = run_json(url, *flags, cwd=tmp_path)
    assert result["messages"]["answered"] == 2
    assert key.read_bytes().split(b"\n")[1] not in (tmp_path / "b.wsload").read_bytes()


def test_versions_of_tls_are_chosen_and_reported(cacert: Path, tmp_path: Path) -> None:
    context = context_of(AUTHORITY.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with secured(context) as url:
        result = run_json(url, "--cacert", str(cacert), "-n", "2", cwd=tmp_path)
        assert next(iter(agreed(result, "tls"))).startswith("TLS 1.2 TLS_ECDHE_")
        (tmp_path / "no").mkdir()
        _, detail, _ = failure_of(tmp_path / "no", url, "--cacert", str(cacert), "--tls-min", "1.3")
    assert detail == "TLS version refused by the server"


def fingerprint(certificate: trustme.LeafCert) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())).hexdigest()


def test_a_certificate_that_is_exchanged_during_a_run_is_noticed(cacert: Path, tmp_path: Path) -> None:
    old, new = (AUTHORITY.issue_cert("localhost") for _ in range(2))
    context, exchanged = context_of(old), context_of(new)
    handshakes = itertools.count()

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if next(handshakes) >= 8:
            connection.context = exchanged

    context.sni_callback = choose
    # Four connections at a time: the first ones and their successors have the old certificate.
    flags = ("-c", "4", "--rate", "40/s", "-d", "3s", "--connection-lifetime", "500ms", "--workers", "1")
    with secured(context) as url:
        result = run_json(url, "--cacert", str(cacert), *flags, cwd=tmp_path)
    counts = agreed(result, "certificate")
    assert counts[fingerprint(old)] == 8
    assert counts[fingerprint(new)] >= 4
    (text,) = (note["text"] for note in result["notes"] if note["kind"] == "certificate")
    before, after = fingerprint(old)[:16], fingerprint(new)[:16]
    assert text == f"the server shows another certificate: SHA-256 {after}…, before {before}…"


def test_sessions_are_resumed_when_asked(cacert: Path, tmp_path: Path) -> None:
    flags = ["--cacert", str(cacert), "-c", "6", "-n", "60", "--workers", "1", "--connect-rate", "20/s"]
    with secured() as url:
        assert agreed(run_json(url, *flags, cwd=tmp_path), "tls_handshake") == {"full": 6}
        resumed = run_json(url, *flags, "--tls-resume", cwd=tmp_path)
    assert agreed(resumed, "tls_handshake")["resumed"] >= 4
    assert resumed["tls"]["resumption"] is True


def test_a_server_without_tls_is_told_so(tmp_path: Path) -> None:
    with peer("aiohttp") as server:
        _, detail, text = failure_of(tmp_path, server.url.replace("ws://", "wss://"), "-k")
    assert detail == "not TLS"
    assert "ws:// instead of wss://?" in text


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--cacert", "missing.pem"], "error: --cacert: missing.pem: No such file or directory"),
        (["--cacert", "empty.pem"], "error: --cacert: it holds no certificate (PEM)"),
        (["--cert", "ca.pem"], "error: --cert: it needs --key"),
        (["--cert", "ca.pem", "--key", "empty.pem"], "error: --key: it holds no private key"),
        (["-k", "--cacert", "ca.pem"], "error: -k/--insecure: --cacert is given as well"),
        (["--tls-min", "1.3", "--tls-max", "1.2"], "error: --tls-min: 1.3 is above --tls-max 1.2"),
        (["--sni", "a b"], 'error: --sni: "a b" is neither a host name nor an address'),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_starts(flags: list[str], what: str, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    done = run("run", "wss://127.0.0.1:9/", *flags, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(what)
    assert not list(tmp_path.glob("*.wsload"))


def test_flags_of_tls_need_tls(tmp_path: Path) -> None:
    done = run("run", "ws://127.0.0.1:9/", "-k", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: -k/--insecure: the target is not secured by TLS",
    )
