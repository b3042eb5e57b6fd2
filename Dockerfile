# One image for every service; the command names it: docker run IMAGE orchestrator
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

COPY requirements-services.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-services.lock \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin eldoleado \
    && install -d -o eldoleado -g eldoleado -m 0700 /var/lib/eldoleado

# .dockerignore lets our packages through and nothing else.
COPY . .
RUN python -m compileall -q .

USER 10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=2)"]
ENTRYPOINT ["python", "-m", "launcher", "serve"]
CMD ["orchestrator"]
