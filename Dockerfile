# The service: its locked packages in one virtual environment, the model, and nothing to build with.
# It runs as a user without rights on a root file system that may be read-only; what it keeps is in
# /data. Give BASE with a digest to fix every byte: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
# LOCK=traces adds what sends OpenTelemetry traces.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG LOCK=service
WORKDIR /src
COPY requirements/build.txt requirements/service.txt requirements/traces.txt requirements/
RUN python3 -m venv --without-pip /opt/cheque-reader \
    && python3 -m pip --python /opt/cheque-reader/bin/python install --no-cache-dir \
        --require-hashes --only-binary :all: -r "requirements/${LOCK}.txt" \
    && python3 -m pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements/build.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY service service
RUN python3 -m pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation \
        --wheel-dir /wheels . \
    && python3 -m pip --python /opt/cheque-reader/bin/python install --no-cache-dir --no-deps \
        --no-index /wheels/*.whl

FROM ${BASE}
RUN groupadd --gid 10001 cheque \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --no-log-init \
        --shell /usr/sbin/nologin cheque \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/cheque-reader /opt/cheque-reader
COPY models /opt/models
COPY deploy/healthcheck.py /opt/healthcheck.py
ENV PATH=/opt/cheque-reader/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CHEQUE_HOST=0.0.0.0 \
    CHEQUE_PORT=8080 \
    CHEQUE_METRICS_PORT=8081 \
    CHEQUE_DATA_DIR=/data \
    CHEQUE_MODEL_DIR=/opt/models/amounts/1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "/opt/healthcheck.py"]
ENTRYPOINT ["cheque-reader"]
CMD ["serve"]
