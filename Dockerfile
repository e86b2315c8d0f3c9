# The image of mongo2kafka: docker build --tag mongo2kafka .
# It needs the configuration at /etc/mongo2kafka/mongo2kafka.yaml, no writable file system and no rights. `docs/image.md`
# says how to run it. `.ci/image.sh` does these steps without an engine.
ARG NODE_IMAGE=node:24.21.0-trixie-slim

FROM ${NODE_IMAGE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini=0.19.0-* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN .ci/image.install.sh /opt/mongo2kafka

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="mongo2kafka" \
      org.opencontainers.image.description="Streams every change of a MongoDB into Kafka or OCI Streaming" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/mongo2kafka/mongo2kafka"
COPY --from=build /usr/bin/tini-static /usr/local/bin/tini
COPY --from=build /opt/mongo2kafka /opt/mongo2kafka
RUN ln -s /opt/mongo2kafka/dist/main.js /usr/local/bin/mongo2kafka
# JavaScript's heap may take half of the container's memory limit; buffers, which are outside of it, and Node itself
# have the other half. Other options of V8 stand in the first line of the command itself.
ENV NODE_OPTIONS=--max-old-space-size-percentage=50
# As a number, or Kubernetes cannot see that it is not root. Nobody has to know it: nothing is written.
USER 65532:65532
EXPOSE 8080
# Unhealthy: nobody answers at the usual port, or a pipeline has failed.
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 CMD ["mongo2kafka", "status"]
# Node as the first process would neither forward signals to others nor collect them.
ENTRYPOINT ["/usr/local/bin/tini", "--", "mongo2kafka"]
CMD ["run", "-c", "/etc/mongo2kafka/mongo2kafka.yaml"]
