"""What each kind of failure means and what to do about it."""

TITLES = {
    "dns": "name not resolved",
    "refused": "connection refused",
    "unreachable": "host unreachable",
    "connect_timeout": "connect time-out",
    "tls": "TLS handshake failed",
    "upgrade_rejected": "upgrade rejected",
    "bad_accept": "bad upgrade response",
    "protocol_error": "protocol error by the server",
    "message_too_big": "message too big",
    "invalid_text": "invalid UTF-8 in text",
    "unanswered": "unanswered messages",
    "unexpected_close": "unexpected close",
    "reset": "connection reset",
    "expectation_failed": "expectation failed",
    "local_limit": "limit of this machine",
}

REMEDIES = {
    "dns": "Check the host name in the URL.",
    "refused": "Is the server running and listening on this address and port?",
    "unreachable": "Check the address, the route to it and any firewall between.",
    "connect_timeout": "The server accepts too slowly: lower --connect-rate, raise its backlog, or --connect-timeout.",
    "tls": "Check the server's certificate and TLS versions.",
    "upgrade_rejected": "The server answers HTTP but does not upgrade here: check the path, headers and its load.",
    "bad_accept": "The server, or a proxy before it, breaks RFC 6455 section 4.2.2.",
    "protocol_error": "The server breaks RFC 6455 section 5: report it to whoever maintains it.",
    "message_too_big": "The server sends messages above the limit.",
    "invalid_text": "The server sends text that is not UTF-8: it should send it as binary.",
    "unanswered": "Replies are missing or late: look at the server's log, or raise --reply-timeout. "
    "If it does not answer every message, use --match none.",
    "unexpected_close": "The server ended connections in use: the close code says why; --reconnect opens them again.",
    "reset": "The server or something between cut connections hard: look for crashes, idle limits, full queues.",
    "expectation_failed": "The server's answer was not the one expected.",
    "local_limit": "This machine ran out of descriptors, ports or memory: see `wsload doctor`.",
}
