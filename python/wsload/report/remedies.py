"""What each kind of failure means, and what to do about it."""

TITLES = {
    "dns": "host name not found",
    "refused": "connection refused",
    "unreachable": "host unreachable",
    "connect_timeout": "connect time-out",
    "tls": "TLS handshake failed",
    "proxy_rejected": "no tunnel through the proxy",
    "upgrade_rejected": "upgrade rejected",
    "bad_accept": "upgrade response not acceptable",
    "protocol_error": "protocol broken by the server",
    "message_too_big": "message too big",
    "invalid_text": "text that is not UTF-8",
    "unanswered": "no reply",
    "ping_timeout": "no pong",
    "unexpected_close": "connection closed by the server",
    "reset": "connection reset",
    "expectation_failed": "expectation not met",
    "script_failed": "exception in the scenario",
    "local_limit": "limit of this machine",
}
_REMEDIES = {
    "dns": "Check the host name in the URL and this machine's resolver.",
    "refused": "Nothing listens there: start the server, or check host and port in the URL.",
    "unreachable": "Check the address, the route to it and any firewall between.",
    "connect_timeout": "The server accepts too slowly: lower --connect-rate, raise its backlog or --connect-timeout.",
    "tls": "Check the server's certificate and its TLS versions.",
    "proxy_rejected": "Check --proxy and its credentials, and whether the proxy allows CONNECT to that port.",
    "upgrade_rejected": "The server speaks HTTP but does not upgrade here: check path, headers and the server's log.",
    "bad_accept": "The server, or a proxy before it, breaks RFC 6455 section 4.2.2.",
    "protocol_error": "The server breaks RFC 6455 section 5: show the example to whoever maintains it.",
    "message_too_big": "The server sent more than the limit that wsload takes.",
    "invalid_text": "The server should send as binary what is not UTF-8 (RFC 6455 section 8.1).",
    "unanswered": "Look at the server's log, or raise --reply-timeout. If it answers not every message: --match none.",
    "ping_timeout": "The server hangs or the connection is dead; a slow server wants a longer --ping-timeout.",
    "unexpected_close": "The server's log should say why; --reconnect opens lost connections again.",
    "reset": "The server, or something between, cut it hard: look for a crash, an idle limit, a full queue.",
    "expectation_failed": "Compare the example with what the scenario expects.",
    "script_failed": "The traceback says where; catch what may happen, or put the scenario right.",
    "local_limit": "`wsload doctor` shows this machine's limits and the command that raises each.",
}
_BY_DETAIL = {
    ("connect_timeout", "tcp"): "Packets are dropped on the way, or the server's accept queue is full: "
    "check firewall and backlog, lower --connect-rate.",
    ("connect_timeout", "upgrade"): "TCP connects but the upgrade is not answered: is it a WebSocket server, or "
    "overloaded? Lower --connect-rate or raise --connect-timeout.",
    ("upgrade_rejected", "400"): "The server does not take this for an upgrade: check the path, --subprotocol and -H.",
    ("upgrade_rejected", "401"): "The server wants credentials: -H 'Authorization: ...', --cookie or --param.",
    ("upgrade_rejected", "403"): "The server forbids it: check credentials and --origin.",
    ("upgrade_rejected", "404"): "There is no such path on the server: check the path in the URL.",
    ("upgrade_rejected", "426"): "The server does not take this for an upgrade: check the path and --subprotocol.",
    ("upgrade_rejected", "429"): "The server limits how fast connections may come: lower --connect-rate.",
    ("upgrade_rejected", "503"): "The server, or its proxy, is overloaded or down: lower --connect-rate or -c.",
    ("proxy_rejected", "407"): "The proxy wants credentials: --proxy http://user:password@host:port.",
    ("upgrade_rejected", "301"): "The server redirects, which is not followed: aim at where it points to.",
    ("upgrade_rejected", "302"): "The server redirects, which is not followed: aim at where it points to, or log in.",
    ("upgrade_rejected", "307"): "The server redirects, which is not followed: aim at where it points to.",
    ("upgrade_rejected", "308"): "The server redirects, which is not followed: aim at where it points to.",
    ("tls", "certificate expired"): "Renew the server's certificate; --insecure measures without checking it.",
    ("tls", "certificate not valid yet"): "Check the clocks of server and this machine.",
    ("tls", "certificate of an unknown issuer"): "Name the authority with --cacert, or check nothing with --insecure.",
    ("tls", "certificate signed by itself"): "Let an authority sign it and name that with --cacert, or use --insecure.",
    ("tls", "certificate for another name"): "Aim at a name in the certificate, or say which with --sni.",
    ("tls", "client certificate wanted by the server"): "Give one with --cert and --key.",
    ("tls", "client certificate refused by the server"): "Check which authorities the server accepts for clients.",
    ("tls", "no common TLS version"): "Check --tls-min and --tls-max, and what the server allows.",
    ("tls", "TLS version refused by the server"): "Check --tls-min and --tls-max, and what the server allows.",
    ("tls", "not TLS"): "The server does not speak TLS on this port: ws:// instead of wss://?",
    ("tls", "no response"): "Perhaps the server does not speak TLS on this port: ws:// instead of wss://?",
    ("unanswered", "connection ended"): "These replies were lost with their connections.",
    ("unanswered", "run aborted"): "The run was ended before they could come.",
    (
        "unexpected_close",
        "1006",
    ): "It ended TCP without a Close frame, as a crash or a proxy does: see its log.",
    ("unexpected_close", "1001"): "The server was going away, as in a restart; --reconnect opens connections again.",
    ("unexpected_close", "1007"): "The server found invalid text in what was sent: --binary sends any bytes.",
    ("unexpected_close", "1008"): "The message broke a policy of the server, such as authentication: see its log.",
    ("unexpected_close", "1009"): "The message is larger than the server takes: a smaller --size, or raise its limit.",
    ("unexpected_close", "1011"): "The server failed inside: see its log.",
    ("unexpected_close", "1013"): "The server is overloaded and asks to come back later: less load.",
    ("local_limit", "unsent bytes"): "The server reads too slowly: less load, or look why it does not read.",
}
_MAX_DETAIL = 34


def title(kind: str, detail: str) -> str:
    """A kind in words, with its detail where that is short: a sentence stands in the example anyway."""
    words = TITLES.get(kind, kind)
    if len(detail) > _MAX_DETAIL and kind in {"upgrade_rejected", "proxy_rejected"}:
        detail = detail.partition(" ")[0]
    return f"{words} ({detail})" if detail and len(detail) <= _MAX_DETAIL else words


def remedy(kind: str, detail: str) -> str:
    """What to do about it; empty for a kind of a later version."""
    # An HTTP status goes on with what the server said.
    known = {(kind, detail), (kind, detail.partition(" ")[0])} & _BY_DETAIL.keys()
    return _BY_DETAIL[known.pop()] if known else _REMEDIES.get(kind, "")
