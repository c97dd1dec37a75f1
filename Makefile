# Pilotlight, from the source. `make` alone says what there is.

MACHINES ?= 2
SIMULATE ?= 0
KEEP ?= 1
CACHE ?= $(CURDIR)/.cache
CARGO ?= cargo

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
AGENT_TARGET := x86_64-unknown-linux-gnu
AGENT := $(TARGET)/$(AGENT_TARGET)/agent/pilotlight-agent
# Building and one run together are quickest without optimisation; nothing of the demo waits for the server's processor time.
PROFILE ?= dev
BUILT := $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

BUILD_PACKAGES := build-essential pkg-config curl
IMAGE_PACKAGES := debootstrap squashfs-tools cpio kmod
BENCH_PACKAGES := iproute2 dnsmasq-base nginx-light kea-dhcp4-server kea-admin libwrap0 openssl util-linux
RACK_PACKAGES := iproute2 qemu-system-x86 ipxe ipxe-qemu seabios ovmf

.DEFAULT_GOAL := help
.PHONY: help build ui agent image demo test bench clean tools packages

help:
	@echo 'make demo    power on $(MACHINES) bare machines in a private network, and have Pilotlight boot them'
	@echo '               MACHINES=n    how many'
	@echo '               SIMULATE=1    simulated ones: needs neither root nor QEMU'
	@echo '               KEEP=0        end when they are active, with exit code 0, or 2 when one failed'
	@echo '               DATABASE_URL=postgres://…    that database in place of SQLite'
	@echo '               PILOTLIGHT_ACCEL=kvm|tcg     what runs the machines, if it is not to be found out'
	@echo 'make test    everything that is tested; installs what it needs'
	@echo 'make bench   measures this server beside its peers, on this machine (root; some 20 minutes); see docs/benchmarks.md'
	@echo '               BENCH=tftp,http    of tftp, http, dhcp, scripts, plan, memory'
	@echo 'make build   the server and client, for use: target/release/pilotlight, with the web UI where npm is'
	@echo 'make ui      the web UI alone: web/dist/ui, which the next build takes in'
	@echo 'make agent   the agent, one static file: what machines get'
	@echo 'make image   the live system that demo and tests boot (root; once, then kept in $(CACHE))'
	@echo 'make clean   remove what was built; the image and its downloads stay in $(CACHE)'

build: tools ui
	$(CARGO) build --locked --release -p pilotlight

# Without Node.js the daemon is built all the same, and says on / how to get its UI.
ui:
	@if command -v npm >/dev/null; then cd web && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build; \
	else echo 'npm is missing: the daemon is built without its web UI (it takes Node.js 20.19 or later)'; fi

agent: tools
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --locked --profile agent -p pilotlight-agent --target $(AGENT_TARGET)

image: packages
	scripts/as-root tests/image/make-image '$(CACHE)/image' '$(CACHE)/debian'

demo: packages agent
	$(CARGO) build --locked --profile $(PROFILE) -p pilotlight -p pilotlight-tests --bin pilotlight --bin demo
	@mkdir -p '$(CACHE)'
	@PILOTLIGHT_BIN='$(BUILT)/pilotlight' PILOTLIGHT_AGENT_BIN='$(AGENT)' scripts/as-root $(if $(filter 1,$(SIMULATE)),--not) \
		'$(BUILT)/demo' --machines '$(MACHINES)' --cache '$(CACHE)' \
		$(if $(filter 1,$(SIMULATE)),--simulate) $(if $(filter 0,$(KEEP)),--exit-when-active)

test: tools
	scripts/test

bench: tools
	@scripts/need-packages --try $(BENCH_PACKAGES)
	@scripts/bench-peers '$(CACHE)/peers'
	$(CARGO) build --locked --release -p pilotlight -p pilotlight-tests --bin pilotlight --bin bench
	@PILOTLIGHT_BIN='$(TARGET)/release/pilotlight' scripts/as-root \
		'$(TARGET)/release/bench' --peers '$(CACHE)/peers' $(if $(BENCH),--only '$(BENCH)')

clean:
	rm -rf '$(TARGET)'

# A C compiler, and Rust: what any build needs.
tools:
	@scripts/need-packages $(BUILD_PACKAGES)
	@command -v '$(CARGO)' >/dev/null || { \
		echo 'cargo is missing. Rust comes by https://rustup.rs:'; \
		echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal && . ~/.cargo/env"; \
		exit 1; }

# For virtual machines and their image. Without them the demo goes on with simulated ones, which take nothing.
packages: tools
	@$(if $(filter 1,$(SIMULATE)),:,scripts/need-packages --try $(IMAGE_PACKAGES) $(RACK_PACKAGES))
