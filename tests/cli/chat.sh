# A conversation line by line: only what is new is evaluated, commands, a session resumed, oldest turns left out.
cat > t.jinja <<'END'
{% for m in messages %}<{{ m.role }}> {{ m.content }}
{% endfor %}<assistant>
END
say() { slm chat --template t.jinja --temp 0 -n 8 "$@"; echo "exit $?"; }
printf 'Hello\nHow are you?\n' | say --system 'Be kind.' 2>&1
printf 'Hello\nAnd you?\n/retry\n/undo\n/undo\n/undo\nHello\n' | say --json 2>&1
echo -- resumed
printf 'Hello\n' | say --json --session s.json 2>&1
printf 'And you?\n' | say --json --session s.json 2>&1
cat s.json
stat -c '%a %n' s.json s.json.kv
cp s.json.kv good.kv; printf x | dd of=s.json.kv bs=1 seek=3000 conv=notrunc 2>/dev/null
printf '/undo\nAnd you?\n' | say --json --session s.json 2>&1 | sed 's/^(.*evaluated again)$/(evaluated again)/'
printf '/save saved.json\n/load none.json\n' | say 2>&1
printf '{"messages":[{"role":"user"}]}' >bad.json
printf '/load bad.json\n' | say 2>&1
printf '{"messages":[' >bad.json
printf '/load bad.json\n' | say 2>&1
echo -- full
printf 'one two three four five six\nseven eight nine ten\neleven twelve\n' | say -c 64 --json --system 'Be kind.' 2>&1
printf '%0300d\n' 0 | say -c 64 2>&1
echo -- commands
printf '/system Be brief.\n/system\n/reset\n//slash\n/help\n/bye\n' | say 2>&1
printf '/save\n' | say 2>&1
printf '/quit\nHello\n' | say --stop o
printf 'Hello\n' | say --stop o
printf 'Hello\n' | slm chat 2>&1; echo "exit $?"
printf "{{ raise_exception('no system turn') }}" >no.jinja
printf 'Hello\n' | slm chat --template no.jinja 2>&1; echo "exit $?"
