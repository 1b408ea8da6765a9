# A server that is not there, URLs and keys that may not be, and what must not leave; the key is never shown.
slm remote ping --url http://127.0.0.1:1/v1 --server compatible --remote-model m --retries 0 -q 2>&1 | sed 's/after [0-9]* ms.*/.../'
slm remote generate --url http://127.0.0.1:1/v1 --server compatible --remote-model m --retries 0 -p x --json 2>/dev/null | sed 's/after [0-9]* ms.*/.../'
slm remote generate --url http://example.com/v1 --server compatible --remote-model m -p x; echo $?
slm remote generate --url https://user:pw@example.com/v1 --server compatible --remote-model m -p x; echo $?
slm remote generate --url https://example.com/v1 --allow example.org --server compatible --remote-model m -p x; echo $?
slm remote generate --url https://2130706433/v1 --server compatible --remote-model m -p x; echo $?
slm remote generate --server gpt --remote-model m -p x; echo $?
slm remote generate -p x; echo $?
slm remote generate --remote-model m --key-env NO_SUCH_KEY -p x; echo $?
slm remote generate --remote-model m --privacy local -p x; echo $?
KEY='sk-canary
injected' slm remote generate --url http://127.0.0.1:1/v1 --server compatible --remote-model m --key-env KEY -p x -q; echo $?
slm remote generate --remote-model m --budget 1 -p x; echo $?
slm remote push --remote-model m; echo $?
slm remote generate -m file --remote-model m; echo $?
slm generate -p 'Once upon a time' -n 8 --temp 0 -q --escalate --threshold 0.99 --url http://127.0.0.1:1/v1 --server compatible --remote-model m --retries 0
slm generate -p 'Once upon a time' -n 8 --temp 0 --json --escalate --threshold 0.1 --url http://127.0.0.1:1/v1 --server compatible --remote-model m
slm generate -p 'Once upon a time' -n 8 --temp 0 --json --escalate --threshold 0.99 --privacy local --url http://127.0.0.1:1/v1 --server compatible --remote-model m
slm generate --escalate --echo -p x; echo $?
