# make demo     build the programs and show them at work, with no AWS account
# make test     all tests, by the race detector where there is a C compiler
# make test-plain  those that the race detector leaves out, or does less of
# make check    format, vet, lint, modules, manual pages, sizes, other systems
# make interop  what is stored, held to the official SDKs, and what is asked of S3,
#               to another server (needs node and npm)
# make bench    speed and memory
# make fuzz     any input, for FUZZTIME a target
# make install  programs and manual pages under PREFIX

PREFIX  = /usr/local
DESTDIR =
GO      = go

VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS      = -s -w -X microsecrets/lib/internal/version.linked=$(VERSION)
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
SYSTEMS      = linux darwin windows
MAXSIZE      = 13000000
FUZZTIME     = 20s
MAN1         = $(wildcard doc/man/*.1)
MAN5         = $(wildcard doc/man/*.5)

ifneq ($(shell $(GO) env CGO_ENABLED),0)
ifneq ($(shell command -v $$($(GO) env CC) 2>/dev/null),)
RACE = -race
endif
endif

all:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

demo: all
	@PATH="$(CURDIR)/bin:$$PATH" bin/ms-dev -- sh testdata/demo.sh

test:
	@$(if $(RACE),:,echo 'make: no C compiler at hand: the tests run without the race detector')
	$(GO) test -count=1 $(RACE) ./...

test-plain:
	$(GO) test -count=1 -run '^Test(Memory|Merges|Race)$$' ./lib/tool/suite ./lib/secret

interop:
	cd interop && npm ci --silent --no-audit --no-fund && $(GO) test -count=1 ./...

check: all
	@test -z "$$(gofmt -l cmd lib interop *.go)" || { gofmt -d cmd lib interop *.go; exit 1; }
	$(GO) mod tidy -diff
	cd interop && $(GO) mod tidy -diff
	for system in $(SYSTEMS); do \
		GOOS=$$system CGO_ENABLED=0 $(GO) build ./... && GOOS=$$system $(GO) vet ./... || exit 1; \
	done
	cd interop && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	cd interop && $(GO) run $(STATICCHECK) ./...
	@if command -v mandoc >/dev/null; then mandoc -Tlint -W warning $(MAN1) $(MAN5); \
		else echo 'make: no mandoc at hand: the manual pages are not checked'; fi
	@large="$$(find bin -type f -size +$(MAXSIZE)c)"; test -z "$$large" || { echo "over $(MAXSIZE) bytes: $$large"; exit 1; }

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
	cd interop && $(GO) test -run '^$$' -bench . -benchtime 1x -benchmem ./...

# Once more, since Go up to 1.26 may fail for no reason when the time is up (https://go.dev/issue/75804).
FUZZ = $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package

fuzz:
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$target of $$package"; \
			$(FUZZ) || $(FUZZ) || exit 1; \
		done; \
	done

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 755 bin/ms* $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5

clean:
	rm -rf bin

.PHONY: all demo test test-plain interop check bench fuzz install clean
