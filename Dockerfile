FROM python:3.13-slim AS build
WORKDIR /build
COPY Pipfile.lock ./
COPY scripts/requirements.py scripts/
# Without pip, the environment contains only what Pipfile.lock pins.
RUN python -m venv --without-pip /opt/venv \
    && python scripts/requirements.py default > requirements.txt \
    && pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --no-compile \
        --no-deps --require-hashes -r requirements.txt
COPY src /app/src
# Compiled here, because the user of the container cannot write to /app; unchecked, because the sources never change.
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/venv /app/src

FROM python:3.13-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tickets
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000
USER 10001:10001
EXPOSE 8000
# Without proxies: http_proxy must not apply to 127.0.0.1.
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as http; http.build_opener(http.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['PORT']}/readyz\", timeout=3)"]
CMD ["python", "src/serve.py"]
