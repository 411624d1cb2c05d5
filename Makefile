# make          build the programs: bin/ms, static, and a link to it for each
# make demo     show them at work, with no AWS account
# make test     all tests, by the race detector where there is a C compiler
# make test-plain  those that the race detector leaves out, or does less of
# make check    format, vet, lint, modules, manual pages, sizes, other systems
# make interop  what is stored, held to the official SDKs, and what is asked of S3,
#               to another server (needs node and npm)
# make simulate  clients, faults and virtual time, by seed: SEEDS=1-10000 or SEEDS=500
# make mutate  the mistakes that the simulation must find
# make real     real servers (versitygw, MinIO) and real clients (the AWS CLI,
#               rclone, s3cmd, the JavaScript SDK); MinIO takes minutes to build
# make faults   make every request of every program fail in every way, and write
#               doc/faults.md
# make bench    speed and memory
# make fuzz     any input to every parser: FUZZTIME=20s for each target, or
#               FUZZTOTAL=60 seconds for all of them
# make install  what make has built, the manual pages and the completions of bash, zsh
#               and fish, under PREFIX (/usr/local)
# make uninstall
# make clean    remove what make has built
# make help     this text

PREFIX  = /usr/local
DESTDIR =
GO      = go
BIN     = bin

PROGRAMS     = $(sort $(notdir $(wildcard cmd/ms-*)))
VERSION      = $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS      = -s -w -X microsecrets/lib/internal/version.linked=$(VERSION)
TAGS         = nethttpomithttp2
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
SYSTEMS      = linux darwin windows
MAXSIZE      = 16000000
FUZZTIME     = 20s
FUZZTOTAL    =
FUZZFLAGS    =
MUTANTS      = *
MAN1         = $(wildcard doc/man/*.1)
MAN5         = $(wildcard doc/man/*.5)
SHARE        = $(DESTDIR)$(PREFIX)/share
MAN          = $(SHARE)/man
COMPLETION   = lib/tool/completion

# Where shells look for completions. Those of bash and fish are found by a program's name.
BASH_FOLDER  = $(SHARE)/bash-completion/completions
ZSH_FOLDER   = $(SHARE)/zsh/site-functions
FISH_FOLDER  = $(SHARE)/fish/vendor_completions.d
FOR_PROGRAMS = sed 's/@PROGRAMS@/ms $(PROGRAMS)/'

# The race detector needs cgo and a C compiler.
RACE = $(shell test "$$($(GO) env CGO_ENABLED)" = 0 || ! command -v $$($(GO) env CC) >/dev/null || echo -race)

all:
	CGO_ENABLED=0 $(GO) build -tags '$(TAGS)' -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ms ./cmd/ms
	@for program in $(PROGRAMS); do ln -sf ms $(BIN)/$$program || exit 1; done

help:
	@sed '/^#/!q; s/^# //' Makefile

demo: all
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ms-dev -- sh testdata/demo.sh

test:
	@test -n "$(RACE)" || echo 'make: no C compiler at hand: the tests run without the race detector'
	$(GO) test -count=1 $(RACE) ./...

test-plain:
	$(GO) test -count=1 . ./lib/message ./lib/secret ./lib/internal/bucket ./lib/tool/suite ./lib/tool/suite/faults
	$(GO) test -count=1 -run '^TestCanaries$$' ./lib/environ

faults:
	$(GO) test -count=1 -timeout 30m -run '^TestFaults$$' ./lib/tool/suite/faults -update

interop:
	cd interop && npm ci --silent --no-audit --no-fund && $(GO) test -count=1 -timeout 30m ./...

# What it ran and what it left out, and why; the whole log is in $(BIN)/real.log.
real:
	cd interop && npm ci --silent --no-audit --no-fund
	@mkdir -p $(BIN); failed=; \
	(cd interop && $(GO) test -count=1 -timeout 1h -v ./clients && $(GO) test -count=1 -timeout 1h -v ./server -minio) >$(BIN)/real.log 2>&1 || failed=1; \
	grep -aE '^ *(--- |[a-z]+_test\.go:[0-9]+: |FAIL: )|^(ok|FAIL|panic)' $(BIN)/real.log; \
	test -z "$$failed" || { echo 'make: see $(BIN)/real.log'; exit 1; }

# Without SEEDS the fixed ones of every profile; see doc/simulation.md.
simulate:
	cd interop/simulate && $(GO) test -count=1 -timeout 0 -run '^(TestSeeds|TestPatches)$$' -args \
		-seeds='$(SEEDS)' -profile='$(PROFILE)' -without='$(WITHOUT)' $(if $(TELL),-tell)

mutate:
	cd interop/simulate && $(GO) test -count=1 -timeout 0 -run '^TestMutants$$' -args -mutants='$(MUTANTS)'

check: all
	@test -z "$$(gofmt -l cmd lib interop *.go)" || { gofmt -d cmd lib interop *.go; exit 1; }
	$(GO) mod tidy -diff
	cd interop && $(GO) mod tidy -diff
	cd interop/simulate && $(GO) mod tidy -diff
	for system in $(SYSTEMS); do \
		GOOS=$$system CGO_ENABLED=0 $(GO) build ./... && GOOS=$$system $(GO) vet ./... || exit 1; \
	done
	cd interop && $(GO) vet ./...
	cd interop/simulate && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd interop && $(GO) run $(STATICCHECK) ./...
	cd interop/simulate && $(GO) run $(STATICCHECK) ./...
	@if command -v mandoc >/dev/null; then mandoc -Tlint -W warning $(MAN1) $(MAN5); \
		else echo 'make: no mandoc at hand: the manual pages are not checked'; fi
	@dir=$$(mktemp -d) && $(MAKE) -s install DESTDIR="$$dir" && size=$$(du -sk "$$dir" | cut -f 1) && rm -rf "$$dir" && \
	test $$((size * 1024)) -le $(MAXSIZE) || { echo "make: what is installed takes $$size KiB, over $(MAXSIZE) bytes"; exit 1; }

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
	cd interop && $(GO) test -run '^$$' -bench . -benchtime 1x -benchmem ./...

# Once more, since Go up to 1.26 may fail for no reason when the time is up (https://go.dev/issue/75804).
FUZZ = $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime "$$time" -fuzzminimizetime 10x $(FUZZFLAGS) "$$package" </dev/null

fuzz:
	@set -e; \
	targets=$$($(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ {found[n++] = $$1} /^FAIL/ {exit 1} /^ok/ {for (i = 0; i < n; i++) print found[i] " " $$2; n = 0}'); \
	time=$(FUZZTIME); \
	if test -n "$(FUZZTOTAL)"; then time=$$(( $(FUZZTOTAL)000 / $$(echo "$$targets" | wc -l) ))ms; fi; \
	echo "$$targets" | while read -r target package; do \
		echo "$$target of $$package, $$time"; \
		$(FUZZ) || $(FUZZ) || exit 1; \
	done

install:
	@test -x $(BIN)/ms || { echo 'make: there is no $(BIN)/ms yet: run make first' >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(MAN)/man1 $(MAN)/man5
	install -m 755 $(BIN)/ms $(DESTDIR)$(PREFIX)/bin
	for program in $(PROGRAMS); do ln -sf ms $(DESTDIR)$(PREFIX)/bin/$$program || exit 1; done
	install -m 644 $(MAN1) $(MAN)/man1
	install -m 644 $(MAN5) $(MAN)/man5
	install -d $(BASH_FOLDER) $(ZSH_FOLDER) $(FISH_FOLDER)
	$(FOR_PROGRAMS) $(COMPLETION)/ms.bash >$(BASH_FOLDER)/ms
	$(FOR_PROGRAMS) $(COMPLETION)/ms.zsh >$(ZSH_FOLDER)/_ms
	$(FOR_PROGRAMS) $(COMPLETION)/ms.fish >$(FISH_FOLDER)/ms.fish
	chmod 644 $(BASH_FOLDER)/ms $(ZSH_FOLDER)/_ms $(FISH_FOLDER)/ms.fish
	for program in $(PROGRAMS); do \
		ln -sf ms $(BASH_FOLDER)/$$program && ln -sf ms.fish $(FISH_FOLDER)/$$program.fish || exit 1; \
	done

uninstall:
	cd $(DESTDIR)$(PREFIX)/bin && rm -f ms $(PROGRAMS)
	cd $(MAN)/man1 && rm -f $(notdir $(MAN1))
	cd $(MAN)/man5 && rm -f $(notdir $(MAN5))
	rm -f $(ZSH_FOLDER)/_ms
	cd $(BASH_FOLDER) && rm -f ms $(PROGRAMS)
	cd $(FISH_FOLDER) && rm -f $(addsuffix .fish,ms $(PROGRAMS))

clean:
	rm -rf $(BIN)

.PHONY: all help demo test test-plain faults interop real simulate mutate check bench fuzz install uninstall clean
