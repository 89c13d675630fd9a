# Fuzzers. Included by the Makefile at the top. In build/sanitized/tests/fuzz each harness with drive.c,
# by the ordinary compiler and its sanitizers: what make check runs. `make fuzz` builds them once more, in
# build/fuzz, by clang with libFuzzer, and lets each run for FUZZ_SECONDS.
FUZZ_DIR := tests/fuzz
comma := ,
FUZZ_SECONDS ?= 600
FUZZ_NAMES := profile symbol go module conf options
FUZZ_HELP := $(patsubst %,$(B)/read/%.o,$(FUZZ_DIR)/fuzz $(FUZZ_DIR)/check tests/unit/region_build)
FUZZ_PARTS := $(filter-out $(PAGE_OBJ),$(READ_OBJ))
FUZZ_BIN := $(FUZZ_NAMES:%=$(B)/$(FUZZ_DIR)/%)
# What each needs besides. Rooms of the shim are built as the reading half is: for sanitizers.
FUZZ_NEEDS = $(patsubst %,$(B)/read/%.o,$(FUZZ_NEEDS_$(1)))
FUZZ_NEEDS_symbol := $(FUZZ_DIR)/elf tests/unit/go_build
FUZZ_NEEDS_go := tests/unit/go_build
FUZZ_NEEDS_module := $(FUZZ_DIR)/elf $(addprefix src/shim/,module_elf codec_scan unwind_fde unwind_rule \
  peek insn first move)
FUZZ_NEEDS_conf := src/shim/conf
FUZZ_NEEDS_options := $(FUZZ_DIR)/tool_main $(filter-out %/main,$(TOOL_SRC:.c=)) tools/squall/go_blob
# What would read files, look at processes or write: see options.c.
FUZZ_LINK_options := $(addprefix -Wl$(comma)--wrap=,write program_inspect fleet_open top_screen_open \
  go_target_open watch_open watch_list_find $(addprefix profile_,load load_pid newest list list_refused remove pack \
  pack_found pack_check merge find find_pid))
FUZZ_LINK_module := -Wl,--wrap=base_move

$(B)/read/$(FUZZ_DIR)/check.o: READ_CFLAGS += -I$(B)/proto
$(B)/read/$(FUZZ_DIR)/check.o: $(B)/proto/profile.pb-c.c

$(B)/read/$(FUZZ_DIR)/tool_main.o: tools/squall/main.c $(B)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(READ_CFLAGS) -Dmain=tool_main -c -o $@ $<

$(B)/read/$(FUZZ_DIR)/options.o: READ_CFLAGS += -I.

define FUZZ_RULE
$(B)/$(FUZZ_DIR)/$(1): $(B)/read/$(FUZZ_DIR)/$(1).o $(B)/read/$(FUZZ_DIR)/drive.o $(call FUZZ_NEEDS,$(1)) \
  $(FUZZ_HELP) $(FUZZ_PARTS)
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(READ_CFLAGS) $(FUZZ_LINK_$(1)) -o $$@ $$^ $$(READ_LIBS)

$(B)/$(FUZZ_DIR)/$(1)-libfuzzer: $(B)/read/$(FUZZ_DIR)/$(1).o $(call FUZZ_NEEDS,$(1)) $(FUZZ_HELP) $(FUZZ_PARTS)
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(READ_CFLAGS) -fsanitize=fuzzer $(FUZZ_LINK_$(1)) -o $$@ $$^ $$(READ_LIBS)
endef
$(foreach name,$(FUZZ_NAMES),$(eval $(call FUZZ_RULE,$(name))))

# What tests/fuzz/replay.sh runs: where a sanitizer is what finds it, nothing else sees it come back.
.PHONY: sanitized harnesses
harnesses: $(FUZZ_BIN)
sanitized:
	@$(MAKE) B=$(B)/sanitized SAN=address,undefined CFLAGS=-O1 harnesses

# make fuzz FUZZ_SECONDS=3600 FUZZ="profile symbol"
FUZZ ?= $(FUZZ_NAMES)
.PHONY: fuzz
fuzz:
	@tools/setup.sh build fuzz
	@$(MAKE) B=build/fuzz CC=clang CFLAGS=-O1 SAN=fuzzer-no-link,address,undefined \
	  $(foreach name,$(FUZZ),build/fuzz/$(FUZZ_DIR)/$(name) build/fuzz/$(FUZZ_DIR)/$(name)-libfuzzer)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(FUZZ_DIR)/fuzz.sh build/fuzz/$(FUZZ_DIR) $(FUZZ)

-include $(wildcard $(B)/read/$(FUZZ_DIR)/*.d $(B)/read/src/shim/*.d)
