# run.sh JOBS LIMIT TARGET... -- libFuzzer on each target, JOBS at a time, to a limit ("max_total_time=60", "runs=1000000"); a line for each and
# one for all:
#
#   fuzz: 19 targets, max_total_time=60, SEED=0x20260101: 12345678 executions, 0 findings: passed
#
# MAKE and BUILD come from the Makefile. What was found lies in BUILD as TARGET-crash-..., the log of a target in BUILD/log.
jobs=$1
limit=$2
shift 2
SEED=${SEED:-0x$(date +%Y%m%d)}
log=$BUILD/log
for n do programs="$programs $BUILD/bin/fuzz_$n"; done
eval "$MAKE" -j2 "$programs" || exit 1
mkdir -p "$log"

one() {
    mkdir -p "$BUILD/corpus/$1"
    dictionary=tests/fuzz/$1.dict
    if "$BUILD/bin/fuzz_$1" -"$limit" -seed=$((SEED)) -rss_limit_mb=1024 -timeout=10 -artifact_prefix="$BUILD/$1-" -verbosity=0 \
        -print_final_stats=1 $([ ! -f "$dictionary" ] || echo "-dict=$dictionary") "$BUILD/corpus/$1" "tests/fuzz/seeds/$1" > "$log/fuzz_$1" 2>&1
    then how=passed; else how=FAILED; fi
    echo "$how" > "$log/fuzz_$1.how"
    echo "fuzz: $1: $how, $(executions "$1") executions, $(ls "$BUILD/corpus/$1" | wc -l) inputs in the corpus"
    [ $how = passed ] || tail -n 40 "$log/fuzz_$1"
}
executions() { sed -n 's/^stat::number_of_executed_units: *//p' "$log/fuzz_$1"; }

running=0
for n do
    one "$n" &
    running=$((running + 1))
    [ $((running % jobs)) != 0 ] || wait
done
wait

total=0
findings=0
for n do
    total=$((total + $(executions "$n" | grep . || echo 0)))
    [ "$(cat "$log/fuzz_$n.how")" = passed ] || findings=$((findings + 1))
done
echo "fuzz: $# targets, $limit, SEED=$SEED: $total executions, $findings findings: $([ $findings = 0 ] && echo passed || echo FAILED)"
[ $findings = 0 ]
