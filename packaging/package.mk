# What leaves this folder: installed, as a Debian package, as an archive of the sources.
.PHONY: install uninstall deb dist

install: all
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install.sh install $(B)

uninstall: all
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install.sh uninstall $(B)

deb:
	@tools/setup.sh build package
	@$(MAKE) -s all
	@packaging/deb.sh $(B)

# What is made by programs that a builder need not have, at its place in the sources.
DIST_MADE ?=

dist: $(DIST_MADE)
	@packaging/dist.sh $(B)/squall-$(VERSION).tar.gz $(DIST_MADE)
