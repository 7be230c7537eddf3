#!/usr/bin/env bash
# The main job on the embedded server: load, summary, and the file read back.
set -euo pipefail
cd "$(dirname "$0")/.."
wsload=.venv/bin/wsload
mkdir -p demo-runs

# The server's first line says where it listens.
coproc SERVER { exec "$wsload" serve echo --port 0; }
server=$SERVER_PID
trap 'kill -TERM "$server" 2>/dev/null || true' EXIT
read -r _ _ url <&"${SERVER[0]}"
file=demo-runs/demo-$(date +%Y%m%d-%H%M%S).wsload

echo "\$ wsload run $url -c 2000 --rate 20k/s -d 10s"
"$wsload" run "$url" -c 2000 --rate 20k/s -d 10s --label name=demo -o "$file"
echo
echo "\$ wsload report $file"
"$wsload" report "$file"
