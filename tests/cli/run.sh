#!/bin/sh
# run.sh SLM [NAME ...] -- runs the scripts beside it and compares what each prints, says and exits with.
#
# A case is NAME.sh with NAME.out (stdout), NAME.err (stderr) and NAME.exit (0 if absent); absent .out or .err means empty. A script runs
# in an empty folder with `slm` first in its PATH and, in $SHARED, the shared material. A script whose second line is
# `# needs: shared` is skipped where that is missing; one that says `# needs: server` starts `remote_server` itself,
# one that says `# needs: libedit` is skipped under MemorySanitizer. Say UPDATE=1 to write what was seen, and read the difference before you keep it.
here=$(cd "$(dirname "$0")" && pwd)
slm=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") || exit 2
[ -x "$slm" ] || { echo "run.sh: no program $slm"; exit 2; }
shift
SHARED=$(cd "${SHARED:-$here/../../../shared}" 2>/dev/null && pwd)
export SHARED
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/empty"
ln -s "$slm" "$work/bin/slm"
[ ! -x "$(dirname "$slm")/remote_server" ] || ln -s "$(dirname "$slm")/remote_server" "$work/bin/remote_server"
PATH=$work/bin:$PATH
ok=0 failed=0 skipped=0

[ $# -gt 0 ] || set -- $(cd "$here" && ls *.sh | sed 's/\.sh$//' | grep -vx run)
for name; do
    if sed -n 2p "$here/$name.sh" | grep -q '^# needs: shared' && [ ! -d "$SHARED/models" ]; then
        echo "skipped $name: no ../shared"
        skipped=$((skipped + 1))
        continue
    fi
    if sed -n 2p "$here/$name.sh" | grep -q '^# needs: server' && [ ! -x "$work/bin/remote_server" ]; then
        echo "skipped $name: no remote_server beside slm"
        skipped=$((skipped + 1))
        continue
    fi
    if sed -n 2p "$here/$name.sh" | grep -q '^# needs: libedit' && [ "$SANITIZER" = msan ]; then
        echo "skipped $name: libedit and its terminals are not instrumented"
        skipped=$((skipped + 1))
        continue
    fi
    rm -rf "$work/case" && mkdir "$work/case"
    (cd "$work/case" && sh "$here/$name.sh" >"$work/out" 2>"$work/err" </dev/null)
    echo $? >"$work/exit"
    if [ -n "$UPDATE" ]; then
        for kind in out err exit; do
            cp "$work/$kind" "$here/$name.$kind"
            [ -s "$here/$name.$kind" ] || rm "$here/$name.$kind"
        done
        [ "$(cat "$work/exit")" != 0 ] || rm -f "$here/$name.exit"
    fi
    bad=
    for kind in out err exit; do
        want=$here/$name.$kind
        if [ ! -e "$want" ]; then
            want=$work/want
            [ $kind = exit ] && echo 0 >"$want" || : >"$want"
        fi
        if ! cmp -s "$want" "$work/$kind"; then
            bad=1
            echo "FAILED $name: $kind differs (- wanted, + got); again: tests/cli/run.sh SLM $name"
            diff -u "$want" "$work/$kind" | tail -n +3 | head -40
        fi
    done
    [ -n "$bad" ] && failed=$((failed + 1)) || ok=$((ok + 1))
done
echo "cli: $ok passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $((ok + skipped)) -gt 0 ]
