"""`make fuzz`: seeds each target's corpus, runs it for a time, and says how many inputs it tried."""

import argparse
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUZZ = ROOT / "rust" / "fuzz"
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
HELLO = zlib.compressobj(6, zlib.DEFLATED, -15)
PACKED = HELLO.compress(b"Hello, hello, hello") + HELLO.flush(zlib.Z_SYNC_FLUSH)
FRAMES = [
    b"\x81\x05Hello",
    b"\x01\x03Hel\x89\x00\x80\x02lo",
    b"\x82\x7e\x01\x00" + bytes(256),
    b"\x88\x05\x03\xe8bye",
    b"\x8a\x00\x89\x02hi\x81\x00",
    b"\xc1" + bytes([len(PACKED) - 4]) + PACKED[:-4],
]
SEEDS = {
    "header": [b"\x81\x05", b"\x82\x7e\x01\x00", b"\x82\x7f" + bytes(4) + b"\x00\x01\x00\x00", b"\x89\x80abcd"],
    "handshake": [
        HEAD + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x00",
        HEAD + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n",
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"permessage-deflate; server_no_context_takeover; server_max_window_bits=12",
        b"a=b; Path=/a; Max-Age=10; Secure",
    ],
    "deflate": [b"\x07" + PACKED[:-4], b"\x01\x00\x05\x00\xfa\xffHello\x00"],
    # The last bytes of an input become its first fields.
    "message": [frame + b"\x01\x03" for frame in FRAMES],
    "connection": [frame + b"\x01\x03" for frame in FRAMES],
}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--only", choices=SEEDS, help="one target")
    options = parser.parse_args()
    if shutil.which("cargo-fuzz") is None:
        sys.exit("error: cargo-fuzz is missing\n       cargo install cargo-fuzz; rustup toolchain install nightly")
    for target in [options.only] if options.only else SEEDS:
        corpus = FUZZ / "corpus" / target
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(SEEDS[target]):
            (corpus / f"seed-{number}").write_bytes(seed)
        command = ["cargo", "+nightly", "fuzz", "run", "--fuzz-dir", str(FUZZ), target, "--"]
        flags = [f"-max_total_time={options.seconds}", "-print_final_stats=1", "-max_len=8192"]
        done = subprocess.run([*command, *flags], cwd=ROOT, capture_output=True, text=True, check=False)
        executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
        print(f"{target:12} {int(executed[1]) if executed else 0:>12,} inputs", flush=True)
        if done.returncode:
            sys.stderr.write(done.stderr[-4_000:])
            sys.exit(f"error: {target} found something; the input lies in rust/fuzz/artifacts/{target}")


if __name__ == "__main__":
    main()
