# Each example does what it shows, with the model that comes with the program; skipped are those that were not built.
bin=$(dirname "$(readlink -f "$(command -v slm)")")
model=$bin/../../models/tiny-stories/tiny-stories.gguf
[ -e "$model" ] || model=$(dirname "$bin")/../../models/tiny-stories/tiny-stories.gguf
try() { echo "== $1"; name=$1; shift; timeout 100 "$bin/$name" "$@" 2>err; code=$?; [ $code = 0 ] || { echo "exit $code"; cat err; }; }
printf '{%% for m in messages %%}<{{ m.role }}> {{ m.content }}\n{%% endfor %%}<assistant>' >t.jinja
try minimal "$model" 'Once upon a time'
printf 'Hello\nAnd you?\n' | try chat "$model" t.jinja
try batch "$model" 'One day' 'The little girl'
try fork "$model" 'Once upon a time' 2 | sed 's/takes [0-9]* bytes/takes N bytes/'
try completions "$model" 'One day' 3
try hooks "$model" 'One day'
try own_memory "$model" 'One day'
try choose "$model" 'The dog was' ' happy' ' sad' ' lost'
try choose_label "$model" 'The dog was' ' happy' ' sad'
try json_out "$model" 'The girl' 3
try score "$model" 'The dog' ' barked' ' flew'
try resume "$model" story.slms 'Once upon a time'
try resume "$model" story.slms
try engine "$model" 'One day'
try remote here "$model" 'One day'
try stream "$model" 'One day'
try tokenize "$model" 'Hello'
