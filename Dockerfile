# The base: a Debian with Python 3.11 or newer and its venv module.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS builder
WORKDIR /build
COPY requirements.txt ./
# Ready-made wheels alone, each checked by its hash: nothing is compiled, here or later. The environment
# gets no pip of its own, because nobody installs anything into a running service.
RUN python3 -m venv tools \
    && tools/bin/pip wheel --no-cache-dir --require-hashes --only-binary=:all: \
        --wheel-dir wheels --requirement requirements.txt \
    && python3 -m venv --without-pip /opt/venv \
    && tools/bin/pip --python /opt/venv install --no-cache-dir --no-index --no-deps wheels/*.whl
WORKDIR /app
COPY alembic.ini scripts/healthcheck.py ./
COPY alembic alembic
COPY app app
# `bank`, byte code for a quick start, and rights that do not depend on the umask of whoever checked out.
RUN printf '%s\n' '#!/opt/venv/bin/python' 'from app.cli import main' \
        'if __name__ == "__main__":' '    main()' > /opt/venv/bin/bank \
    && python3 -m compileall -q --invalidation-mode unchecked-hash app \
    && chmod -R u=rwX,go=rX /app \
    && chmod 755 /opt/venv/bin/bank

FROM ${BASE_IMAGE} AS runtime
# A fixed uid, so that files on a mounted folder keep their owner from one image to the next.
RUN groupadd --gid 10001 appuser \
    && useradd --uid 10001 --gid appuser --home-dir /app --no-create-home --shell /usr/sbin/nologin appuser
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
RUN install --directory --mode 0700 --owner appuser --group appuser /app/data
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
# By name, for people; where an orchestrator wants a number it is 10001.
# hadolint ignore=DL3066
USER appuser
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=5 \
    CMD ["python", "healthcheck.py", "http://127.0.0.1:8000/v1/health"]
# Where the migration fails nothing is served. `exec` makes the server the process that SIGTERM reaches.
CMD ["sh", "-c", "bank migrate && exec bank serve --host 0.0.0.0 --port 8000"]
