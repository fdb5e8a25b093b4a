# Every way to use, build and check the project; `make` alone lists them.
# Nothing needs an environment variable. These may be set:
#   STORYTELLER_CACHE   where downloads, converted weights and builds lie (~/.cache/storyteller)
#   CARGO_TARGET_DIR    where cargo builds ($STORYTELLER_CACHE/target: outside the clone, so a second clone is warm)
#   LIBTORCH            a libtorch 2.11.0 of your own

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export STORYTELLER_CACHE ?= $(HOME)/.cache/storyteller
export CARGO_TARGET_DIR ?= $(STORYTELLER_CACHE)/target
# The same path for every clone: a path of its own for each would rebuild libtorch's bindings in each.
OUR_LIBTORCH := $(STORYTELLER_CACHE)/libtorch-2.11.0
cargo := LIBTORCH="$${LIBTORCH:-$(OUR_LIBTORCH)}" cargo
storyteller := $(CARGO_TARGET_DIR)/debug/storyteller
PHOTO ?= tests/fixtures/photos/dogs.jpg
STYLE ?= romance
comma := ,
# Nobody builds twice where CI builds, and what makes a second build quick is half of all that lies there.
ifdef CI
export CARGO_INCREMENTAL := 0
endif
# A log wants no line for each of 330 crates; a person waiting wants to see that something happens.
export QUIET := $(if $(CI),--quiet)
step = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## this list
	@echo 'neural-storyteller: tells stories about pictures, on your own machine'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## fetch what is missing: libtorch, Postgres, networks (once, 760 MB)
	@scripts/setup.sh

.PHONY: build
build: setup ## build the program (the first time some minutes)
	@[ "$${SETUP_QUIET:-}" = yes ] || echo "building the program in $(CARGO_TARGET_DIR)"
	@$(cargo) build --bin storyteller $(QUIET)

.PHONY: demo
demo: export SETUP_QUIET = yes
demo: build ## start the service, send it a photo over HTTP, show the photo, its story and the address of the page
	@$(storyteller) demo $(PHOTO)

.PHONY: run
run: build ## start the service on loopback and keep it running until Ctrl-C
	@$(storyteller) serve

.PHONY: tell
tell: build ## a story without a server: make tell PHOTO=cat.jpg STYLE=romance
	@$(storyteller) tell "$(PHOTO)" --style "$(STYLE)"

PREFIX ?= $(HOME)/.local
.PHONY: install
install: setup ## put a release build and its bundle under PREFIX (~/.local): bin/storyteller, share/storyteller
	@$(cargo) build --release --bin storyteller $(QUIET)
	@install -D -t "$(PREFIX)/bin" $(CARGO_TARGET_DIR)/release/storyteller
	@mkdir -p "$(PREFIX)/share/storyteller/bundles"
	@rm -rf "$(PREFIX)/share/storyteller/bundles/starter"
	@cp -R models/bundles/starter "$(PREFIX)/share/storyteller/bundles/"
	@"$(PREFIX)/bin/storyteller" manual "$(PREFIX)/share/man/man1"
	@mkdir -p "$(PREFIX)"/share/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
	@"$(PREFIX)/bin/storyteller" completions bash > "$(PREFIX)/share/bash-completion/completions/storyteller"
	@"$(PREFIX)/bin/storyteller" completions zsh > "$(PREFIX)/share/zsh/site-functions/_storyteller"
	@"$(PREFIX)/bin/storyteller" completions fish > "$(PREFIX)/share/fish/vendor_completions.d/storyteller.fish"
	@echo "installed $(PREFIX)/bin/storyteller"

.PHONY: setup-tests
setup-tests:
	@scripts/setup.sh --tests

.PHONY: test
test: check ## everything CI runs: all checks, then all tests
	$(call step,tests)
	@$(cargo) test --workspace --no-run $(QUIET)
	$(call step,what the starter bundle computes once)
	@$(cargo) build --bin storyteller $(QUIET)
	@$(storyteller) tell $(PHOTO) --style $(STYLE)
	@OMP_NUM_THREADS=1 $(cargo) test --workspace

.PHONY: check
check: setup-tests ## formatting, SQL, clippy, documentation, licences: no tests
	$(call step,formatting)
	@cargo fmt --all --check
	$(call step,clippy$(comma) with the SQL described anew by a live Postgres)
	@export LIBTORCH="$${LIBTORCH:-$(OUR_LIBTORCH)}"; scripts/check-sqlx.sh
	@$(cargo) clippy --workspace --all-targets $(QUIET) -- -D warnings
	$(call step,documentation)
	@RUSTDOCFLAGS='-D warnings' $(cargo) doc --workspace --no-deps $(QUIET)
	$(call step,licences and sources of dependencies)
	@PATH="$$PATH:$(STORYTELLER_CACHE)/bin" cargo deny --log-level error check licenses bans sources

.PHONY: advisories
advisories: setup-tests ## known vulnerabilities in dependencies (fetches a database from GitHub)
	@PATH="$$PATH:$(STORYTELLER_CACHE)/bin" cargo deny check advisories

.PHONY: bench
bench: build ## how long a story takes on this machine, stage by stage
	@$(storyteller) bench tests/fixtures/photos/*.jpg

LOAD ?=
.PHONY: load
load: setup ## how much the service takes and answers: make load LOAD='--seconds 30 --streams 200 --s3 --keep load.json'
	@$(cargo) build --release -p api -p testkit -p scripted --bin api --example load --example teller $(QUIET)
	@$(CARGO_TARGET_DIR)/release/examples/load --api $(CARGO_TARGET_DIR)/release/api \
	  --teller $(CARGO_TARGET_DIR)/release/examples/teller $(LOAD)

OUT ?= dist
.PHONY: package
package: setup ## a tarball and a .deb of a release build in OUT (dist/): make package OUT=/tmp/storyteller
	@OUT="$(OUT)" LIBTORCH="$${LIBTORCH:-$(OUR_LIBTORCH)}" scripts/package.sh

TARGET ?=
SECONDS ?= 300
# Libraries are those of `make test`; ours are built once more, with what libFuzzer counts in them.
fuzzer = RUSTC_WORKSPACE_WRAPPER="$(CURDIR)/scripts/fuzz-rustc.sh" CARGO_INCREMENTAL=0 OMP_NUM_THREADS=1 $(cargo)
fuzz_found = $(STORYTELLER_CACHE)/fuzz/$(TARGET)
.PHONY: fuzz
fuzz: setup ## look for bytes that break a promise of fuzz/src: make fuzz TARGET=request SECONDS=300
	@[ -n "$(TARGET)" ] && [ -d "fuzz/corpus/$(TARGET)" ] || { echo "TARGET is one of: $(notdir $(wildcard fuzz/corpus/*))"; exit 1; }
	@$(fuzzer) build --workspace --features fuzz/libfuzzer --bin fuzz-$(TARGET) $(QUIET)
	@mkdir -p "$(fuzz_found)/corpus"
	@$(CARGO_TARGET_DIR)/debug/fuzz-$(TARGET) "$(fuzz_found)/corpus" fuzz/corpus/$(TARGET) -max_total_time=$(SECONDS) \
	  -rss_limit_mb=1024 -timeout=20 -max_len=4096 -print_final_stats=1 -artifact_prefix="$(fuzz_found)/"

.PHONY: fuzz-corpus
fuzz-corpus: ## put the smallest files that run as much into fuzz/corpus: make fuzz-corpus TARGET=request
	@$(CARGO_TARGET_DIR)/debug/fuzz-$(TARGET) -merge=1 -max_len=20000 fuzz/corpus/$(TARGET) "$(fuzz_found)/corpus"

.PHONY: scale
scale: setup ## what the store takes with up to a million jobs: make scale SCALE='--rows 10000,100000'
	@$(cargo) build --release -p testkit --example scale $(QUIET)
	@$(CARGO_TARGET_DIR)/release/examples/scale $(SCALE)

MINUTES ?= 30
SEED ?= 1
# a worker that was killed opens its networks again, for seconds of a processor: two cores tell about nine stories a minute beside that
JOBS ?= $$(($(MINUTES) * 8))
.PHONY: chaos
chaos: setup-tests ## kill, pause and cut off everything while jobs run: make chaos MINUTES=30 SEED=1
	@$(cargo) build --workspace --bins $(QUIET)
	@STORYTELLER_CHAOS_SECONDS=$$(($(MINUTES) * 60)) STORYTELLER_CHAOS_JOBS=$(JOBS) STORYTELLER_CHAOS_SEED=$(SEED) \
	  OMP_NUM_THREADS=1 $(cargo) test -p storyteller --test system chaos -- --nocapture

# Outside the clone: some two hundred pictures.
VIEWS ?= $(STORYTELLER_CACHE)/screenshots
.PHONY: screenshots
screenshots: setup-tests ## pictures of every view of the page, at three sizes, light and dark: make screenshots VIEWS=/tmp/views
	@mkdir -p "$(VIEWS)"
	@STORYTELLER_SCREENSHOTS="$(abspath $(VIEWS))" OMP_NUM_THREADS=1 $(cargo) test --workspace --exclude fuzz --test system page::views
	@echo "look at $(VIEWS)"

BEFORE ?=
.PHONY: upgrade-check
upgrade-check: setup-tests ## an earlier version and this one side by side while jobs flow: make upgrade-check BEFORE=<commit>
	@export LIBTORCH="$${LIBTORCH:-$(OUR_LIBTORCH)}"; scripts/upgrade-check.sh $(BEFORE)

.PHONY: sqlx
sqlx: setup ## describe the SQL queries anew (.sqlx/), after a change to one
	@export LIBTORCH="$${LIBTORCH:-$(OUR_LIBTORCH)}"; scripts/check-sqlx.sh --write

.PHONY: clean-data
clean-data: ## delete the embedded service's data: jobs, stories, pictures
	@scripts/clean-data.sh
