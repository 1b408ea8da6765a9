# slm remote against the test server: answers in both formats, conversations, choices, schemas, failures, money, escalation; no key anywhere.
# needs: server
remote_server --ca ca.pem --log log >ports &
tries=0
until [ -s ports ] || [ $tries -gt 200 ]; do sleep 0.05; tries=$((tries + 1)); done
. ./ports
SECRET=sk-canary/0123456789abcdef
export SECRET
plain() { port=$1 play=$2 server=$3 what=$4; shift 4; slm remote "$what" --url "http://127.0.0.1:$port/$play/v1" --server "$server" --remote-model m --key-env SECRET "$@"; }
ask() { play=$1 server=$2; shift 2; plain "$http" "$play" "$server" generate -q "$@"; }
tidy() { sed "s/:[0-9][0-9][0-9][0-9]*\//:PORT\//; s/[0-9]* ms/N ms/; s/\"\(prompt_ms\|total_ms\|ms\)\":[0-9.]*/\"\1\":N/g"; }

echo "ping"
plain "$http" ok openai ping 2>/dev/null | tidy
slm remote ping --url "https://localhost:$https/ok/v1" --ca ca.pem --server anthropic --remote-model m --json | tidy
slm remote ping --url "https://localhost:$https/ok/v1" --server anthropic --remote-model m -q 2>&1 | sed 's/\(TLS_VERIFY\).*/\1/'
plain "$http" 401 openai ping -q; echo $?

echo "generate"
ask ok openai -p "Hello, you"
ask ok anthropic -p "Hello, you"
ask ok openai -p "Hello, you" --plain
ask crlf+comments anthropic -p "Grüße"
ask ok openai -p "one two three four" -n 4
ask ok openai -p "one two three four" --stop three
printf 'from a file' | ask ok anthropic -f -
ask ok openai -p "Is it good or bad?" --choice good --choice bad
echo '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}' >schema
ask ok anthropic -p "n?" --schema schema
ask ok openai -p "Hello" --json | tidy
plain "$http" ok openai generate -p "Hello" 2>&1 >/dev/null | tidy

echo "chat"
printf 'first\nsecond\n' | plain "$http" ok openai chat -q
grep -c '"content":"You said: first"' log

echo "failures"
ask retry_ms=10.ok~a openai -p "again"
ask 401 openai -p x; echo $?
ask context anthropic -p x; echo $?
ask redirect openai -p x; echo $?
ask cut_clean openai -p "one two three" --retries 0; echo $?
ask error_mid anthropic -p "one two three" --retries 0 --json | tidy
ask stall openai -p x --retries 0 --first 100; echo $?
ask garbage openai -p x --retries 0 2>/dev/null; echo $?

echo "money"
ask ok openai -p "Hello" --budget 0.001 --price-in 1 --price-out 2 --json | tidy
ask ok openai -p "Hello" --budget 0.0001 --price-in 1 --price-out 2; echo $?

echo "escalation"
slm generate -q -p "Once upon a time" -n 8 --temp 0 --escalate --threshold 0.99 --url "http://127.0.0.1:$http/ok/v1" --server openai --remote-model m --key-env SECRET
slm generate -q -p "It stays here" -n 8 --temp 0 --escalate --threshold 0.99 --privacy local --url "http://127.0.0.1:$http/ok/v1" --server openai --remote-model m
slm generate -q -p "Once upon a time" -n 8 --temp 0 --escalate --threshold 0.99 --url "http://127.0.0.1:$http/500/v1" --server openai --remote-model m --retries 0

echo "what was seen"
grep -c "It stays here" log
grep -rc "sk-canary" . | grep -v ':0$'
kill $!
