# SPDX-License-Identifier: GPL-2.0-only
# The front door. Everything is built in build/, sources and compiled objects
# are cached in ~/.cache/migrate-offload.

T := tools/testing/migrate_offload
export BASE ?= 6.12
export KSRC MACHINES

.PHONY: help setup demo test check kunit selftest shell fault-matrix own mutants bench bench-check fixes-check apply unapply series series-check clean distclean

help:
	@echo 'Migration offload for Linux $(BASE)'
	@echo
	@echo '  make demo          show it at work, in a virtual machine'
	@echo '  make test          all of these: check, kunit, selftest, demo, stress, own, bench, series-check'
	@echo '  make check         static checks: style, warnings, documentation, patches'
	@echo '  make kunit         KUnit tests under User-Mode Linux, plain and with all checkers'
	@echo '  make selftest      kselftests in virtual machines (all, or MACHINES=...), with all checkers'
	@echo '  make own           tests that come with the kernel, under each engine; hours'
	@echo '  make fault-matrix  every fault of a DMA controller (MACHINES=x86-dsa: of DSA), size and caller'
	@echo '  make stress        everything at once for MINUTES=3, in a virtual machine'
	@echo '  make bench         how fast it is: tables and plots in build/bench/'
	@echo '  make bench-check   and is that as fast as it should be?'
	@echo '  make shell         a shell in the virtual machine'
	@echo '  make mutants       break our own rules: do the tests notice?'
	@echo
	@echo '  make apply KSRC=DIR     put it into a kernel source tree'
	@echo '  make unapply KSRC=DIR   and take it out again'
	@echo '  make series        build/series/: the mails to send'
	@echo '  make series-check  compile every step of the series'
	@echo
	@echo '  make fixes-check   show the bugs of mainline that patches/fixes/ mends'
	@echo
	@echo '  make setup         install the Debian packages that all this needs'
	@echo '  make clean         remove build/'
	@echo '  make distclean     remove the cache, too'
	@echo
	@echo 'KSRC=DIR takes a kernel source tree instead of the linux-source-$(BASE) package.'

setup:
	@$T/setup.sh

demo: setup
	@$T/vm.sh $@

# Of the two machines that vm.sh has.
shell fault-matrix stress: export VM_MACHINE ?= $(MACHINES)
shell fault-matrix: setup
	@$T/vm.sh $@

stress: setup
	@$T/vm.sh $@ $(MINUTES)

test: setup
	@$T/test.sh

check kunit selftest mutants: setup
	@$T/$@.sh

bench: setup
	@$T/bench.sh full

bench-check: setup
	@$T/bench.sh check

own: setup
	@$T/own.sh full

fixes-check: setup
	@$T/fixes.sh

apply unapply:
	@$T/apply.sh $@ "$(KSRC)"

series series-check:
	@$T/series.sh $@

clean:
	rm -rf build

distclean: clean
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/migrate-offload"
