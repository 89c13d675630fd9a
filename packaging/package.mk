# What leaves this folder: installed, as a Debian package, as an archive of the sources.
.PHONY: install uninstall deb dist

install: all
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install.sh install $(B)

uninstall: all
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' packaging/install.sh uninstall $(B)

# The page of the HTML report is made with npm: a package has to have it, and an archive brings it, so
# that who builds from that needs no npm.
NEED_PAGE := $(if $(wildcard tools/page/build.sh),$(if $(wildcard tools/page/built.html),,page))

deb:
	@tools/setup.sh build package
	@$(MAKE) -s $(or $(NEED_PAGE),all)
	@packaging/deb.sh $(B)

dist: $(NEED_PAGE)
	@packaging/dist.sh $(B)/squall-$(VERSION).tar.gz $(NEED_PAGE:page=$(B)/page/page.html=tools/page/built.html)
