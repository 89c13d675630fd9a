# Tests of the walk and of the table of modules. Included by the Makefile at the top, from which
# come B, Q, say, SHIM_CFLAGS, READ_CFLAGS and WARN. They are not cmocka programs: each ends with
# "N passed, N failed". `check-unwind` runs them in half a minute.
UNWIND_DIR := tests/unit/unwind
UNWIND_PARTS := $(filter %/base/parse.o %/base/syscall.o %/base/codec_table.o %/base/codec_go.o %/shim/codec.o %/shim/codec_scan.o \
  %/shim/detour.o %/shim/near.o %/shim/move.o %/shim/first.o %/shim/insn.o %/region/layout.o %/region/create.o %/region/commit.o \
  %/shim/identity.o %/shim/live.o %/shim/peek.o %/shim/module.o %/shim/loader.o %/shim/module_elf.o %/shim/unwind.o \
  %/shim/unwind_bounds.o %/shim/unwind_known.o %/shim/unwind_fde.o %/shim/unwind_rule.o %/shim/unwind_table.o,$(SHIM_PARTS))
# The same as a glibc before 2.35 finds it: without _dl_find_object.
UNWIND_OLD := $(patsubst $(B)/parts/%,$(B)/shim-old/%,$(UNWIND_PARTS:$(B)/shim/%=$(B)/shim-old/%))
UNWIND_FLAGS := -std=gnu11 -g -O2 $(WARN) -Isrc -Iinclude -I$(UNWIND_DIR) -MMD -MP
UNWIND_TESTS := $(addprefix $(B)/$(UNWIND_DIR)/,unwind_test unwind_test_old unwind_torture_test \
  unwind_torture_test_old module_test module_test_old)
UNWIND_LIBRARIES := $(wildcard $(addprefix /usr/lib/x86_64-linux-gnu/,libc.so.6 libcrypto.so.3 \
  libssl.so.3 librdkafka.so.1 libzstd.so.1 libstdc++.so.6 libm.so.6 libz.so.1) \
  /lib64/ld-linux-x86-64.so.2 /usr/bin/python3 /usr/bin/node)

$(B)/shim-old/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_CFLAGS) $(PARTS_COUNTED) -D_dl_find_object=absent_function -c -o $@ $<

# Options per function are pragmas of gcc's.
$(B)/$(UNWIND_DIR)/%.o: $(UNWIND_DIR)/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)gcc $(UNWIND_FLAGS) -c -o $@ $<

$(B)/$(UNWIND_DIR)/%.o: $(UNWIND_DIR)/%.cc
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)g++ -g -O2 -Wall -Wextra -Wshadow -I$(UNWIND_DIR) -MMD -MP -c -o $@ $<

UNWIND_OURS := $(addprefix $(B)/$(UNWIND_DIR)/,unwind_test.o unwind_check.o unwind_cxx.o)
$(B)/$(UNWIND_DIR)/unwind_test: $(UNWIND_OURS) $(UNWIND_PARTS)
$(B)/$(UNWIND_DIR)/unwind_test_old: $(UNWIND_OURS) $(UNWIND_OLD)
$(B)/$(UNWIND_DIR)/unwind_torture_test: $(B)/$(UNWIND_DIR)/unwind_torture_test.o $(UNWIND_PARTS)
$(B)/$(UNWIND_DIR)/unwind_torture_test_old: $(B)/$(UNWIND_DIR)/unwind_torture_test.o $(UNWIND_OLD)
$(B)/$(UNWIND_DIR)/module_test: $(B)/$(UNWIND_DIR)/module_test.o $(UNWIND_PARTS)
$(B)/$(UNWIND_DIR)/module_test_old: $(B)/$(UNWIND_DIR)/module_test.o $(UNWIND_OLD)
$(B)/$(UNWIND_DIR)/unwind_rules: $(B)/$(UNWIND_DIR)/unwind_rules.o $(UNWIND_PARTS)

$(UNWIND_TESTS) $(B)/$(UNWIND_DIR)/unwind_rules:
	$(call say,LINK,$@)
	$(Q)g++ $(PARTS_COUNTED) -o $@ $^ $(if $(findstring unwind_check,$^),-lunwind) -lpthread

$(B)/tools/bench/unwind_bench: tools/bench/unwind_bench.c $(UNWIND_PARTS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)gcc $(filter-out -MMD -MP,$(UNWIND_FLAGS)) -fno-builtin -fomit-frame-pointer -o $@ $^

.PHONY: check-unwind bench-unwind
check-unwind: $(UNWIND_TESTS) $(B)/$(UNWIND_DIR)/unwind_rules
	@set -e; for t in $(UNWIND_TESTS); do echo "$$t"; $$t > $$t.log || { cat $$t.log; exit 1; }; \
	  tail -1 $$t.log; done
	@$(UNWIND_DIR)/unwind_rules.py $(B)/$(UNWIND_DIR)/unwind_rules $(UNWIND_LIBRARIES)

bench-unwind: $(B)/tools/bench/unwind_bench
	@$<

-include $(wildcard $(B)/$(UNWIND_DIR)/*.d) $(UNWIND_OLD:.o=.d)
