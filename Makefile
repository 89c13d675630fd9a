# make help tells the targets.
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

B := build
CC ?= cc
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wpointer-arith -Wundef
COMMON := -std=gnu11 -g $(WARN) -D_GNU_SOURCE -Isrc -Iinclude -MMD -MP

# The shim runs inside other people's processes: no libc headers' inlines, no floating point, no
# symbol that can be interposed, unwind information everywhere (exceptions pass through it).
SHIM_CFLAGS := $(COMMON) -O2 -fPIC -ffreestanding -fno-builtin -fvisibility=hidden \
  -ftls-model=initial-exec -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
  -fasynchronous-unwind-tables -fomit-frame-pointer
# gcc zeroes structs of a few words with "rep stos", which costs ten times what the stores do.
SHIM_CFLAGS += $(if $(findstring clang,$(CC)),,-mmemset-strategy=unrolled_loop:256:noalign,rep_8byte:-1:noalign)
# Of the library itself: what else has these flags (Go's blob) never runs in a sandbox.
LIBRARY_CFLAGS = $(SHIM_CFLAGS) -DSQUALL_SHIM
# Who opens it (a program that looks for plugins) must not take it away: what it changed leads into it.
SHIM_LDFLAGS := -shared -nostdlib -Wl,-soname,libsquall.so -Wl,-z,now -Wl,-z,relro \
  -Wl,-z,separate-code -Wl,-z,nodelete \
  -Wl,--version-script=src/shim/exports.map -Wl,--build-id=sha1 -Wl,--hash-style=both

SAN ?=
CFLAGS ?= -O2
READ_CFLAGS := $(COMMON) $(CFLAGS) -DSQUALL_VERSION='"$(VERSION)"' \
  $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(if $(COVERAGE),--coverage)
READ_LIBS := -ldw -lelf -llzma -lzstd -lyajl -liberty -lmicrohttpd -lprotobuf-c -lz -lm -lpthread \
  $(shell pkg-config --libs ncursesw 2>/dev/null || echo -lncursesw -ltinfo)

SHIM_SRC := $(wildcard src/base/*.c src/shim/*.c src/go/*.c) src/region/layout.c src/region/create.c \
  src/region/commit.c
READ_SRC := $(wildcard src/base/*.c src/go/*.c src/profile/*.c src/symbol/*.c src/analyse/*.c src/watch/*.c \
  src/compare/*.c src/render/*.c) src/region/layout.c \
  src/region/create.c src/region/commit.c src/region/validate.c
TOOL_SRC := $(wildcard tools/squall/*.c)
UNIT_SRC := $(wildcard tests/unit/*_test.c)

SHIM_OBJ := $(SHIM_SRC:%.c=$(B)/shim/%.o)
READ_OBJ := $(READ_SRC:%.c=$(B)/read/%.o)
TOOL_OBJ := $(TOOL_SRC:%.c=$(B)/read/%.o) $(B)/read/tools/squall/go_blob.o
# Names no goal of its own.
.DEFAULT_GOAL := all
include tests/coverage/coverage.mk
PROTO_OBJ := $(B)/read/proto/profile.pb-c.o
PAGE := $(B)/page/page.html
PAGE_OBJ := $(B)/read/tools/page/page.o
READ_OBJ += $(PROTO_OBJ) $(PAGE_OBJ)
UNIT_BIN := $(UNIT_SRC:%.c=$(B)/%)
TEST_HELP := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))

.PHONY: all help demo check check-go check-real check-rules coverage bench clean format FORCE
all: $(B)/libsquall.so $(B)/squall

help:
	@printf '%s\n' \
	  'make             build/libsquall.so and build/squall' \
	  'make page        the HTML report, where a make without npm or network left it out' \
	  'make demo        a Kafka producer under squall, end to end (installs what it needs)' \
	  'make check       all tests that take minutes (installs what they need)' \
	  'make check-real  the full matrix of real programs and allocators' \
	  'make check-go    a Go producer by every version of Go that Debian has' \
	  'make soak        64 threads for ten minutes; Go, disturbed in all ways, 500 times; every danger 20 times; the' \
	  '                 judges; an hour of fuzzing each. make soak-counters, soak-go, soak-dangers, soak-fuzz: a part' \
	  'make fuzz        hostile input by libFuzzer, FUZZ_SECONDS (600) for each harness' \
	  'make check-judges  test suites of others with squall and without, compared (an hour)' \
	  'make check-rules only the rules of the house' \
	  'make coverage    lines of the library and of the companion that the tests run' \
	  'make bench       speed and memory beside the peers (QUICK=1: some minutes)' \
	  'make install     to PREFIX (/usr/local), under DESTDIR; make uninstall' \
	  'make deb         a Debian package, build/squall_$(VERSION)-1_ARCH.deb' \
	  'make dist        an archive of the sources, build/squall-$(VERSION).tar.gz' \
	  'make clean' \
	  'V=1 shows commands; CC=clang; SAN=address,undefined for the reading half and its tests'

# ---- build ----

$(B)/libsquall.so: $(SHIM_OBJ) $(SHIM_COUNTERS) src/shim/exports.map
	$(call say,LINK,$@)
	$(Q)$(CC) $(SHIM_LDFLAGS) -o $@ $(SHIM_OBJ) $(SHIM_COUNTERS) $(shell $(CC) -print-libgcc-file-name)

# The hook for Go programs that do not load the library: its bytes are in the companion.
BLOB_OBJ := $(patsubst %,$(B)/blob/%.o,src/go/hook src/go/rows src/region/commit src/base/parse)

$(B)/blob/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_CFLAGS) -ffunction-sections -fdata-sections -c -o $@ $<

$(B)/go-blob.bin: $(BLOB_OBJ) src/go/blob.ld
	$(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -static -Wl,-T,src/go/blob.ld -Wl,--build-id=none \
	  -Wl,--gc-sections -o $(@:.bin=.elf) $(BLOB_OBJ)
	$(Q)objcopy -O binary -j .blob $(@:.bin=.elf) $@

$(B)/read/tools/squall/go_blob.o: tools/squall/go_blob.S $(B)/go-blob.bin
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -c -Wa,-I,$(B) -o $@ $<

$(B)/squall: $(READ_OBJ) $(TOOL_OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(READ_CFLAGS) -o $@ $^ $(READ_LIBS)

$(B)/shim/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIBRARY_CFLAGS) $(SHIM_COUNTED) -c -o $@ $<

$(B)/read/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(READ_CFLAGS) -c -o $@ $<

# What protoc-c makes of the format of pprof.
$(B)/proto/profile.pb-c.c: src/render/profile.proto
	$(call say,PROTO,$<)
	@mkdir -p $(@D)
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(@D) $(<F)

$(PROTO_OBJ): $(B)/proto/profile.pb-c.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(READ_CFLAGS) -c -o $@ $<

$(B)/read/src/render/pprof.o: READ_CFLAGS += -I$(B)/proto
$(B)/read/src/render/pprof.o: $(B)/proto/profile.pb-c.c

# The page of report --html. Without npm it is empty, and squall says so.
PAGE_SRC := $(wildcard tools/page/*)
$(PAGE): $(PAGE_SRC)
	$(call say,PAGE,$@)
	$(Q)tools/page/build.sh $@

$(PAGE_OBJ): tools/page/page.S $(PAGE)
	@mkdir -p $(@D)
	$(Q)$(CC) -DPAGE='"$(PAGE)"' -c -o $@ $<

# Tries again, and fails where it cannot be built.
.PHONY: page
page:
	@command -v npm >/dev/null || tools/setup.sh page
	@tools/page/build.sh $(PAGE) --must
	@$(MAKE) -s all

# Rebuilds everything when the compiler or its flags change.
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(CC) $(SHIM_CFLAGS) $(READ_CFLAGS)' | cmp -s - $@ || \
	  echo '$(CC) $(SHIM_CFLAGS) $(READ_CFLAGS)' > $@
FORCE:

# Tests of the shim's rooms link what they need of the shim (never its hooks), the others the
# reading half.
UNIT_SHIM := $(patsubst %,$(B)/tests/unit/%_test,decide live live_map lives elf index conf block insn move rule codec_scan module_elf)
HELP_OBJ := $(TEST_HELP:%.c=$(B)/read/%.o)

SHIM_PARTS ?= $(SHIM_OBJ)
$(B)/shim/parts.a: $(SHIM_PARTS)
	$(Q)rm -f $@ && ar rc $@ $^

$(filter $(UNIT_SHIM),$(UNIT_BIN)): $(B)/%: $(B)/read/%.o $(B)/shim/parts.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(READ_CFLAGS) -o $@ $^ -lcmocka -lm -lpthread

$(filter-out $(UNIT_SHIM),$(UNIT_BIN)): $(B)/%: $(B)/read/%.o $(READ_OBJ) $(HELP_OBJ) \
  $(filter-out %/main.o,$(TOOL_OBJ))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(READ_CFLAGS) -o $@ $^ -lcmocka $(READ_LIBS)

-include $(SHIM_OBJ:.o=.d) $(BLOB_OBJ:.o=.d) $(READ_OBJ:.o=.d) $(TOOL_OBJ:.o=.d) $(HELP_OBJ:.o=.d) \
  $(UNIT_SRC:%.c=$(B)/read/%.d)

include tests/unit/unwind/unwind.mk
include tests/fuzz/fuzz.mk

# ---- use ----

demo:
	@tools/setup.sh build demo
	@$(MAKE) -s all
	@tools/demo/demo.sh

check:
	@tools/setup.sh build demo check
	@$(MAKE) all tests sanitized
	@tests/run.sh

.PHONY: tests
tests: $(UNIT_BIN) $(UNWIND_TESTS) $(B)/$(UNWIND_DIR)/unwind_rules

check-rules: all
	@tests/run.sh rules

# Some ten minutes. SUITES="unit cli" or single files: only these.
SUITES ?= unit targets cli go
coverage:
	@tools/setup.sh build demo check
	@$(MAKE) B=$(B)/coverage COVERAGE=1 all tests $(B)/coverage/counters_dump
	@tests/coverage/run.sh $(B)/coverage $(SUITES)

# The producer in Go, by every Go that Debian has; and hours of it, disturbed.
check-go:
	@tools/setup.sh build demo check
	@$(MAKE) all
	@tests/go/toolchains.sh
	@tests/go/matrix.sh
	@export VERSIONS="$$(bash -c '. tests/go/lib.sh; versions')" && tests/go/codecs.sh && tests/go/profile.sh

# Long: the counters, Go, every danger 20 times, and then what can be had by itself as well: the judges
# and an hour of fuzzing for each harness.
SOAK := soak-counters soak-go soak-dangers check-judges soak-fuzz
.PHONY: soak $(SOAK)
soak:
	@failed=; for part in $(SOAK); do echo "# $$part"; $(MAKE) $$part || failed="$$failed $$part"; done; \
	  [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

soak-counters soak-go soak-dangers: soak-build
.PHONY: soak-build
soak-build:
	@tools/setup.sh build demo check
	@$(MAKE) all

soak-counters:
	@LIMIT=3600 V=1 SOAK_SECONDS=$${SOAK_SECONDS:-600} tests/run.sh tests/targets/ledger.sh

soak-go:
	@tests/go/toolchains.sh
	@tests/go/stress.sh

soak-dangers:
	@tests/danger/run.sh -r 20

soak-fuzz:
	@$(MAKE) fuzz FUZZ_SECONDS=3600

# With sources from the network: CPython, glibc, zlib, redis, git and others.
check-judges:
	@tools/setup.sh build demo check judges
	@$(MAKE) all
	@tests/judges/all.sh

check-real:
	@tools/setup.sh build page demo check real package
	@$(MAKE) all tests
	@tests/real/check-all.sh

bench:
	@tools/setup.sh build demo check real bench
	@$(MAKE) -s all
	@tools/bench/bench.py

include packaging/package.mk

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(B)
