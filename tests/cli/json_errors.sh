# With --json an error is an object on stdout too, whatever went wrong and wherever --json stands.
try() { slm "$@"; echo "$?"; }
try generate --tmep 0 --json
try info -m missing.gguf --json
printf 'GGUF' >short.gguf
try info --json -m short.gguf
printf '\033[31m"\\' >"$(printf 'odd\nname')"
try info --json -m "$(printf 'odd\nname')"
