# libslm -- everything that is made lies under build/. `make help` lists the targets.
# CC CFLAGS LDFLAGS PREFIX DESTDIR BUILD are yours to set.

BUILD  ?= build
PREFIX ?= /usr/local
CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
CFLAGS ?= -O2 -g
OPENMP ?= -fopenmp
SHARED ?= ../shared

WARN  = -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wframe-larger-than=8192 -Werror
HARD  = $(if $(SAN),,-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection)
FLAGS = -std=c11 -D_GNU_SOURCE -Iinclude -fPIC -fvisibility=hidden -ffp-contract=off $(WARN) $(HARD) \
        $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) $(CFLAGS)
LINK  = $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN)) $(OPENMP)
LIBS  = -lutf8proc -lm -lpthread

FLOORS = core kernels quant format text model session
LIB   := $(wildcard $(FLOORS:%=src/%/*.c) src/kernels/*/*.c)
TESTS := $(wildcard tests/test_*.c)
SLM   := $(wildcard examples/slm/*.c)
EXAMPLES := $(wildcard examples/*.c)
FUZZERS := $(wildcard tests/fuzz/fuzz_*.c)
obj    = $(1:%.c=$(BUILD)/%.o)

.PHONY: all lib deps demo check check-unit check-kernels check-determinism check-shared asan ubsan tsan fuzz fuzz-run fuzz-replay lint bench install uninstall clean help FORCE
all: lib $(BUILD)/bin/slm $(EXAMPLES:examples/%.c=$(BUILD)/bin/%)  ## the library, the program, the examples
lib: $(BUILD)/libslm.a

$(BUILD)/src/%.o:                CPP := -Isrc
$(BUILD)/tests/%.o:              CPP := -Isrc -Itests -Wno-missing-prototypes
$(BUILD)/bench/%.o:              CPP := -Isrc -Wno-missing-prototypes
$(BUILD)/src/core/team.o:        ISA := $(OPENMP)
$(BUILD)/src/kernels/avx2/%.o:   ISA := -mavx2 -mfma -mf16c
$(BUILD)/src/kernels/avx512/%.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(CPP) $(ISA) -MMD -MP -c $< -o $@

$(BUILD)/flags: FORCE           # rewritten only when the flags differ: no `make clean` between variants
	@mkdir -p $(@D)
	@echo '$(CC) $(FLAGS) $(OPENMP)' | cmp -s - $@ || echo '$(CC) $(FLAGS) $(OPENMP)' > $@

$(BUILD)/libslm.a: $(call obj,$(LIB))
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/bin/slm: $(call obj,$(SLM)) $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(CC) $^ $(LINK) -ljansson $(LIBS) -o $@

$(BUILD)/bin/test_%: $(BUILD)/tests/test_%.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(CC) $^ $(LINK) -lcmocka $(LIBS) -o $@

$(BUILD)/bin/%: $(BUILD)/examples/%.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(CC) $^ $(LINK) $(LIBS) -o $@

$(BUILD)/bin/%: $(BUILD)/bench/%.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(CC) $^ $(LINK) $(LIBS) -o $@

DEPS = gcc make libc6-dev libutf8proc-dev libcmocka-dev libjansson-dev python3
deps:                           ## installs what is missing, by name, with apt-get
	@missing=; for p in $(DEPS); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then $$( [ "$$(id -u)" = 0 ] || echo sudo ) sh -c "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q $$missing"; fi

check: deps                     ## builds and runs every test in its short form
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory check-unit

check-unit: $(TESTS:tests/%.c=$(BUILD)/bin/%)  ## the cmocka programs, one per noun
	@failed=; for t in $^; do echo "== $$(basename $$t)"; $$t 2>&1 || failed="$$failed $$(basename $$t)"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

# The whole library again with clang and its sanitizers, without OpenMP, which they do not understand.
FUZZ_CC      ?= clang-14
FUZZ_SECONDS ?= 60
fuzz:                           ## libFuzzer on each target for FUZZ_SECONDS=60; finds go on in build/fuzz/corpus
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=$(FUZZ_CC) OPENMP= SAN=address,undefined,fuzzer-no-link CFLAGS='-O1 -g' fuzz-run

fuzz-run: $(FUZZERS:tests/fuzz/%.c=$(BUILD)/bin/%)
	@for f in $^; do n=$$(basename $$f | sed s/fuzz_//); mkdir -p $(BUILD)/corpus/$$n; echo "== fuzz_$$n"; \
	$$f -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 -timeout=10 -dict=tests/fuzz/$$n.dict -artifact_prefix=$(BUILD)/ \
	    -verbosity=0 -print_final_stats=1 $(BUILD)/corpus/$$n tests/fuzz/seeds/$$n || exit 1; done

fuzz-replay: $(FUZZERS:tests/fuzz/fuzz_%.c=$(BUILD)/bin/replay_%)  ## the fuzz targets over their seeds, with any compiler
	@for f in $^; do n=$$(basename $$f | sed s/replay_//); $$f tests/fuzz/seeds/$$n || exit 1; done

$(BUILD)/bin/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(CC) $^ $(LINK) -fsanitize=fuzzer $(LIBS) -o $@

$(BUILD)/bin/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/libslm.a
	@mkdir -p $(@D)
	$(CC) $^ $(LINK) $(LIBS) -o $@

clean:                          ## removes build/
	rm -rf $(BUILD)

help:                           ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

-include $(patsubst %.o,%.d,$(call obj,$(LIB) $(SLM) $(TESTS) $(EXAMPLES)))
