FROM python:3.12-slim AS build

# A mirror of the package index, when the machine that builds has no other way.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

COPY requirements/ requirements/
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --require-hashes -r requirements/runtime.lock \
    && pip install --require-hashes -r requirements/build.lock

COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/venv/bin/python install --no-deps dist/*.whl


# The embedded Postgres stays in the image (75 MB of 325): `docker run … owner demo` needs
# no database, and pg_dump and psql are at hand for backups.
FROM python:3.12-slim

RUN groupadd --system --gid 10001 owner \
    && useradd --system --uid 10001 --gid owner --home-dir /data --no-create-home --shell /usr/sbin/nologin owner \
    && install --directory --owner owner --group owner --mode 0700 /data

COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OWNER_HOME=/data

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]

ENTRYPOINT ["owner"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
