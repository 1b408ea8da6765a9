#!/bin/sh
# real.sh VENV MODEL PROGRAM -- starts the server of llama-cpp-python on a free loopback port, runs `PROGRAM URL ROW` against it, ends it.
venv=$1 model=$2 program=$3
[ -x "$program" ] && [ -f "$model" ] || { echo "real.sh: no $program or $model"; exit 2; }
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
log=$(mktemp) || exit 2
"$venv/bin/python" -m llama_cpp.server --model "$model" --host 127.0.0.1 --port "$port" --api_key right-key --n_ctx 512 --n_threads 1 --n_threads_batch 1 >"$log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -f "$log"' EXIT
tries=0
until "$venv/bin/python" -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] && kill -0 $server 2>/dev/null || { echo "real.sh: the server does not start:"; tail -5 "$log"; exit 1; }
    sleep 0.5
done
"$program" "http://127.0.0.1:$port/v1" "${ROW:-llama-server}" || { tail -20 "$log"; exit 1; }
