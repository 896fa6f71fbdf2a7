# One image for migrate, api and worker; the command says which.
FROM python:3.13-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation -e . && useradd --system --no-create-home puntual
USER puntual
EXPOSE 8080
ENTRYPOINT ["puntual"]
CMD ["--help"]
