# aliasd in a small image: built in one stage, run in another that holds the binary and the root certificates.
#
#     docker build -t aliasd .
#     docker run -d --name aliasd -p 25:2525 -v aliasd:/var/lib/aliasd \
#         -v ./aliasd.toml:/etc/aliasd/aliasd.toml:ro aliasd
#     docker exec aliasd aliasd domain add example.com
#
# The configuration needs `smtp.listen = ["[::]:2525"]`: inside, the relay has no right to a port below 1024 and needs
# none, since the port outside is the one of `-p`.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# The caches outlive the layer, so the binary is taken out of the target folder in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin aliasd \
    && cp target/release/aliasd /usr/local/bin/aliasd \
    && strip --strip-debug /usr/local/bin/aliasd

FROM debian:bookworm-slim
# The root certificates are for smarthosts whose certificate is verified. Numbers for the user, so that a cluster that
# demands `runAsNonRoot` can see that it is not root; a fixed one, so that volumes keep their owner across images.
# The certificates are wanted as new as they are, not pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 2525 aliasd \
    && useradd --system --uid 2525 --gid 2525 --no-create-home --home-dir /var/lib/aliasd aliasd \
    && install -d -o 2525 -g 2525 -m 0700 /var/lib/aliasd
COPY --from=build /usr/local/bin/aliasd /usr/local/bin/aliasd
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/aliasd/

# Where the SQLite file and the master key go. Without the volume they would be gone with the container, and with the
# key everything that was sealed with it.
ENV STATE_DIRECTORY=/var/lib/aliasd \
    ALIASD_CONFIG=/etc/aliasd/aliasd.toml
VOLUME /var/lib/aliasd
WORKDIR /var/lib/aliasd
USER 2525:2525
EXPOSE 2525

# SIGTERM lets the sessions end in their order; `docker stop --time` should leave them the direct timeout.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["aliasd", "health"]
ENTRYPOINT ["aliasd"]
CMD ["serve"]
