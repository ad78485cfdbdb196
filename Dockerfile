# docker build -t pqproxy:0.1.0 .        --build-arg BASE=… for another image with Python ≥ 3.11
# docker run --read-only --tmpfs /run/pqproxy:uid=65532,mode=0700 --cap-drop ALL \
#   -v ./proxy:/etc/pqproxy:ro -p 8443:8443 pqproxy:0.1.0
ARG BASE=python:3.13-slim

# Wheels of what was tested, and an environment of nothing but those. A dependency without a wheel
# for this platform fails here: there is no compiler in either stage.
FROM ${BASE} AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY pqproxy pqproxy
RUN python -m pip wheel --no-cache-dir --constraint requirements/constraints.txt --wheel-dir /wheels .
RUN python -m venv --without-pip /opt/pqproxy \
 && python -m pip --python /opt/pqproxy/bin/python install --no-cache-dir --no-index --find-links /wheels pqproxy
RUN mkdir -p /empty

# Runs nothing while it is built: a base without a shell will do.
FROM ${BASE}
COPY --from=build /opt/pqproxy /opt/pqproxy
COPY --from=build --chown=65532:65532 /empty /run/pqproxy
ENV PATH=/opt/pqproxy/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8443 9901
# Wants `control: {listen: "unix:/run/pqproxy/control.sock"}` in the file.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s \
  CMD ["pqproxy", "status", "-q", "-c", "/etc/pqproxy/proxy.yaml"]
ENTRYPOINT ["pqproxy"]
CMD ["-c", "/etc/pqproxy/proxy.yaml"]
