# syntax=docker/dockerfile:1

FROM rust:1.95-slim-trixie AS build
WORKDIR /source
# The image's own toolchain, without the components that rust-toolchain.toml asks developers to have.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
# The cache mounts keep the registry and compiled dependencies between builds; the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin tidegate \
    && cp target/release/tidegate /usr/local/bin/tidegate

FROM debian:trixie-slim
# The vendors' certificates are verified against the system's roots.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home tidegate
COPY --from=build /usr/local/bin/tidegate /usr/local/bin/tidegate
USER tidegate
WORKDIR /data
VOLUME /data
ENV TIDEGATE_LISTEN=0.0.0.0:8080 \
    DATABASE_URL=sqlite:///data/tidegate.db?mode=rwc
EXPOSE 8080
# Slim has no curl and needs none: bash opens the socket itself. The port is the one of TIDEGATE_LISTEN.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/${TIDEGATE_LISTEN##*:}\" && printf 'GET /health/ready HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && IFS= read -r status <&3 && [[ $status == *' 200 '* ]]"]
ENTRYPOINT ["tidegate"]
CMD ["serve"]
