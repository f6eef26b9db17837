# syntax=docker/dockerfile:1
# hadolint global ignore=DL3059
# (steps without a shell cannot be joined)
# The exporter and the Python it needs; no compiler, no pip cache, no file its user may write.
#
#   docker build -t docusage-exporter .
#   docker run -p 10086:10086 --read-only --tmpfs /tmp docusage-exporter        # the demo
#   docker run -p 10086:10086 --read-only -v ./config.yaml:/etc/docusage-exporter/config.yaml:ro \
#       docusage-exporter serve
#
# Without arguments it is the demo, so that made-up figures are never served by mistake where a
# configuration was meant: whoever mounts one says `serve`, and a missing file is an error.
# Another base needs Python 3.11 or newer as `python3`, and its venv module:
#   docker build --build-arg BASE=registry.example.com/python:3.13 .
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN ["python3", "-m", "venv", "/opt/build"]
RUN ["python3", "-m", "venv", "--without-pip", "/opt/docusage-exporter"]
COPY deploy/requirements.lock deploy/build.lock deploy/
# Every file is checked against its hash. A private index is named in a pip.conf:
# docker build --secret id=pip.conf,src=pip.conf .
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    ["/opt/build/bin/pip", "install", "--require-hashes", "--only-binary=:all:", \
     "-r", "deploy/build.lock"]
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    ["/opt/build/bin/pip", "--python=/opt/docusage-exporter/bin/python", "install", \
     "--require-hashes", "--only-binary=:all:", "-r", "deploy/requirements.lock"]
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY exporter exporter
ARG REVISION=unknown
RUN ["/opt/build/bin/hatchling", "build", "-t", "wheel", "-d", "/wheel"]
RUN ["/opt/build/bin/pip", "--python=/opt/docusage-exporter/bin/python", "install", \
     "--no-index", "--no-deps", "--find-links=/wheel", "docusage-exporter"]
RUN ["/opt/docusage-exporter/bin/python", "-m", "compileall", "-q", \
     "--invalidation-mode=unchecked-hash", "/opt/docusage-exporter/lib"]

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="docusage-exporter" \
      org.opencontainers.image.description="Prometheus exporter for document-AI usage: Affinda credits and Xtracta plan allowances" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/docusage-exporter /opt/docusage-exporter
ENV PATH=/opt/docusage-exporter/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DOCUSAGE_CONFIG_FILE=/etc/docusage-exporter/config.yaml \
    DOCUSAGE_WEB_LISTEN_ADDRESS=:10086
USER 65532:65532
EXPOSE 10086
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s --retries=3 \
    CMD ["/opt/docusage-exporter/bin/docusage-exporter", "healthcheck"]
ENTRYPOINT ["/opt/docusage-exporter/bin/docusage-exporter"]
CMD ["demo"]
