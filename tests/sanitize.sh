# sanitize.sh NAME TARGET... -- the suites of `make check` in a build under a sanitizer, one after another; a line for each and one for all:
#
#   asan: 11 suites, SEED=0x20260101, 412 s: 0 findings, 3 skipped: passed
#
# A finding is what a sanitizer wrote, in whatever process, even where the suite passed all the same. MAKE, BUILD and BINARIES come from the
# Makefile, whose settings a make within inherits; SEED is given to every suite, the day if there is none.
name=$1
shift
SEED=${SEED:-0x$(date +%Y%m%d)}
LSAN_OPTIONS=suppressions=$PWD/tests/sanitize.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}
SANITIZER=$name
export SEED LSAN_OPTIONS SANITIZER
log=$BUILD/log
began=$(date +%s)
mkdir -p "$log" && rm -f "$log"/*
failed=
suites=0

# one TARGET ARGUMENT...: runs make and says how it went.
one() {
    from=$(date +%s)
    if eval "$MAKE"' "$@"' > "$log/$1" 2>&1; then how=passed; else how=FAILED; failed="$failed $1"; fi
    echo "$name: $1: $how, $(($(date +%s) - from)) s"
    [ $how = passed ] || { tail -n 25 "$log/$1"; echo "$name: all of it: $log/$1"; }
}

one programs -j2
if [ -z "$failed" ]; then
    for target do
        suites=$((suites + 1))
        one "$target"
    done
fi
count() { cat "$log"/* | grep -c "$1"; }
findings=$(count 'ERROR: [A-Za-z]*Sanitizer\|WARNING: [A-Za-z]*Sanitizer\|runtime error:')
echo "$name: $suites suites, SEED=$SEED, $(($(date +%s) - began)) s: $findings findings, $(count '[Ss]kipped\b\|SKIPPED') skipped:" \
     "${failed:+FAILED:}${failed:-passed}"
[ -z "$failed" ] && [ "$findings" = 0 ]
