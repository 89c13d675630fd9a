# COVERAGE=1, set by `make coverage` for a build folder of its own. Included by the Makefile at the
# top. The companion and its tests are counted as gcov does it; the library in its own way, see
# shim_counters.c; its parts in unit tests, where there is a C library, again as gcov does it.
ifdef COVERAGE
PARTS_COUNTED := --coverage
SHIM_COUNTED := -fprofile-arcs -ftest-coverage -fprofile-info-section=squall_infos -fdata-sections
SHIM_COUNTERS := $(B)/coverage/shim_counters.o
SHIM_PARTS := $(SHIM_OBJ:$(B)/shim/%=$(B)/parts/%)
COMPANION_COUNTERS := $(B)/coverage/companion_counters.o
COUNTERS_FILE := $(abspath $(B))/shim.counters

SHIM_LDFLAGS := $(subst src/shim/exports.map,$(B)/exports.map,$(SHIM_LDFLAGS)) -Wl,-T,tests/coverage/counters.ld

$(B)/libsquall.so: $(B)/exports.map tests/coverage/counters.ld
$(B)/exports.map: src/shim/exports.map
	@mkdir -p $(@D)
	@sed 's/ malloc;/& squall_infos;/' $< >$@

$(B)/squall: $(COMPANION_COUNTERS)
$(B)/squall: READ_LIBS += -Wl,--wrap=_exit,--wrap=raise

$(COMPANION_COUNTERS): tests/coverage/companion_counters.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O1 $(WARN) -c -o $@ $<

$(B)/coverage/shim_counters.o: tests/coverage/shim_counters.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_CFLAGS) -DCOUNTERS_FILE='"$(COUNTERS_FILE)"' -c -o $@ $<

$(B)/parts/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIBRARY_CFLAGS) $(PARTS_COUNTED) -c -o $@ $<

$(B)/counters_dump: tests/coverage/counters_dump.c
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu11 -O1 $(WARN) -o $@ $< -ldl -lgcov
endif
