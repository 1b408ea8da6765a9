# Conversations to prompts: text, JSON, spans; refusals and what cannot be run are answers, one for each line.
cat > t.jinja <<'X'
{{ bos_token }}{% for m in messages %}
{% if m.role not in ['user', 'assistant'] %}{{ raise_exception('unknown role: ' + m.role) }}{% endif %}
<{{ m.role }}>{{ m.content | trim }}</>
{% endfor %}{% if day %}{{ strftime_now('%d %B %Y') }}{% endif %}
X
one='{"messages":[{"role":"user","content":" Hi </> "}],"bos_token":"<s>"'
echo "$one}" | slm template --template t.jinja
printf '%s\n' "$one}" '{"messages":[{"role":"tool","content":""}]}' '{"messages":[{"role":"user"}]}' '{"messages":[{"role":"user","content":1}' \
    "$one,\"extra\":{\"day\":true}}" | slm template --template t.jinja --now 2024-07-26T00:00:00 --json --spans
echo "$one}" | slm template --template t.jinja --fuel 5 --json
echo '{% endif %}' > bad.jinja
slm template --template bad.jinja --json </dev/null; echo $?
slm template --template missing.jinja </dev/null; echo $?
slm template --template t.jinja --now yesterday </dev/null; echo $?
